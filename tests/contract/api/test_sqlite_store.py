"""The store as its users see it: commits, listeners, failures, and files that it must not touch."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopmesh.appmesh.store import IdempotencyRecord, Key, Transaction
from shopmesh.server.store import client_tokens, sqlite_store
from shopmesh.server.store.sqlite_file import SqliteFile
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Commit, StoreError
from tests.contract.api.conftest import serving
from tests.contract.api.raw import send
from tests.support.stores import put, resource, run


def remember(token: str, answered: IdempotencyRecord) -> Callable[[Transaction], None]:
    return lambda transaction: transaction.record_token(token, answered)


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "store.db" if request.param == "file" else None


@pytest.mark.parametrize("there", [False, True])
def test_no_other_user_can_read_the_store(tmp_path: Path, there: bool) -> None:
    """Neither the file nor its WAL; a store that an earlier version left readable is closed to others."""
    path = tmp_path / "store.db"
    if there:
        run(path, lambda store: store.submit(put("a")))
        path.chmod(0o644)

    async def use(store: SqliteStore) -> set[int]:
        await store.submit(put("b"))
        return {file.stat().st_mode & 0o777 for file in tmp_path.iterdir() if "-wal" in file.name or file == path}

    before = os.umask(0o022)
    try:
        assert {0o600} == run(path, use)
    finally:
        os.umask(before)


def test_work_is_applied_when_it_returns(path: Path | None) -> None:
    """After submit the state has the resource, the revision has grown by one, and listeners were told first."""

    async def use(store: SqliteStore) -> None:
        heard: list[Commit] = []
        store.subscribe(heard.append)
        assert "a" == await store.submit(put("a"))
        assert resource("a") == store.state.get(Key("mesh", ("a",)))
        assert [1] == [commit.revision for commit in heard] == [store.revision]
        assert [(Key("mesh", ("a",)), None, resource("a"))] == [
            (change.key, change.before, change.after) for change in heard[0].changes
        ]

    run(path, use)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """Resources with all their fields, tokens in their order, and the revision survive; the revision goes on."""
    path = tmp_path / "store.db"

    async def write(store: SqliteStore) -> None:
        for name in "abc":
            await store.submit(put(name))
            await store.submit(remember(name, IdempotencyRecord(f"request {name}", f"answer {name}")))
        await store.submit(lambda t: t.delete(Key("mesh", ("b",))))

    async def read(store: SqliteStore) -> None:
        assert 4 == store.revision
        assert [resource("a"), resource("c")] == sorted(store.state, key=lambda found: found.key)
        assert {
            name: IdempotencyRecord(f"request {name}", f"answer {name}") for name in "abc"
        } == store.state.client_tokens
        assert ["a", "b", "c"] == list(store.state.client_tokens)
        await store.submit(put("d"))
        assert 5 == store.revision

    run(path, write)
    run(path, read)


def test_what_is_queued_together_is_committed_together(path: Path | None) -> None:
    """Works that wait at the same time see each other's writes in their order and share a commit."""

    async def use(store: SqliteStore) -> None:
        commits: list[Commit] = []
        store.subscribe(commits.append)

        def count(transaction: Transaction) -> int:
            found = transaction.get(Key("mesh", ("n",)))
            version = found.version + 1 if found else 1
            transaction.put(resource("n", version))
            return version

        assert list(range(1, 101)) == await asyncio.gather(*(store.submit(count) for _ in range(100)))
        assert len(commits) < 10
        assert [commit.revision for commit in commits] == list(range(1, len(commits) + 1))

    run(path, use)


def test_failing_work_fails_alone(path: Path | None) -> None:
    """An exception comes back to its own caller, nothing of its work is kept, and the others go on."""

    async def use(store: SqliteStore) -> None:
        def broken(transaction: Transaction) -> None:
            transaction.put(resource("broken"))
            raise LookupError("mine")

        results = await asyncio.gather(
            store.submit(put("a")), store.submit(broken), store.submit(put("b")), return_exceptions=True
        )
        assert ["a", "b"] == [results[0], results[2]]
        assert isinstance(results[1], LookupError)
        assert ["a", "b"] == sorted(found.key.name for found in store.state)

    run(path, use)


