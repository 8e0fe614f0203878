"""A hang of an application costs its callers little, with the documents of the demo as they are.

What is asserted are shares and reasons, which hold on a busy machine, too; how long it takes is measured by
`python -m tests.bench.mesh.hang`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.support.hangs import NODES, Answer, Shop, running_shop
from tests.support.process import eventually

ROUTE_TIMEOUT, TRY_TIMEOUT = 0.9, 0.4
"""In seconds, as in mesh/product.yaml."""

REQUESTS, A_SECOND = 300, 60


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running_shop() as found:
        yield found


def _most(count: int) -> int:
    """How many of so many requests go to a version with half of the weight: more in one of a million runs."""
    return math.ceil(count / 2 + 5 * math.sqrt(count) / 2)


def _reasons(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    return Counter((one.status, one.flags) for one in answers)


@pytest.mark.timeout(180)
def test_one_of_two_hung_instances_costs_hardly_a_request(shop: Shop) -> None:
    """A try that gets no answer is repeated at the other instance; after a few the hung one is left out."""
    before = shop.statistics(NODES[1])
    with shop.second[0].hung():
        answers = shop.load(REQUESTS, A_SECOND)
    after = shop.statistics(NODES[1])

    assert sum(one.status != 200 for one in answers) < REQUESTS / 100, _reasons(answers)
    assert after["outlier_detection.ejections_enforced_total"] > before["outlier_detection.ejections_enforced_total"]
    # A quarter of the requests would be 75: it was left out after those that had begun until then.
    slow = after["upstream_rq_per_try_timeout"] - before["upstream_rq_per_try_timeout"]
    assert 25 <= slow < REQUESTS / 5
    eventually(lambda: shop.all_serve, "it is back once its ejection ends", 60)


@pytest.mark.timeout(180)
def test_a_hung_version_costs_its_share_and_is_answered_at_once(shop: Shop) -> None:
    """Requests that wait for it end at the route's time-out; then all instances are left out, and nobody waits."""
    with shop.second[0].hung(), shop.second[1].hung():
        answers = shop.load(REQUESTS, A_SECOND)
        late = shop.load(REQUESTS // 3, A_SECOND)
    failed = [one for one in answers if one.status != 200]
    at_once = [one for one in failed if one.flags == "UH"]

    assert {"product/1.0"} == {one.version for one in answers if one.status == 200}
    assert len(failed) <= _most(REQUESTS)
    assert {(503, "UH")} >= set(_reasons([one for one in late if one.status != 200]))
    assert len(at_once) > len(failed) / 2, _reasons(failed)
    # They were sent to no instance, so what they took is the machine's.
    assert sorted(one.seconds for one in at_once)[len(at_once) // 2] < TRY_TIMEOUT / 2
    assert max(one.seconds for one in failed) < ROUTE_TIMEOUT + 2
    eventually(lambda: shop.all_serve, "both are back once their ejections end", 90)


def test_what_is_not_a_get_is_not_tried_twice(shop: Shop) -> None:
    """It may have had an effect; the demo's services have nothing but GET, and so have their routes."""
    assert (404, "NR") == shop.ask("POST")[:2]
