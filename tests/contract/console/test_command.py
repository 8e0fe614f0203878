"""`shopmesh console`: the link that it prints, and the browser that it opens."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.control_plane.conftest import SERVE
from tests.support.access import environment_of
from tests.support.console import STATE, Browser
from tests.support.process import eventually, running

CONSOLE = (*SERVE[:-1], "console")


class Project:
    """A control plane with its own key, and the environment that reaches it."""

    def __init__(self, port: int, run_folder: Path) -> None:
        self.port = port
        self.environment = {**os.environ, **environment_of(run_folder, port)}

    def console(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CONSOLE, *options],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def served(run_folder: Path, *options: str) -> Iterator[Project]:
    command = (*SERVE, "--api-port", "0", "--xds-port", "0", "--run-dir", str(run_folder), *options)
    with running(command) as child:
        said = child.wait_for(lambda: re.search(r"API on http://\S+?:(\d+), xDS", child.output), "its port")
        yield Project(int(said[1]), run_folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    yield from served(tmp_path_factory.mktemp("project") / "run")


def test_it_prints_a_link_that_signs_in(project: Project) -> None:
    """The link is all of standard output, for scripts and for `exec` in a container."""
    printed = project.console()
    [link] = printed.stdout.splitlines()

    assert link.startswith(f"http://127.0.0.1:{project.port}/console/#code=")
    assert "once" in printed.stderr
    browser = Browser(project.port)
    assert 200 == browser.sign_in(link).status
    assert 200 == browser.get(STATE).status


@pytest.mark.parametrize("url", ["https://mesh.example", "http://127.0.0.1:19080/", "http://[::1]:9080"])
def test_the_link_leads_where_the_browser_reaches_the_control_plane(project: Project, url: str) -> None:
    """By the option, or by a variable that a container has."""
    for printed in (project.console("--url", url), project.console(SHOPMESH_CONSOLE_URL=url)):
        assert printed.stdout.startswith(f"{url.rstrip('/')}/console/#code=")


@pytest.mark.parametrize("url", ["mesh.example", "ftp://mesh.example", "http://", "http://h/path", "http://[x", "-"])
def test_what_is_no_url_is_refused(project: Project, url: str) -> None:
    refused = project.console(f"--url={url}")

    assert (2, "") == (refused.returncode, refused.stdout)
    assert "--url" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a browser of its own")
@pytest.mark.parametrize(("option", "opens"), [("", True), ("--no-open", False), ("--print", False)])
def test_it_opens_the_browser_of_a_terminal(project: Project, tmp_path: Path, option: str, opens: bool) -> None:
    """The program that the variable BROWSER names; not for who reads the output of the command, nor if told not to."""
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part && mv {seen}.part {seen}\n')
    browser.chmod(0o700)
    terminal, inside = pty.openpty()
    try:
        environment = {**project.environment, "BROWSER": str(browser)}
        command = [*CONSOLE, *([option] if option else [])]
        subprocess.run(command, env=environment, stdout=inside, stderr=subprocess.DEVNULL, timeout=30, check=True)
        printed = os.read(terminal, 4096).decode().strip()
    finally:
        os.close(inside)
        os.close(terminal)

    assert "#code=" in printed
    if opens:
        assert printed == eventually(lambda: seen.exists() and seen.read_text(), "the browser is started")
    assert opens == seen.exists()
    assert "#code=" in project.console(BROWSER=str(browser)).stdout


def test_off_is_said(tmp_path: Path) -> None:
    for project in served(tmp_path / "run", "--console", "off"):
        refused = project.console()
        assert (1, "") == (refused.returncode, refused.stdout)
        assert "--console on" in refused.stderr


@pytest.mark.parametrize("mode", ["on", "read-only"])
def test_the_option_decides_what_the_console_may_do(tmp_path: Path, mode: str) -> None:
    for project in served(tmp_path / "run", "--console", mode):
        browser = Browser(project.port)
        browser.sign_in(project.console().stdout.strip())
        assert mode == browser.get("/console/session").json["mode"]


def test_a_name_that_no_host_can_have_is_refused(tmp_path: Path) -> None:
    command = (*SERVE, "--api-port", "0", "--xds-port", "0", "--run-dir", str(tmp_path / "run"))
    refused = subprocess.run(
        [*command, "--console-host", "http://mesh.example"], capture_output=True, text=True, timeout=30, check=False
    )

    assert 1 == refused.returncode
    assert "--console-host" in refused.stderr
