"""From what a user calls a resource to the resource."""

from __future__ import annotations

import click
import pytest

from shopmesh.appmesh.store import Key
from shopmesh.cli.resolve_name import resolve

KEYS = [
    Key("mesh", ("m",)),
    Key("virtualService", ("m", "product.default.svc.cluster.local")),
    Key("virtualService", ("m", "product.bank.svc.cluster.local")),
    Key("virtualService", ("m", "order.default.svc.cluster.local")),
    Key("virtualService", ("m", "order")),
    Key("route", ("m", "a-vr", "r")),
    Key("route", ("m", "b-vr", "r")),
    Key("route", ("m", "b-vr", "s")),
]


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("mesh", "m", 0),
        ("virtualService", "product.default", 1),
        ("virtualService", "product.bank.svc.cluster.local", 2),
        ("virtualService", "order", 4),
        ("route", "b-vr/r", 6),
        ("route", "s", 7),
    ],
)
def test_the_most_exact_name_wins(kind: str, name: str, wanted: int) -> None:
    """Full names and paths come before short ones."""
    assert KEYS[wanted] == resolve(KEYS, kind, name)


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        (
            "virtualService",
            "product",
            "product.default.svc.cluster.local, product.bank.svc.cluster.local; write",
        ),
        ("route", "r", "is ambiguous: a-vr/r, b-vr/r; write the full name"),
        ("route", "x", "there is no route 'x'; there: r, s"),
        ("mesh", "n", "there is no mesh 'n'"),
        ("virtualService", "ordr", "did you mean 'order'"),
    ],
)
def test_what_is_not_there_or_not_clear_is_told(kind: str, name: str, reason: str) -> None:
    """With what there is, or what was meant."""
    with pytest.raises(click.ClickException, match=reason):
        resolve(KEYS, kind, name)
