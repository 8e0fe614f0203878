"""A store that holds less than was written to it: what is said, where, and what is refused."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from shopmesh.server.store.sqlite_file import SqliteFile
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import StoreError
from tests.support.stores import put, run


def written(path: Path) -> Path:
    """A store of three meshes, as a process that was killed leaves it: what it wrote last is in its log alone."""
    original = path.with_name("original.db")

    async def use(store: SqliteStore) -> None:
        for name in "abc":
            await store.submit(put(name))
        for suffix in ("", "-wal", "-revision"):
            shutil.copyfile(f"{original}{suffix}", f"{path}{suffix}")

    run(original, use)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "store.db")


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


async def names(store: SqliteStore) -> list[str]:
    return sorted(one.key.name for one in store.state)


async def losses(store: SqliteStore) -> list[str]:
    return [one.what for one in store.losses()]


def test_a_killed_process_has_lost_nothing(path: Path) -> None:
    """Its log is beside the file, and what is in neither was never answered."""
    assert ["a", "b", "c"] == run(path, names)
    assert [] == run(path, losses)
    assert not path.with_name("store.db-lost").exists()


def lose_the_log(path: Path) -> None:
    log_of(path).unlink()


def empty_the_file(path: Path) -> None:
    run(path, names)
    path.write_bytes(b"")


def remove_the_file(path: Path) -> None:
    run(path, names)
    path.unlink()


def drop_the_tables(path: Path) -> None:
    run(path, names)
    connection = sqlite3.connect(path)
    for table in ("resource", "token", "meta"):
        connection.execute(f"DROP TABLE {table}")
    connection.close()


def put_back_an_old_copy(path: Path) -> None:
    run(path, names)
    shutil.copyfile(path, f"{path}.copy")
    run(path, lambda store: store.submit(put("d")))
    shutil.copyfile(f"{path}.copy", path)


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (
            lose_the_log,
            "revision 3 was written to it, but it contains revision 0: 3 changes are lost; its log store.db-wal",
        ),
        (empty_the_file, "contains revision 0: 3 changes are lost; the file was empty"),
        (remove_the_file, "contains revision 0: 3 changes are lost; there was no file"),
        (drop_the_tables, "contains revision 0: 3 changes are lost"),
        (put_back_an_old_copy, "revision 4 was written to it, but it contains revision 3: 1 change is lost"),
    ],
)
def test_a_loss_is_said_and_the_store_is_used(
    path: Path, lose: Callable[[Path], None], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At every start, as an error, until somebody removes the note; and no revision is ever given twice."""
    lose(path)
    before = run(path, names)
    for _ in range(2):
        caplog.clear()
        [loss] = run(path, losses)
        assert told in loss
        assert "store.db-lost" in loss
        assert [(logging.ERROR, True)] == [(one.levelno, told in one.getMessage()) for one in caplog.records]

    async def go_on(store: SqliteStore) -> int:
        await store.submit(put("z"))
        return store.revision

    assert run(path, go_on) > 3
    assert [*before, "z"] == run(path, names)
    path.with_name("store.db-lost").unlink()
    assert [] == run(path, losses)


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b""), Path.unlink], ids=["empty", "missing"])
def test_a_log_without_its_file_is_left_alone(path: Path, change: Callable[[Path], object]) -> None:
    """SQLite would delete it: the one loss that a start would make itself."""
    content = log_of(path).read_bytes()
    change(path)

    with pytest.raises(StoreError, match="has changes, which opening it would delete") as refused:
        run(path, names)

    assert content == log_of(path).read_bytes()
    assert "move the log away to start with an empty store" in str(refused.value)
    log_of(path).unlink()
    run(path, lambda store: store.submit(put("a")))


def test_a_store_without_a_record_is_one_of_an_earlier_version(path: Path) -> None:
    """Nothing is known of it, and from now on everything is."""
    path.with_name("store.db-revision").unlink()
    assert [] == run(path, losses)

    path.write_bytes(b"")
    assert 1 == len(run(path, losses))


def test_a_damaged_record_is_written_anew(path: Path) -> None:
    """It is no reason to blame the store, nor to refuse it."""
    path.with_name("store.db-revision").write_bytes(b"\xff" * 30)

    assert ["a", "b", "c"] == run(path, names)
    assert [] == run(path, losses)
    assert path.with_name("store.db-revision").read_bytes().startswith(b"00000000000000000003\n")


def test_a_record_that_cannot_be_written_harms_no_write(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and the store goes on without it."""
    record = path.with_name("store.db-revision")
    record.unlink()
    record.mkdir()

    assert "d" == run(path, lambda store: store.submit(put("d")))
    assert 1 == sum("a loss of the log would not be detected" in one.getMessage() for one in caplog.records)


def test_what_is_kept_beside_a_store_is_private(path: Path) -> None:
    """As the store itself: other users of the machine read none of it."""
    lose_the_log(path)
    run(path, names)

    assert {0o600} == {path.with_name(f"store.db-{name}").stat().st_mode & 0o777 for name in ("revision", "lost")}


def test_a_loss_is_noted_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the start that found it fails, and the next one finds it again."""
    lose_the_log(path)

    def full(*_: object) -> None:
        raise StoreError("no room")

    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(SqliteFile, "commit", full)
            with pytest.raises(StoreError, match="no room"):
                run(path, names)

    assert 1 == len(run(path, losses))
