"""The translations that docs/translation shows are taken by Envoy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shopmesh.xds.bootstrap import Options, bootstrap_document
from tests.support.certificates import Authority
from tests.support.judging import refused
from tests.translations import Pair, pairs, sections

_FOLDER = "/tls/"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the meshes name, in a folder of this test."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder, "ca")
    issued = authority.issue("order.local")
    issued.chain.rename(folder / "order.crt")
    issued.key.rename(folder / "order.key")
    return folder


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.feature)
def test_envoy_takes_each_translation(pair: Pair, certificates: Path, tmp_path: Path) -> None:
    """All that the proxy gets, as a static configuration: `envoy --mode validate` finds nothing wrong."""
    assert refused(_bootstrap(pair, certificates, tmp_path)) == ""


@pytest.mark.parametrize("part", ["certificate", "route table", "regular expression"])
def test_a_flaw_is_found(part: str, certificates: Path, tmp_path: Path) -> None:
    """Neither secrets nor routes escape: a missing file, a missing cluster and a bad expression are each refused."""
    feature, right, wrong, reason = {
        "certificate": ("tls-listener", "order.key", "gone.key", "gone.key"),
        "route table": (
            "weighted-routes",
            '"name": "cds_egress_shop_product_http_5000", "weight"',
            '"name": "gone", "weight"',
            "gone",
        ),
        "regular expression": ("path-match", "/products/[0-9]+", "/(?=products)", "perl operator"),
    }[part]
    file = _bootstrap(next(one for one in pairs() if one.feature == feature), certificates, tmp_path)
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))

    assert reason in refused(file)


def _bootstrap(pair: Pair, certificates: Path, folder: Path) -> Path:
    """A bootstrap that has all of it by itself, since an Envoy that validates asks no control plane."""
    made = bootstrap_document(pair.proxy, "127.0.0.1", 1, 1, options=Options(sds_socket=str(folder / "agent.sock")))
    found = sections(pair)
    static = made["static_resources"]
    tables = {table["name"]: {**table, "validate_clusters": True} for table in found["routes"]}
    static["listeners"] = _without_control_plane(found["listeners"], tables)
    static["clusters"] += _without_control_plane(found["clusters"], tables)
    static["secrets"] = found.get("secrets", [])
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(made).replace(_FOLDER, f"{certificates}/"))
    return file


def _without_control_plane(value: Any, tables: dict[str, Any]) -> Any:
    """Route tables stand where they are asked for, and secrets of the control plane are found by their name."""
    if isinstance(value, list):
        return [_without_control_plane(one, tables) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _without_control_plane(one, tables) for key, one in value.items()}
    if "rds" in made:
        made["route_config"] = tables[made.pop("rds")["route_config_name"]]
    if "ads" in made.get("sds_config", ()):
        del made["sds_config"]
    return made
