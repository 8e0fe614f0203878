"""What a replica does with a canary that another one looks after."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from shopmesh.appmesh.api.rest_json import Response
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.canary import canary_state, plan, transitions
from shopmesh.server.canary.canary_api import CanaryApi
from shopmesh.server.replicas import SOLE_REPLICA, Replicas
from shopmesh.server.store.author import UNKNOWN, Author
from shopmesh.server.store.sqlite_store import SqliteStore
from tests.support.planes import Scripted
from tests.unit.xds.meshes import mesh, shop


class Forwarding:
    """The other replica leads, and has written revision 1."""

    id = "two"
    several = True

    def author_of(self, _: Any) -> Author:
        return UNKNOWN

    async def forward(self, identity: str, path: str, body: bytes, seconds: float, _: Author) -> Response:
        return Response(200, json.dumps({"revision": 1, "to": identity, "path": path}).encode())


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"{}"}


def test_what_the_leader_wrote_is_read_where_it_was_asked() -> None:
    """The answer waits for the store here, which hears of it by its watch."""

    async def play() -> None:
        store = await SqliteStore.open(None)
        leadership = Scripted()
        leadership.set(False, "one")
        context = Context("123456789012", "us-east-1", 0.0, lambda: "uid")
        canaries = CanaryApi(store, lambda: context, cast("Replicas", Forwarding()), leadership)
        (all_of_them, _) = canaries.routes()
        sent: list[Any] = []
        revisions: list[int] = []

        async def send(message: Any) -> None:
            revisions.append(store.revision)
            sent.append(message)

        path = "/shopmesh/v1/canaries"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
        asked = asyncio.create_task(all_of_them.app(scope, receive, send))  # type: ignore[attr-defined]
        for _ in range(5):
            await asyncio.sleep(0)
        await store.submit(lambda transaction: transaction.put(mesh("shop")))
        await asked
        await store.close()

        assert {1} == {*revisions}
        assert {"revision": 1, "to": "one", "path": path} == json.loads(sent[1]["body"])

    asyncio.run(play())


def test_a_record_that_is_not_a_canary_s_stops_no_start_and_no_other_canary() -> None:
    """A replica that begins to lead looks after all that can be read, and says which cannot."""

    async def play() -> None:
        store = await SqliteStore.open(None)
        context = Context("123456789012", "us-east-1", 0.0, lambda: "uid")
        route = Key("route", ("shop", "product-r", "all"))
        broken = Key("canary", ("shop", "product-r", "another"))

        def begin(transaction: Transaction) -> None:
            for one in shop({"product": 100, "product-v2": 0}):
                transaction.put(one)
            wanted = plan.from_document({"to": "product-v2", "steps": [25, 50]})
            transitions.start(route, "product.local", wanted, "me", 15.0, transaction, context)
            transaction.put(Resource(broken, {"x": 1}, "uid", 1, 0.0, 0.0))

        await store.submit(begin)
        canaries = CanaryApi(store, lambda: context, cast("Replicas", Forwarding()), SOLE_REPLICA)
        async with canaries.supervising():
            assert canary_state.key(route) in canaries._leases
            assert broken not in canaries._leases
        await store.close()

    asyncio.run(play())
