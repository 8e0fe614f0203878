"""The result of a load as JUnit XML, and the action of pipelines that asks for it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.contract.load.commands import FIRST, shopmesh
from tests.support.answering import answering, ok
from tests.support.process import BIN
from tests.support.repository import ROOT

ACTION = ROOT / "pipelines" / "gate" / "action.yml"


def cases(file: Path) -> dict[str, list[str | None]]:
    """The messages of each test case's failures, by its name; the counts of the suite are checked."""
    (suite,) = ElementTree.parse(file).getroot()  # noqa: S314  # our own
    found = {case.attrib["name"]: [one.get("message") for one in case] for case in suite}
    assert (str(len(found)), str(sum(map(bool, found.values())))) == (suite.get("tests"), suite.get("failures"))
    return found


def test_each_assertion_is_a_test_case(tmp_path: Path) -> None:
    """Those that hold pass; those that do not say what the command says."""
    file = tmp_path / "load.xml"
    with answering(FIRST) as server:
        asserted = ("--assert-errors", "0", "--assert-p99", "10s", "--assert-split", "--expect", "product/1.0=10")
        expected = (*asserted, "--expect", "product/2.0=90")
        done = shopmesh("load", server.url, "--rate", "200", "--for", "1s", *expected, "--report", str(file))
    found = cases(file)

    assert 1 == done.returncode
    assert [] == found["at most 0 % of the requests fail"] == found["p99 of all requests is at most 1e+04 ms"]
    (failure,) = found["every share is as configured"]
    assert failure is not None
    assert "instead of" in failure


@pytest.mark.parametrize(("status", "passes"), [("200 OK", True), ("503 No", False)])
def test_the_action_fails_where_its_bounds_are_not_kept(status: str, passes: bool, tmp_path: Path) -> None:
    """Its command as it is written, with its inputs as variables; a value with a quote stays a value."""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(ok({"x-service-version": "product/1.0"}, status=status))

    action = yaml.safe_load(ACTION.read_text())
    (step,) = action["runs"]["steps"]
    with answering(answer) as server:
        given = {"url": f"{server.url}?q='$(touch${{IFS}}made)'", "rate": "50", "for": "1s", "assert-p99": "10s"}
        given["report"] = str(tmp_path / "gate.xml")
        inputs = {name: given.get(name, one.get("default")) for name, one in action["inputs"].items()}
        names = {name: re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", text) for name, text in step["env"].items()}
        variables = {name: inputs[found[1]] for name, found in names.items() if found}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert variables.keys() == step["env"].keys(), "an input of the action is read by no variable"
    assert "${{" not in step["run"]
    assert passes == (done.returncode == 0), done.stdout + done.stderr
    assert passes == (not any(cases(tmp_path / "gate.xml").values()))
    assert not (tmp_path / "made").exists()
