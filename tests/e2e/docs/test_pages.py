"""The commands of the README and of the tutorial, run as they stand there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.clones import ENVIRONMENT, Clone
from tests.support.process import BIN, eventually

ROOT = Path(__file__).resolve().parents[3]
OWN_TERMINAL = "# in a terminal of its own\n"
BLOCK = re.compile(r"^```sh\n(.*?)^```$|^(<!-- ctrl-c -->)$", re.MULTILINE | re.DOTALL)


def script(page: str) -> str:
    """The page's shell blocks as one script: a terminal of its own becomes a background job, Ctrl-C a signal to it."""
    parts = ["set -euo pipefail", "UP="]
    starts = 0
    for block, interrupt in BLOCK.findall(page):
        if interrupt:
            parts.append('kill -INT "$UP"; wait "$UP"; UP=')
        elif block.startswith(OWN_TERMINAL):
            command = block.removeprefix(OWN_TERMINAL).strip()
            parts.append(f"(trap - INT; exec {command}) >> up.log 2>&1 & UP=$!")
            starts += 1
            parts.append(f'until [ "$(grep -c "Ctrl-C stops everything" up.log)" = {starts} ]; do')
            parts.append('  kill -0 "$UP"; sleep 0.1; done')
        else:
            parts.append(f"cat <<'SHOWN'\n--- {block}SHOWN\n{block}")
    parts.append('[ -z "$UP" ] || { kill -INT "$UP"; wait "$UP"; }')
    return "\n".join(parts)


def ports_are_free() -> bool:
    for port in (8080, 9080):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    return True


def run(page: str, folder: Path) -> str:
    """What the commands of a page say, run one after another in a folder with the project's mesh and services."""
    for name in ("mesh", "services"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    # Setting up is what made this environment, and the tests and the demo have runs of their own.
    commands = re.sub(r"^make .*\n", "", (ROOT / page).read_text(), flags=re.MULTILINE)
    eventually(ports_are_free, "the tutorial's ports are free", 60)
    output = folder / "output"
    with output.open("wb") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", script(commands)],
            cwd=folder,
            env={**ENVIRONMENT, "PATH": f"{BIN}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(150)
        finally:
            # A mesh or a load that a failed step left behind is in the same process group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(20)
    said = output.read_text()
    log = (folder / "up.log").read_text() if (folder / "up.log").exists() else ""

    assert shell.returncode == 0, f"{said}\n--- up.log\n{log[-4000:]}"
    return said


def versions(service: str, said: str) -> set[str]:
    return set(re.findall(rf'"{service}","Version":([\d.]+)', said))


@pytest.mark.timeout(240)
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """Every command succeeds as written, both canaries get traffic, and not one request fails."""
    said = run("docs/tutorial.md", tmp_path)

    assert "not one request failed" in said
    assert {"1.0", "2.0"} <= versions("Product", said)
    assert {"1.0", "1.5"} <= versions("Customer", said)


@pytest.mark.timeout(240)
def test_the_page_about_loads_does_what_it_says(tmp_path: Path) -> None:
    """Every load ends with its report; the change in the middle of one is in it, and the files are there."""
    said = run("docs/load.md", tmp_path)

    assert re.search(r"^route shopmesh/product-vr/product-r +\d+\.\d\d +\d+ ", said, re.MULTILINE), said
    assert "product/2.0 share %" in said
    assert "PASSED" in said
    assert 'class="mark"' in (tmp_path / "before.html").read_text()


@pytest.mark.timeout(240)
def test_the_page_about_canaries_does_what_it_says(tmp_path: Path) -> None:
    """One is promoted, one by a plan in a file is as well, and one without users turns back with its status."""
    said = run("docs/canary.md", tmp_path)

    assert 2 == said.count("promoted: all 2 stages passed")
    assert "promoted" == json.loads((tmp_path / "canary.json").read_text())["phase"]
    assert "not enough traffic: 0 of the 100 requests" in said
    assert "status 3" in said


@pytest.mark.timeout(240)
def test_the_page_about_a_service_of_one_s_own_does_what_it_says(tmp_path: Path) -> None:
    """In a clone: made, called through the mesh, released step by step, made in another language, and removed."""
    clone = Clone(tmp_path)
    (tmp_path / ".git" / "info" / "exclude").write_text("*.log\noutput\n")
    said = run("docs/new-service.md", tmp_path)

    assert '{"id":1,"name":"The first","inventory":{"id":1,"name":"Screws"}}' in said
    assert "inventory-v2-vn-1 runs (inventory/2.0) and is known to its callers" in said
    assert "promoted: all 2 stages passed" in said
    assert {"2.0"} <= versions("Inventory", said)
    assert "- services/labels" in said
    assert ["A\tservices/inventory/v2_0.py"] == re.findall(r"A\t.*/v2_0.py", clone.changed())


@pytest.mark.timeout(240)
def test_the_readme_does_what_it_says(tmp_path: Path) -> None:
    """A newcomer who copies its commands gets an order, a status, and both canaries' weights."""
    said = run("README.md", tmp_path)

    assert '"product":{"id":1' in said
    assert "product-vn=50 product-v2-vn=50" in said
    assert "customer-vn=75 customer-v15-vn=25" in said


@pytest.mark.timeout(240)
def test_the_page_on_annotations_does_what_it_says(tmp_path: Path) -> None:
    """A header, a limit, faults, a mirror and a patch are seen; what says nothing is refused."""
    said = run("docs/beyond.md", tmp_path)

    assert "x-tier: gold" in said
    assert 2 == said.count("\nrefused\n")
    for text in re.findall(r"^BadRequestException … (.*)$", (ROOT / "docs/beyond.md").read_text(), re.MULTILINE):
        assert text in said
    assert "did you mean 'connect_timeout'" in said
    assert "fault-abort: 503 50%" in said
    assert "+    shopmesh.dev/product-r.mirror: product-v2-vn 100%" in said
    assert "product-vr/product-r: mirror: product-v2-vn 100%" in said
