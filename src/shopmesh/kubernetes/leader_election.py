"""Which of several replicas does what only one should do: whoever holds a Lease.

    holder     ─ renews every 2 to 3 s; 10 s after the last renewal that it knows of, it leads no longer
    candidates ─ read as often; 15 s after the last change that they saw, they take it

Between the two are 5 s, by clocks that need not agree on the time, only on how long a second is. Who loses a race for
the Lease is told so by its resourceVersion. https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, NotFoundError, Object
from shopmesh.kubernetes.api.resource_types import LEASES

log = logging.getLogger(__name__)

LEASE_SECONDS = 15
"""A Lease is taken from a holder that has not renewed it for that long."""
_RENEW_DEADLINE = 2 / 3
_RETRY_PERIOD = (2 / 15, 3 / 15)
_RETRY_AFTER_FAILURE = (1 / 30, 1 / 15)
_REQUEST_TIMEOUT = 3 / 15
"""Parts of those seconds: how long a renewal is good for, from when to when the next is due, when it is tried again
after a failure, and how long an answer is waited for."""


class LeaderElector:
    """A candidate, and the leader for as long as `leading` says so."""

    def __init__(
        self,
        api: ApiServer,
        namespace: str,
        name: str,
        identity: str,
        *,
        seconds: int = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`name` is the Lease's; `identity`, a pod's name, must be this candidate's alone."""
        self.holder: str | None = None
        """Who held it when it was last read; None while nobody does, or nobody is known to."""
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seconds = seconds
        self._clock = clock
        self._uniform = uniform
        self._leads_until = clock()
        self._expiry_timer: asyncio.TimerHandle | None = None
        self._observed_version = ""
        self._observed_at = clock()
        self._listeners: list[Callable[[], None]] = []
        self._may_hold = False
        """Whether it may be ours: a write may have gone through of which no answer came."""
        self._announced = False
        self._failing = False

    @property
    def leading(self) -> bool:
        """Also right when the loop was held up and nobody could be told that it is over."""
        return self._clock() < self._leads_until

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` in the loop whenever `leading` has changed."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Until it is cancelled; then the Lease is given back, for another to take at once."""
        try:
            while True:
                part = _RETRY_PERIOD
                try:
                    async with asyncio.timeout(self._seconds * _REQUEST_TIMEOUT):
                        await self._renew()
                    self._failing = False
                except (KubernetesApiError, TimeoutError) as error:
                    part = _RETRY_AFTER_FAILURE
                    self._report_failure(error)
                except Exception:
                    # A candidate that gives up would leave the cluster without a leader.
                    part = _RETRY_AFTER_FAILURE
                    log.exception("the Lease %s/%s cannot be read", self._namespace, self._name)
                low, high = part
                await asyncio.sleep(self._uniform(self._seconds * low, self._seconds * high))
        finally:
            self._leads_until = self._clock()
            self._notify()
            if self._may_hold:
                await self._release()

    async def _renew(self) -> None:
        """Reads it, and writes it when it is ours or free. The time counts from before both."""
        begun = self._clock()
        found = await self._read()
        self._observe(found)
        if not self._is_available(found):
            return
        lease = self._lease_object(found)
        self._may_hold = True
        write = self._api.create if found is None else self._api.replace
        try:
            self._observe(await write(LEASES, lease))
        except ConflictError:
            # Another was first; who it is comes with the next reading.
            return
        self._set_deadline(begun + self._seconds * _RENEW_DEADLINE)

    async def _read(self) -> Object | None:
        try:
            return await self._api.get(LEASES, self._name, self._namespace)
        except NotFoundError:
            return None

    def _observe(self, found: Object | None) -> None:
        if found is None:
            # Whoever held it does not know yet that it is deleted.
            return
        self.holder = found["spec"].get("holderIdentity") or None
        if (version := found["metadata"]["resourceVersion"]) != self._observed_version:
            self._observed_version, self._observed_at = version, self._clock()
        if self.holder != self._identity:
            self._may_hold = False
            self._set_deadline(self._clock())

    def _is_available(self, found: Object | None) -> bool:
        if self.holder in {None, self._identity}:
            return True
        # Another candidate of another version may count on more time than we do.
        granted = (found or {}).get("spec", {}).get("leaseDurationSeconds") or 0
        return self._clock() - self._observed_at >= max(granted, self._seconds)

    def _lease_object(self, found: Object | None) -> Object:
        now = _now()
        before = found["spec"] if found is not None else {}
        spec = {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._seconds,
            "renewTime": now,
        }
        if before.get("holderIdentity") != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = before.get("leaseTransitions", -1) + 1
        metadata = {"name": self._name, "namespace": self._namespace}
        if found is not None:
            metadata = found["metadata"]
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}

    def _set_deadline(self, until: float) -> None:
        self._leads_until = until
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
            self._expiry_timer = None
        if (left := until - self._clock()) > 0:
            self._expiry_timer = asyncio.get_running_loop().call_later(left, self._notify)
        self._notify()

    def _notify(self) -> None:
        leading = self.leading
        if leading == self._announced:
            return
        self._announced = leading
        if leading:
            log.info("%s leads: it holds the Lease %s/%s", self._identity, self._namespace, self._name)
        else:
            log.info("%s leads no longer; the Lease %s is held by %s", self._identity, self._name, self.holder)
        for listener in [*self._listeners]:
            try:
                listener()
            except Exception:
                # Whatever it could not take over, somebody has to lead.
                log.exception("a part of the control plane did not take up the change of the leader")

    def _report_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            why = (
                error
                if isinstance(error, KubernetesApiError)
                else f"no answer within {self._seconds * _REQUEST_TIMEOUT:g} s"
            )
            log.warning("the Lease %s/%s cannot be held: %s", self._namespace, self._name, why)

    async def _release(self) -> None:
        """Best effort: without it the others wait until it is over."""
        try:
            async with asyncio.timeout(self._seconds * _REQUEST_TIMEOUT):
                found = await self._read()
                if found is not None and found["spec"].get("holderIdentity") == self._identity:
                    spec = {**found["spec"], "holderIdentity": "", "renewTime": _now()}
                    await self._api.replace(LEASES, {**found, "spec": spec})
                    self.holder = None
        except (KubernetesApiError, TimeoutError) as error:
            log.info("the Lease %s/%s was not given back: %s", self._namespace, self._name, error)


def _now() -> str:
    """For people who read the Lease; nothing here compares it with anything."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
