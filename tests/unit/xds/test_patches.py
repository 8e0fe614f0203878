"""Patches into what a node's proxies are given."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopmesh.appmesh.annotations.protobuf import merge_patch
from shopmesh.appmesh.store import Resource, State
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support.policies import ANYTHING
from tests.support.translated import message, proxy, tagged, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import node, shop

FIRST, SECOND = "cds_egress_shop_product_http_5000", "cds_egress_shop_product-v2_http_5000"


def order(patch: Any) -> Resource:
    return tagged(node("order", backends=["product.local"]), patch=json.dumps(patch))


def told(found: Snapshot) -> list[str]:
    return [one.what for one in found.findings]


def test_a_patch_changes_the_named_resource_alone() -> None:
    """And of that the named fields alone; a star stands for any characters."""
    plain = translated(shop())
    found = translated([*shop(), order({f"cluster/{FIRST}": {"connectTimeout": "0.2s"}})])

    patched = message(found, "clusters", FIRST)
    assert 200_000_000 == patched.connect_timeout.nanos
    patched.connect_timeout.CopyFrom(message(plain, "clusters", FIRST).connect_timeout)
    assert message(plain, "clusters", FIRST) == patched
    assert plain["clusters"].versions[SECOND] == found["clusters"].versions[SECOND]
    all_of = translated([*shop(), order({"cluster/cds_egress_shop_product*": {"connect_timeout": "0.2s"}})])
    assert found["clusters"].versions[FIRST] == all_of["clusters"].versions[FIRST]
    assert found["clusters"].versions[SECOND] != all_of["clusters"].versions[SECOND]


def test_listeners_and_route_tables_can_be_patched() -> None:
    """What they refer to stays known."""
    found = translated(
        [
            *shop(),
            order({"listener/lds_egress_*": {"stat_prefix": "x"}, "routes/rds_egress_http_15001": {"vhds": None}}),
        ]
    )

    assert "x" == message(found, "listeners", "lds_egress_127.0.0.1_41003").stat_prefix
    assert [] == told(found)
    assert FIRST in found["routes"].resources["rds_egress_http_15001"].needs


def test_other_nodes_are_not_patched() -> None:
    """A patch is for the proxies of its own node."""
    patch = order({"cluster/*": {"connect_timeout": "0.2s"}})

    assert translated(shop(), proxy("product")) == translated([*shop(), patch], proxy("product"))


def test_a_patch_of_nothing_is_told() -> None:
    """With the name that was meant."""
    found = translated([*shop(), order({"cluster/cds_egress_shop_product_http_500": {"connect_timeout": "1s"}})])

    [what] = told(found)
    assert "patch of cluster/cds_egress_shop_product_http_500 that is not applied: its proxies have no cluster" in what
    assert what.endswith(f"did you mean {FIRST!r}?")


def test_a_patch_that_does_not_go_together_with_the_rest_is_told() -> None:
    """One of two fields can be there: the resource stays as it was made."""
    patch = {f"cluster/{FIRST}": {"cluster_type": {"name": "x"}}}
    found = translated([*shop(), order(patch)])

    assert translated(shop())["clusters"] == found["clusters"]
    [what] = told(found)
    assert 'should not have multiple "cluster_discovery_type" oneof fields' in what
    patch[f"cluster/{FIRST}"]["type"] = None  # type: ignore[assignment]  # null takes the other one away
    assert [] == told(translated([*shop(), order(patch)]))


def test_a_change_patches_what_changed() -> None:
    """Another cluster that comes leaves the patched ones as they are, the same objects."""
    state = State([*shop(), order({"cluster/*": {"connect_timeout": "0.2s"}})])
    graph = DependencyGraph(state, ANYTHING)
    before = graph.compute_root(snapshot, proxy().snapshot_key)
    graph.mark_changed(meshes.changed(state, meshes.route("product-r", "all", {"product": 1})))

    after = graph.compute_root(snapshot, proxy().snapshot_key)

    assert before is not None
    assert after is not None
    assert SECOND not in after["clusters"].resources
    assert before["clusters"].resources[FIRST] is after["clusters"].resources[FIRST]


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def rfc_7386(target: Any, patch: Any) -> Any:
    """The pseudo code of RFC 7386, word for word. https://www.rfc-editor.org/rfc/rfc7386#section-2"""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = rfc_7386(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_merging_is_that_of_the_rfc(base: dict[str, Any], patch: dict[str, Any]) -> None:
    """For any two objects."""
    assert merge_patch(base, patch) == rfc_7386(base, patch)
