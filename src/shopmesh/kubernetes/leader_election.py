"""Elects the leader among the replicas, which does the work that only one should do: the holder of a Lease.

    holder     ─ renews every 2 to 3 s; stops leading 10 s after its last successful renewal
    candidates ─ read as often; take the Lease 15 s after the last change that they saw

The 5 s between the two need clocks of equal speed, not of equal time. The resourceVersion decides a race for the Lease.

https://kubernetes.io/docs/concepts/architecture/leases/
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
"""A Lease that was not renewed for that long is taken by another candidate."""
_RENEW_DEADLINE = 2 / 3
_RETRY_PERIOD = (2 / 15, 3 / 15)
_RETRY_AFTER_FAILURE = (1 / 30, 1 / 15)
_REQUEST_TIMEOUT = 3 / 15
"""Fractions of LEASE_SECONDS: how long the holder leads after a renewal, the time to the next attempt after a success
and after a failure, and the deadline of a request."""


class LeaderElector:
    """A candidate, which is the leader while `leading` is true."""

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
        """`name` is the name of the Lease; `identity`, such as the name of a pod, is unique among the candidates."""
        self.holder: str | None = None
        """The holder when the Lease was last read; None when it was free or never read."""
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
        """Whether this candidate may hold it: a write without an answer may have succeeded."""
        self._announced = False
        self._failing = False

    @property
    def leading(self) -> bool:
        """Computed from the clock, so that it is right even when a busy loop delays the listeners."""
        return self._clock() < self._leads_until

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` in the loop whenever `leading` has changed."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Runs until it is cancelled, then releases the Lease so that another can take it at once."""
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
        """Reads the Lease and writes it when it is free or its own; the time counts from before the read."""
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
            # Another candidate was first; the next read shows which.
            return
        self._set_deadline(begun + self._seconds * _RENEW_DEADLINE)

    async def _read(self) -> Object | None:
        try:
            return await self._api.get(LEASES, self._name, self._namespace)
        except NotFoundError:
            return None

    def _observe(self, found: Object | None) -> None:
        if found is None:
            # Its holder does not know yet that it was deleted.
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
        # A candidate of another version may use a longer duration.
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
            log.info("%s is the leader: it holds the Lease %s/%s", self._identity, self._namespace, self._name)
        else:
            log.info(
                "%s is not the leader any more; the holder of the Lease %s is %s",
                self._identity,
                self._name,
                self.holder,
            )
        for listener in [*self._listeners]:
            try:
                listener()
            except Exception:
                # One failing listener must not leave the cluster without a leader.
                log.exception("a listener of the leader election failed")

    def _report_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            why = (
                error
                if isinstance(error, KubernetesApiError)
                else f"no answer within {self._seconds * _REQUEST_TIMEOUT:g} s"
            )
            log.warning("the Lease %s/%s cannot be renewed: %s", self._namespace, self._name, why)

    async def _release(self) -> None:
        """Releases the Lease if possible; otherwise the other candidates wait until it expires."""
        try:
            async with asyncio.timeout(self._seconds * _REQUEST_TIMEOUT):
                found = await self._read()
                if found is not None and found["spec"].get("holderIdentity") == self._identity:
                    spec = {**found["spec"], "holderIdentity": "", "renewTime": _now()}
                    await self._api.replace(LEASES, {**found, "spec": spec})
                    self.holder = None
        except (KubernetesApiError, TimeoutError) as error:
            log.info("the Lease %s/%s could not be released: %s", self._namespace, self._name, error)


def _now() -> str:
    """Returns the time for readers of the Lease; the election does not use it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