def test_work_without_effect_makes_no_revision(path: Path | None) -> None:
    """Writing what is there already tells no listener and moves no revision."""

    async def use(store: SqliteStore) -> None:
        await store.submit(put("a"))
        store.subscribe(lambda commit: pytest.fail("nothing changed"))
        await store.submit(put("a"))
        assert 1 == store.revision

    run(path, use)


def test_failing_listener_harms_nobody(path: Path | None) -> None:
    """The write is durable already, so that a listener's mistake goes to the log alone."""

    def broken(commit: Commit) -> None:
        raise LookupError("mine")

    async def use(store: SqliteStore) -> None:
        heard: list[int] = []
        store.subscribe(broken)
        store.subscribe(lambda commit: heard.append(commit.revision))
        assert ["a", "b"] == [await store.submit(put("a")), await store.submit(put("b"))]
        assert [1, 2] == heard

    run(path, use)


def test_given_up_work_is_left_out_or_done_whole(path: Path | None) -> None:
    """A caller that is cancelled while it waits neither blocks nor breaks the others."""

    async def use(store: SqliteStore) -> None:
        waiting = asyncio.create_task(store.submit(put("given up")))
        await asyncio.sleep(0)
        waiting.cancel()
        assert "a" == await store.submit(put("a"))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(path, use)


def test_closed_store_says_so(path: Path | None) -> None:
    """What was queued before close is written; what comes after is refused."""

    async def use(store: SqliteStore) -> None:
        queued = asyncio.create_task(store.submit(put("a")))
        await asyncio.sleep(0)
        await store.close()
        assert "a" == await queued
        with pytest.raises(StoreError, match="closed"):
            await store.submit(put("b"))

    run(path, use)


def test_queue_is_bounded(monkeypatch: pytest.MonkeyPatch, path: Path | None) -> None:
    """More callers than the queue holds wait for their turn, and all are served."""
    monkeypatch.setattr(sqlite_store, "LONGEST_QUEUE", 4)

    async def use(store: SqliteStore) -> None:
        names = [str(number) for number in range(50)]
        assert names == await asyncio.gather(*(store.submit(put(name)) for name in names))

    run(path, use)


@pytest.mark.parametrize("bound", ["MOST_TOKENS", "MOST_BYTES"])
def test_oldest_tokens_are_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bound: str) -> None:
    """Tokens are bounded by number and by size, in memory and on disk alike."""
    monkeypatch.setattr(client_tokens, bound, {"MOST_TOKENS": 3, "MOST_BYTES": 6}[bound])
    path = tmp_path / "store.db"

    async def write(store: SqliteStore) -> list[str]:
        for name in "abcde":
            await store.submit(remember(name, IdempotencyRecord("r", "a")))
        return list(store.state.client_tokens)

    async def read(store: SqliteStore) -> list[str]:
        return list(store.state.client_tokens)

    assert ["c", "d", "e"] == run(path, write) == run(path, read)


def test_disk_failure_reaches_every_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When the disk fails nothing is applied, whoever waits is told, and the store works again when the disk does."""

    async def use(store: SqliteStore) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteFile, "commit", _refuse)
            results = await asyncio.gather(store.submit(put("a")), store.submit(put("b")), return_exceptions=True)
            assert ["no room", "no room"] == [str(result) for result in results]
            assert (0, 0) == (len(store.state), store.revision)
        await store.submit(put("a"))
        assert 1 == store.revision

    run(tmp_path / "store.db", use)


def test_disk_failure_is_a_503_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The API answers with the model's ServiceUnavailableException, reads go on, and nothing was made."""
    with serving(tmp_path / "store.db") as server:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteFile, "commit", _refuse)
            answer = send(server.port, "PUT", "/v20190125/meshes", '{"meshName":"m"}')
        listed = send(server.port, "GET", "/v20190125/meshes")

    assert (503, "ServiceUnavailableException", "no room") == (answer.status, answer.code, answer.message)
    assert {"meshes": []} == listed.json


