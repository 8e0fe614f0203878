"""The console of `shopmesh up`: the link that it prints, and who made a change through it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.local.conftest import Up, starting
from tests.support.console import SESSION, STATE, Browser
from tests.support.process import eventually


def test_up_prints_a_link_that_signs_in_and_writes_it_nowhere(up: Up) -> None:
    """Once; what it signs in to is the mesh that runs, and a change there is made by the run folder's key."""
    printed = re.search(r"The console is (http://127\.0\.0\.1:\d+/console/#code=(\S+)) ", up.child.output)
    assert printed is not None
    browser = Browser(up.api_port)
    assert 200 == browser.sign_in(printed[1]).status
    assert 401 == Browser(up.api_port).sign_in(printed[1]).status

    assert "on" == browser.get(SESSION).json["mode"]
    eventually(lambda: all(proxy["connected"] for proxy in browser.get(STATE).json["proxies"]), "all proxies are there")
    assert 200 == browser.request("PUT", "/console/api/v20190125/meshes", {"meshName": "of-a-page"}).status
    [change] = [one for one in up.client.changes()["changes"] if "of-a-page" in str(one["resources"])]
    assert (browser.get(SESSION).json["accessKey"], "console") == (change["author"], change["door"])
    files = [one for one in up.run_folder.rglob("*") if one.is_file()]
    assert files
    assert [] == [one for one in files if printed[2].encode() in one.read_bytes()]


def test_without_a_console_up_prints_no_link(tmp_path: Path) -> None:
    with starting(tmp_path, "--empty", "--console", "off") as up:
        up.child.wait_for(lambda: "Ctrl-C stops everything" in up.child.output, "it runs")

        assert "The console is" not in up.child.output
        assert 404 == Browser(up.api_port).get("/console/").status
