"""A route's weighted targets, as clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Resource
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.targets import Target, target


@dataclass(frozen=True)
class Weighted:
    """What a route leads to, in its order; a target of weight 0 as well."""

    targets: tuple[tuple[Target, int], ...]
    limitations: tuple[Limitation, ...] = ()

    @property
    def leads_somewhere(self) -> bool:
        return any(weight for _, weight in self.targets)


def weighted(
    reader: Reader, where: str, resource: Resource, protocols: Sequence[str], port: int | None, nowhere: str
) -> Weighted:
    """Of a stored route: the listeners of its targets by their port, else by `port`, that of the router.

    `protocols` are those that will do, the best first; `nowhere` says what becomes of callers when there is no target.
    """
    mesh = resource.key.mesh
    found: dict[Target, int] = {}
    limitations = []
    for document in weighted_targets(resource.spec):
        node, asked = document["virtualNode"], document.get("port")
        one = target(reader, mesh, node, asked, port, protocols)
        if one is None:
            kind = "TCP" if "tcp" in protocols else "HTTP"
            wanted = f"no {kind} listener" if asked is None else f"no {kind} listener on port {asked}"
            limitations.append(
                Limitation(
                    where,
                    f"its target {node} has {wanted}",
                    f"the weight {document['weight']} of this target goes to the other targets",
                    f"give virtual node {node} such a listener, or take it out of the route",
                )
            )
        else:
            found[one] = found.get(one, 0) + document["weight"]
    if not any(found.values()):
        limitations.append(Limitation(where, "no target has a weight above 0", nowhere, "give one a weight"))
    return Weighted(tuple(found.items()), tuple(limitations))
