"""Finds services that nothing in the mesh calls: their weights have no effect, and no caller counts their requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Key
    from shopmesh.documents import DeclaredResource

NO_CALLER = "the Envoy of a caller chooses the version, and nothing in the mesh calls {service}"
ADVICE = (
    "name it as a backend of the virtual node that calls it, or lead a virtual gateway's route to it (docs/gateways.md)"
)


def uncalled_service(resources: Sequence[DeclaredResource], router: Key) -> str | None:
    """The service of a virtual router all of whose services nothing in the mesh calls; None for any other router."""
    from shopmesh.appmesh.resolved import UnchangingView, routers_without_caller
    from shopmesh.documents.declared_resource import as_state

    return dict(routers_without_caller(UnchangingView(as_state(resources)), router.mesh)).get(router)
