"""`cluster.sh` with a kubectl that only says what a cluster would: the script itself is tested."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.k8s.rendering import ROOT
from tests.support.process import BIN

STORY = ROOT / "tests" / "k8s" / "cluster.sh"
pytestmark = pytest.mark.timeout(300)  # hundreds of small programs, on a machine that may be busy
TOLD = STORY.parent / "told_kubectl.sh"
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs the script against that kubectl; pauses take no time, and there is no balancer."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("kubectl", "aws", "sleep"):
        said = f'exec bash {TOLD} "$@"\n' if name != "sleep" else ""
        (tools / name).write_text(f"#!/bin/sh\n{said}")
        (tools / name).chmod(0o755)

    def run(*command: str, faults: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "STATE": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "FAULTS": faults,
            "KUSTOMIZE": str(BIN / "kubectl"),
            "LOAD": "pod",
            "PATIENCE": "100",
        }
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=280, cwd=tmp_path
        )

    return run


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def steps(text: str) -> list[tuple[str, str]]:
    """Each line's verdict, and the step's name."""
    return [(found[1], found[2].strip()) for found in re.finditer(r"^[\d:]{8}  (\w+) +([^(:\n]+)", text, re.MULTILINE)]


def test_the_plan_needs_no_cluster(play: Play, tmp_path: Path) -> None:
    """Every step of the story, by name; nothing is asked."""
    done = play(str(STORY), "--plan")

    assert 0 == done.returncode, done.stderr
    assert 30 < len(done.stdout.splitlines())
    assert not (tmp_path / "calls").exists()


def test_the_story_ends_well_when_nothing_is_lost(play: Play, tmp_path: Path) -> None:
    """A line a step, in the order of the plan; everything is taken away again."""
    done = play(str(STORY))
    planned = play(str(STORY), "--plan").stdout.splitlines()
    told = steps(done.stdout)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert [*(("ok", line[4:].partition(":")[0]) for line in planned), ("ok", "the whole story")] == told
    restarted = [call.split("/")[-1] for call in calls(tmp_path) if "rollout restart" in call]
    assert ["order", "product", "product-v2", "customer", "customer-v15", "control-plane"] == restarted
    assert 4 == len([call for call in calls(tmp_path) if "eviction" in call])
    assert any(call.startswith("delete -k k8s/overlays/local") for call in calls(tmp_path))


def test_a_restart_is_watched_until_no_pod_is_terminating(play: Play, tmp_path: Path) -> None:
    """A request that an old pod loses at its very end counts."""
    done = play(str(STORY), faults="linger")
    seen = calls(tmp_path)
    restarts = [number for number, call in enumerate(seen) if "rollout restart" in call]

    assert 0 == done.returncode, done.stdout + done.stderr
    for number in restarts:
        rest = seen[number:]
        ended = next(index for index, call in enumerate(rest) if "logs load-" in call)
        assert any("deletionTimestamp" in call for call in rest[:ended])
    assert len(restarts) + 1 == len([call for call in seen if "deletionTimestamp" in call])


@pytest.mark.parametrize(("faults", "mode"), [("", "intercepted"), ("explicit", "explicit")])
def test_the_jobs_sidecar_is_of_the_overlays_mode(play: Play, tmp_path: Path, faults: str, mode: str) -> None:
    """A cluster that forbids NET_ADMIN would refuse the other."""
    done = play(str(STORY), faults=faults)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert [True] == [f"--mode {mode} " in call for call in calls(tmp_path) if "shopmesh inject" in call]


def test_what_is_lost_fails_the_story_and_lets_it_go_on(play: Play) -> None:
    """A failed request is a failed step, as a wrong share is, with the reason; the rest is played all the same."""
    done = play(str(STORY), faults="lost split")
    failed = [name for verdict, name in steps(done.stdout) if verdict == "FAILED"]

    assert 1 == done.returncode
    assert ["half is half", "the leading control plane is killed; half by kubectl meanwhile"] == [
        name for name in failed if "half" in name
    ][:2]
    assert "product/2.0 was to get 50 %, and got 30.0 %" in done.stdout
    assert "answered 503 (UH)" in done.stdout
    assert ("ok", "clean-up") in steps(done.stdout)


@pytest.mark.parametrize(
    ("fault", "where", "why"),
    [
        ("stuck", "the workloads are ready", "product-v2 does not get ready"),
        ("old", "the cluster", "1.30 is the first"),
    ],
)
def test_without_a_mesh_there_is_no_story(play: Play, tmp_path: Path, fault: str, where: str, why: str) -> None:
    """It stops where nothing of the rest could hold, and has looked at pods, events and logs by then."""
    done = play(str(STORY), faults=fault)
    told = steps(done.stdout)

    assert 1 == done.returncode
    assert [("FAILED", where), ("STOP", "nothing of what follows could hold")] == told[-2:]
    assert why in done.stdout
    assert any(call.startswith("get events -A") for call in calls(tmp_path))


def test_no_call_may_hang() -> None:
    """Every kubectl and aws of the story has a time-out; the port-forward is ended by its number."""
    text = STORY.read_text()
    bare = [
        line.strip()
        for line in text.splitlines()
        if re.search(r"(^|[;&|({] *)(kubectl|aws) ", line.strip()) and "timeout" not in line
    ]

    assert ['kubectl -n "$SYSTEM" port-forward service/control-plane :9080 >"$work/forward" 2>&1 &'] == bare


def test_the_report_that_the_story_reads_is_the_one_that_load_writes() -> None:
    """Its figures stand where the story looks for them."""
    from shopmesh.load.report import json_report

    text = Path(str(json_report.__file__)).read_text()

    assert all(f'"{field}":' in text for field in ("figures", "requests", "failed", "failures", "versions", "version"))
    assert json.loads('{"figures": {}}')
