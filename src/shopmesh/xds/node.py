"""The identity of a proxy: the node of its bootstrap, validated strictly."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.struct_pb2 import Struct

from shopmesh.appmesh.arn import without_owner
from shopmesh.appmesh.store import Key
from shopmesh.xds import names
from shopmesh.xds.telemetry_options import NO_TELEMETRY, TelemetryOptions, TelemetryOptionsError
from shopmesh.xds.telemetry_options import parse as parse_telemetry_options

Mode = Literal["explicit", "intercepted"]
Ports = tuple[tuple[int, int], ...]
"""A virtual node's ports and what each is on this host, sorted."""

Readiness = tuple[tuple[int, str], ...]
"""Ports on the proxy's own host, each with the path that answers 200 when ready; empty: a connection is enough."""
EgressPorts = tuple[tuple[str, int], ...]
"""Virtual services with their TCP port (`product.local:6000`), and the loopback port that leads to each, sorted."""

Attributes = tuple[tuple[str, str], ...]
"""Cloud Map attributes of an instance, sorted; a virtual node's `awsCloudMap` may require some."""

KINDS = ("virtualNode", "virtualGateway")
_ID = re.compile(r"(?:arn:[^/]+:)?mesh/([^/]+)/([^/]+)/([^/]+)")
_LONGEST_NAME = 255
_PATH = re.compile(r"/[\x21-\x7e]{0,254}")
_MOST_PROBES = 8
_MOST_PORTS = 1000
# Those of Cloud Map: https://docs.aws.amazon.com/cloud-map/latest/api/API_RegisterInstance.html
_MOST_ATTRIBUTES = 30
_LONGEST_ATTRIBUTE = 1024


class NodeError(ValueError):
    """The node of a proxy is not valid; the message names the field, its value and what it should be."""


class Identity(NamedTuple):
    """The unique name of one proxy."""

    mesh: str
    kind: str
    name: str
    instance: str

    @property
    def resource(self) -> Key:
        """The virtual node (or gateway) that the proxy serves."""
        return Key(self.kind, (self.mesh, self.name))

    @property
    def key(self) -> Key:
        """The key of its address in the store."""
        return Key("instance", (self.mesh, self.kind, self.name, self.instance))


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """All that the configuration of a proxy depends on: proxies with equal keys share one snapshot.

    `address`, `ports`, `application_ports` and `egress_ports` belong to the explicit mode; they are empty in the
    intercepted mode, so that all such proxies of a virtual node share one.
    """

    mesh: str
    kind: str
    name: str
    mode: Mode
    address: str
    ports: Ports
    application_ports: Ports
    ingress_port: int
    egress_port: int
    egress_ports: EgressPorts = ()
    telemetry_options: TelemetryOptions = NO_TELEMETRY

    @property
    def resource(self) -> Key:
        return Key(self.kind, (self.mesh, self.name))


