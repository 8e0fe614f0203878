"""What keeps `shopmesh up` from running: one clear line each, exit status 1, and nothing left running."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path

import pytest

from tests.e2e.local.conftest import PROJECT, SHOPMESH, interpreter_without_envoy, processes_of, project, starting
from tests.support.process import running

MAIN = SHOPMESH[1:]


def refused(tmp_path: Path, *arguments: str, folder: Path | None = None, program: tuple[str, ...] = SHOPMESH) -> str:
    """The only line that shopmesh itself has to say."""
    with starting(tmp_path, *arguments, project=folder or project(tmp_path), program=program) as up:
        assert up.child.process.wait(60) == 1
        assert not processes_of(up.run_folder)
        (line,) = [line for line in up.child.output.splitlines() if line.startswith("error: ")]
        return line


@pytest.mark.parametrize("option", ["--port", "--api-port", "--xds-port"])
def test_a_taken_port(tmp_path: Path, option: str) -> None:
    """Port, purpose and the option that chooses another are named."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        line = refused(tmp_path, option, str(port))

    assert f"port {port} (" in line
    assert f"choose another with {option}" in line


def test_a_missing_envoy(tmp_path: Path) -> None:
    """The path is named, and what installs it."""
    python = interpreter_without_envoy(tmp_path)
    line = refused(tmp_path, program=(python, *MAIN))

    assert "no Envoy at " in line
    assert "make setup" in line


def test_a_broken_manifest(tmp_path: Path) -> None:
    """File, document, line and field are named."""
    folder = project(tmp_path)
    manifest = folder / "mesh" / "product.yaml"
    manifest.write_text(manifest.read_text().replace("port: 5000", "port: many", 1))
    line = refused(tmp_path, folder=folder)

    assert "mesh/product.yaml, document 1, line " in line
    assert "port" in line


def test_a_mesh_that_the_control_plane_refuses(tmp_path: Path) -> None:
    """A reference to nothing is told at its place, and what was started for it has ended."""
    folder = project(tmp_path)
    manifest = folder / "mesh" / "product.yaml"
    manifest.write_text(manifest.read_text().replace("              weight: 100", "              weight: 101"))
    line = refused(tmp_path, folder=folder)

    assert "mesh/product.yaml" in line
    assert "101" in line


def test_no_mesh_at_all(tmp_path: Path) -> None:
    """Outside of a project, where the installation holds no demo either, the line says where to run."""
    shutil.copytree(PROJECT / "src", tmp_path / "installed" / "src")
    program = ("env", f"PYTHONPATH={tmp_path / 'installed' / 'src'}", *SHOPMESH)
    line = refused(tmp_path, folder=tmp_path, program=program)

    assert "this installation holds no demo: run shopmesh in the folder of a project" in line


def test_an_application_that_does_not_start(tmp_path: Path) -> None:
    """A service whose code fails is given up after a bounded number of starts, with its own last words."""
    folder = project(tmp_path)
    (folder / "services").unlink()
    services = Path(__file__).parents[3] / "services"
    (folder / "services").mkdir()
    for entry in services.iterdir():
        if entry.name != "customer":
            (folder / "services" / entry.name).symlink_to(entry)
    (folder / "services" / "customer").mkdir()
    for name in ("__init__.py", "app.py", "v1_5.py"):
        text = "" if name == "__init__.py" else "raise RuntimeError('no database')\n"
        (folder / "services" / "customer" / name).write_text(text)
    with starting(tmp_path, project=folder, tracebacks=True) as up:
        assert up.child.process.wait(100) == 1
        assert not processes_of(up.run_folder)

        assert "6 times in a row" in up.child.output
        assert "RuntimeError: no database" in up.child.output
        (line,) = [line for line in up.child.output.splitlines() if line.startswith("error: ")]
        assert "customer-v" in line
        assert "does not start" in line


def test_a_corrupt_store(tmp_path: Path) -> None:
    """The store's own error reaches the user, and --reset is a way out."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "store.db").write_bytes(b"no database at all" * 1000)
    line = refused(tmp_path)

    assert "control-plane does not start" in line
    assert "store.db" in line
    with starting(tmp_path, "--reset") as up:
        up.wait()
        assert up.serves()


def test_start_and_stop_without_an_up(tmp_path: Path) -> None:
    """One line that says what to start."""
    for command in ("start", "stop"):
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(running((*SHOPMESH, command, "product-vn", "--run-dir", str(tmp_path))))
            assert child.process.wait(20) == 1
            assert "`shopmesh up` does not run in" in child.output
