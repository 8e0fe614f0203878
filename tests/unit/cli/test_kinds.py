"""How kinds may be spelled."""

from __future__ import annotations

import click
import pytest

from shopmesh.appmesh.kinds import KINDS
from shopmesh.cli.kinds import KindType


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_is_known_by_its_names(kind: object) -> None:
    """As ARNs, lists and manifests spell it, in any case, with dashes."""
    name, plural, title = (getattr(kind, part) for part in ("name", "plural", "title"))
    dashed = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)

    assert {name} == {KindType().convert(word, None, None) for word in (name, plural, title, name.upper(), dashed)}


def test_a_wrong_kind_gets_a_hint() -> None:
    """A typing error is answered with the nearest kind."""
    with pytest.raises(click.BadParameter, match="did you mean virtualNode"):
        KindType().convert("virtualnod", None, None)
