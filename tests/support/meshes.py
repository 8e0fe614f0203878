"""Whole meshes for Hypothesis: every field of the published model, and nothing that the API refuses.

What only one of several members may be, which must be there, and what follows a listener's protocol, stands in
`inputs`; here it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape
from hypothesis import strategies as st

from shopmesh.appmesh.api.model import GA, service
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Document, Key
from tests.support.inputs import ACCOUNT, BY_PROTOCOL, CHOICES, GATEWAY_PROTOCOLS, NEEDED, PROTOCOLS

# Tags hold what Kubernetes would; no text looks like a template's placeholder, which apply refuses.
_CHARACTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="${}%")
TEXT = st.text(_CHARACTERS, min_size=1, max_size=12)
NAMES = st.sampled_from(
    ["product-vn", "product_default", "Product V2", "x", "9", "a.b_c", "näme", "a:b", "1.0", "true"]
)
HOSTS = st.sampled_from(
    [
        "product.default.svc.cluster.local",
        "product.default",
        "Shop_1.example.com",
        "product",
        "order.bank.svc.cluster.local",
    ]
)
PORT_NUMBERS = (1, 80, 5000, 8080, 65535)
PORTS = st.sampled_from(PORT_NUMBERS)
DURATIONS = st.fixed_dictionaries({"unit": st.sampled_from(["s", "ms"]), "value": st.integers(1, 100_000)})
REGEXES = st.sampled_from(["/v[12]/.*", "a|b", "[^x]{1,3}", ".*", r"\d+"])
HEADERS = st.text(st.sampled_from("abcXYZ019-_"), min_size=1, max_size=12).map(lambda word: f"x-{word}")
PATHS = TEXT.map(lambda text: f"/{text}")
REWRITTEN = st.text(st.sampled_from("abc/.-_~%$&'+,;=:@*"), max_size=12).map(lambda text: f"/{text}")
"""What may be written into a request: it is not encoded on the way."""

_BY_SHAPE: dict[str, st.SearchStrategy[Any]] = {
    "Duration": DURATIONS,
    "MatchRange": st.integers(-5, 5).flatmap(
        lambda start: st.fixed_dictionaries({"start": st.just(start), "end": st.integers(start + 1, 9)})
    ),
    "HttpPathRegex": REGEXES,
    "HttpPathExact": PATHS,
    "HttpRetryPolicyEvent": st.sampled_from(["server-error", "gateway-error", "client-error", "stream-error"]),
    "FilePath": st.sampled_from(["/files/one", "/files/two.pem"]),
    "Hostname": HOSTS,
    "ExactHostName": HOSTS,
    "SuffixHostname": st.sampled_from([".example.com", "example.com"]),
    "ServiceName": HOSTS,
    "HeaderName": HEADERS,
    "HttpGatewayRoutePrefix": st.sampled_from(["/", "/v2/"]),
    "TextFormat": st.sampled_from(["%START_TIME% %REQ(:path)%\n", "{ $x }"]),
    "JsonValue": st.sampled_from(["%RESPONSE_CODE%", "100%%"]),
    "AccountId": st.just(ACCOUNT),
    "AwsCloudMapName": st.sampled_from(["shop.local", "orders"]),
    "AwsCloudMapInstanceAttributeKey": HEADERS,
    "AwsCloudMapInstanceAttributeValue": st.sampled_from(["v1", "eu west"]),
    "Arn": st.just("arn:aws:acm:eu-west-1:111122223333:certificate/1"),
}
_BY_MEMBER: dict[str, st.SearchStrategy[Any]] = {
    "prefix": PATHS,
    "regex": REGEXES,
    "exact": TEXT,
    "serviceName": st.sampled_from(["shop.Orders", "Orders"]),
    "methodName": st.sampled_from(["Get", "List"]),
    "port": PORTS,
}


class _Drawn:
    """Draws the values of shapes for one protocol."""

    def __init__(self, draw: st.DrawFn, protocol: str = "http") -> None:
        self._draw = draw
        self._protocol = protocol

    def value(self, shape: Shape, member: str = "") -> Any:
        if shape.name in _BY_SHAPE:
            return self._draw(_BY_SHAPE[shape.name])
        if member in _BY_MEMBER and not isinstance(shape, ListShape | StructureShape):
            return self._draw(_BY_MEMBER[member])
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, StringShape):
            return self._draw(st.sampled_from(shape.enum) if shape.enum else TEXT)
        if shape.type_name == "boolean":
            return self._draw(st.booleans())
        lowest = shape.metadata.get("min", 0)
        return self._draw(st.integers(lowest, shape.metadata.get("max", lowest + 9)))

    def _structure(self, shape: StructureShape) -> dict[str, Any]:
        if shape.name in BY_PROTOCOL:
            return {self._protocol: self.value(shape.members[self._protocol], self._protocol)}
        if shape.is_tagged_union:
            chosen = self._draw(st.sampled_from(list(shape.members)))
            return {chosen: self.value(shape.members[chosen], chosen)}
        needed = {*shape.required_members, *NEEDED.get(shape.name, ())} & {*shape.members}
        names = [name for name in shape.members if name in needed or self._draw(st.booleans())]
        for choice in CHOICES.get(shape.name, ()):
            present = [name for name in choice if name in shape.members]
            kept = self._draw(st.sampled_from(present))
            names = [*(name for name in names if name not in choice), kept]
        return {name: self.value(shape.members[name], name) for name in names}

    def _list(self, shape: ListShape) -> list[Any]:
        lowest = shape.metadata.get("min", 0)
        size = self._draw(st.integers(lowest, max(lowest, min(2, shape.metadata.get("max", 2)))))
        drawn = [self.value(shape.member) for _ in range(size)]
        # An access log in JSON is an object: a key stands there once.
        return _once(drawn, lambda entry: entry["key"]) if shape.name == "JsonFormat" else drawn


def _spec(kind: str) -> StructureShape:
    shape = service(GA).operation_model(f"Create{KINDS[kind].title}").input_shape
    assert shape is not None
    spec = shape.members["spec"]
    assert isinstance(spec, StructureShape)
    return spec


def _listener(draw: st.DrawFn, shape: Shape, protocol: str, port: int) -> dict[str, Any]:
    listener: dict[str, Any] = _Drawn(draw, protocol).value(shape)
    listener["portMapping"] = {"port": port, "protocol": protocol}
    if check := listener.get("healthCheck"):
        check["path"] = draw(PATHS)
        check["port"] = port
        if check["protocol"] == "grpc" and protocol not in ("grpc", "http2"):
            check["protocol"] = "http"
    return listener


@st.composite
def listeners(draw: st.DrawFn, kind: str, fewest: int = 0) -> list[dict[str, Any]]:
    """Listeners of a node, router or gateway, each on a port of its own."""
    shape = _spec(kind).members["listeners"]
    assert isinstance(shape, ListShape)
    protocols = GATEWAY_PROTOCOLS if kind == "virtualGateway" else PROTOCOLS
    most = 1 if kind == "virtualGateway" else 2
    ports = draw(st.lists(PORTS, min_size=fewest, max_size=most, unique=True))
    return [_listener(draw, shape.member, draw(st.sampled_from(protocols)), port) for port in ports]


def _node(draw: st.DrawFn) -> Document:
    spec: dict[str, Any] = _Drawn(draw).value(_spec("virtualNode"))
    spec["listeners"] = draw(listeners("virtualNode"))
    spec["backends"] = _once(spec.get("backends", []), lambda one: one["virtualService"]["virtualServiceName"].lower())
    return spec


def _route(
    draw: st.DrawFn, router: Document, nodes: dict[str, Document], gateway: bool = False
) -> dict[str, Any] | None:
    """A route that fits its router, to nodes that are there; None where there can be none."""
    mapping = draw(st.sampled_from(router["listeners"]))["portMapping"] if router.get("listeners") else None
    if mapping is None or not nodes:
        return None
    kind = f"{mapping['protocol']}Route"
    shape = _spec("route")
    body = _Drawn(draw, mapping["protocol"]).value(shape.members[kind])
    _fit_match(draw, body, mapping["port"])
    names = draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, max_size=3, unique=True))
    targets = [_target(draw, name, nodes[name]) for name in names]
    # Envoy refuses a route whose weights are all 0, and so does the API.
    targets[0]["weight"] += all(not target["weight"] for target in targets)
    body["action"] = {"weightedTargets": targets}
    spec = {kind: body}
    if draw(st.booleans()):
        spec["priority"] = draw(st.integers(0, 1000))
    if policy := body.get("retryPolicy"):
        policy["tcpRetryEvents"] = ["connection-error"]
        body.get("timeout", {}).pop("perRequest", None)
    return spec


def _target(draw: st.DrawFn, name: str, node: Document) -> dict[str, Any]:
    target: dict[str, Any] = {"virtualNode": name, "weight": draw(st.integers(0, 33))}
    if node.get("listeners") and draw(st.booleans()):
        target["port"] = draw(st.sampled_from(node["listeners"]))["portMapping"]["port"]
    return target


def _gateway_route(draw: st.DrawFn, gateway: Document, services: list[str]) -> dict[str, Any] | None:
    if not services:
        return None
    mapping = draw(st.sampled_from(gateway["listeners"]))["portMapping"]
    kind = f"{mapping['protocol']}Route"
    body = _Drawn(draw, mapping["protocol"]).value(_spec("gatewayRoute").members[kind])
    _fit_match(draw, body, mapping["port"])
    if kind == "grpcRoute":
        body["match"].setdefault("serviceName", "Orders")
    body["action"]["target"]["virtualService"]["virtualServiceName"] = draw(st.sampled_from(services))
    rewrite = body["action"].get("rewrite", {})
    for form in ("prefix", "path"):
        if form not in body["match"]:
            rewrite.pop(form, None)
    if "path" in rewrite:
        rewrite["path"] = {"exact": draw(REWRITTEN)}
    spec = {kind: body}
    if draw(st.booleans()):
        spec["priority"] = draw(st.integers(0, 1000))
    return spec


def _fit_match(draw: st.DrawFn, body: dict[str, Any], port: int) -> None:
    match = body.get("match")
    if match is None:
        body["match"] = {"port": port}
        return
    match["port"] = port
    if "methodName" in match:
        match.setdefault("serviceName", "Orders")
    for parameter in match.get("queryParameters", ()):
        parameter["match"] = {"exact": draw(TEXT)}


def _with(wanted: str | None, names: list[str]) -> list[str]:
    return names if wanted is None or wanted in names else [wanted, *names]


def _once(items: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    return list({key(item): item for item in items}.values())


@st.composite
def meshes(
    draw: st.DrawFn, name: str | None = None, node: str | None = None, gateway: str | None = None
) -> list[tuple[Key, Document]]:
    """The resources of one mesh, in an order in which they can be created.

    It may be given a name, and that of a virtual node or gateway that shall be there whatever else is.
    """
    mesh = name or draw(NAMES)
    found: list[tuple[Key, Document]] = [(Key("mesh", (mesh,)), _Drawn(draw).value(_spec("mesh")))]
    few = st.lists(NAMES, max_size=2, unique=True)
    nodes = {name: _node(draw) for name in _with(node, draw(few))}
    found += [(Key("virtualNode", (mesh, name)), spec) for name, spec in nodes.items()]
    routers = {name: {"listeners": draw(listeners("virtualRouter", 1))} for name in draw(few)}
    for router, spec in routers.items():
        found.append((Key("virtualRouter", (mesh, router)), spec))
        for name in draw(few):
            if route := _route(draw, spec, nodes):
                found.append((Key("route", (mesh, router, name)), route))
    services = draw(st.lists(HOSTS, max_size=3, unique=True))
    providers = [{"virtualNode": {"virtualNodeName": name}} for name in nodes]
    providers += [{"virtualRouter": {"virtualRouterName": name}} for name in routers]
    for name in services:
        provider = draw(st.sampled_from([None, *providers]))
        found.append((Key("virtualService", (mesh, name)), {"provider": provider} if provider else {}))
    for one in _with(gateway, draw(few)):
        shape: dict[str, Any] = _Drawn(draw).value(_spec("virtualGateway"))
        shape["listeners"] = draw(listeners("virtualGateway", 1))
        found.append((Key("virtualGateway", (mesh, one)), shape))
        for name in draw(few):
            if entry := _gateway_route(draw, shape, services):
                found.append((Key("gatewayRoute", (mesh, one, name)), entry))
    return found
