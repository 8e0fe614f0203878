"""The images: what is in them, who they run as, how large they are, and that a version stays what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.containers.stack import SERVICES, Stack, docker
from tests.support.process import eventually

MEGABYTES = 1_000_000
BASE = "python:3.13-slim-trixie"
# What each may add to its base; proxy-init has none. A third of the control plane's is its client for clusters.
LARGEST = {"control-plane": 150, "load": 105, "proxy-init": 8, **dict.fromkeys(SERVICES, 50)}


def inspected(image: str) -> Any:
    (found,) = json.loads(docker("image", "inspect", image))
    return found


@pytest.mark.parametrize("name", LARGEST)
def test_an_image_says_what_it_is_and_is_small(images: Stack, name: str) -> None:
    """Labels of the Open Container Initiative, and no more than its packages beside the base."""
    found = inspected(images.image(name))
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in found["Config"]["Labels"].items()}
    base = 0 if name == "proxy-init" else inspected(BASE)["Size"]

    assert f"shopmesh/{name.partition(':')[0]}" == labels["title"]
    assert (name.partition(":")[2] or images.version) == labels["version"]
    assert {"description", "licenses", "revision"} <= labels.keys()
    assert found["Size"] - base < LARGEST[name] * MEGABYTES


@pytest.mark.parametrize("name", ["control-plane", "load", *SERVICES])
def test_an_image_needs_no_right(images: Stack, name: str) -> None:
    """Its user is a number, not root's, and it runs without capabilities on a file system that it cannot write."""
    image = images.image(name)
    alone = ("--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    command = {"control-plane": "--version", "load": "--list"}.get(name, "--check-config")

    docker("run", *alone, image, command)

    assert "10001:10001" == inspected(image)["Config"]["User"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_version_is_code(images: Stack, name: str) -> None:
    """Whatever is set or given when it starts, an image reports its version."""
    service, _, version = name.partition(":")
    lies = [f"--env={variable}=9.9" for variable in ("VERSION", "SVC_VER", "SERVICE_VERSION", "APP_VERSION")]
    container = docker("run", "--detach", *lies, images.image(name), f"services.{service}.app:create_app()").strip()
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:5000/healthz').headers['x-service-version'])"
    try:
        said = eventually(lambda: docker("exec", container, "python", "-c", ask).strip(), "it answers", 30)
    finally:
        docker("rm", "--force", container)

    assert f"{service}/{version}" == said