@dataclass(frozen=True, slots=True)
class ProxyNode:
    """One proxy as its bootstrap declares it.

    `address` None: it does not declare where it can be reached. In explicit mode `ports` maps the virtual node's ports
    to those that Envoy binds on `address`, `application_ports` to those where the application listens on 127.0.0.1;
    `egress_port` is the forward proxy on 127.0.0.1, and `egress_ports` are the ports there for TCP services. With
    `readiness` the proxy is an endpoint only while all of these answer; without, from the moment it listens. Of these
    ports a gateway has `ports` alone: no application is beside it, and no traffic is redirected into it.
    """

    mesh: str
    name: str
    instance: str
    kind: str = "virtualNode"
    mode: Mode = "intercepted"
    cluster: str = ""
    address: str | None = None
    ports: Ports = ()
    application_ports: Ports = ()
    ingress_port: int = names.INGRESS_PORT
    egress_port: int = names.EGRESS_PORT
    readiness: Readiness = ()
    egress_ports: EgressPorts = ()
    attributes: Attributes = ()
    telemetry_options: TelemetryOptions = NO_TELEMETRY

    @property
    def id(self) -> str:
        return f"mesh/{self.mesh}/{self.kind}/{self.name}"

    @property
    def identity(self) -> Identity:
        return Identity(self.mesh, self.kind, self.name, self.instance)

    @property
    def snapshot_key(self) -> SnapshotKey:
        explicit = self.mode == "explicit"
        redirected = self.kind == "virtualNode"
        return SnapshotKey(
            mesh=self.mesh,
            kind=self.kind,
            name=self.name,
            mode=self.mode,
            address=(self.address or "0.0.0.0") if explicit else "",
            ports=self.ports if explicit else (),
            application_ports=self.application_ports if explicit else (),
            ingress_port=self.ingress_port if redirected and not explicit else 0,
            egress_port=self.egress_port if redirected else 0,
            egress_ports=self.egress_ports if redirected and explicit else (),
            telemetry_options=self.telemetry_options,
        )

    def to_document(self) -> dict[str, Any]:
        """The node as the bootstrap writes it; `parse` reads it back."""
        metadata: dict[str, Any] = {"instance": self.instance, "mode": self.mode, "egress_port": self.egress_port}
        if self.mode == "intercepted":
            metadata["ingress_port"] = self.ingress_port
        if self.address is not None:
            metadata["address"] = self.address
        for field, ports in (("ports", self.ports), ("application_ports", self.application_ports)):
            if ports:
                metadata[field] = {str(port): there for port, there in ports}
        if self.readiness:
            metadata["readiness"] = {str(port): path for port, path in self.readiness}
        if self.attributes:
            metadata["attributes"] = dict(self.attributes)
        if self.egress_ports:
            metadata["egress_ports"] = dict(self.egress_ports)
        if telemetry_options := self.telemetry_options.to_document():
            metadata["reporting"] = telemetry_options
        return {"id": self.id, "cluster": self.cluster or self.name, "metadata": metadata}


def parse(node: Node) -> ProxyNode:
    """Reads `node.id` (`mesh/<mesh>/virtualNode/<name>`, or the ARN that ends so), `cluster` and `metadata`.

    The owner in `mesh/<mesh>@<account>/…` is not part of the mesh's name. Raises `NodeError`. Ignores the rest of the
    node, such as 61 kB of extension names.
    """
    match = _ID.fullmatch(node.id)
    if match is None or match[2] not in KINDS or max(map(len, match.groups())) > _LONGEST_NAME:
        raise NodeError(
            f"node.id is {_short(node.id)}; it must be mesh/<mesh>/virtualNode/<virtual node>, or "
            "mesh/<mesh>/virtualGateway/<virtual gateway> (Envoy's --service-node, or node.id of the bootstrap)"
        )
    mesh, kind, name = match.groups()
    metadata = _fields(node.metadata)
    mode = _text(metadata, "mode", "intercepted")
    if mode not in ("explicit", "intercepted"):
        raise NodeError(f"node.metadata.mode is {_short(mode)}; it must be explicit or intercepted")
    address = _text(metadata, "address", "") or None
    if address is not None:
        address = _address(address)
    parsed = ProxyNode(
        mesh=without_owner(mesh),
        kind=kind,
        name=name,
        instance=_text(metadata, "instance", "") or name,
        mode=cast(Mode, mode),
        cluster=node.cluster[:_LONGEST_NAME],
        address=address,
        ports=_ports(metadata, "ports"),
        application_ports=_ports(metadata, "application_ports"),
        ingress_port=_port("ingress_port", metadata.get("ingress_port", names.INGRESS_PORT)),
        egress_port=_port("egress_port", metadata.get("egress_port", names.EGRESS_PORT)),
        readiness=_readiness(metadata),
        egress_ports=_egress_ports(metadata),
        attributes=_attributes(metadata),
        telemetry_options=_telemetry_options(metadata),
    )
    if mode == "explicit" and kind == "virtualNode" and "egress_port" not in metadata:
        raise NodeError("node.metadata.egress_port is missing; the explicit mode needs the port of its forward proxy")
    return parsed


def _fields(struct: Struct) -> dict[str, Any]:
    return dict(struct.items())


