"""Reports of figures over real gRPC, as an Envoy sends them, or somebody who lies."""

from __future__ import annotations

import contextlib
import queue
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse
from google.protobuf import struct_pb2

from shopmesh.client import Client
from shopmesh.server.traffic import metrics_proto
from tests.contract.control_plane.conftest import ControlPlane
from tests.support.process import eventually

CLUSTER = "cds_ingress_shopmesh_order-vn_http_5000"
PRODUCT = "cds_egress_shopmesh_product-vn_http_5000"
CANARY = "cds_egress_shopmesh_product-v2-vn_http_5000"
HDS = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck"
ROUTE = ("shopmesh", "product-vr", "product-r")
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def mesh(client: Client) -> None:
    """order-vn calls product, of which there are two versions; other-vn calls nobody."""
    appmesh = client.appmesh
    listeners: Any = [{"portMapping": {"port": 5000, "protocol": "http"}}]
    backends: Any = {"order-vn": [{"virtualService": {"virtualServiceName": "product"}}]}
    targets: Any = [{"virtualNode": "product-vn", "weight": 100}, {"virtualNode": "product-v2-vn", "weight": 0}]
    route: Any = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    provider: Any = {"provider": {"virtualRouter": {"virtualRouterName": "product-vr"}}}
    appmesh.create_mesh(meshName="shopmesh")
    for name in ("product-vn", "product-v2-vn", "other-vn", "order-vn"):
        spec: Any = {"listeners": listeners, "backends": backends.get(name, [])}
        appmesh.create_virtual_node(meshName="shopmesh", virtualNodeName=name, spec=spec)
    appmesh.create_virtual_router(meshName="shopmesh", virtualRouterName="product-vr", spec={"listeners": listeners})
    appmesh.create_route(meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r", spec=route)
    appmesh.create_virtual_service(meshName="shopmesh", virtualServiceName="product", spec=provider)


def proxy(node: str, **metadata: Any) -> Node:
    document = struct_pb2.Struct()
    document.update({"instance": f"{node}-1", "mode": "intercepted", **metadata})
    return Node(id=f"mesh/shopmesh/virtualNode/{node}", cluster=node, metadata=document)


def report(
    counts: Mapping[str, tuple[float, float]], node: str = "order-vn", uptime: float = 3600, buckets: int = 0
) -> bytes:
    """One report of an Envoy that started `uptime` seconds ago: by cluster, all requests so far and those that failed.

    Each with so many buckets of latency, none of which is one that we configure.
    """
    message: Any = metrics_proto.message_class("StreamMetricsMessage")()
    message.identifier.node = proxy(node).SerializeToString()
    message.envoy_metrics.add(name="server.uptime").metric.add().gauge.value = uptime
    for name in ("cluster.upstream_rq_completed", "cluster.upstream_rq_xx", "cluster.upstream_rq_time"):
        family = message.envoy_metrics.add(name=name)
        for cluster, (requests, errors) in counts.items():
            metric = family.metric.add()
            metric.label.add(name="envoy.cluster_name", value=cluster)
            if name == "cluster.upstream_rq_time":
                for number in range(buckets):
                    metric.histogram.bucket.add(upper_bound=number + 0.5, cumulative_count=number + 1)
            else:
                metric.label.add(name="envoy.response_code_class", value="5")
                metric.counter.value = errors if name.endswith("_xx") else requests
    data: bytes = message.SerializeToString()
    return data


@contextlib.contextmanager
def channel(control_plane: ControlPlane) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{control_plane.xds_port}") as found:
        yield found


def send(control_plane: ControlPlane, *reports: bytes) -> None:
    """All of them in one stream, until the control plane has taken them in."""
    with channel(control_plane) as to:
        to.stream_unary(metrics_proto.METHOD, bytes, bytes)(iter(reports), timeout=60)


def counted(client: Client, since: float = 0.0) -> dict[str, tuple[int, int]]:
    return {one["cluster"]: (one["requests"], one["errors"]) for one in client.figures("shopmesh", since=since)}


def test_an_envoy_that_was_there_before_the_control_plane_is_counted_from_now_on(
    control_plane: ControlPlane, client: Client
) -> None:
    """Its first report holds an hour of requests: none of them belongs to the time since the control plane started."""
    since = time.time()
    send(control_plane, report({CLUSTER: (90_000, 12)}), report({CLUSTER: (90_030, 12)}, uptime=3601))

    assert {CLUSTER: (30, 0)} == eventually(lambda: counted(client, since), "the second report's figures")


def test_only_clusters_that_a_proxy_was_sent_count(control_plane: ControlPlane, client: Client) -> None:
    """Its own listener's and those of its backends; nothing made up, and no other node's."""
    others = ["cds_egress_shopmesh_made-up-vn_http_5000", "cds_ingress_shopmesh_product-vn_http_5000", "", "x" * 300]
    send(control_plane, report({CLUSTER: (1, 0), PRODUCT: (2, 1), CANARY: (0, 0)} | dict.fromkeys(others, (9, 9))))

    assert {CLUSTER: (1, 0), PRODUCT: (2, 1)} == counted(client)


def test_a_canary_is_not_judged_by_a_node_that_does_not_call_it(control_plane: ControlPlane, client: Client) -> None:
    """500,000 made-up errors of another node's proxy count nowhere; those of a caller do."""
    client.start_canary(ROUTE, "product", {"to": "product-v2-vn", "steps": [50], "every": "1h"}, "me", 60.0)
    lies = {CANARY: (500_000.0, 500_000.0)}
    send(control_plane, report({}, "other-vn"), report(lies, "other-vn"))
    send(control_plane, report({}, "product-v2-vn"), report(lies, "product-v2-vn"))
    assert (0, 0) == seen(client)

    send(control_plane, report({}), report({CANARY: (10, 2)}))
    assert (10, 2) == seen(client)


def seen(client: Client) -> tuple[int, int]:
    canary = client.canary(ROUTE)["seen"]["canary"]
    return canary["requests"], canary["errors"]


def test_more_errors_than_requests_are_no_errors_of_a_canary(control_plane: ControlPlane, client: Client) -> None:
    """A verdict is made of shares, and a share above one would end whoever computes it."""
    client.start_canary(ROUTE, "product", {"to": "product-v2-vn", "steps": [50], "every": "1h"}, "me", 60.0)
    send(control_plane, report({}), report({CANARY: (10, 5_000)}))

    assert (10, 10) == seen(client)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_number_that_no_envoy_counts_is_nothing(control_plane: ControlPlane, client: Client, number: float) -> None:
    """Whatever is asked for afterwards is answered, and what the same proxy counted besides is told."""
    send(control_plane, report({CLUSTER: (number, number), PRODUCT: (3, 0)}, uptime=number, buckets=3))

    assert (3, 0) == counted(client)[PRODUCT]
    assert client.splits("shopmesh")["splits"]
    assert "Traceback" not in control_plane.child.output


def test_made_up_clusters_take_no_memory(control_plane: ControlPlane, client: Client) -> None:
    """One proxy with 60,000 names, each with a histogram of its own, leaves the control plane as large as it was."""
    send(control_plane, report({CLUSTER: (1, 0)}))
    before = resident(control_plane.child.pid)
    send(
        control_plane,
        *(
            report({f"cds_egress_shopmesh_made-up-{part}-{one}_http_5000": (1, 1) for one in range(3000)}, buckets=20)
            for part in range(20)
        ),
    )

    assert resident(control_plane.child.pid) - before < 64 * MIB
    assert {CLUSTER: (1, 0)} == counted(client)


def resident(pid: int) -> int:
    """Bytes of memory that a process takes, by /proc; skips where there is none."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("this system has no /proc")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_what_a_withdrawn_proxy_still_reports_counts(control_plane: ControlPlane, client: Client) -> None:
    """`shopmesh stop` withdraws a proxy that has requests under way, and ends it when these are done."""
    with channel(control_plane) as to:
        declare(to, "order-vn")
        eventually(lambda: any(one["declared"] for one in client.proxies()), "it is declared")
        waiting: queue.Queue[bytes | None] = queue.Queue()
        waiting.put(report({CLUSTER: (5, 0)}))
        call = to.stream_unary(metrics_proto.METHOD, bytes, bytes).future(iter(waiting.get, None), timeout=30)
        eventually(lambda: counted(client), "its first report")
        client.withdraw("shopmesh", "virtualNode", "order-vn", "order-vn-1")
        waiting.put(report({CLUSTER: (8, 1)}))
        waiting.put(None)

        assert b"" == call.result()
    assert {CLUSTER: (8, 1)} == counted(client)
    assert "Traceback" not in control_plane.child.output


def declare(to: grpc.Channel, node: str) -> None:
    """Says by HDS that a proxy without an application is ready, so that others are sent to it."""
    first, second = HealthCheckRequestOrEndpointHealthResponse(), HealthCheckRequestOrEndpointHealthResponse()
    first.health_check_request.node.CopyFrom(proxy(node, address="127.0.0.1"))
    second.endpoint_health_response.SetInParent()
    [*to.stream_stream(HDS, HealthCheckRequestOrEndpointHealthResponse.SerializeToString, bytes)(iter((first, second)))]
