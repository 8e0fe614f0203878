"""What Kubernetes' documentation shows of lists and watches is understood as it is meant."""

from __future__ import annotations

import pytest
from kubernetes_asyncio.client import Configuration

from shopmesh.kubernetes.api.resource_types import PODS
from tests.contract.kubernetes.reflecting import started, until
from tests.contract.kubernetes.transcribed import NAMES, exchanges, playing
from tests.support.pauses import Pauses

TOLD = {
    "bookmarks": [("replaced", "10245"), ("changed", "one")],
    "cut": [("replaced", "10245"), ("changed", "one")],
    "events": [("replaced", "10245"), ("changed", "one"), ("changed", "one")],
    "expired-page": [("replaced", "20490")],
    "gone-as-the-status": [("replaced", "10245"), ("replaced", "20490")],
    "gone-in-the-stream": [("replaced", "10245"), ("replaced", "20490")],
    "overload": [("replaced", "10245")],
    "pages": [("replaced", "10245")],
}
"""What a reflector tells, by transcript."""
HELD = {"events": ["one"], "expired-page": ["one"], "pages": ["one", "three", "two"], "overload": []}
"""What there is in the end, where that says more."""


@pytest.mark.parametrize("name", NAMES)
async def test_a_transcript_is_understood(name: str) -> None:
    """The reflector asks what is transcribed, in that order, and tells what that means."""
    pauses = Pauses()
    with playing(name) as played:
        options = {"namespace": "test", "sleep": pauses.sleep}
        async with started(Configuration(host=played.url), PODS, **options) as (_, mirror):
            await until(lambda: played.wrong or played.server.requests == len(exchanges(name)), "all requests")

            assert [] == played.wrong
            assert TOLD[name] == mirror.told
            assert HELD.get(name, mirror.names) == mirror.names
            for found in mirror.objects.values():
                assert ("v1", "Pod") == (found["apiVersion"], found["kind"])
    if name == "overload":
        assert pauses.taken[0] >= 2.0
