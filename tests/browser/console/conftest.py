"""Debian's chromium before a real control plane; what its console reports fails the test, also a refused script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.local.conftest import Up, shared_up, up
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tabs

__all__ = ["shared_up", "up"]

# A response of an error is a line there as well, and so is a control plane that has ended; tests ask for both.
EXPECTED = ("Failed to load resource:",)


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the pages of a test complained about; empty at its end, unless the test has taken it out."""
    found: list[str] = []
    yield found
    assert [] == found


@pytest.fixture
def new_browser(chromium: Any, complaints: list[str]) -> Iterator[Callable[[], Any]]:
    """Makes browsers that share neither cookies nor storage."""
    contexts: list[Any] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            complaints.append(message.text)

    def make() -> Any:
        context = chromium.new_context()
        context.on("console", note)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def tab(new_browser: Callable[[], Any]) -> Any:
    """A tab of a browser that nobody has used."""
    return new_browser().new_page()


@pytest.fixture
def server() -> Iterator[ConsoleServer]:
    """A control plane without a mesh."""
    with ConsoleServer() as found:
        yield found


@pytest.fixture(scope="module")
def shared_server() -> Iterator[ConsoleServer]:
    """A control plane without any proxy, for all tests of a module; its clock is the browser's."""
    with ConsoleServer(now=time.time()) as found:
        yield found


@pytest.fixture
def console(chromium: Any, shared_up: Up) -> Iterator[Tabs]:
    """Opens tabs over the demo's mesh; one that complains fails the test."""
    tabs = Tabs(chromium, shared_up.client.console_link)
    yield tabs
    assert [] == tabs.close()


@pytest.fixture
def console_alone(chromium: Any, shared_server: ConsoleServer) -> Iterator[Tabs]:
    """The same over `shared_server`."""
    tabs = Tabs(chromium, shared_server.link)
    yield tabs
    assert [] == tabs.close()
