"""When to repeat a request that failed: later with each failure, and soon once the API server answers any request.

request fails ─► RetryWait.after ─ its backoff, or Contact: another request succeeded ─► a little jitter ─► again
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from shopmesh.kubernetes.api.client import ApiServerUnreachableError, KubernetesApiError, KubernetesStatusError
from shopmesh.kubernetes.api.contact import Contact, Sleep

MIN_BACKOFF = 0.2
MAX_BACKOFF = 5.0
MAX_RETRY_AFTER = 30.0
"""The longest wait that an API server may ask for by Retry-After."""
WAKE_JITTER = 0.5
"""Those who wait for the same API server come back spread over so many seconds."""

Uniform = Callable[[float, float], float]


class RetryWait:
    """The waits of one client that repeats its request until it succeeds."""

    def __init__(
        self,
        contact: Contact,
        *,
        sleep: Sleep = asyncio.sleep,
        uniform: Uniform = random.uniform,
    ) -> None:
        """`uniform` gives a number between two, for the jitter."""
        self._contact = contact
        self._sleep = sleep
        self._uniform = uniform
        self._woken = False

    async def after(self, failures: int, error: KubernetesApiError) -> None:
        """Waits after the last of so many failures in a row: exponential backoff with jitter.

        It ends early when the API server answers another request. It does so once: where only this request fails,
        the successes of others are no reason to repeat it at once.
        """
        seconds = self._uniform(MIN_BACKOFF, min(MAX_BACKOFF, MIN_BACKOFF * 2 ** min(failures, 16)))
        asked = error.retry_after if isinstance(error, KubernetesStatusError) else None
        if self._woken or not _is_outage(error):
            self._woken = False
            await self._sleep(max(seconds, min(asked or 0.0, MAX_RETRY_AFTER)))
            return
        self._woken = await self._contact.wait(seconds, self._sleep)
        if self._woken:
            await self._sleep(self._uniform(0.0, WAKE_JITTER))


def _is_outage(error: KubernetesApiError) -> bool:
    """Whether other requests are likely to fail as well. An API server that says when to come back is there."""
    if isinstance(error, KubernetesStatusError):
        return error.status >= 500 and error.retry_after is None
    return isinstance(error, ApiServerUnreachableError)
