"""The verdict of the demo: no request lost, and every share as configured. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shopmesh.load.judgement.significance import SIGNIFICANCE, required_requests
from shopmesh.statistics import binomial_test, wilson

MOST_RETRIED = 0.01
"""The share of a version's requests that may be retried.

On a machine that is busy with something else, a try can take longer than its route allows, and the second one answers:
nothing is lost. A 5xx that a retry hides is counted at the Envoy of the version itself, and fails the demo.
"""


@dataclass(frozen=True, slots=True)
class VersionResult:
    """The traffic of one version, counted by its callers' Envoys; latencies in milliseconds.

    `share` is the configured one, `requests` of `total` the measured one; `errors` (5xx) and `retries` are of the whole
    run, not only of the time in which the share is judged.
    """

    service: str
    name: str
    share: float
    requests: int
    total: int
    errors: int
    retries: int
    p50: float | None
    p99: float | None

    @property
    def seen(self) -> float | None:
        return self.requests / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the seen share."""
        return wilson(self.requests, self.total) if self.total else None

    @property
    def required_requests(self) -> int:
        """How many requests of the service it takes to judge this share."""
        return required_requests(self.share)


@dataclass(frozen=True, slots=True)
class WayInResult:
    """The results of the client that sent requests all the time; latencies in seconds since a request was due."""

    sent: int
    answered: int
    failures: Mapping[str, int]
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class CallErrors:
    """5xx answers and retries that the Envoys of one node counted for one cluster; none are expected."""

    node: str
    cluster: str
    errors: int
    retries: int


def percent(share: float, digits: int = 0) -> str:
    """A share from 0 to 1 as people read it: `49.8 %`."""
    return f"{100 * share:.{digits}f} %"


def find_failures(
    versions: Sequence[VersionResult], way_in: WayInResult, call_errors: Sequence[CallErrors] = ()
) -> list[str]:
    """One line for each failed check; none means that the demo passed.

    `call_errors` are of clusters other than the versions', at any Envoy.
    """
    found = [f"{_count_requests(count)} failed at the way in: {why}" for why, count in way_in.failures.items() if count]
    if missing := way_in.sent - way_in.answered - sum(way_in.failures.values()):
        found.append(f"the outcome of {_count_requests(missing)} is unknown")
    if not way_in.sent:
        found.append("no request was sent")
    for one in call_errors:
        if one.errors:
            found.append(f"the Envoy of {one.node} counted {_count_requests(one.errors)} of {one.cluster} as 5xx")
        if one.retries:
            found.append(f"the Envoy of {one.node} retried {_count_requests(one.retries)} of {one.cluster}")
    for version in versions:
        if version.errors:
            found.append(f"{version.name} answered {_count_requests(version.errors)} with 5xx")
        if version.retries > MOST_RETRIED * version.requests:
            share = percent(MOST_RETRIED)
            found.append(f"{_count_requests(version.retries)} to {version.name} had to be retried, more than {share}")
        found.extend(_check_share(version))
    return found


def _check_share(version: VersionResult) -> Iterator[str]:
    if version.total < version.required_requests:
        yield (
            f"{_count_requests(version.total)} of {version.service} are too few to judge a share of "
            f"{percent(version.share)}: {version.required_requests:,} are needed"
        )
    elif version.total:
        chance = binomial_test(version.requests, version.total, version.share)
        if chance < SIGNIFICANCE:
            seen = percent(version.requests / version.total, 1)
            yield (
                f"{version.name} got {seen} of {_count_requests(version.total)} instead of {percent(version.share)} "
                f"(by chance that happens with p = {chance:.1g})"
            )


def _count_requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"
