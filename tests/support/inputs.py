"""Inputs for every operation of App Mesh's published model, synthesised from its shapes.

`minimal` gives only required members, `maximal` all that can stand together. Where the model or a rule lets only one
of several members stand (`CHOICES` and tagged unions), the variant decides; `VARIANTS` of them cover every member.
"""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape

VARIANTS = range(8)
PROTOCOLS = ("http", "http2", "grpc", "tcp")
GATEWAY_PROTOCOLS = PROTOCOLS[:3]
PORT = 5000
NODES = tuple(f"node-{i}" for i in range(10))
SERVICE = "service.local"
ACCOUNT = "123456789012"

# Structures of which one member may stand, though the model does not say so; the others come beside.
CHOICES: dict[str, tuple[tuple[str, ...], ...]] = {
    "RouteSpec": (("httpRoute", "http2Route", "grpcRoute", "tcpRoute"),),
    "GatewayRouteSpec": (("httpRoute", "http2Route", "grpcRoute"),),
    "HttpRouteMatch": (("prefix", "path"),),
    "HttpGatewayRouteMatch": (("prefix", "path"),),
    "HttpGatewayRouteRewrite": (("prefix", "path"),),
    "HttpGatewayRoutePrefixRewrite": (("defaultPrefix", "value"),),
    "HttpPathMatch": (("exact", "regex"),),
    "GatewayRouteHostnameMatch": (("exact", "suffix"),),
}
# Members that follow the protocol of their listener.
BY_PROTOCOL = ("ListenerTimeout", "VirtualNodeConnectionPool", "VirtualGatewayConnectionPool")
# These must be there, though the model lets them be absent.
NEEDED = {
    "RouteSpec": ("httpRoute",),
    "GatewayRouteSpec": ("httpRoute",),
    "HttpRoute": ("match", "action"),
    "HttpRouteAction": ("weightedTargets",),
    "HttpRouteMatch": ("prefix",),
    "HttpGatewayRouteMatch": ("prefix",),
    "PortMapping": ("port", "protocol"),
    "WeightedTarget": ("virtualNode", "weight"),
}
TEXTS = {
    "meshName": "m",
    "virtualNodeName": NODES[0],
    "virtualRouterName": "router",
    "virtualServiceName": SERVICE,
    "virtualGatewayName": "gateway",
    "routeName": "route",
    "gatewayRouteName": "gateway-route",
    "virtualNode": NODES[0],
    "prefix": "/prefix",
    "path": "/path",
    "meshOwner": ACCOUNT,
    "value": "/value/",
    "key": "key",
}
BY_SHAPE = {
    "HttpPathExact": "/exact",
    "HttpPathRegex": "/re/[a-z]+",
    "HttpRetryPolicyEvent": "server-error",
    "FilePath": "/files/one",
    "Hostname": "host.local",
    "ExactHostName": "exact.local",
    "SuffixHostname": ".suffix.local",
    "TextFormat": "%START_TIME% %REQ(:path)%\n",
    "JsonValue": "%RESPONSE_CODE%",
    "HttpGatewayRoutePrefix": "/value/",
    "ServiceName": SERVICE,
    "TagValue": "",
}
NUMBERS = {"ListenerPort": PORT, "PortNumber": PORT, "PercentInt": 10}


def protocol_of(variant: int, gateway: bool = False) -> str:
    names = GATEWAY_PROTOCOLS if gateway else PROTOCOLS
    return names[variant % len(names)]


def minimal(shape: Shape) -> Any:
    """A value with nothing in it that need not be."""
    return _Builder(0, full=False).value(shape, "", 0)


def maximal(shape: Shape, variant: int) -> Any:
    """A value with everything in it that can stand together in this variant."""
    return _Builder(variant, full=True).value(shape, "", 0)


class _Builder:
    def __init__(self, variant: int, full: bool) -> None:
        self._variant = variant
        self._full = full

    def value(self, shape: Shape, member: str, index: int, gateway: bool = False) -> Any:
        gateway = gateway or shape.name.startswith(("VirtualGateway", "GatewayRoute"))
        if isinstance(shape, StructureShape):
            return {
                name: self.value(shape.members[name], name, index, gateway)
                for name in self._members(shape, index, gateway)
            }
        if isinstance(shape, ListShape):
            return self._list(shape, member, gateway)
        if isinstance(shape, StringShape):
            return self._text(shape, member, index, gateway)
        if shape.type_name == "boolean":
            return True
        if member in ("start", "end"):
            return {"start": 1, "end": 9}[member]
        return NUMBERS.get(shape.name, max(1, shape.metadata.get("min", 1)))

    def _members(self, shape: StructureShape, index: int, gateway: bool) -> list[str]:
        if shape.name in BY_PROTOCOL:
            return [protocol_of(self._variant, gateway)]
        if shape.is_tagged_union:
            return [list(shape.members)[(self._variant + index) % len(shape.members)]]
        if not self._full:
            needed = [name for name in NEEDED.get(shape.name, ()) if name in shape.members]
            return list(dict.fromkeys([*shape.required_members, *needed]))
        names = list(shape.members)
        for choice in CHOICES.get(shape.name, ()):
            present = [name for name in choice if name in shape.members]
            kept = self._chosen(shape.name, present, gateway)
            names = [name for name in names if name == kept or name not in choice]
        return [name for name in names if name != "nextToken"]

    def _chosen(self, shape: str, present: list[str], gateway: bool) -> str:
        if shape in ("RouteSpec", "GatewayRouteSpec"):
            wanted = protocol_of(self._variant, gateway) + "Route"
            return wanted if wanted in present else present[0]
        # Another bit decides between prefix and path than between the two forms of each.
        step = len(PROTOCOLS) if "prefix" in present else 1
        return present[(self._variant // step) % len(present)]

    def _list(self, shape: ListShape, member: str, gateway: bool) -> list[Any]:
        size = shape.metadata.get("min", 1 if member in ("listeners", "weightedTargets") else 0)
        if self._full:
            once = member in ("listeners", "tcpRetryEvents") or isinstance(shape.member, StringShape)
            size = 1 if once else min(5, shape.metadata.get("max", 5))
        values = [self.value(shape.member, member, index, gateway) for index in range(size)]
        for index, value in enumerate(values):
            _distinguish(value, index)
        return values

    def _text(self, shape: StringShape, member: str, index: int, gateway: bool) -> str:
        if shape.enum:
            if shape.name.endswith("PortProtocol"):
                wanted = protocol_of(self._variant, gateway)
                return wanted if wanted in shape.enum else str(shape.enum[0])
            return str(shape.enum[(self._variant + index) % len(shape.enum)])
        if shape.name in BY_SHAPE and member not in ("virtualServiceName",):
            return BY_SHAPE[shape.name]
        if member in TEXTS:
            return TEXTS[member]
        return "x" * int(shape.metadata.get("min", 1) or 1)


def _distinguish(value: Any, index: int) -> None:
    """Makes the entries of a list differ where two of a kind are refused."""
    match value:
        case {"virtualNode": _, "weight": _}:
            value["virtualNode"] = NODES[index]
        case {"virtualService": {"virtualServiceName": name}}:
            value["virtualService"]["virtualServiceName"] = f"{index}.{name}"
        case {"key": key, "value": _}:
            value["key"] = f"{key}-{index}"
        case _:
            pass
