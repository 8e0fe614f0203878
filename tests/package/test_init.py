"""A project of the user's own, made by the installed package: checked, extended, run, released in."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.package.conftest import Archives, Installation, User
from tests.support.process import BIN, eventually, free_port, running

GIT = ("git", "-c", "user.name=user", "-c", "user.email=user@example.com")
NEWEST = pytest.mark.parametrize("installation", ["the newest Python"], indirect=True)


@pytest.fixture
def project(installation: Installation, user: User) -> Path:
    """A project `shop`, committed, whose commands are those of the installation."""
    made = user.run(installation.shopmesh, "init", "shop")
    assert 0 == made.returncode, made.stderr
    folder = user.folder / "shop"
    for command in ("init --quiet", "add --all", "commit --quiet --message begin"):
        subprocess.run([*GIT, *command.split()], cwd=folder, check=True, timeout=30)
    return folder


def run(project: Path, user: User, *command: str | Path, timeout: float = 120) -> str:
    """What a command in the project prints; it has to succeed."""
    done = subprocess.run(
        user.command(*command), cwd=project, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@NEWEST
@pytest.mark.timeout(400)
def test_a_project_is_extended_and_released_in(
    installation: Installation, project: Path, user: User, archives: Archives
) -> None:
    """`make test`, a service that calls another, the mesh through which it is answered, and a canary's share."""
    environment = installation.python.parents[1]
    links = f"PIP_FIND_LINKS={archives.wheel.parent}"
    assert " passed" in run(project, user, "env", links, "make", "test", f"VENV={environment}", timeout=240)

    run(project, user, installation.shopmesh, "new", "inventory", "--calls", "product", "--way-in")
    assert " passed" in run(project, user, "env", links, "make", "test", f"VENV={environment}", timeout=240)
    assert "image: shop/inventory:1.0" in (project / "k8s" / "base" / "inventory" / "inventory.yaml").read_text()

    port, api_port = free_port(), free_port()
    up = user.command(installation.shopmesh, "up", "--port", str(port), "--api-port", str(api_port))
    ask = (installation.shopmesh, "--endpoint-url", f"http://127.0.0.1:{api_port}")
    with running(up, cwd=project) as child:
        child.wait_for(lambda: "Ctrl-C stops everything." in child.output, "the mesh runs", 90)

        def versions() -> set[str]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/inventories/1", timeout=10) as answer:
                return {part.strip() for part in str(answer.headers["x-peer-versions"]).split(",")}

        assert {"product/1.0"} == versions()
        run(project, user, *ask, "route", "product", "product-v2-vn=50")
        eventually(lambda: "product/2.0" in versions(), "the canary answers")
        run(project, user, *ask, "route", "product", "product-v2-vn=100")
        eventually(lambda: all(versions() == {"product/2.0"} for _ in range(20)), "nobody else does")
        assert ["shop"] == [
            one["meshName"] for one in json.loads(run(project, user, *ask, "get", "mesh", "-o", "json"))
        ]


def test_a_project_s_manifests_and_containers_are_whole(installation: Installation, project: Path, user: User) -> None:
    """Nothing is named that the project does not have, and nothing of the tool's own code is in it."""
    assert not (project / "src").exists()
    assert f"shopmesh=={installed_version(installation, user)}" in (project / "requirements.txt").read_text()
    for overlay in ("local", "explicit"):
        assert "kind: VirtualNode" in run(project, user, BIN / "kubectl", "kustomize", f"k8s/overlays/{overlay}")
    included = [line.removeprefix("  - ") for line in (project / "compose.yaml").read_text().splitlines()]
    missing = [path for path in included if path.startswith("compose/") and not (project / path).is_file()]
    assert [] == missing


def test_a_folder_with_something_in_it_is_left_alone(installation: Installation, user: User) -> None:
    """And a name that no mesh can have is refused."""
    (user.folder / "shop").mkdir()
    (user.folder / "shop" / "mine.txt").write_text("mine")
    full = user.run(installation.shopmesh, "init", "shop")
    wrong = user.run(installation.shopmesh, "init", "My Shop")

    assert (1, 1) == (full.returncode, wrong.returncode)
    assert "shop is not empty, it has mine.txt" in full.stderr
    assert ["mine.txt"] == [one.name for one in (user.folder / "shop").iterdir()]
    assert [user.folder / "shop"] == list(user.folder.iterdir())


def installed_version(installation: Installation, user: User) -> str:
    """The version of the installed package."""
    return user.run(installation.shopmesh, "--version").stdout.split()[1].rstrip(",")
