"""Where a control plane agrees to listen, and whose keys it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.server.config import Config, ConfigError, is_loopback, read_credentials


def test_loopback_needs_no_credentials() -> None:
    """On the machine itself everybody may speak."""
    assert Config(xds_socket=Path("xds.sock")).credentials == {}


@pytest.mark.parametrize("setting", [{"host": "0.0.0.0"}, {"host": "::"}, {"xds_host": "192.0.2.1"}, {}])
def test_other_addresses_are_refused_until_insecure_is_said(setting: dict[str, str]) -> None:
    """Nobody opens a mesh by accident, to a network or to all users of this machine; the message says what to do."""
    with pytest.raises(ConfigError, match="--insecure"):
        Config(**setting)  # type: ignore[arg-type]  # only strings are given
    assert Config(**setting, insecure=True).insecure  # type: ignore[arg-type]  # as above


def test_the_api_may_be_public_with_credentials() -> None:
    """Signed requests are what the check is for."""
    config = Config(host="0.0.0.0", credentials={"AKIA": "secret"}, xds_token_file=Path("token"))

    assert config.host == "0.0.0.0"


def test_an_account_has_twelve_digits() -> None:
    """ARNs would be malformed otherwise."""
    with pytest.raises(ConfigError, match="'12'"):
        Config(account="12")


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],
)
def test_loopback_is_recognised(host: str, only_here: bool) -> None:
    """A name that is not localhost may lead anywhere."""
    assert is_loopback(host) is only_here


def test_every_profile_of_a_credentials_file_is_a_key(tmp_path: Path) -> None:
    """The file has the form of ~/.aws/credentials."""
    file = tmp_path / "keys"
    file.write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = s%1\n"
        "[ci]\naws_access_key_id=B\naws_secret_access_key=t\n"
    )

    assert {"A": "s%1", "B": "t"} == read_credentials(file)


@pytest.mark.parametrize(
    "text", ["", "aws_secret_access_key = hunter2\n", "[a]\naws_access_key_id = A\n", "[a]\nhunter2\n"]
)
def test_a_credentials_file_that_cannot_be_used_is_named_without_its_secrets(text: str, tmp_path: Path) -> None:
    """The error names the file and what is missing; a secret in it is not repeated."""
    file = tmp_path / "keys"
    file.write_text(text)

    with pytest.raises(ConfigError, match="keys") as refused:
        read_credentials(file)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a]\naws_access_key_id = A\naws_secret_access_key =\n", r"aws_secret_access_key of profile \[a\] is empty"),
        ("[a]\naws_access_key_id = A\naws_secret_access_key\n", "not a credentials file"),
        ("[a]\naws_access_key_id =  \naws_secret_access_key = hunter2\n", "aws_access_key_id of profile .* is empty"),
        ("[a]\naws_access_key_id = A\naws_secret_access_key = hunter2 # mine\n", "has a space"),
        ("[a]\naws_access_key_id = A/B\naws_secret_access_key = hunter2\n", "has a space or another character"),
        ("[a]\naws_access_key_id = A\naws_secret_access_key = hunter\u00a02\n", "has a space"),
        (
            "[a]\naws_access_key_id = A\naws_secret_access_key = hunter2\n"
            "[b]\naws_access_key_id = A\naws_secret_access_key = hunter22\n",
            "two profiles have the key A with different secrets",
        ),
    ],
)
def test_a_secret_that_anybody_could_sign_with_is_refused(text: str, why: str, tmp_path: Path) -> None:
    """An empty secret lets everybody in; one that is not what its owner believes lets nobody in."""
    file = tmp_path / "keys"
    file.write_text(text)

    with pytest.raises(ConfigError, match=why) as refused:
        read_credentials(file)
    assert "hunter2" not in str(refused.value)


def test_one_key_in_several_profiles_is_one_key(tmp_path: Path) -> None:
    """As in the files of people who have a profile for each region."""
    file = tmp_path / "keys"
    file.write_text("".join(f"[{one}]\naws_access_key_id = A\naws_secret_access_key = s\n" for one in "ab"))

    assert {"A": "s"} == read_credentials(file)
