"""Ports of listeners, of specifications that were validated and of those that were not."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.resolved import unvalidated_ports

NO_PORTS: list[object] = [True, "80", 8.0, 0, -1, 65536, 10**400, None, []]


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {},
        {"listeners": None},
        {"listeners": {"portMapping": {"port": 1}}},
        {"listeners": [None, 5, {}, {"portMapping": None}, {"portMapping": {}}]},
        {"listeners": [{"portMapping": {"port": port}} for port in NO_PORTS]},
    ],
)
def test_what_is_not_a_port_is_skipped(spec: object) -> None:
    """An object of a cluster may have any content, and its other listeners still count."""
    assert () == unvalidated_ports(spec)


def test_ports_are_in_the_order_of_the_document() -> None:
    """Those that are not valid leave no gap."""
    listeners = [{"portMapping": {"port": port}} for port in (5000, "x", 80)]

    assert (5000, 80) == unvalidated_ports({"listeners": listeners})
