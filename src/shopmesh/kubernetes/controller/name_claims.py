"""Which namespace each name of a mesh belongs to, as two annotations of its Mesh say. No I/O.

    appmesh.shopmesh.dev/names       {"shop": ["virtualService/product.shop", …], …}: remembered by the control plane
    appmesh.shopmesh.dev/transfer    virtualService/product.shop=other, …: what the Mesh's owner decides instead

The first namespace whose object is used has the name from then on, whether its object is there or not, until the
namespace is deleted or the Mesh's owner hands the name over. Replicas read it from the same object, so they agree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from shopmesh.appmesh import strict_json
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents.declared_resource import at

NAMES = "appmesh.shopmesh.dev/names"
TRANSFER = "appmesh.shopmesh.dev/transfer"
MAX_BYTES = 150_000
"""Of the annotation; all annotations of an object may have 256 KiB together."""

Claims = Mapping[str, str]
"""Namespaces, by kind and name: `virtualService/product.shop`."""


def claim_of(key: Key) -> str:
    """Returns the name of a resource as claims spell it; that of a gateway route starts with its gateway."""
    return "/".join((key.kind, *key.path[1:]))


def is_claimable(key: Key) -> bool:
    """Whether resources of that kind have a name of their own in a mesh: a route's is its router's."""
    return key.kind not in ("mesh", "route")


def read(mesh: Document) -> Claims:
    """The claims of a Mesh, those that its owner decides before those that are remembered."""
    return {**read_claims(mesh), **transfers(mesh)}


def read_claims(mesh: Document) -> Claims:
    """Returns the claims that the control plane has written; none when the annotation is damaged."""
    text = at(mesh, ("metadata", "annotations", NAMES))
    try:
        found = strict_json.load(text) if isinstance(text, str) else {}
    except strict_json.JsonError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        claim: namespace
        for namespace, claims in found.items()
        for claim in (claims if isinstance(claims, list) else ())
        if isinstance(claim, str)
    }


def transfers(mesh: Document) -> Claims:
    """Returns the claims that the owner of the Mesh has decided."""
    text = at(mesh, ("metadata", "annotations", TRANSFER))
    parts = text.split(",") if isinstance(text, str) else []
    pairs = [part.strip().rpartition("=") for part in parts]
    return {claim: namespace for claim, _, namespace in pairs if claim and namespace}


def claims_to_record(mesh: Document, used: Iterable[tuple[Key, str]], namespaces: Collection[str]) -> Claims:
    """Returns the claims that a Mesh should record.

    `used` are the mesh's resources with the namespaces of their objects; `namespaces` are those that there are: with a
    namespace go its names.
    """
    known = {claim: namespace for claim, namespace in read(mesh).items() if namespace in namespaces}
    return {**{claim_of(key): namespace for key, namespace in used if is_claimable(key)}, **known}


def annotation(claims: Claims, before: Claims) -> str:
    """The annotation's text. Where all do not fit, each namespace has an equal share, and what was remembered stays."""
    by_namespace: dict[str, list[str]] = {}
    for claim in sorted(claims, key=lambda claim: (before.get(claim) != claims[claim], claim)):
        by_namespace.setdefault(claims[claim], []).append(claim)
    left = MAX_BYTES
    kept: dict[str, list[str]] = {}
    smallest_first = sorted(by_namespace, key=lambda namespace: (_size(by_namespace[namespace]), namespace))
    for number, namespace in enumerate(smallest_first):
        share = left // (len(smallest_first) - number)
        kept[namespace] = _truncate(by_namespace[namespace], share)
        left -= _size(kept[namespace])
    return json.dumps({name: sorted(kept[name]) for name in sorted(kept)}, separators=(",", ":"))


def _truncate(claims: list[str], most: int) -> list[str]:
    while _size(claims) > most:
        claims = claims[: len(claims) * 9 // 10]
    return claims


def _size(claims: list[str]) -> int:
    # Brackets and the namespace's name are counted generously.
    return 300 + sum(len(json.dumps(claim)) + 1 for claim in claims) if claims else 0
