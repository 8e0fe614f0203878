"""A SQLite store that is open while a test uses it, and small writes to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shopmesh.appmesh.store import Key, Resource, Transaction
from shopmesh.server.store.sqlite_store import SqliteStore


def resource(name: str, version: int = 1) -> Resource:
    key, router = Key("mesh", (name,)), Key("virtualRouter", ("m", "r"))
    return Resource(key, {"é": [1, {"a": None}]}, f"uid-{name}", version, 1.5, 2.25, (("k", "v"),), router)


def put(name: str, version: int = 1) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        transaction.put(resource(name, version))
        return name

    return work


def run(path: Path | None, use: Callable[[SqliteStore], Awaitable[Any]]) -> Any:
    async def opened() -> Any:
        store = await SqliteStore.open(path)
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(opened())
