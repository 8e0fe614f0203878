"""The seven definitions: the model's specification of each kind, and around it what Kubernetes alone has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from shopmesh.appmesh.api.model import GA, service
from shopmesh.documents.crds import descriptions, rules
from shopmesh.documents.crds.schema import (
    MOST_ITEMS,
    Schema,
    add_rules,
    describe_fields,
    label_selector,
    mapping,
    object_reference,
    of_shape,
    text,
)
from shopmesh.documents.names import KINDS

GROUP = "appmesh.k8s.aws"
VERSION = "v1beta2"


def definitions() -> list[Schema]:
    """All CustomResourceDefinitions, a document each, in the order in which their objects can be created."""
    return [*(_definition(kind, _spec(kind)) for kind in KINDS), _definition("BackendGroup", _backend_group())]


def fields_at(kind: str, path: Iterable[str | int]) -> list[str]:
    """The fields of manifests of that kind at a path that begins with `spec`; none for a path that leads nowhere."""
    schema: Schema = {"properties": {"spec": _known_spec(kind)}}
    for step in path:
        schema = schema.get("items", {}) if isinstance(step, int) else schema.get("properties", {}).get(step, {})
    return sorted(schema.get("properties", ()))


@functools.cache
def _known_spec(kind: str) -> Schema:
    return _spec(kind)


def _spec(kind: str) -> Schema:
    schema = of_shape(service(GA).shape_for(f"{kind}Spec"))
    schema["properties"]["awsName"] = text(255, "the name in the mesh; without one it follows from the object's name")
    add_rules(schema, rules.NAME_STAYS)
    _ADDED[kind](schema)
    schema["properties"] = dict(sorted(schema["properties"].items()))
    return schema


def _mesh(schema: Schema) -> None:
    properties = schema["properties"]
    properties["meshServiceDiscovery"] = properties.pop("serviceDiscovery")
    properties["meshOwner"] = text(12, "the account that owns the mesh, when it is another")
    properties["namespaceSelector"] = label_selector()


def _member(schema: Schema) -> None:
    schema["properties"]["meshRef"] = mapping(
        {"name": text(253), "uid": text(64)}, ("name", "uid"), "the mesh that the namespace belongs to; written for you"
    )


def _virtual_node(schema: Schema) -> None:
    _member(schema)
    properties = schema["properties"]
    properties["podSelector"] = label_selector()
    group = mapping({"name": text(253, minLength=1), "namespace": text(63)}, ("name",))
    properties["backendGroups"] = {"type": "array", "maxItems": MOST_ITEMS, "items": group}


def _virtual_router(schema: Schema) -> None:
    _member(schema)
    route = of_shape(service(GA).shape_for("RouteSpec"))
    route["properties"]["name"] = text(255, minLength=1)
    route["required"] = ["name"]
    routes = {
        "type": "array",
        "maxItems": MOST_ITEMS,
        "items": route,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    schema["properties"]["routes"] = routes


def _virtual_gateway(schema: Schema) -> None:
    _member(schema)
    properties = schema["properties"]
    for selector in ("namespaceSelector", "podSelector", "gatewayRouteSelector"):
        properties[selector] = label_selector()
    properties["namespaceSelector"]["description"] = "Labels of the namespaces whose GatewayRoutes this gateway takes."
    listener = properties["listeners"]["items"]["properties"]
    listener["healthCheck"]["required"].remove("healthyThreshold")
    # AWS's definition has it, though the API has no field for it; reading such an object reports it.
    arns = {"type": "array", "minItems": 1, "maxItems": 3, "items": text(2048)}
    trust = listener["tls"]["properties"]["validation"]["properties"]["trust"]
    trust["properties"]["acm"] = mapping({"certificateAuthorityARNs": arns}, ("certificateAuthorityARNs",))
    trust["x-kubernetes-validations"] = []
    add_rules(trust, [rules.exactly_one(trust["properties"])])


def _gateway_route(schema: Schema) -> None:
    _member(schema)
    reference = object_reference()
    reference["properties"]["uid"] = text(64)
    reference["description"] = "the gateway that takes this route; written for you"
    schema["properties"]["virtualGatewayRef"] = reference


_ADDED: dict[str, Callable[[Schema], None]] = {
    "Mesh": _mesh,
    "VirtualNode": _virtual_node,
    "VirtualRouter": _virtual_router,
    "VirtualService": _member,
    "VirtualGateway": _virtual_gateway,
    "GatewayRoute": _gateway_route,
}


def _backend_group() -> Schema:
    service = mapping({"name": text(253, minLength=1), "namespace": text(63)}, ("name",))
    schema = mapping({"virtualservices": {"type": "array", "maxItems": MOST_ITEMS, "items": service}})
    _member(schema)
    return schema


def _definition(kind: str, spec: Schema) -> Schema:
    singular = kind.lower()
    plural = "meshes" if kind == "Mesh" else f"{singular}s"
    names: Schema = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular}
    if kind != "Mesh":
        names["categories"] = ["all"]
    schema = mapping(
        {
            "apiVersion": text(),
            "kind": text(),
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _status(kind),
        },
        description=descriptions.KINDS[kind],
    )
    describe_fields(schema, descriptions.FIELDS)
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": list(_columns(kind)),
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Cluster" if kind == "Mesh" else "Namespaced",
            "versions": [version],
        },
    }


def _status(kind: str) -> Schema:
    """What Flagger, Argo Rollouts and people read: AWS's fields, and what the proxies really run."""
    if kind == "BackendGroup":
        return {"type": "object"}
    condition = mapping(
        {
            "type": text(),
            "status": text(enum=["True", "False", "Unknown"], description="whether the condition holds"),
            "lastTransitionTime": text(format="date-time"),
            "reason": text(),
            "message": text(),
        },
        ("status", "type"),
    )
    properties: Schema = {
        "conditions": {
            "type": "array",
            "items": condition,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        f"{KINDS[kind]}ARN": text(),
        "observedGeneration": {"type": "integer", "format": "int64"},
    }
    if kind == "VirtualRouter":
        properties["routeARNs"] = {"type": "object", "additionalProperties": text()}
        properties["weights"] = text(description="the weighted targets of all routes, as `kubectl get` shows them")
    if kind in _HAS_PROXIES:
        properties["proxies"] = mapping(
            {
                "connected": {"type": "integer", "format": "int32"},
                "inStep": {"type": "integer", "format": "int32"},
                "refused": text(description="the message with which an Envoy rejected its configuration"),
            }
        )
    return mapping(properties)


_HAS_PROXIES = ("VirtualNode", "VirtualGateway")


def _columns(kind: str) -> Iterable[dict[str, Any]]:
    if kind == "VirtualRouter":
        yield _column("Weights", ".status.weights")
    if kind == "VirtualService":
        yield _column("Router", ".spec.provider.virtualRouter.virtualRouterRef.name")
        yield _column("Node", ".spec.provider.virtualNode.virtualNodeRef.name")
    if kind in _HAS_PROXIES:
        yield _column("Proxies", ".status.proxies.connected", "integer")
        yield _column("In step", ".status.proxies.inStep", "integer")
    if kind != "BackendGroup":
        yield _column("Active", f".status.conditions[?(@.type=='{kind}Active')].status")
        condition = "Programmed" if kind in _HAS_PROXIES else f"{kind}Active"
        yield _column("Reason", f".status.conditions[?(@.type=='{condition}')].reason")
        yield {**_column("ARN", f".status.{KINDS[kind]}ARN"), "priority": 1}
    yield _column("Age", ".metadata.creationTimestamp", "date")


def _column(name: str, path: str, type_name: str = "string") -> dict[str, Any]:
    return {"name": name, "type": type_name, "jsonPath": path}
