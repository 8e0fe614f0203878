"""App Mesh's published model, as botocore ships it: both versions, loaded at first use.

The model is the type, the router, the validator, the error table and the list of tests; nothing of it is written by
hand anywhere else.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from shopmesh.appmesh.kinds import KINDS, Kind

GA = "2019-01-25"
PREVIEW = "2018-10-01"
VERSIONS = (GA, PREVIEW)


@functools.cache
def service(version: str) -> ServiceModel:
    """The service model of one API version, from botocore's own data alone: no file of the user's may change it."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model("appmesh", "service-2", version), "appmesh")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one version: what it does (`verb`) to what (`kind`; None for the three about tags)."""

    version: str
    name: str
    verb: str
    kind: Kind | None
    model: OperationModel

    @property
    def writes(self) -> bool:
        return self.verb not in ("Describe", "List", "ListTagsForResource")


@functools.cache
def operations(version: str) -> dict[str, Operation]:
    """All operations of a version by name, each matched to one of the five verbs and a kind, or to a tag operation."""
    model = service(version)
    found: dict[str, Operation] = {}
    for name in model.operation_names:
        verb, kind = _verb_and_kind(name)
        found[name] = Operation(version, name, verb, kind, model.operation_model(name))
    return found


TAG_VERBS = ("TagResource", "UntagResource", "ListTagsForResource")
VERBS = ("Create", "Describe", "Update", "Delete", "List")


def _verb_and_kind(name: str) -> tuple[str, Kind | None]:
    if name in TAG_VERBS:
        return name, None
    for verb in VERBS:
        for kind in KINDS.values():
            if name == verb + (kind.plural_title if verb == "List" else kind.title):
                return verb, kind
    raise LookupError(f"operation {name} of App Mesh's model is none of {', '.join(VERBS)} of a known kind")
