"""An API server for each test; tests may be coroutines, on the event loop of `shopmesh serve`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from shopmesh.event_loop import new_event_loop
from tests.contract.kubernetes.places import KUBECONFIG
from tests.support.kubernetes import Cluster
from tests.support.kubernetes import cluster as running


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running() as found:
        yield found


@pytest.fixture(params=["test server", *(["cluster"] if KUBECONFIG else [])])
def where(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """What `place_in` takes."""
    if request.param == "cluster":
        yield None
        return
    with running() as found:
        yield found
