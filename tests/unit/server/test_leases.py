"""Leases: over once, in time, unless they are renewed or ended."""

from __future__ import annotations

import asyncio

from shopmesh.appmesh.store import Key
from shopmesh.server.canary.leases import Leases

ONE, OTHER = Key("canary", ("shop", "r", "one")), Key("canary", ("shop", "r", "other"))


def test_only_what_nobody_renews_or_ends_lapses() -> None:
    """One is told, once; one that was ended is not, nor any after the end of all."""

    async def story() -> list[Key]:
        lapsed: list[Key] = []
        over = asyncio.Event()

        def told(key: Key) -> None:
            lapsed.append(key)
            over.set()

        leases = Leases(told)
        leases.renew(OTHER, 0.001)
        leases.end(OTHER)
        leases.renew(ONE, 3600)
        leases.renew(ONE, 0.001)
        async with asyncio.timeout(10):
            await over.wait()
        assert ONE not in leases
        leases.renew(OTHER, 0.0)
        leases.close()
        await asyncio.sleep(0.01)
        return lapsed

    assert [ONE] == asyncio.run(story())
