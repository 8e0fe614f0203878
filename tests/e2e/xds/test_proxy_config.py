"""What `shopmesh proxy-config` prints of a real proxy is what that Envoy says it has."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Resource
from shopmesh.cli import main
from shopmesh.client import Client
from tests.e2e.xds.running import Sidecar, upstreams
from tests.support.certificates import Authority
from tests.support.planes import Planes
from tests.support.process import eventually
from tests.unit.xds.meshes import route, shop

Versions = dict[str, dict[str, str]]
"""Of the resources by type and name."""
_DUMPS = {
    "clusters": ("dynamic_active_clusters", "cluster", "name"),
    "routes": ("dynamic_route_configs", "route_config", "name"),
    "endpoints": ("dynamic_endpoint_configs", "endpoint_config", "cluster_name"),
}


def of_envoy(sidecar: Sidecar) -> Versions:
    """Endpoints have no versions in its dump."""
    found: Versions = {kind: {} for kind in ("clusters", "listeners", "routes", "endpoints", "secrets")}
    for dump in sidecar.config()["configs"]:
        for kind, (field, member, name) in _DUMPS.items():
            for one in dump.get(field, ()):
                found[kind][one[member][name]] = one.get("version_info", "")
        for one in dump.get("dynamic_listeners", ()):
            found["listeners"][one["name"]] = one["active_state"]["version_info"]
        for one in dump.get("dynamic_active_secrets", ()):
            found["secrets"][one["name"]] = one["version_info"]
    return found


def printed(planes: Planes, *arguments: str) -> Any:
    result = CliRunner().invoke(
        main, ["--endpoint-url", planes.one.url, "proxy-config", *arguments, "-o", "json"], catch_exceptions=False
    )
    assert 0 == result.exit_code, result.output
    return json.loads(result.output)


def states(planes: Planes, sidecar: Sidecar) -> set[str]:
    return {one["state"] for found in printed(planes, sidecar.instance)["types"].values() for one in found}


def versions(document: Any) -> Versions:
    return {kind: {one["name"]: one["version"] for one in found} for kind, found in document["types"].items()}


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[Planes]:
    """`product` ends TLS with files, `order` calls it."""
    pair = Authority(tmp_path).issue("product.local")
    resources = {one.key.name: one for one in shop()}
    product = resources["product"]
    listener = {**product.spec["listeners"][0], "tls": {"mode": "STRICT", "certificate": pair.document()}}
    resources["product"] = replace(product, spec={**product.spec, "listeners": [listener]})
    with Planes(host_policy=HostPolicy(allow_patches=True, certificate_folders=(str(tmp_path),))) as found:
        found.put(*resources.values())
        yield found


def half() -> Resource:
    return route("product-r", "all", {"product": 1, "product-v2": 1})


def test_names_and_versions_are_those_that_envoy_has(planes: Planes) -> None:
    """For each type, before and after a change; the former configuration is what Envoy had."""
    with (
        upstreams("v1", "v2") as (first, second),
        Sidecar(planes.one, "product", first) as product,
        Sidecar(planes.one, "product-v2", second),
        Sidecar(planes.two, "order", None) as order,
    ):
        for sidecar, kinds in ((order, ("clusters", "listeners", "routes")), (product, ("secrets",))):
            eventually(lambda one=sidecar: is_same(planes, one), f"{sidecar.instance} has what is printed")  # type: ignore[misc]  # bound at once
            assert all(of_envoy(sidecar)[kind] for kind in kinds)
        # The other replica may hear of an instance later; then the caller's clusters change once more.
        eventually(lambda: len(versions(printed(planes, order.instance))["endpoints"]) == 2, "both have instances")
        eventually(lambda: is_same(planes, order), "it has their endpoints")
        before = of_envoy(order)

        planes.put(half())
        eventually(lambda: of_envoy(order) != before, "it has the change")
        eventually(lambda: is_same(planes, order), "it has what is printed")
        former = versions(printed(planes, order.instance, "--former"))
        assert without_endpoints(before) == without_endpoints(former)
        eventually(lambda: states(planes, order) == {"acknowledged"}, "the control plane has its answers")


def test_secrets_are_in_no_answer_even_where_envoy_prints_them(planes: Planes) -> None:
    """Envoy answers with the whole resource when a field is not valid; its reason stands behind that."""
    secret = "s3cr3t-that-nobody-may-see"
    key = f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"
    context = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"tls_certificates": [{"private_key": {"inline_string": key}}]},
    }
    patch = {
        "cluster/cds_egress_shop_product_*": {
            "connect_timeout": "0s",
            "transport_socket": {"name": "tls", "typed_config": context},
            "metadata": {"filter_metadata": {"x": {"token": secret}}},
        }
    }
    [order] = [one for one in shop() if one.key.name == "order"]
    with Sidecar(planes.two, "order", None) as sidecar, Client(planes.one.url) as client:
        planes.put(replace(order, tags=(("shopmesh.dev/patch", json.dumps(patch)),)))
        [proxy] = eventually(lambda: [one for one in client.proxies() if one["refused"]], "it refuses the cluster")
        path = f"{planes.one.url}/shopmesh/v1/proxies/shop/virtualNode/order/{sidecar.instance}"
        with urllib.request.urlopen(f"{path}/responses", timeout=10) as answer:
            responses = answer.read().decode()
        answers = [json.dumps(proxy), json.dumps(client.findings()), responses, json.dumps(client.proxy_config(proxy))]

    assert "value must be greater than 0s" in responses
    assert proxy["refused"] is not None
    assert "value must be greater than 0s" in proxy["refused"]["message"]
    assert not [text for text in answers for one in (secret, "PRIVATE KEY") if one in text]


def is_same(planes: Planes, sidecar: Sidecar) -> bool:
    """Envoy's dump also has the endpoints of clusters that need none from a control plane."""
    envoy, shown = of_envoy(sidecar), versions(printed(planes, sidecar.instance))
    return (
        without_endpoints(envoy) == without_endpoints(shown) and envoy["endpoints"].keys() >= shown["endpoints"].keys()
    )


def without_endpoints(found: Versions) -> Versions:
    return {kind: one for kind, one in found.items() if kind != "endpoints"}
