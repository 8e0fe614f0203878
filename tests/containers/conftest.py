"""One composed mesh for all tests of this tier: images built, started, and removed with everything it made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopmesh.client import Client, apply
from shopmesh.documents import documents
from tests.containers.stack import HERE, ROOT, Stack, docker
from tests.support.process import eventually

COMPOSED = sorted((ROOT / "compose").glob("*.yaml"))
WORKLOADS = len(re.findall(r"^  [a-z0-9-]+-sidecar:", "".join(map(Path.read_text, COMPOSED)), re.MULTILINE))
"""With the second replicas."""
NODE = "node:22-slim"
# Where no registry is reached: the same program from Debian, on the base of the other images.
NODE_STAND_IN = """FROM python:3.13-slim-trixie
RUN apt-get update -q && apt-get install -q -y --no-install-recommends nodejs
"""


@pytest.fixture(scope="session")
def images() -> Iterator[Stack]:
    """All images, under names of their own."""
    stack = Stack()
    envoy = docker("compose", "--file", "compose/parts.yaml", "config", "--images", check=False)
    stock = next((line for line in envoy.splitlines() if "envoy" in line), "envoyproxy/envoy:v1.40.0")
    try:
        stack.compose("--profile", "load", "build", timeout=600)
        bare = ("--build-arg", f"ENVOY_IMAGE={stock}", "--tag", f"{stack.registry}bare-envoy", str(HERE / "bare-envoy"))
        docker("build", "--quiet", *bare, timeout=300, env={**stack.environment, "DOCKER_BUILDKIT": "1"})
        yield stack
    finally:
        # The tests have their verdict by now: what an engine that is gone leaves behind is a warning, not a failure.
        stack.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "0", check=False)
        names = docker("images", "--format", "{{.Repository}}:{{.Tag}}", check=False).split()
        if made := [name for name in names if name.startswith(stack.registry)]:
            docker("rmi", *made, check=False)


@pytest.fixture(scope="session")
def node(images: Stack) -> str:
    """An image with Node: the public one, or what stands in for it."""
    if docker("image", "ls", "--quiet", NODE).strip():
        return NODE
    name = f"{images.registry}node"
    docker("build", "--quiet", "--tag", name, "-", timeout=250, stdin=NODE_STAND_IN)
    return name


@pytest.fixture(scope="session")
def started(images: Stack) -> Stack:
    """The mesh, and the second replica of product 1.0."""
    images.compose("--profile", "replicas", "up", "--detach", timeout=300)
    with images.client() as client:
        eventually(lambda: len([one for one in client.proxies() if one["declared"]]) == WORKLOADS, "all are ready", 60)
    return images


@pytest.fixture(scope="session")
def client(started: Stack) -> Iterator[Client]:
    with started.client() as found:
        yield found


@pytest.fixture(scope="session")
def echo(started: Stack, client: Client) -> Stack:
    """The tests' own application and its caller, in the mesh."""
    apply(client, documents((HERE / "echo-mesh.yaml").read_text(), "echo-mesh.yaml"), "shopmesh")
    started.compose("--profile", "echo", "up", "--detach")
    for instance in ("echo-vn-1", "caller-vn-1"):
        started.shopmesh("wait", instance)
    return started


@pytest.fixture
def stack(started: Stack, client: Client) -> Iterator[Stack]:
    """The mesh as it began: all weight on the first versions, every workload ready."""
    everything = set(started.compose("ps", "--services", "--status", "running").split())
    yield started
    if everything - set(started.compose("ps", "--services", "--status", "running").split()):
        started.compose("--profile", "replicas", "up", "--detach", "--no-recreate")
    eventually(client.healthy, "the control plane is back", 30)
    for service, canary in (("product", "product-v2-vn"), ("customer", "customer-v15-vn")):
        weigh(client, service, {f"{service}-vn": 100, canary: 0})
    eventually(lambda: all(proxy["declared"] for proxy in client.proxies()), "every workload is ready", 60)


def weigh(client: Client, service: str, weights: dict[str, int]) -> None:
    """Sets the weights of a service's versions."""
    targets: Any = [{"virtualNode": node, "weight": weight} for node, weight in weights.items()]
    client.appmesh.update_route(
        meshName="shopmesh",
        virtualRouterName=f"{service}-vr",
        routeName=f"{service}-r",
        spec={"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}},
    )
