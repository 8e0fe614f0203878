"""Errors that nobody expected, on the way of a write: whom they reach, and what goes on."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shopmesh.appmesh.store import Change, State, Transaction
from shopmesh.client import Client
from shopmesh.server.config import Config
from shopmesh.server.control_plane import serving_control_plane
from shopmesh.server.store.sqlite_file import SqliteFile
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Commit, StoreError
from tests.support.stores import put, resource, run


def put_what_no_file_holds(transaction: Transaction) -> None:
    """JSON has no sets: writing this fails in the middle of a transaction of the file."""
    transaction.put(replace(resource("unwritable"), spec={"a": {1, 2}}))


async def bounded(work: Awaitable[Any]) -> Any:
    """What comes of it; a write that nobody answers fails the test, and does not hang it."""
    async with asyncio.timeout(10):
        return await work


def test_an_unexpected_error_fails_that_write_alone(tmp_path: Path) -> None:
    """Those that were to be committed with it are written, those after it too, and all of them are in the file."""

    async def use(store: SqliteStore) -> list[str]:
        writes = [store.submit(put("a")), store.submit(put_what_no_file_holds), store.submit(put("b"))]
        results = await bounded(asyncio.gather(*writes, return_exceptions=True))
        assert ["a", "b"] == [results[0], results[2]]
        assert isinstance(results[1], TypeError)
        assert "c" == await bounded(store.submit(put("c")))
        assert store.failure is None
        return sorted(one.key.name for one in store.state)

    async def read(store: SqliteStore) -> list[str]:
        return sorted(one.key.name for one in store.state)

    assert ["a", "b", "c"] == run(tmp_path / "store.db", use) == run(tmp_path / "store.db", read)


def test_an_unexpected_error_of_the_disk_fails_that_write_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of it is applied, and the next write is the next revision."""

    def broken(*_: object) -> None:
        raise LookupError("a bug")

    async def use(store: SqliteStore) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(SqliteFile, "commit", broken)
            with pytest.raises(LookupError):
                await bounded(store.submit(put("a")))
        assert (0, 0) == (len(store.state), store.revision)
        assert "a" == await bounded(store.submit(put("a")))
        assert 1 == store.revision

    run(tmp_path / "store.db", use)


def test_a_listener_that_is_cancelled_does_not_end_the_writer(tmp_path: Path) -> None:
    """CancelledError is no Exception, and the write that it came after is answered all the same."""

    def cancelled(commit: Commit) -> None:
        raise asyncio.CancelledError

    async def use(store: SqliteStore) -> None:
        heard: list[int] = []
        store.subscribe(cancelled)
        store.subscribe(lambda commit: heard.append(commit.revision))
        assert ["a", "b"] == [await bounded(store.submit(put("a"))), await bounded(store.submit(put("b")))]
        assert [1, 2] == heard

    run(tmp_path / "store.db", use)


def fail_to_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on what is durable cannot be brought to memory: the one error that ends the writer."""

    def broken(state: State, changes: tuple[Change, ...]) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(State, "apply", broken)


def test_nobody_waits_for_a_writer_that_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The write that it ended at, those that were queued, and those that come later are refused; closing works."""

    async def use(store: SqliteStore) -> None:
        fail_to_apply(monkeypatch)
        first = await bounded(asyncio.gather(*(store.submit(put(name)) for name in "abc"), return_exceptions=True))
        assert [StoreError] * 3 == [type(one) for one in first]
        with pytest.raises(StoreError, match=r"the store's writer has ended.*restart the control plane"):
            await bounded(store.submit(put("d")))
        assert "has ended" in (store.failure or "")

    run(tmp_path / "store.db", use)


def read(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_health_tells_that_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both pages, with the reason: whoever restarts what is not well does so, and `doctor` shows it."""

    async def play() -> list[tuple[int, dict[str, Any]]]:
        config = Config(api_port=0, xds_port=0, insecure=True, store=tmp_path / "store.db")
        async with asyncio.timeout(20), serving_control_plane(config) as bound:
            url = f"http://127.0.0.1:{bound.api_port}"
            pages = [f"{url}/healthz", f"{url}/readyz"]
            before = [await asyncio.to_thread(read, page) for page in pages]
            fail_to_apply(monkeypatch)
            with Client(url) as client, pytest.raises(client.appmesh.exceptions.ServiceUnavailableException):
                await asyncio.to_thread(client.appmesh.create_mesh, meshName="shopmesh")
            return before + [await asyncio.to_thread(read, page) for page in pages]

    healthy, ready, *after = asyncio.run(play())

    assert [(200, "ok"), (200, "ok")] == [(status, said["status"]) for status, said in (healthy, ready)]
    assert [(503, "failed"), (503, "failed")] == [(status, said["status"]) for status, said in after]
    assert all("the store's writer has ended" in said["message"] for _, said in after)
