"""The whole export, as objects and as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shopmesh.appmesh.resolved import route
from shopmesh.documents.declared_resource import DeclaredResource
from shopmesh.documents.gateway_api.gateways import gateways
from shopmesh.documents.gateway_api.output import ExportedObject, Names, Warnings
from shopmesh.documents.gateway_api.routes import service_routes
from shopmesh.documents.gateway_api.services import Mesh
from shopmesh.documents.gateway_api.unsupported import lost_default_retries, unsupported_fields
from shopmesh.documents.text.output import as_yaml
from shopmesh.output.printable import printable

VERSION = "v1.7.0"
"""The Gateway API's release whose standard channel has all that is written."""

_BREAKS = re.compile("[\\r\\n\\x85\\u2028\\u2029]")


@dataclass(frozen=True)
class Export:
    """Objects with their own warnings, warnings about what became none, and the Services that must be there."""

    mesh: str
    objects: tuple[ExportedObject, ...]
    warnings: tuple[str, ...]
    services: tuple[str, ...]

    def all_warnings(self) -> list[str]:
        """The general ones first."""
        return [*self.warnings, *(line for one in self.objects for line in one.warnings)]

    def head(self) -> str:
        """Comments that go before everything."""
        lines = [f"The mesh {self.mesh} for the Gateway API {VERSION}, standard channel; written by shopmesh export."]
        if self.services:
            lines += ["It takes for granted that these Services are there, each over the Pods of its workload:"]
            lines += [f"  {service}" for service in self.services]
        return _comments([*lines, *(f"warning: {line}" for line in self.warnings)])

    def texts(self) -> Iterator[str]:
        """Each object as YAML, its warnings as comments before it."""
        for one in self.objects:
            yield _comments(f"warning: {line}" for line in one.warnings) + as_yaml([one.object])

    def text(self) -> str:
        """All of it as one file."""
        return "---\n".join([self.head(), *self.texts()])


def gateway_api(resources: Iterable[DeclaredResource], gateway_class: str) -> Export:
    """The resources of one mesh in the form of the Gateway API; `gateway_class` is that of its gateways."""
    mesh, names = Mesh.of(resources), Names()
    general = [line for resource in mesh.resources.values() for line in unsupported_fields(resource)]
    routes = (one for router in mesh.all("virtualRouter") for one in mesh.all("route", router.key.name))
    general += lost_default_retries(route(mesh.view, one) for one in routes)
    objects = []
    for made in [*service_routes(mesh, names), *gateways(mesh, gateway_class, names)]:
        if isinstance(made, Warnings):
            general += made.lines
        else:
            objects.append(made)
    services = [
        f"{service.namespace}/{service.name}" + (f" (port {', '.join(map(str, sorted(ports)))})" if ports else "")
        for service, ports in sorted(mesh.expected.items())
    ]
    return Export(mesh.name, tuple(objects), tuple(general), tuple(services))


def _comments(lines: Iterable[str]) -> str:
    """A line each, also where a name or a path holds what YAML takes for the end of a line."""
    return "".join(f"# {printable(_BREAKS.sub(' ', line))}\n" for line in lines)
