"""Completion in the shells themselves, and `get` for scripts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shopmesh.client import Client
from tests.contract.control_plane.conftest import ControlPlane
from tests.support.process import BIN, running

SHOPMESH = (sys.executable, "-c", "from shopmesh.cli import main; main()")
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("shopmesh ro", "route"),
        ("shopmesh load --assert-e", "--assert-errors"),
        ("shopmesh get virtualG", "virtualGateway"),
        ("shopmesh completion f", "fish"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_the_shell_completes_commands_options_and_kinds(shell: str, line: str, expected: str) -> None:
    """The script is read by the shell itself, which then asks for what could follow."""
    if shell == "fish":
        command = [str(shutil.which("fish")), "-c", f"shopmesh completion fish | source; complete -C '{line}'"]
        if shutil.which("fish") is None and "CI" not in os.environ:
            pytest.skip("there is no fish: apt-get install fish")
    else:
        words = line.split()
        script = (
            'eval "$(shopmesh completion bash)"; '
            f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shopmesh_completion shopmesh; echo ${{COMPREPLY[@]}}"
        )
        command = ["bash", "-c", script]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False)

    assert expected in done.stdout.split(), done.stderr


def test_zsh_gets_a_script_that_it_would_read() -> None:
    """zsh is not on the machines of these tests: only the form of its script is seen."""
    done = subprocess.run(
        ["shopmesh", "completion", "zsh"], env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.startswith("#compdef shopmesh")


@pytest.fixture
def mesh(client: Client) -> Client:
    client.appmesh.create_mesh(meshName="shop")
    for name in ("a-vn", "b-vn"):
        client.appmesh.create_virtual_node(meshName="shop", virtualNodeName=name, spec={})
    return client


def get(control_plane: ControlPlane, *arguments: str) -> tuple[str, ...]:
    return (
        sys.executable,
        "-c",
        "from shopmesh.cli import main; main()",
        "--endpoint-url",
        control_plane.url,
        "get",
        *arguments,
    )


def test_names_are_for_scripts(control_plane: ControlPlane, mesh: Client) -> None:
    """One a line, nothing else; of none, nothing."""
    done = subprocess.run(get(control_plane, "-o", "name"), capture_output=True, text=True, timeout=30, check=True)
    none = subprocess.run(
        get(control_plane, "route", "-o", "name"), capture_output=True, text=True, timeout=30, check=True
    )

    assert "mesh/shop\nvirtualNode/a-vn\nvirtualNode/b-vn\n" == done.stdout
    assert ("", "") == (none.stdout.strip(), none.stderr)


def test_wide_leaves_nothing_out(control_plane: ControlPlane, mesh: Client) -> None:
    """Every column, in a narrow terminal too."""
    done = subprocess.run(
        get(control_plane, "-o", "wide"),
        env={**ENVIRONMENT, "COLUMNS": "40"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert ["KIND", "NAME", "SUMMARY", "VERSION", "UPDATED", "CREATED", "TAGS"] == done.stdout.splitlines()[0].split()


def test_watching_prints_what_changes(control_plane: ControlPlane, mesh: Client, tmp_path: Path) -> None:
    """What is there first; then each that is created, changed or deleted, and nothing twice."""
    with running(get(control_plane, "virtualnode", "--watch", "-o", "name")) as child:
        child.wait_for(lambda: "b-vn" in child.output, "it lists them")
        mesh.appmesh.create_virtual_node(meshName="shop", virtualNodeName="c-vn", spec={})
        child.wait_for(lambda: "c-vn" in child.output, "it prints the new one")
        mesh.appmesh.delete_virtual_node(meshName="shop", virtualNodeName="a-vn")
        child.wait_for(lambda: "was deleted" in child.output, "it prints that one is gone")

        assert [
            "virtualNode/a-vn",
            "virtualNode/b-vn",
            "virtualNode/c-vn",
            "virtualNode/a-vn was deleted",
        ] == child.output.splitlines()


def test_the_version_is_that_of_everything_that_runs() -> None:
    """shopmesh with the revision of the clone, Envoy and Python, a line each."""
    done = subprocess.run((*SHOPMESH, "--version"), capture_output=True, text=True, timeout=30, check=True)

    assert ["shopmesh", "Envoy", "Python"] == [line.split()[0] for line in done.stdout.splitlines()]
    assert re.search(r"^shopmesh +[\d.]+, revision [0-9a-f]{7,}(-dirty)?$", done.stdout, re.MULTILINE)