def _refuse(*_: Any) -> None:
    raise StoreError("no room")


def _made(path: Path) -> bytes:
    async def use(store: SqliteStore) -> None:
        for number in range(200):
            await store.submit(put(f"mesh-{number}"))

    run(path, use)
    return path.read_bytes()


def _foreign(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    return path.read_bytes()


def _newer(path: Path) -> bytes:
    _made(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    return path.read_bytes()


def _text(path: Path) -> bytes:
    path.write_bytes(b"apiVersion: v1\n" * 100)
    return path.read_bytes()


def _damaged(path: Path) -> bytes:
    whole = bytearray(_made(path))
    for page in range(1, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 2048] = b"\xa5" * 2048
    path.write_bytes(whole)
    return path.read_bytes()


def _cut(path: Path) -> bytes:
    path.write_bytes(_made(path)[:5000])
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_foreign, "not a store of shopmesh"),
        (_text, "not a store of shopmesh"),
        (_newer, "later release"),
        (_damaged, "damaged"),
        (_cut, "damaged"),
    ],
)
def test_unusable_file_is_left_alone(tmp_path: Path, make: Callable[[Path], bytes], words: str) -> None:
    """One clear error that names the file and says what to do, and not a byte of it is changed."""
    path = tmp_path / "store.db"
    content = make(path)

    with pytest.raises(StoreError, match=words) as refused:
        run(path, lambda store: store.submit(put("a")))

    assert str(path) in str(refused.value)
    assert "it was left unchanged" in str(refused.value)
    assert content == path.read_bytes()


def test_damaged_file_beside_its_log_is_left_alone(tmp_path: Path) -> None:
    """A process that was killed leaves a write-ahead log; the file is not touched then either."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"

    async def use(store: SqliteStore) -> None:
        for number in range(200):
            await store.submit(put(f"mesh-{number}"))
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")

    run(path, use)
    log = Path(f"{copy}-wal").read_bytes()
    assert len(log) > 8192
    copy.write_bytes(copy.read_bytes()[:4096] + b"\xa5" * 4096)
    before = (copy.read_bytes(), log)

    with pytest.raises(StoreError, match="damaged"):
        run(copy, lambda store: store.submit(put("a")))

    assert before == (copy.read_bytes(), log)
    assert log == Path(f"{copy}-wal").read_bytes()


def test_missing_folder_and_folder_as_file(tmp_path: Path) -> None:
    """A path that cannot be a file is one clear error."""
    for path, words in ((tmp_path / "no" / "store.db", "no folder"), (tmp_path, "cannot be opened")):
        with pytest.raises(StoreError, match=words):
            run(path, lambda store: store.submit(put("a")))


def test_file_in_use_is_refused(tmp_path: Path) -> None:
    """A second control plane over the same file is told so, and the first goes on."""
    path = tmp_path / "store.db"

    async def use(store: SqliteStore) -> None:
        await store.submit(put("a"))
        with pytest.raises(StoreError, match="in use by another process"):
            await SqliteStore.open(path)
        await store.submit(put("b"))

    run(path, use)


def test_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """What `touch` made is as good as no file."""
    path = tmp_path / "store.db"
    path.touch()

    assert "a" == run(path, lambda store: store.submit(put("a")))


def test_full_durability_is_asked_of_sqlite(tmp_path: Path) -> None:
    """synchronous=FULL and WAL: what a commit promises holds when the power goes."""
    disk = SqliteFile(tmp_path / "store.db")
    pragmas = [disk._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    disk.close()

    assert [2, "wal"] == pragmas
