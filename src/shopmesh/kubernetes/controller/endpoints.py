"""Reads the endpoints of virtual nodes from the EndpointSlices of the Services in their host names.

    ready                       gets requests
    terminating                 gets new requests only while no endpoint is ready and it still serves

A node with a DNS host name has all endpoints of that Service: its podSelector decides which pods get its sidecar, and
no more. A node on Cloud Map has the pods that its podSelector selects, as the controller of App Mesh registered them.
A node whose host name names no Service of the cluster is found by DNS, as outside of Kubernetes.
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shopmesh.appmesh.resolved import unvalidated_ports
from shopmesh.appmesh.store import Document
from shopmesh.documents.names import ObjectName
from shopmesh.documents.selectors import selects
from shopmesh.kubernetes.api.client import Object
from shopmesh.kubernetes.controller.object_cache import NamespacedName, ObjectCache, pod_name

NO_ENDPOINTS = "(no endpoints)"
"""A placeholder for a node without endpoints, so that it is not resolved by DNS."""


class _ServiceEndpoint(NamedTuple):
    instance: str
    address: str
    ports: Mapping[int, int]
    ready: bool
    serving: bool


class SharedService(NamedTuple):
    """A Service that a node shares, and another node that names it."""

    service: NamespacedName
    other: ObjectName

    def __str__(self) -> str:
        return f"names Service {'/'.join(self.service)}, as {self.other.in_words} does"


def service_name(node: Object) -> NamespacedName | None:
    """The Service that a VirtualNode's host name may name, whether there is one or not.

    `product.default.svc.cluster.local`, `product.default.svc`, `product.default`, `product`; Flagger ends it by a dot.
    """
    discovery = (node.get("spec") or {}).get("serviceDiscovery") or {}
    host = str((discovery.get("dns") or {}).get("hostname") or "").rstrip(".")
    name, _, rest = host.partition(".")
    namespace, _, suffix = rest.partition(".")
    if not name or not (suffix == "" or suffix == "svc" or suffix.startswith("svc.")):
        return None
    return NamespacedName(namespace or str(node["metadata"].get("namespace") or ""), name)


def instances(node: Object, cluster: ObjectCache) -> dict[str, Document] | None:
    """Returns address and ports of each instance by name; None when the node is resolved by DNS."""
    discovery = (node.get("spec") or {}).get("serviceDiscovery") or {}
    if "awsCloudMap" in discovery:
        found = [one for name in _services_in(node, cluster) for one in _endpoints(node, name, cluster)]
        attributes = discovery["awsCloudMap"].get("attributes") or ()
        declared = {"attributes": {one["key"]: one["value"] for one in attributes}}
    else:
        service = service_name(node)
        if service is None or not _has_endpoints(cluster.services.get(service)):
            return None
        found, declared = list(_endpoints(node, service, cluster)), {}
    chosen = [one for one in found if one.ready] or [one for one in found if one.serving]
    return {
        one.instance: {
            "address": one.address,
            "ports": {str(port): there for port, there in sorted(one.ports.items())},
            **declared,
        }
        for one in chosen
    } or {NO_ENDPOINTS: {}}


def shared_services(nodes: Iterable[ObjectName], cluster: ObjectCache) -> dict[ObjectName, SharedService]:
    """Returns the nodes whose host names name a Service of the cluster that other nodes name as well."""
    named: dict[NamespacedName, list[ObjectName]] = {}
    for name in nodes:
        node = cluster.objects.get(name) if name.kind == "VirtualNode" else None
        service = None if node is None else service_name(node)
        if service is not None and _has_endpoints(cluster.services.get(service)):
            named.setdefault(service, []).append(name)
    return {
        name: SharedService(service, next(other for other in sorted(sharing) if other != name))
        for service, sharing in named.items()
        if len(sharing) > 1
        for name in sharing
    }


def _has_endpoints(service: Object | None) -> bool:
    """An ExternalName is a name of DNS and nothing else."""
    return service is not None and (service.get("spec") or {}).get("type") != "ExternalName"


def _services_in(node: Object, cluster: ObjectCache) -> list[NamespacedName]:
    """Those of the node's namespace: as on Cloud Map, a node has the pods that its podSelector selects."""
    namespace = node["metadata"].get("namespace")
    return sorted(name for name in cluster.services if name.namespace == namespace)


def _endpoints(node: Object, service: NamespacedName, cluster: ObjectCache) -> Iterator[_ServiceEndpoint]:
    of_cloud_map = "awsCloudMap" in (node["spec"].get("serviceDiscovery") or {})
    for one in sorted(cluster.slices.get(service, {}).values(), key=lambda found: str(found["metadata"]["name"])):
        family = str(one.get("addressType"))
        if family not in _is_address:
            continue
        ports = _ports(node, cluster.services.get(service, {}), one)
        for endpoint in one.get("endpoints") or ():
            pod = pod_name(endpoint)
            if of_cloud_map:
                record = cluster.pods.get(NamespacedName(service.namespace, pod)) if pod else None
                if record is None or not selects(node["spec"].get("podSelector"), record.labels):
                    continue
            conditions = endpoint.get("conditions") or {}
            ready = conditions.get("ready") is not False
            serving = ready if conditions.get("serving") is None else bool(conditions["serving"])
            for address in filter(_is_address[family], endpoint.get("addresses") or ()):
                instance = pod or address.replace(":", "-")
                # A pod of two families is an endpoint in each.
                instance = instance if family == "IPv4" else f"{instance}.ipv6"
                yield _ServiceEndpoint(instance, address, ports, ready and not conditions.get("terminating"), serving)


def _ports(node: Object, service: Object, found: Object) -> dict[int, int]:
    """A listener's port, and the one that stands for it behind the Service: the two have the Service's port in common.

    A listener that is none of the Service's ports is on the pods as it is.
    """
    behind = {str(port.get("name") or ""): port.get("port") for port in found.get("ports") or ()}
    by_port = {port["port"]: str(port.get("name") or "") for port in (service.get("spec") or {}).get("ports") or ()}
    ports = {}
    for port in unvalidated_ports(node["spec"]):
        there: Any = behind.get(by_port[port]) if port in by_port else port
        ports[port] = there if _is_port(there) else port
    return ports


def _is_port(value: Any) -> bool:
    return type(value) is int and 0 < value < 65536


def _is_address_of(version: int) -> Callable[[Any], bool]:
    """Whether a value is an address; an API server also refuses those of loopback and the like."""

    def check(value: Any) -> bool:
        try:
            found = ipaddress.ip_address(value) if isinstance(value, str) else None
        except ValueError:
            return False
        return found is not None and found.version == version

    return check


_is_address = {"IPv4": _is_address_of(4), "IPv6": _is_address_of(6)}