def _text(metadata: Mapping[str, Any], field: str, default: str) -> str:
    value = metadata.get(field, default)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or "/" in value or not value.isprintable():
        raise NodeError(
            f"node.metadata.{field} is {_short(value)}; it must be a printable text of at most {_LONGEST_NAME} "
            "characters without a slash"
        )
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise NodeError(
            f"node.metadata.address is {_short(value)}; it must be an IP address, or be left out when the virtual "
            "node is found by its DNS name"
        ) from None


def _ports(metadata: Mapping[str, Any], field: str) -> Ports:
    value = metadata.get(field)
    if value is None:
        return ()
    if not isinstance(value, Struct):
        raise NodeError(f'node.metadata.{field} is {_short(value)}; it must be an object such as {{"5000": 41001}}')
    _require_few(field, value)
    return tuple(sorted((_port(field, port), _port(field, there)) for port, there in value.items()))


def _telemetry_options(metadata: Mapping[str, Any]) -> TelemetryOptions:
    try:
        return parse_telemetry_options(metadata.get("reporting"))
    except TelemetryOptionsError as error:
        raise NodeError(f"node.metadata.reporting: {error}") from error


def _readiness(metadata: Mapping[str, Any]) -> Readiness:
    value = metadata.get("readiness")
    if value is None:
        return ()
    if not isinstance(value, Struct) or len(value) > _MOST_PROBES or not all(map(_is_path, value.values())):
        raise NodeError(
            f'node.metadata.readiness is {_short(value)}; it must be an object such as {{"5000": "/readyz"}}, of at '
            f"most {_MOST_PROBES} ports, each with a path or an empty text"
        )
    return tuple(sorted((_port("readiness", port), str(path)) for port, path in value.items()))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and (not value or _PATH.fullmatch(value) is not None)


def _attributes(metadata: Mapping[str, Any]) -> Attributes:
    value = metadata.get("attributes")
    if value is None:
        return ()
    if (
        not isinstance(value, Struct)
        or len(value) > _MOST_ATTRIBUTES
        or not all(isinstance(text, str) and len(text) <= _LONGEST_ATTRIBUTE for pair in value.items() for text in pair)
    ):
        raise NodeError(
            f'node.metadata.attributes is {_short(value)}; it must be an object of texts such as {{"stage": "blue"}}, '
            f"at most {_MOST_ATTRIBUTES}, each of at most {_LONGEST_ATTRIBUTE} characters"
        )
    return tuple(sorted((key, str(text)) for key, text in value.items()))


def _egress_ports(metadata: Mapping[str, Any]) -> EgressPorts:
    value = metadata.get("egress_ports")
    if value is None:
        return ()
    if not isinstance(value, Struct):
        example = '{"product.local:6000": 41007}'
        raise NodeError(f"node.metadata.egress_ports is {_short(value)}; it must be an object such as {example}")
    _require_few("egress_ports", value)
    found = tuple(sorted((_service_port(name), _port("egress_ports", there)) for name, there in value.items()))
    if len({port for _, port in found}) < len(found):
        raise NodeError("node.metadata.egress_ports names one port twice; each service needs a port of its own")
    return found


def _require_few(field: str, ports: Struct) -> None:
    """Bounds the entries: one port may be spelled in many ways (`5000`, `5000.0`), so its range does not."""
    if len(ports) > _MOST_PORTS:
        raise NodeError(f"node.metadata.{field} has {len(ports)} entries; at most {_MOST_PORTS} are allowed")


def _service_port(name: str) -> str:
    service, _, port = name.rpartition(":")
    if not service or len(service) > _LONGEST_NAME or not service.isprintable():
        raise NodeError(
            f"node.metadata.egress_ports has {_short(name)}; a TCP service is named by host and port, as in "
            "product.local:6000"
        )
    return f"{service}:{_port('egress_ports', port)}"


def _port(field: str, value: object) -> int:
    try:
        number = float(cast(Any, value))
        if number == int(number) and 1 <= number <= 65535:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise NodeError(f"node.metadata.{field} has {_short(value)}; a port is a whole number from 1 to 65535")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
