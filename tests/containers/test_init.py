"""A project of one's own (`shopmesh init`), built and run by Compose with this tree's wheel as its release."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.containers.stack import ROOT, Stack, docker
from tests.support.process import eventually, free_port, running

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the wheel, on this machine's loopback."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    subprocess.run([sys.executable, *map(str, build)], check=True, timeout=120)
    port = free_port()
    server = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder)
    with running(server):
        address = f"http://127.0.0.1:{port}/"
        eventually(lambda: requests.get(address, timeout=5).ok, "the page of wheels is served")
        yield address


@pytest.fixture(scope="module")
def shop(wheels: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The project's mesh in containers; its services' layers are those of the repository's images."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    shopmesh = Path(sys.executable).with_name("shopmesh")
    subprocess.run([shopmesh, "init", "shop", folder], check=True, capture_output=True, timeout=60)
    stack = Stack(folder=folder, envoy=None, more={"COMPOSE_FILE": "compose.yaml"})
    options = ("--network", "host", "--build-arg", f"PIP_FIND_LINKS={wheels}", "--tag", stack.image("control-plane"))
    try:
        docker(
            "build",
            "--quiet",
            *options,
            ".",
            timeout=250,
            env={**stack.environment, "DOCKER_BUILDKIT": "1"},
            folder=folder,
        )
        stack.compose("up", "--detach", "--quiet-pull", timeout=300)
        yield stack
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)
        names = docker("images", "--format", "{{.Repository}}:{{.Tag}}", check=False).split()
        docker("rmi", *(name for name in names if name.startswith(stack.registry)), check=False)


def test_a_project_answers_in_containers(shop: Stack) -> None:
    """Its own control plane image, made of the released package alone, configures its sidecars."""
    url = f"http://127.0.0.1:{shop.port}/"
    eventually(lambda: "Product" in requests.get(url, timeout=5).text, "order answers through the mesh", 90)
    assert "order-vn" in shop.shopmesh("status")
