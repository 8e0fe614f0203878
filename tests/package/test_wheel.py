"""The installed package plays the demo, in an empty folder, with Python alone."""

from __future__ import annotations

import re
import subprocess
import tarfile
import urllib.request
import zipfile

import pytest

from shopmesh.files.demo import LEFT_OUT, PARTS
from tests.package.conftest import Archives, Installation, User
from tests.support.clones import ROOT
from tests.support.process import free_port, running

DEMO = "shopmesh/_project/"


def committed(*folders: str) -> set[str]:
    """The files of these folders that git knows or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def test_the_wheel_holds_the_demo_as_it_is_in_the_repository(archives: Archives) -> None:
    """Byte for byte, all of it and nothing else, below the package and never as packages of their own."""
    with zipfile.ZipFile(archives.wheel) as wheel:
        names = wheel.namelist()
        packed = {name.removeprefix(DEMO): wheel.read(name) for name in names if name.startswith(DEMO)}

    there = {name for name in committed(*PARTS) if not name.startswith(LEFT_OUT)}
    assert {name: (ROOT / name).read_bytes() for name in there} == packed
    assert {name.removeprefix("src/") for name in committed("src")} <= set(names)
    assert {"shopmesh", "shopmesh-" + archives.wheel.name.split("-")[1] + ".dist-info"} == {
        name.partition("/")[0] for name in names
    }


def test_the_installed_package_says_what_it_is(installation: Installation, user: User, archives: Archives) -> None:
    """Version, the revision that it was built of, Envoy and Python; no clone is there to be asked."""
    printed = user.run(installation.shopmesh, "--version").stdout.splitlines()

    assert re.fullmatch(rf"shopmesh +{archives.wheel.name.split('-')[1]}, revision [0-9a-f]{{7,40}}", printed[0])
    assert re.fullmatch(r"Envoy +\d+\.\d+\.\d+", printed[1])
    assert re.fullmatch(r"Python +3\.\d+\.\d+ on \w+ \w+", printed[2])


def test_the_source_archive_holds_what_the_wheel_is_made_of(archives: Archives) -> None:
    """All sources, the demo, and what says how to build; no tests, no tools of the repository."""
    with tarfile.open(archives.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {name for name in committed("src", *PARTS) if not name.startswith(LEFT_OUT)} <= names
    assert not [name for name in names if name.startswith(("tests/e2e", "docs/", ".ci"))]


def test_nothing_is_imported_from_the_repository(installation: Installation, user: User) -> None:
    """What the tests below run is the installed package, and every requirement is met."""
    found = user.run(installation.python, "-c", "import shopmesh; print(shopmesh.__file__)")
    checked = user.run(installation.python, "-m", "pip", "check")

    assert found.stdout.startswith(str(installation.python.parents[1])), found.stderr
    assert 0 == checked.returncode, checked.stdout


def test_the_client_of_kubernetes_is_an_extra(installation: Installation, user: User) -> None:
    """A command that needs it says what to install."""
    (user.folder / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: one}\n")
    done = user.run(installation.shopmesh, "inject", "-f", "pod.yaml")

    assert 1 == done.returncode
    assert "error: this command needs the client of Kubernetes: pip install 'shopmesh[kubernetes]'\n" == done.stderr


@pytest.mark.timeout(180)
def test_it_runs_the_demo_s_mesh_where_there_is_no_project(installation: Installation, user: User) -> None:
    """`up` says whose mesh it is, keeps its state in the user's folder, and other commands find it there."""
    port, api_port = free_port(), free_port()
    up = user.command(installation.shopmesh, "up", "--port", str(port), "--api-port", str(api_port))
    with running(up, cwd=user.folder) as child:
        child.wait_for(lambda: "Ctrl-C stops everything." in child.output, "the mesh runs", 90)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            order = answer.read().decode()
        status = user.run(installation.shopmesh, "--endpoint-url", f"http://127.0.0.1:{api_port}", "status")

        assert "There is no mesh/ in this folder: running the demo's mesh." in child.output
        assert '"Product"' in order
        assert 0 == status.returncode, status.stderr
        assert "product-vn" in status.stdout
    assert [] == list(user.folder.iterdir())


@pytest.mark.timeout(240)
@pytest.mark.parametrize("installation", ["the newest Python"], indirect=True)
def test_it_plays_the_demo(installation: Installation, user: User) -> None:
    """From an empty folder to the verdict; nothing is left behind."""
    done = user.run(installation.shopmesh, "demo", "--port", "0", timeout=200)

    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    assert "PASSED" in done.stdout
    assert [] == [*user.folder.iterdir(), *user.home.rglob("*")]
