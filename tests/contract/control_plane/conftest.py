"""A control plane as its users start it: `shopmesh serve` in a process of its own."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from shopmesh.client import Client
from tests.support.process import Child, running

SERVE = (sys.executable, "-c", "from shopmesh.cli import main; main()", "serve")


@dataclass
class ControlPlane:
    """A running control plane and where it listens."""

    child: Child
    api_port: int
    xds_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[ControlPlane]:
    """`shopmesh serve` on free ports with a run folder of its own, open to this machine where nothing is configured."""
    auth = () if {"--credentials", "--kubernetes"} & set(arguments) else ("--no-auth",)
    options = ("--api-port", "0", "--xds-port", "0", "--insecure", *auth, *arguments)
    with (
        tempfile.TemporaryDirectory(prefix="shopmesh-serve-") as folder,
        running((*SERVE, "--run-dir", folder, *options)) as child,
    ):
        told = child.wait_for(lambda: re.search(r"http://\S+?:(\d+), xDS on \S+?:(\d+)", child.output), "its ports")
        yield ControlPlane(child, int(told[1]), int(told[2]))


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def shared_control_plane() -> Iterator[ControlPlane]:
    """One start for all tests of a module that leave nothing behind."""
    with serving() as found:
        yield found


@pytest.fixture
def client(control_plane: ControlPlane) -> Iterator[Client]:
    with Client(control_plane.url) as found:
        yield found
