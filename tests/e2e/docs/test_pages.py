"""The commands of the README and the pages after it, run as they stand there, one after the other in one clone."""

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
            parts.append(f'(trap - INT; exec {command}) >> "$UP_LOG" 2>&1 & UP=$!')
            starts += 1
            parts.append(f'until [ "$(grep -c "Ctrl-C stops everything" "$UP_LOG")" = {starts} ]; do')
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


class Reader:
    """Somebody who reads one page after another, in one clone, and does what they say."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        """`folder` is for what the reader's terminals show."""
        self.clone = clone
        self._folder = folder

    def follow(self, page: str) -> str:
        """What the commands of a page print; all of them have to succeed, and to end what they started."""
        folder = self._folder / page.replace("/", "-")
        folder.mkdir()
        log, output = folder / "up.log", folder / "output"
        # Setting up is what made this environment, and the tests and the demo have runs of their own.
        commands = re.sub(r"^make .*\n", "", (ROOT / page).read_text(), flags=re.MULTILINE)
        eventually(ports_are_free, "the pages' ports are free", 60)
        with output.open("wb") as sink:
            shell = subprocess.Popen(
                ["bash", "-c", script(commands)],
                cwd=self.clone.root,
                env={**ENVIRONMENT, "PATH": f"{BIN}:{os.environ['PATH']}", "UP_LOG": str(log)},
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
        shown = output.read_text()

        assert shell.returncode == 0, f"{page}\n{shown}\n--- up.log\n{log.read_text()[-4000:] if log.exists() else ''}"
        return shown


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The pages run in the order of this file, which is the order in which the README sends readers to them."""
    return Reader(Clone(tmp_path_factory.mktemp("clone")), tmp_path_factory.mktemp("shown"))


def versions(service: str, shown: str) -> set[str]:
    return set(re.findall(rf'"{service}","Version":([\d.]+)', shown))


@pytest.mark.timeout(240)
def test_the_readme_does_what_it_says(reader: Reader) -> None:
    """A newcomer who copies its commands gets an order, a status, and both canaries' weights."""
    shown = reader.follow("README.md")

    assert '"product":{"id":1' in shown
    assert "product-vn=50 product-v2-vn=50" in shown
    assert "customer-vn=75 customer-v15-vn=25" in shown


@pytest.mark.timeout(240)
def test_the_tutorial_does_what_it_says(reader: Reader) -> None:
    """Every command succeeds as written, both canaries get traffic, and not one request fails."""
    shown = reader.follow("docs/tutorial.md")

    assert "not one request failed" in shown
    assert {"1.0", "2.0"} <= versions("Product", shown)
    assert {"1.0", "1.5"} <= versions("Customer", shown)


@pytest.mark.timeout(240)
def test_the_page_about_loads_does_what_it_says(reader: Reader) -> None:
    """Every load ends with its report; the change in the middle of one is in it, and the files are there."""
    shown = reader.follow("docs/load.md")

    assert re.search(r"^route shopmesh/product-vr/product-r +\d+\.\d\d +\d+ ", shown, re.MULTILINE), shown
    assert "product/2.0 share %" in shown
    assert "PASSED" in shown
    assert 'class="mark"' in (reader.clone.root / ".shopmesh" / "before.html").read_text()


@pytest.mark.timeout(240)
def test_the_page_about_canaries_does_what_it_says(reader: Reader) -> None:
    """Although an earlier page gave product 2.0 a weight: two are promoted, one by a plan; the third is rolled back."""
    shown = reader.follow("docs/canary.md")

    assert 2 == shown.count("promoted: all 2 stages passed")
    assert "promoted" == json.loads((reader.clone.root / ".shopmesh" / "canary.json").read_text())["phase"]
    assert "not enough traffic: 0 of the 100 requests" in shown
    assert "status 3" in shown


@pytest.mark.timeout(240)
def test_the_page_on_annotations_does_what_it_says(reader: Reader) -> None:
    """A header, a limit, faults, a mirror and a patch are seen; what says nothing is refused."""
    shown = reader.follow("docs/beyond.md")

    assert "x-tier: gold" in shown
    assert 2 == shown.count("\nrefused\n")
    for text in re.findall(r"^BadRequestException … (.*)$", (ROOT / "docs/beyond.md").read_text(), re.MULTILINE):
        assert text in shown
    assert "did you mean 'connect_timeout'" in shown
    assert "fault-abort: 503 50%" in shown
    assert "+    shopmesh.dev/product-r.mirror: product-v2-vn 100%" in shown
    assert "product-vr/product-r: mirror: product-v2-vn 100%" in shown


@pytest.mark.timeout(240)
def test_the_page_about_a_service_of_one_s_own_does_what_it_says(reader: Reader) -> None:
    """Made, called through the mesh, released step by step, made in another language, and removed."""
    assert "" == reader.clone.git("status", "--porcelain"), "no page left files that a reader would commit"
    shown = reader.follow("docs/new-service.md")

    assert '{"id":1,"name":"The first","inventory":{"id":1,"name":"Screws"}}' in shown
    assert "inventory-v2-vn-1 runs (inventory/2.0) and is known to its callers" in shown
    assert "promoted: all 2 stages passed" in shown
    assert {"2.0"} <= versions("Inventory", shown)
    assert "- services/labels" in shown
    changed = reader.clone.changed()
    assert ["A\tservices/inventory/v2_0.py"] == re.findall(r"A\t.*/v2_0.py", changed)
    assert not [line for line in changed.splitlines() if line.endswith((".bak", ".log", ".json"))]
