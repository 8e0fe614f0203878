"""Sections of a bootstrap from users' files, merged into ours as App Mesh's agent did."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from shopmesh.xds.bootstrap.envoy_json import Json
from shopmesh.xds.bootstrap.options import BootstrapError

_NAMES = {"staticResources": "static_resources", "statsConfig": "stats_config", "statsSinks": "stats_sinks"}
_OURS = ("node", "dynamic_resources", "dynamicResources")


def merge_overrides(document: Json, overrides: Iterable[Json]) -> Json:
    """Returns the document with the overrides merged into it; raises BootstrapError.

    Resources and sinks are added. Fields of `stats_config` replace ours, except patterns of statistics: they are added,
    because the control plane needs ours. Any other section replaces ours.
    """
    document = copy.deepcopy(document)
    for override in overrides:
        for name, section in override.items():
            field = _NAMES.get(name, name)
            if name in _OURS:
                raise BootstrapError(f"{name} cannot be overridden: it names the proxy and its control plane")
            if field == "static_resources":
                for kind, resources in section.items():
                    document["static_resources"].setdefault(kind, []).extend(resources)
            elif field == "stats_sinks":
                document["stats_sinks"].extend(section)
            elif field == "stats_config":
                _merge_stats_config(document["stats_config"], section)
            else:
                document[field] = section
    return document


def _merge_stats_config(ours: Json, theirs: Json) -> None:
    kept = ours["stats_matcher"]["inclusion_list"]["patterns"]
    more = theirs.get("stats_matcher", {}).get("inclusion_list", {}).get("patterns", [])
    ours.update(theirs)
    if "stats_matcher" not in theirs or more:
        ours["stats_matcher"] = {"inclusion_list": {"patterns": [*kept, *more]}}
