"""Which clusters a proxy may report statistics of, as its snapshot changes."""

from __future__ import annotations

import pytest

from shopmesh.server.traffic.sent_clusters import LATE_SECONDS, MOST_LATE, SentClusters
from shopmesh.xds.resources import Collection, resource


def clusters(*names: str) -> Collection:
    return Collection("clusters", [resource("clusters", name, name.encode()) for name in names])


@pytest.fixture
def sent() -> SentClusters:
    """Of a proxy that was sent a and b."""
    found = SentClusters()
    found.update(clusters("a", "b"))
    return found


def test_what_was_sent_counts(sent: SentClusters) -> None:
    """And nothing else; before there is a snapshot nothing does."""
    assert ["a", None] == [sent.find(name, 0.0) for name in ("a", "c")]
    assert SentClusters().find("a", 0.0) is None


def test_a_cluster_is_found_by_its_name_in_statistics() -> None:
    """Where Envoy writes no dot and no colon."""
    found = SentClusters()
    found.update(clusters("cds_egress_shop_a.b:c_http_5000"))

    assert "cds_egress_shop_a_b_c_http_5000" == found.find("cds_egress_shop_a_b_c_http_5000", 0.0)


def test_a_cluster_that_has_left_counts_for_a_minute(sent: SentClusters) -> None:
    """A proxy takes it away last, and reports what it did after that."""
    sent.find("a", 0.0)
    sent.update(clusters("b"))
    assert "a" == sent.find("a", 10.0)
    assert ["a", None] == [sent.find("a", 10.0 + LATE_SECONDS + off) for off in (-1.0, 1.0)]


def test_one_that_comes_back_counts_for_good(sent: SentClusters) -> None:
    """As when a canary is rolled back and tried again."""
    for at, names in enumerate((["a", "b"], ["b"], ["a"])):
        sent.update(clusters(*names))
        sent.find("a", float(at))

    assert "a" == sent.find("a", 1000.0 + LATE_SECONDS)


def test_a_node_that_is_deleted_leaves_all_its_clusters(sent: SentClusters) -> None:
    """Its proxies go on with what they have, and are counted for a minute."""
    sent.find("a", 0.0)
    sent.update(None)

    assert "a" == sent.find("a", 1.0)
    assert sent.find("a", 2.0 + LATE_SECONDS) is None


def test_those_that_have_left_are_bounded(sent: SentClusters) -> None:
    """However often the mesh changes within a minute."""
    sent.update(clusters(*(f"c{number}" for number in range(MOST_LATE + 5))))
    sent.find("a", 0.0)
    sent.update(clusters())

    assert MOST_LATE == sum(sent.find(f"c{number}", 1.0) is not None for number in range(MOST_LATE + 5))
