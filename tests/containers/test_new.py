"""Services made from the templates, built and run by Compose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.stack import Stack, docker
from tests.support.clones import Clone
from tests.support.process import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def made(images: Stack, node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A clone with two services more, one of them in JavaScript; the other images are there already."""
    clone = Clone(tmp_path_factory.mktemp("clone"))
    clone.shopmesh("new", "inventory")
    clone.shopmesh("new", "inventory", "--canary", "2.0")
    clone.shopmesh("new", "labels", "--language", "node", "--calls", "inventory")
    more = {"SHOPMESH_NODE_IMAGE": node, "COMPOSE_FILE": "compose.yaml"}
    stack = Stack(built_as=images.name, folder=clone.root, more=more)
    try:
        stack.compose("build", "inventory", "inventory-v2", "labels", timeout=250)
        stack.compose("up", "--detach", "--no-build", "mesh", "inventory", "inventory-v2", "labels")
        for instance in ("inventory-vn-1", "inventory-v2-vn-1", "labels-vn-1"):
            stack.shopmesh("wait", instance)
        yield stack
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)


def test_they_call_each_other_through_the_mesh(made: Stack) -> None:
    """Which version answers is the route's business, whatever language the caller speaks."""
    host = ("http", "inventory.default.svc.cluster.local", 5000)
    assert '"Version":1.0' in made.call("labels", *host)

    made.shopmesh("route", "inventory", "inventory-v2-vn=100")
    assert '"Version":2.0' in made.call("labels", *host)


@pytest.mark.parametrize("name", ["inventory", "inventory-v2", "labels"])
def test_each_is_found_healthy(made: Stack, name: str) -> None:
    """By its own check, without a right, as what its labels say."""
    eventually(lambda: made.inspect(name)["State"]["Health"]["Status"] == "healthy", f"{name} is healthy", 40)
    found = made.inspect(name)

    assert "10001:10001" == found["Config"]["User"]
    assert f"shopmesh/{name.removesuffix('-v2')}" == found["Config"]["Labels"]["org.opencontainers.image.title"]


def test_a_version_that_is_no_code_is_no_image(made: Stack) -> None:
    """In JavaScript as in Python, the build says which file is missing."""
    arguments = ("--file", "services/labels/Dockerfile", "--build-arg", "VERSION=9.9", "--build-arg")
    image = made.more["SHOPMESH_NODE_IMAGE"]
    said = docker("build", *arguments, f"NODE_IMAGE={image}", ".", check=False, folder=Path(made.folder))

    assert "VERSION=9.9 of labels is no code: write services/labels/app.mjs" in said
