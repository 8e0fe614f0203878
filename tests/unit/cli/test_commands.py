"""The command line's table of commands."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from shopmesh.cli import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_list_is_there(name: str) -> None:
    """Each name loads its module and shows its help."""
    result = CliRunner().invoke(main, [name, "--help"])

    assert 0 == result.exit_code, result.output
    assert f"Usage: shopmesh {name} " in result.output


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit status 2, with the command that was probably meant, or where to find all of them."""
    close, unlike = (CliRunner().invoke(main, [name]) for name in ("rotue", "xyzzy"))

    assert (2, 2) == (close.exit_code, unlike.exit_code)
    assert "there is no command 'rotue'; did you mean 'route'?" in close.output
    assert "there is no command 'xyzzy'; `shopmesh --help` lists the commands" in unlike.output


def test_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only errors that say what to do become one line; anything else must not be hidden."""

    @click.command()
    def broken() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(type(main), "get_command", lambda *_: broken)

    assert isinstance(CliRunner().invoke(main, ["get"]).exception, RuntimeError)
