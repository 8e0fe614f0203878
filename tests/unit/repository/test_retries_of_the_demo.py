"""The demo's documents retry what may be retried, within the time that the caller waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.appmesh.resolved import Route, route
from shopmesh.client import check
from shopmesh.documents import documents
from shopmesh.documents.declared_resource import as_state

ROOT = Path(__file__).resolve().parents[3]


def retrying() -> Iterator[Route]:
    """The routes of `mesh/` that have a retry policy."""
    sources = [one for file in sorted((ROOT / "mesh").glob("*.yaml")) for one in documents(file.read_text(), str(file))]
    state = as_state(check(sources).resources)
    for resource in state:
        if resource.key.kind == "route" and (found := route(state, resource)).retry.written:
            yield found


@pytest.mark.parametrize("one", list(retrying()), ids=lambda one: one.key.name)
def test_only_what_has_no_effect_is_tried_again(one: Route) -> None:
    """A GET; a POST that got no answer may have been carried out."""
    assert "GET" == one.match.get("method")


@pytest.mark.parametrize("one", list(retrying()), ids=lambda one: one.key.name)
def test_all_tries_fit_into_the_time_that_the_request_has(one: Route) -> None:
    """Else the last of them is cut off; and the listener behind it allows no less, or it would end the request."""
    tries = one.retry.retries + 1

    assert one.retry.per_try_ms is not None
    assert tries * one.retry.per_try_ms < one.timeouts.request_ms
    assert all(
        one.timeouts.request_ms <= target.listener.timeouts.request_ms for target in one.targets if target.listener
    )
