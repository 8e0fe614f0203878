"""The mesh as the Gateway API sees it: everything that can be called or sent to is a Service of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shopmesh.appmesh.store import Key, Resource, View
from shopmesh.documents.declared_resource import DeclaredResource, as_state, at
from shopmesh.documents.export import objects_of
from shopmesh.documents.gateway_api.output import Warnings
from shopmesh.documents.names import ObjectName

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL})\.({_LABEL})(?:\.svc(?:\.cluster\.local)?)?\.?")


class Service(NamedTuple):
    """A Service of Kubernetes."""

    namespace: str
    name: str


def service_of(host: str) -> Service | None:
    """`product.default.svc.cluster.local` and its short forms; None for a host outside the cluster."""
    found = _HOST.fullmatch(host.lower())
    return Service(found[2], found[1]) if found else None


@dataclass(frozen=True)
class Mesh:
    """The resources of one mesh, and the names of their objects; `expected` gathers the Services spoken of."""

    resources: Mapping[Key, DeclaredResource]
    view: View
    objects: Mapping[Key, ObjectName]
    name: str
    expected: dict[Service, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Iterable[DeclaredResource]) -> Mesh:
        """`resources` are those of one mesh."""
        by_key = {resource.key: resource for resource in resources}
        objects = {key: name for name, (key, _) in objects_of(by_key.values()).items()}
        return cls(by_key, as_state(by_key.values()), objects, next((key.mesh for key in by_key), ""))

    def all(self, kind: str, *parent: str) -> list[Resource]:
        """The resources of a kind below one parent, or below the mesh, by name."""
        return self.view.children(kind, (self.name, *parent))

    def get(self, kind: str, *names: str) -> Resource | None:
        return self.view.get(Key(kind, (self.name, *names)))

    def virtual_service(self, name: str, warnings: Warnings) -> Service:
        """The Service that callers of a virtual service call."""
        return self._service_for_host("virtualService", name, name, "its name", warnings)

    def virtual_node(self, name: str, warnings: Warnings) -> Service:
        """The Service in front of a virtual node's workload."""
        node = self.get("virtualNode", name)
        host = at(node.spec if node else {}, ("serviceDiscovery", "dns", "hostname"))
        return self._service_for_host("virtualNode", name, host, "its DNS host name", warnings)

    def expect(self, service: Service, port: int | None) -> None:
        """Notes that the cluster must have a Service, with a port."""
        self.expected.setdefault(service, set()).update([port] if port else [])

    def _service_for_host(self, kind: str, name: str, host: Any, what: str, warnings: Warnings) -> Service:
        if isinstance(host, str) and (service := service_of(host)):
            return service
        found = self.objects.get(Key(kind, (self.name, name)))
        service = Service(found.namespace, _label(found.name)) if found else Service("default", _label(name.lower()))
        warnings.add(
            f"{kind} {name}: {what}{f', {host},' if host and host != name else ''} is none of a Service of Kubernetes;"
            f" Service {service.namespace}/{service.name} is written, make one of that name"
        )
        return service


def _label(name: str) -> str:
    """A Service's name is one label: no dots, not over 63 characters, and a letter first."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].rstrip("-") or "x"
    return words if words[0].isalpha() else f"s-{words}"
