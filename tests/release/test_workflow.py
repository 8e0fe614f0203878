"""The form of the release's workflow, which has never been run: its keys, its order, and what each job may do."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.repository import ROOT, read_yaml

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
# From https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
_KEYS = {"name", "on", "permissions", "concurrency", "jobs"}
_JOB_KEYS = {"needs", "runs-on", "timeout-minutes", "environment", "permissions", "steps"}
_STEP_KEYS = {"name", "uses", "with", "env", "run"}
_PERMISSIONS = {
    "build": {"contents": "read"},
    "attest": {"attestations": "write", "id-token": "write"},
    "pypi": {"id-token": "write"},
    "github": {"contents": "write"},
}
"""The least that each job needs."""


def problems(workflow: dict[Any, Any]) -> Iterator[str]:
    """What is wrong with a workflow."""
    # YAML 1.1 reads the word on as true.
    yield from (f"key {key}" for key in workflow if key not in _KEYS and key is not True)
    if workflow.get("permissions") != {}:
        yield "permissions for all jobs"
    earlier: set[str] = set()
    for name, job in workflow["jobs"].items():
        yield from (f"{name}: key {key}" for key in job.keys() - _JOB_KEYS)
        if job.get("permissions") != _PERMISSIONS.get(name):
            yield f"{name}: permissions"
        if "timeout-minutes" not in job:
            yield f"{name}: no bound on its time"
        needs = {job["needs"]} if "needs" in job else set()
        yield from (f"{name}: needs {one}, which is not there before it" for one in needs - earlier)
        if earlier and not needs:
            yield f"{name}: waits for no job"
        earlier.add(name)
        for step in job["steps"]:
            yield from (f"{name}: {problem}" for problem in step_problems(step, may_sign=name == "build"))


def step_problems(step: dict[str, Any], *, may_sign: bool) -> Iterator[str]:
    yield from (f"step key {key}" for key in step.keys() - _STEP_KEYS)
    if ("uses" in step) == ("run" in step):
        yield "a step that is both or neither of an action and a script"
    if "uses" in step and not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"]):
        yield f"{step['uses']} has no version"
    if "${{" in step.get("run", ""):
        yield "a script that an expression writes"
    if "secrets." in str(step) and not may_sign:
        yield "a secret"
    if "run" in step:
        parsed = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, timeout=20)
        yield from parsed.stderr.splitlines()


def test_the_workflow_is_well_formed() -> None:
    """Keys are GitHub's, jobs follow each other, and none may do more than it needs."""
    assert [] == list(problems(read_yaml(WORKFLOW)))
    assert "It has never been run" in WORKFLOW.read_text()


def test_its_commands_are_those_of_the_repository() -> None:
    """A target that was renamed, or a script that was moved, would be noticed at the first release."""
    scripts = [step.get("run", "") for step in read_yaml(WORKFLOW)["jobs"]["build"]["steps"]]
    targets = [target for script in scripts for target in re.findall(r"\bmake ([a-z-]+)", script)]

    assert ["release"] == targets
    assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)
    assert scripts.index(".ci/run") < next(number for number, one in enumerate(scripts) if "make release" in one)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda jobs: jobs["attest"].update(need="build"), "attest: key need"),
        (lambda jobs: jobs["pypi"].update(needs="tests"), "pypi: needs tests, which is not there before it"),
        (lambda jobs: jobs["pypi"].pop("needs"), "pypi: waits for no job"),
        (lambda jobs: jobs["build"]["permissions"].update({"id-token": "write"}), "build: permissions"),
        (lambda jobs: jobs["build"].pop("timeout-minutes"), "build: no bound on its time"),
        (lambda jobs: jobs["build"]["steps"][0].update(uses="actions/checkout@main"), "build: actions/checkout@main"),
        (lambda jobs: jobs["build"]["steps"][3].update(run="if true"), "build: bash: "),
        (lambda jobs: jobs["build"]["steps"][3].update(run="echo ${{ github.ref }}"), "build: a script that"),
        (lambda jobs: jobs["pypi"]["steps"][0].update(env={"A": "${{ secrets.A }}"}), "pypi: a secret"),
        (lambda jobs: jobs["pypi"]["steps"][0].update(run="true"), "pypi: a step that is both"),
    ],
)
def test_a_mistake_is_found(spoil: Callable[[dict[str, Any]], object], found: str) -> None:
    """Each check is able to fail."""
    workflow = copy.deepcopy(read_yaml(WORKFLOW))
    spoil(workflow["jobs"])

    assert any(problem.startswith(found) for problem in problems(workflow))
