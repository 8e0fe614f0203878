"""The settings of a control plane: one frozen object, which the command line builds and passes in."""

from __future__ import annotations

import configparser
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shopmesh import defaults
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.files.input_files import InputFileError, read_text
from shopmesh.server.api.hosts import AllowedHosts
from shopmesh.server.http.limits import API_LIMITS, WEBHOOK_LIMITS, HttpLimits

LARGEST_CREDENTIALS = 1 << 20

_KEY_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"


class ConfigError(Exception):
    """A setting that cannot be used; the message names it, its value, and what to do."""


class XdsCarrier(StrEnum):
    """What serves HTTP/2 to proxies: gRPC's own library, or our implementation of what xDS needs of it."""

    GRPC = "grpc"
    HTTP2 = "http2"


@dataclass(frozen=True, slots=True)
class Config:
    """Where to listen, where to store the resources, and whom to authenticate.

    Ports may be 0 for any free one. `store` is the file of the resources, None for memory. `credentials` maps access
    key ids to secrets; empty means that requests are not authenticated. `xds_token_file` holds the token that proxies
    must send. `xds_socket` is a Unix socket instead of host and port, whose folder says who may be a proxy.
    `metrics_token_file` holds the token that opens /metrics where requests are signed; None: that of xDS does.
    `api_hosts` are further names that clients reach the API by, of which a request must name one. `insecure`: clients
    need no credentials and tokens that are not configured. `in_cluster`: credentials and tokens are those of a cluster,
    its Secrets and its pods' tokens.
    """

    host: str = defaults.LOOPBACK
    api_port: int = defaults.API_PORT
    xds_host: str = defaults.LOOPBACK
    xds_port: int = defaults.XDS_PORT
    xds_socket: Path | None = None
    xds_carrier: XdsCarrier = XdsCarrier.GRPC
    store: Path | None = None
    region: str = defaults.REGION
    account: str = defaults.ACCOUNT
    credentials: Mapping[str, str] = field(default_factory=dict)
    xds_token_file: Path | None = None
    metrics_token_file: Path | None = None
    insecure: bool = False
    host_policy: HostPolicy = STRICT
    in_cluster: bool = False
    api_hosts: Sequence[str] = ()
    api_limits: HttpLimits = API_LIMITS
    webhook_limits: HttpLimits = WEBHOOK_LIMITS

    def __post_init__(self) -> None:
        self.allowed_hosts()
        if not (self.account.isdigit() and len(self.account) == 12):
            raise ConfigError(f"{self.account!r} is not an AWS account id, which has 12 digits")
        if self.insecure or self.in_cluster:
            return
        if not is_loopback(self.host) and not self.credentials:
            raise ConfigError(
                f"the API would listen on {self.host} without credentials: leave out --no-auth, "
                "listen on 127.0.0.1, or give --insecure if every client that reaches this address may change the mesh"
            )
        if self.xds_socket is None and self.xds_token_file is None:
            raise ConfigError(
                f"xDS would listen on {self.xds_host} without authentication: give --xds-token-file or --xds-socket, "
                "or give --insecure if every client that reaches this address, such as every program on this machine, "
                "may read the mesh and receive requests as a proxy"
            )

    def allowed_hosts(self) -> AllowedHosts:
        """The hosts that a request to the API may name."""
        # No client sends a wildcard address; the address of the connection itself is always allowed.
        bound = () if self.host in ("", "0.0.0.0", "::") else (self.host,)  # compared, not bound to
        try:
            return AllowedHosts.of((*bound, *self.api_hosts))
        except ValueError as error:
            raise ConfigError(f"--api-host: {error}, such as mesh.example or 192.0.2.7") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_credentials(path: Path) -> dict[str, str]:
    """The access keys of a file in the form of `~/.aws/credentials`, those of all profiles.

    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
    """
    try:
        text = read_text(path, LARGEST_CREDENTIALS)
    except OSError as error:
        raise ConfigError(f"cannot read the credentials file {path}: {error.strerror}") from error
    except InputFileError as error:
        raise ConfigError(str(error)) from None
    return parse_credentials(text, str(path))


def parse_credentials(text: str, where: str) -> dict[str, str]:
    """As `read_credentials`, for text from elsewhere; `where` names it in errors."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _no_credentials(where, error) from None
    keys: dict[str, str] = {}
    for profile in parser.sections():
        identity, secret = (_credential(parser, profile, name, where) for name in (_KEY_ID, _SECRET))
        if keys.setdefault(identity, secret) != secret:
            raise ConfigError(
                f"{where}: two profiles have the key {identity} with different secrets; keep the one that is right"
            )
    if not keys:
        raise ConfigError(f"{where} has no profile: write [default], aws_access_key_id and aws_secret_access_key")
    return keys


def _credential(parser: configparser.RawConfigParser, profile: str, name: str, where: str) -> str:
    """One value of a profile; errors do not quote it, since it may be a secret."""
    value = parser[profile].get(name)
    if value is None:
        raise ConfigError(f"{where}: profile [{profile}] has no {name}")
    if not value:
        raise ConfigError(f"{where}: {name} of profile [{profile}] is empty; `shopmesh keys` makes a key")
    # A request sends the key id as ID/DATE/REGION/SERVICE/aws4_request, in a list separated by commas.
    unusable = set("/,=") if name == _KEY_ID else set()
    if any(not "!" <= character <= "~" or character in unusable for character in value):
        raise ConfigError(
            f"{where}: {name} of profile [{profile}] has a space or another character that keys do not have; correct it"
        )
    return value


def new_credentials() -> str:
    """A new random key, in the form of a credentials file."""
    identity, secret = f"SHOPMESH{secrets.token_hex(6).upper()}", secrets.token_urlsafe(30)
    return f"[default]\naws_access_key_id = {identity}\naws_secret_access_key = {secret}\n"


def _no_credentials(where: str, error: Exception) -> ConfigError:
    # The parser's own message quotes the wrong line, which may contain a secret.
    return ConfigError(
        f"{where} is not a credentials file: write [profile] and below it aws_access_key_id and "
        f"aws_secret_access_key ({type(error).__name__})"
    )
