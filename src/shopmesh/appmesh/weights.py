"""New weights of a route from the few that a user names; always 100 together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shopmesh.appmesh.document_types import WeightedTargetDocument

TOTAL = 100


class AmbiguousWeights(ValueError):  # noqa: N818  # reads as what is wrong
    """The named weights leave it open who gets what; the message says what to name."""


def parse(text: str) -> tuple[str, int]:
    """`product-v2-vn=50` (or `=50%`) as name and weight; raises ValueError."""
    name, sign, weight = text.partition("=")
    digits = weight.strip().removesuffix("%")
    if not name or not sign or not digits.isascii() or not digits.isdigit() or len(digits) > 3 or int(digits) > TOTAL:
        raise ValueError(f"{text!r} is not of the form NODE=WEIGHT with a whole weight from 0 to {TOTAL}")
    return name.strip(), int(digits)


def shift(current: Sequence[tuple[str, int]], named: Mapping[str, int]) -> list[tuple[str, int]]:
    """All weights, in their order, new targets last: as named, and the rest to the others as they shared before.

    Raises `AmbiguousWeights` when the named ones are more than 100 together, or name every target and are not 100,
    or leave something to several others that had nothing.
    """
    everyone = {**dict(current), **named}
    others = {name: weight for name, weight in current if name not in named}
    given = sum(named.values())
    rest = TOTAL - given
    if rest < 0 or (rest and not others):
        hint = "" if rest < 0 or len(everyone) < 2 else ", or leave one target out, which then gets the rest"
        raise AmbiguousWeights(f"the weights add up to {given}, not {TOTAL}; name weights that do{hint}")
    if rest and len(others) > 1 and not any(others.values()):
        names = ", ".join(others)
        raise AmbiguousWeights(f"{names} had no weight so far: name the share of each of them in the remaining {rest}")
    shares = _distribute(rest, others)
    return [(name, named.get(name, shares.get(name, 0))) for name in everyone]


def _distribute(rest: int, others: Mapping[str, int]) -> dict[str, int]:
    """Whole shares of `rest` in proportion to the weights; what rounding leaves goes to the largest fractions."""
    weights = others if any(others.values()) else dict.fromkeys(others, 1)
    total = sum(weights.values())
    shares = {name: rest * weight // total for name, weight in weights.items()}
    by_fraction = sorted(weights, key=lambda name: -(rest * weights[name] % total))
    for name in by_fraction[: rest - sum(shares.values())]:
        shares[name] += 1
    return shares


def set_weights(
    targets: Iterable[WeightedTargetDocument], weights: Iterable[tuple[str, int]]
) -> list[WeightedTargetDocument]:
    """The targets of a route with these weights by node; a node that was no target becomes one without a port."""
    known = {one["virtualNode"]: one for one in targets}
    return [{**known.get(node, {"virtualNode": node, "weight": weight}), "weight": weight} for node, weight in weights]
