"""Host names and addresses of requests: which of them a server answers for."""

from __future__ import annotations

import pytest

from shopmesh.server.api.hosts import AllowedHosts, split_authority
from shopmesh.server.config import Config, ConfigError

HOSTS = AllowedHosts.of(["Mesh.Example.", "192.0.2.7", "2001:DB8:0::7"])


@pytest.mark.parametrize(
    "authority",
    [
        *("127.0.0.1", "127.0.0.1:9080", "127.8.9.10:1", "localhost", "LOCALHOST:65535", "localhost.:80", "[::1]:9080"),
        *("[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"),
        *("mesh.example", "MESH.example.:443", "192.0.2.7:9080", "[2001:db8::7]", "[2001:db8:0:0::7]:1"),
        *("10.1.2.3:9080", "[::ffff:10.1.2.3]"),
    ],
)
def test_loopback_configured_names_and_the_address_reached_are_allowed(authority: str) -> None:
    """Ports, case, a closing dot and the spelling of an address make no difference."""
    assert HOSTS.allows(split_authority(authority)[0], "::ffff:10.1.2.3")


@pytest.mark.parametrize(
    "authority",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", "evil.localhost"),
        *("0.0.0.0", "[::]", "10.1.2.4", "2130706433", "127.1", "mesh.example.evil.example"),
    ],
)
@pytest.mark.parametrize("local_address", ["10.1.2.3", "/run/api.sock", None])
def test_every_other_host_is_not(authority: str, local_address: str | None) -> None:
    """A name that only looks like loopback is a name of somebody else."""
    assert not HOSTS.allows(split_authority(authority)[0], local_address)


@pytest.mark.parametrize(
    "authority",
    [
        *("", ":", ":80", ".", "a b", "user@localhost", "localhost:", "localhost:x", "localhost:-1", "localhost:65536"),
        *("[::1", "::1", "[evil]", "[127.0.0.1]", "http://localhost", "localhost/", "a,b", "loc\u0430lhost", "a\tb"),
    ],
)
def test_what_is_no_host_is_an_error(authority: str) -> None:
    """Nothing is guessed from half a name."""
    with pytest.raises(ValueError, match=r"HOST|empty|IPv6|Expected|parts|permitted"):
        split_authority(authority)


def test_the_bound_address_is_allowed_unless_it_is_every_address() -> None:
    """`0.0.0.0` as a host is how web pages reach loopback; no client of ours needs it."""
    assert Config(host="192.0.2.1", insecure=True).allowed_hosts().allows("192.0.2.1", None)
    assert not Config(host="0.0.0.0", insecure=True).allowed_hosts().allows("0.0.0.0", "192.0.2.1")


@pytest.mark.parametrize("name", ["http://mesh.example", "mesh.example:9080", "[2001:db8::7]:9080", "*", ""])
def test_a_name_that_is_none_is_refused_at_the_start(name: str) -> None:
    """The message names the option and what it takes."""
    with pytest.raises(ConfigError, match=r"--api-host: .*such as mesh\.example"):
        Config(api_hosts=[name])
