"""The rules that proxy-init sets, in a network namespace of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REDIRECT = Path(__file__).parents[3] / "proxy-init" / "redirect.sh"
MANY = [*range(8000, 8040), 65535]


def redirect(**variables: str) -> subprocess.CompletedProcess[str]:
    """Sets the rules, and prints them. In the namespace there is but one user, 0."""
    if not shutil.which("unshare") or not shutil.which("iptables"):
        pytest.skip("redirecting needs Linux with unshare and iptables; make test-containers tries it as well")
    script = f"sh {REDIRECT} once && iptables-save -t nat"
    done = subprocess.run(
        ["unshare", "-Urn", "sh", "-c", script],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "APPMESH_IGNORE_UID": "0", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "ermitted" in done.stderr or "ermission denied" in done.stderr:
        pytest.skip(f"this user may not redirect: {done.stderr.strip()}")
    return done


def ports(rules: str, chain: str, target: str) -> list[int]:
    return [int(port) for port in re.findall(rf"-A {chain} -p tcp -m tcp --dport (\d+) -j {target}", rules)]


def test_a_node_may_listen_on_any_number_of_ports() -> None:
    """More than the fifteen that one match of several ports takes, to the application and of calls left alone."""
    done = redirect(
        APPMESH_APP_PORTS=",".join(map(str, MANY)), APPMESH_EGRESS_IGNORED_PORTS=",".join(map(str, range(100, 120)))
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert ports(done.stdout, "APPMESH_INGRESS", "REDIRECT --to-ports 15000") == MANY
    assert ports(done.stdout, "APPMESH_EGRESS", "RETURN") == [4317, 4318, 2000, *range(100, 120)]


def test_without_ports_only_calls_are_redirected() -> None:
    """As for a Job, which nobody calls."""
    done = redirect(APPMESH_APP_PORTS="", APPMESH_EGRESS_IGNORED_PORTS="")

    assert [] == ports(done.stdout, "APPMESH_INGRESS", "REDIRECT --to-ports 15000")
    assert [4317, 4318, 2000] == ports(done.stdout, "APPMESH_EGRESS", "RETURN")
    assert "-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001" in done.stdout


@pytest.mark.parametrize("text", ["80,65536", "0", "1" * 5000, "80;reboot"])
@pytest.mark.parametrize("variable", ["APPMESH_APP_PORTS", "APPMESH_EGRESS_IGNORED_PORTS", "APPMESH_ENVOY_EGRESS_PORT"])
def test_what_is_not_a_port_is_refused_with_its_variable(variable: str, text: str) -> None:
    """Before any rule is set."""
    done = redirect(**{variable: text})

    assert (1, 1) == (done.returncode, done.stderr.count("\n"))
    assert f"redirect: {variable}='{text}'" in done.stderr
