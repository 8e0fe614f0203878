"""What revision a58f88c wrote is read afterwards: a store, the objects of a cluster, and manifests.

All three were made by that revision's own programs: `shopmesh apply`, boto3, the 2018-10-01 API, and two canaries, one
of which was running when its command was killed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any

from shopmesh import documents
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, Resource
from shopmesh.canary import canary_state
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import NAMESPACES
from shopmesh.kubernetes.store import KubernetesStore
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.support.inputs import ACCOUNT
from tests.support.kubernetes import Cluster

EARLIER = Path(__file__).parent / "written_by_a58f88c"
CUSTOMER, PRODUCT = ("shopmesh", "customer-vr", "customer-r"), ("shopmesh", "product-vr", "product-r")


def rows() -> dict[Key, dict[str, Any]]:
    """Each resource of the earlier store, read by SQLite alone."""
    with sqlite3.connect(f"file:{EARLIER / 'store.db'}?mode=ro&immutable=1", uri=True) as connection:
        found = connection.execute("SELECT kind, path, body FROM resource").fetchall()
    connection.close()
    return {Key(kind, tuple(json.loads(path))): json.loads(body) for kind, path, body in found}


async def test_store_holds_every_resource_as_it_was_written(tmp_path: Path) -> None:
    """With its specification, tags, uid, version and times; and the revision goes on from there."""
    shutil.copy(EARLIER / "store.db", tmp_path)
    store = await SqliteStore.open(tmp_path / "store.db")
    try:
        state, revision = store.state, store.revision
    finally:
        await store.close()

    expected = rows()
    found = {key: resource for key in expected if (resource := state.get(key)) is not None}
    assert expected.keys() == found.keys()
    for key, body in expected.items():
        one = found[key]
        assert (body["uid"], body["version"], body["created"], body["updated"]) == (
            one.uid,
            one.version,
            one.created_at,
            one.updated_at,
        )
        assert [tuple(tag) for tag in body["tags"]] == [*one.tags]
        assert (body["derivedFrom"] is None) == (one.derived_from is None)
        if key.kind != canary_state.KIND:
            assert body["spec"] == one.spec
    assert revision == 17


async def test_store_holds_canaries_of_every_phase(tmp_path: Path) -> None:
    """One that runs, with the weights to go back to, and one that was rolled back."""
    shutil.copy(EARLIER / "store.db", tmp_path)
    store = await SqliteStore.open(tmp_path / "store.db")
    try:
        canaries = {path: store.state.get(Key(canary_state.KIND, path)) for path in (CUSTOMER, PRODUCT)}
    finally:
        await store.close()

    running, ended = (canary_state.from_resource(resource(canaries[path])) for path in (CUSTOMER, PRODUCT))
    assert running.running
    assert (5, 60.0) == (running.weight, running.lease)
    assert [100, 0] == [target["weight"] for target in running.stable]
    assert not ended.running
    assert (0, "by hand") == (ended.weight, ended.reason)


def resource(found: Resource | None) -> Resource:
    assert found is not None
    return found


async def test_objects_of_a_cluster_are_used_with_their_annotations(cluster: Cluster) -> None:
    """Tags, versions and the canaries, which no field of an object says, are those that were written."""
    objects = json.loads((EARLIER / "objects.json").read_text())
    cluster.put(
        {"apiVersion": "v1", "kind": NAMESPACES.kind, "metadata": {"name": "default", "labels": {"mesh": "shopmesh"}}}
    )
    for one in objects:
        cluster.put(one)
    api = ApiServer(cluster.configuration())
    store = KubernetesStore(api, lambda: Context(ACCOUNT, "us-east-1", 0.0, lambda: str(uuid.uuid4())))
    try:
        async with store.watching():
            state = store.state
    finally:
        await api.close()

    earlier = {key: body for key, body in rows().items() if key.path[0] == "shopmesh"}
    assert [] == [key for key in earlier if state.get(key) is None]
    for key, body in earlier.items():
        if key.kind not in (canary_state.KIND, "mesh"):
            assert body["spec"] == resource(state.get(key)).spec, key
    assert "books" == dict(resource(state.get(Key("virtualNode", ("shopmesh", "ledger-vn")))).tags)["team"]
    assert canary_state.from_resource(resource(state.get(Key(canary_state.KIND, CUSTOMER)))).running


def test_manifests_declare_what_they_declared() -> None:
    """The demo's nodes and services, as `shopmesh apply` of that revision stored them."""
    texts = {path.name: path.read_text() for path in sorted((EARLIER / "mesh").glob("*.yaml"))}
    declared = documents.declared_resources(
        [one for name, text in texts.items() for one in documents.documents(text, name)]
    )
    written = rows()

    for one in declared:
        if one.key.kind in ("virtualNode", "virtualService"):
            assert written[one.key]["spec"] == one.spec
    assert {"virtualNode", "virtualService", "route"} <= {one.key.kind for one in declared}
