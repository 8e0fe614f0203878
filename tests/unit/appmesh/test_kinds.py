"""The kinds and what they know of each other."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from shopmesh.appmesh.kinds import KINDS, REFERRERS
from shopmesh.appmesh.store import Document, Key
from tests.support.meshes import meshes


@given(meshes())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_reference_is_looked_for_where_it_can_be(mesh: list[tuple[Key, Document]]) -> None:
    """Whatever refers to a resource is of a kind that deleting it looks through."""
    for key, spec in mesh:
        for _, target in KINDS[key.kind].references(key.mesh, spec):
            assert key.kind in REFERRERS[target.kind]
