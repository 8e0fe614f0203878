"""The API over a cluster: several requests in one transaction, and what manifests must say beyond the API."""

from __future__ import annotations

from typing import Any

from tests.contract.api.conftest import serving
from tests.contract.api.raw import post
from tests.contract.kubernetes.stores import stored
from tests.support.kubernetes import Cluster


def listening(protocol: str, port: int) -> dict[str, Any]:
    return {"spec": {"listeners": [{"portMapping": {"port": port, "protocol": protocol}}]}}


def to_service(kind: str, port: int) -> dict[str, Any]:
    action = {"target": {"virtualService": {"virtualServiceName": "s.default"}}}
    return {"spec": {kind: {"match": {"prefix": "/", "port": port}, "action": action}}}


def test_a_gateway_and_its_route_change_in_one_transaction(cluster: Cluster) -> None:
    """Both objects are written, one after the other, and both are used."""
    gateway = {"meshName": "m", "virtualGatewayName": "g"}
    route = {**gateway, "gatewayRouteName": "t"}
    with serving(stored=lambda: stored(cluster)) as api:
        client = api.client()
        client.create_mesh(meshName="m")
        client.create_virtual_service(meshName="m", virtualServiceName="s.default", spec={})
        client.create_virtual_gateway(**gateway, **listening("http", 80))
        client.create_gateway_route(**route, **to_service("httpRoute", 80))

        answer = post(
            api.port,
            ("UpdateVirtualGateway", gateway | listening("http2", 90)),
            ("UpdateGatewayRoute", route | to_service("http2Route", 90)),
        )

        assert 200 == answer.status, answer.json
        assert "http2Route" in client.describe_gateway_route(**route)["gatewayRoute"]["spec"]


def test_what_the_api_leaves_out_is_written_into_objects(cluster: Cluster) -> None:
    """The definitions refuse a listener without serviceDiscovery and a match of no path, which the API takes."""
    route = {"meshName": "m", "virtualRouterName": "r", "routeName": "t"}
    action = {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    with serving(stored=lambda: stored(cluster)) as api:
        client = api.client()
        client.create_mesh(meshName="m")
        client.create_virtual_node(meshName="m", virtualNodeName="n", **listening("http", 80))
        client.create_virtual_router(meshName="m", virtualRouterName="r", **listening("http", 80))
        client.create_route(**route, spec={"httpRoute": {"match": {"port": 80}, "action": action}})
        client.update_route(**route, spec={"httpRoute": {"match": {"method": "GET"}, "action": action}})

        node = client.describe_virtual_node(meshName="m", virtualNodeName="n")["virtualNode"]
        written = client.describe_route(**route)["route"]

    assert listening("http", 80)["spec"] == node["spec"]
    assert {"prefix": "/", "method": "GET"} == written["spec"]["httpRoute"]["match"]
    assert 2 == written["metadata"]["version"]
