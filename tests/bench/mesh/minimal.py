"""The same places as the mesh of the demo, with the least that an Envoy needs for them: the floor of any sidecar here.

Each of the five workloads has an application and an Envoy in front of it, through which order also calls its peers,
as `shopmesh up` runs them: one worker thread, no TLS, HTTP/1.1, two listeners. Their configuration is static and holds
nothing but the connection managers, their routes and clusters: no control plane, statistics' sinks, retries, time-outs,
health or filters of any kind but the router.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopmesh.local.mesh.envoy_binary import envoy_path
from tests.bench.mesh.running import answered
from tests.support.process import BIN, free_port, running

Json = dict[str, Any]

APPLICATIONS = {
    "order": "services.order.app",
    "customer": "services.customer.app",
    "customer-v15": "services.customer.v1_5",
    "product": "services.product.app",
    "product-v2": "services.product.v2_0",
}
"""The applications by the workload's short name; the first versions get all requests, as in the demo at its start."""
PEERS = ("customer", "product")
SESSION = ("setsid",)
"""Each program has a session of its own, as under `shopmesh up`: Linux may share processors out by sessions."""

_TYPE = "type.googleapis.com/envoy.extensions.filters"


@dataclass(frozen=True)
class Running:
    """Programs that answer orders at `way_in`; `programs` are process ids by name, such as `order app`."""

    way_in: int
    programs: Mapping[str, int]


@contextlib.contextmanager
def minimal(folder: Path) -> Iterator[Running]:
    """The five workloads behind minimal Envoys, whose configuration is written into `folder`."""
    ingress, egress, ports = ({name: free_port() for name in APPLICATIONS} for _ in range(3))
    programs = {}
    with contextlib.ExitStack() as stack:
        for name in APPLICATIONS:
            proxy = {"HTTP_PROXY": f"http://127.0.0.1:{egress[name]}"}
            programs[f"{name} app"] = stack.enter_context(application(name, ports[name], proxy))
            file = folder / f"{name}.json"
            peers = {peer: ingress[peer] for peer in PEERS} if name == "order" else {}
            file.write_text(json.dumps(configuration(ingress[name], ports[name], egress[name], peers)))
            command = [*SESSION, str(envoy_path()), "--config-path", str(file), "--disable-hot-restart"]
            envoy = stack.enter_context(running([*command, "--concurrency", "1", "--log-level", "warning"]))
            programs[f"{name} envoy"] = envoy.pid
            envoy.wait_for(lambda port=ingress[name]: answered(port, "/readyz"), f"{name}'s Envoy", 20)  # type: ignore[misc]  # bound
        yield Running(ingress["order"], programs)


@contextlib.contextmanager
def direct() -> Iterator[Running]:
    """The three first versions without sidecars."""
    ports = {name: free_port() for name in ("order", *PEERS)}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in PEERS}
    with contextlib.ExitStack() as stack:
        programs = {f"{name} app": stack.enter_context(application(name, port, urls)) for name, port in ports.items()}
        yield Running(ports["order"], programs)


@contextlib.contextmanager
def application(name: str, port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """One of `APPLICATIONS` as the mesh runs it; its process id, once it is ready."""
    module = APPLICATIONS[name]
    command = [*SESSION, str(BIN / "gunicorn"), "-c", "services/gunicorn.conf.py", f"{module}:create_app()"]
    with running(command, {"PORT": str(port), **environment}) as child:
        child.wait_for(lambda: answered(port, "/readyz"), f"{name} ready", 20)
        yield child.pid


def configuration(ingress: int, application_port: int, egress: int, peers: Mapping[str, int]) -> Json:
    """A static Envoy: its own port to the application, and a forward proxy to peers by their virtual service's name."""
    hosts = [
        _host(peer, [f"{peer}.default.svc.cluster.local", f"{peer}.default.svc.cluster.local:5000"]) for peer in peers
    ]
    return {
        "static_resources": {
            "listeners": [
                _listener("ingress", ingress, [_host("application", ["*"])]),
                _listener("egress", egress, hosts),
            ],
            "clusters": [_cluster(name, port) for name, port in {"application": application_port, **peers}.items()],
        }
    }


def _listener(name: str, port: int, hosts: list[Json]) -> Json:
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"}}
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": name, "address": _address(port), "filter_chains": [{"filters": filters}]}


def _host(cluster: str, domains: list[str]) -> Json:
    return {
        "name": cluster,
        "domains": domains,
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
    }


def _cluster(name: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
