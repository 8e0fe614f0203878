"""The keys of a new control plane."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from shopmesh.cli import main
from shopmesh.server.config import read_credentials
from shopmesh.server.grpc.shared_token import read_token


def make(folder: Path) -> tuple[int, str]:
    files = ("--credentials", str(folder / "credentials"), "--xds-token", str(folder / "token"))
    result = CliRunner().invoke(main, ["keys", *files])
    return result.exit_code, result.output


def test_keys_are_made_once_and_differ_from_all_others(tmp_path: Path) -> None:
    """The control plane reads them; a second call leaves them alone; others are other keys; nothing else lies there."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert make(first)[0] == make(second)[0] == 0
    keys, token = read_credentials(first / "credentials"), read_token(first / "token")

    code, output = make(first)

    assert (code, len(re.findall("exists already", output))) == (0, 2)
    assert (keys, token) == (read_credentials(first / "credentials"), read_token(first / "token"))
    assert keys.keys().isdisjoint(read_credentials(second / "credentials"))
    assert token != read_token(second / "token")
    assert token not in output
    assert sorted(path.name for path in first.iterdir()) == ["credentials", "token"]


def test_only_their_reader_may_read_them(tmp_path: Path) -> None:
    """The credentials their owner; the token also the group, which is the sidecars'."""
    make(tmp_path)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}

    assert modes == {"credentials": "0o400", "token": "0o440"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In one line, and with a failing exit status."""
    code, output = make(tmp_path / "nowhere")

    assert code == 1
    assert "nowhere/credentials: No such file or directory" in output
