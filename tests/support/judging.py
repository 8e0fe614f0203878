"""What real Envoy says of translated meshes: many snapshots in one static configuration, `envoy --mode validate`."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.metrics.v3 import metrics_service_pb2
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.bootstrap.internal_listener.v3 import internal_listener_pb2
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf import json_format

from shopmesh.appmesh.store import View
from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.incremental import DependencyGraph
from shopmesh.xds.node import ProxyNode
from shopmesh.xds.resources import XdsResource, pack_any
from shopmesh.xds.snapshot import Snapshot, snapshot
from tests.support.policies import ANYTHING
from tests.support.process import ENVOY

IN_A_BOOTSTRAP = (
    metrics_service_pb2,
    internal_listener_pb2,
    health_check_pb2,
    downstream_connections_pb2,
    http_protocol_options_pb2,
)
"""What protobuf must know to read one from JSON."""

_FIRST_PORT = 20_000
_MANAGER = "envoy.filters.network.http_connection_manager"


def proxies(view: View) -> Iterator[ProxyNode]:
    """One proxy of each shape for every virtual node and gateway."""
    for mesh in view.children("mesh", ()):
        for kind in ("virtualNode", "virtualGateway"):
            for one in view.children(kind, (mesh.key.name,)):
                ports = tuple((listener["portMapping"]["port"]) for listener in one.spec.get("listeners", ()))
                bound = tuple((port, 30_000 + number) for number, port in enumerate(ports))
                behind = () if kind == "virtualGateway" else bound
                yield ProxyNode(mesh.key.name, one.key.name, "i", kind=kind)
                yield ProxyNode(
                    mesh.key.name,
                    one.key.name,
                    "e",
                    kind=kind,
                    mode="explicit",
                    address="127.0.0.1",
                    ports=bound,
                    application_ports=behind,
                )


def snapshots(view: View) -> list[Snapshot]:
    """What every one of `proxies` is given."""
    graph = DependencyGraph(view, ANYTHING)
    found = (graph.compute_root(snapshot, node.snapshot_key) for node in proxies(view))
    return [one for one in found if one is not None]


def refusal(found: Iterable[Snapshot], folder: Path) -> str:
    """Why Envoy would not take these snapshots; empty when it takes all.

    Each keeps its own routes and listeners, the latter on ports of their own; a cluster that differs between two of
    them is judged in a configuration apart. TLS is left out: Envoy crashes when it only validates a configuration
    whose secrets come over ADS; a running one judges it (`live`).
    """
    batches: list[Bootstrap] = []
    held: list[dict[str, str]] = []
    numbers = itertools.count()
    for one in found:
        versions = {name: resource.version for name, resource in one["clusters"].resources.items()}
        place = next((i for i, names in enumerate(held) if _agree(names, versions)), None)
        if place is None:
            place = len(batches)
            batches.append(_empty())
            held.append({})
        _add(batches[place], held[place], one, numbers)
        held[place].update(versions)
    return "\n".join(filter(None, (_judged(batch, folder) for batch in batches)))


def _agree(names: dict[str, str], versions: dict[str, str]) -> bool:
    return all(names.get(name, version) == version for name, version in versions.items())


def _empty() -> Bootstrap:
    document = bootstrap_document(ProxyNode("m", "n", "i"), "127.0.0.1", 1, 1)
    made: Bootstrap = json_format.Parse(json.dumps(document), Bootstrap())
    made.static_resources.ClearField("listeners")
    return made


def _add(made: Bootstrap, held: dict[str, str], one: Snapshot, numbers: Iterator[int]) -> None:
    for name, resource in one["clusters"].resources.items():
        if name not in held:
            cluster = _body(resource, Cluster())
            cluster.ClearField("transport_socket")
            made.static_resources.clusters.append(cluster)
    tables = {name: _body(resource, RouteConfiguration()) for name, resource in one["routes"].resources.items()}
    for resource in one["listeners"].resources.values():
        listener = _body(resource, Listener())
        listener.name = f"{listener.name}_{next(numbers)}"
        for address in (listener.address, *(other.address for other in listener.additional_addresses)):
            _move(address, numbers)
        for chain in (*listener.filter_chains, listener.default_filter_chain):
            chain.ClearField("transport_socket")
            for entry in chain.filters:
                if entry.name == _MANAGER:
                    _inline(entry.typed_config, tables)
        made.static_resources.listeners.append(listener)


def _move(address: Address, numbers: Iterator[int]) -> None:
    if address.HasField("socket_address"):
        address.socket_address.port_value = _FIRST_PORT + next(numbers)
    elif address.HasField("envoy_internal_address"):
        address.envoy_internal_address.server_listener_name += f"_{next(numbers)}"


def _inline(config: Any, tables: dict[str, RouteConfiguration]) -> None:
    manager = HttpConnectionManager()
    config.Unpack(manager)
    if manager.HasField("rds"):
        table = tables[manager.rds.route_config_name]
        manager.route_config.CopyFrom(table)
        # Envoy then looks whether every cluster that a route names is there.
        manager.route_config.validate_clusters.value = True
        config.CopyFrom(pack_any(manager))


def _body(resource: XdsResource, message: Any) -> Any:
    """Any: Envoy's own messages have no types."""
    message.ParseFromString(DeltaDiscoveryResponse.FromString(resource.encoded).resources[0].resource.value)
    return message


def _judged(made: Bootstrap, folder: Path) -> str:
    file = folder / "bootstrap.pb"
    file.write_bytes(made.SerializeToString())
    return refused(file)


def refused(file: Path) -> str:
    """Why Envoy would not start with that bootstrap; empty when it would."""
    command: list[str | Path] = [ENVOY, "--mode", "validate", "-c", file, "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[:3000]
