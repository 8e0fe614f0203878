"""The token file: what is a token, and that it is never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.server.config import Config, ConfigError
from shopmesh.server.grpc.shared_token import read_token

TOKEN = "0123456789abcdef"


def test_a_token_is_all_that_its_file_holds(tmp_path: Path) -> None:
    """Nothing is stripped: Envoy sends the file as it is."""
    file = tmp_path / "token"
    file.write_text(TOKEN)

    assert TOKEN == read_token(file)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds 0 bytes"),
        (TOKEN + "\n", "ends with a line feed"),
        ("secret words of mine", "without spaces"),
        ("sécret-sécret-sécret", "printable"),
        ("secret", "16 to 8192"),
        ("s" * 9000, "16 to 8192"),
    ],
)
def test_what_is_no_token_is_named_without_being_repeated(text: str, why: str, tmp_path: Path) -> None:
    """The error names the file and what to do; the file's content stays in it."""
    file = tmp_path / "token"
    file.write_text(text)

    with pytest.raises(ConfigError, match=why) as refused:
        read_token(file)
    assert str(file) in str(refused.value)
    assert "s" * 5 not in str(refused.value)
    assert "secret " not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Its path may be wrong."""
    with pytest.raises(ConfigError, match="No such file"):
        read_token(tmp_path / "token")


def test_xds_may_be_public_with_a_token() -> None:
    """It is what the token is for."""
    config = Config(xds_host="0.0.0.0", xds_token_file=Path("token"))

    assert config.xds_host == "0.0.0.0"
