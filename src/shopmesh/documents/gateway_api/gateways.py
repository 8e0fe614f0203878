"""Virtual gateways and their routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shopmesh.appmesh.document_types import HostnameDocument
from shopmesh.appmesh.resolved import (
    DEFAULT_RETRY,
    HTTP_PROTOCOLS,
    LOWEST_PRIORITY,
    GatewayRoute,
    Listener,
    Route,
    Timeouts,
    gateway_route,
    listeners,
    provider_key,
)
from shopmesh.appmesh.store import Resource
from shopmesh.documents.gateway_api import actions
from shopmesh.documents.gateway_api.matches import grpc_match, http_match
from shopmesh.documents.gateway_api.output import ExportedObject, Names, Warnings, exported_object
from shopmesh.documents.gateway_api.routes import KINDS, sole_route
from shopmesh.documents.gateway_api.services import Mesh, Service
from shopmesh.documents.names import ObjectName

_HOSTNAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def gateways(mesh: Mesh, gateway_class: str, names: Names) -> Iterator[ExportedObject | Warnings]:
    """Each gateway, and after it its routes."""
    for gateway in mesh.all("virtualGateway"):
        named = mesh.objects[gateway.key]
        routes = mesh.all("gatewayRoute", gateway.key.name)
        elsewhere = any(mesh.objects[route.key].namespace != named.namespace for route in routes)
        warnings = Warnings(f"virtualGateway {gateway.key.name}")
        made_of = [_listener(one, named, elsewhere, warnings) for one in listeners(gateway)]
        spec = {"gatewayClassName": gateway_class, "listeners": made_of}
        yield exported_object("Gateway", named.namespace, names.free("Gateway", *named[1:]), spec, warnings.lines)
        for route in routes:
            yield _route(gateway_route(route), gateway, mesh, names)


def _listener(listener: Listener, named: ObjectName, elsewhere: bool, warnings: Warnings) -> dict[str, Any]:
    tls = listener.document.get("tls", {})
    secure = tls.get("mode", "DISABLED") != "DISABLED"
    made: dict[str, Any] = {
        "name": _section(listener),
        "port": listener.port,
        "protocol": "HTTPS" if secure else "HTTP",
    }
    if secure:
        secret = f"{named.name[:240]}-tls"
        kind = next(iter(tls["certificate"]))
        made["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
        warnings.add(f"the certificate of port {listener.port} ({kind}) must be put into a Secret, {secret}")
        if tls["mode"] == "PERMISSIVE":
            warnings.add(
                f"port {listener.port} accepted plain text too; a Gateway's listener accepts either TLS or plain text"
            )
        if "validation" in tls:
            warnings.add(f"client certificates of port {listener.port} are not requested; see spec.tls.frontend")
    if elsewhere:
        made["allowedRoutes"] = {"namespaces": {"from": "All"}}
    return made


def _route(route: GatewayRoute, gateway: Resource, mesh: Mesh, names: Names) -> ExportedObject | Warnings:
    warnings = Warnings(f"gatewayRoute {'/'.join(route.key.path[1:])}")
    named = mesh.objects[route.key]
    http = route.kind != "grpcRoute"
    match = (http_match if http else grpc_match)(route.match, warnings)
    hostnames = _hostnames(route.match.get("hostname"), warnings)
    if match is None or hostnames is None:
        return warnings
    if route.priority != LOWEST_PRIORITY:
        warnings.add(f"priority {route.priority} cannot be expressed; the more specific match is tried first")
    refs, behind = _backends(route, mesh, Service(named.namespace, ""), warnings)
    rule: dict[str, Any] = {"matches": [match]} if match else {}
    if http:
        if filters := _rewrite(route, warnings):
            rule["filters"] = [{"type": "URLRewrite", "urlRewrite": filters}]
        timeouts, retry = (behind.timeouts, behind.retry) if behind else (Timeouts(), DEFAULT_RETRY)
        rule["timeouts"] = actions.http_timeouts(timeouts, retry, warnings)
        rule |= {"retry": retried} if (retried := actions.http_retry(retry, warnings)) else {}
    else:
        warnings.add("the host name was rewritten to the service's; a GRPCRoute rewrites none")
    parent = _parent(route.match.get("port"), gateway, mesh.objects[gateway.key], named)
    spec = {
        "parentRefs": [parent],
        **({"hostnames": hostnames} if hostnames else {}),
        "rules": [{**rule, "backendRefs": refs}],
    }
    name = names.free(KINDS[route.kind], *named[1:])
    return exported_object(KINDS[route.kind], named.namespace, name, spec, warnings.lines)


def _section(listener: Listener) -> str:
    return f"{listener.protocol}-{listener.port}"


def _parent(port: int | None, gateway: Resource, named: ObjectName, own: ObjectName) -> dict[str, Any]:
    listener = next((one for one in listeners(gateway) if one.port == port), None)
    apart = {"namespace": named.namespace} if named.namespace != own.namespace else {}
    section = {"sectionName": _section(listener)} if listener else {}
    return {"name": named.name, **apart, **section}


def _hostnames(hostname: HostnameDocument | None, warnings: Warnings) -> list[str] | None:
    if hostname is None:
        return []
    if "exact" in hostname:
        name = hostname["exact"].lower()
    else:
        name = "*." + hostname["suffix"].lower().lstrip(".")
        warnings.add(
            f"the suffix {hostname['suffix']} is written as {name}, which matches whole labels before a dot only"
        )
    if not _HOSTNAME.fullmatch(name) or name.replace(".", "").isdigit():
        warnings.add(f"left out: {name} is not a host name in the Gateway API")
        return None
    return [name]


def _backends(
    taken: GatewayRoute, mesh: Mesh, own: Service, warnings: Warnings
) -> tuple[list[dict[str, Any]], Route | None]:
    """The backends behind a virtual service, and the route whose time-outs and retries hold for them.

    A Gateway sends to the Pods of a Service; the routes that a Service has for its callers do not hold for it:
    https://gateway-api.sigs.k8s.io/mesh/#gateway-api-for-mesh
    """
    service = mesh.get("virtualService", taken.service)
    provider = provider_key(mesh.name, service.spec) if service else None
    route = sole_route(mesh, provider)
    if route is not None and route.kind != "tcpRoute":
        return actions.backends(route, mesh, own, warnings), route
    found = listeners(mesh.view.get(provider)) if provider else ()
    ports = [one.port for one in found if one.protocol in HTTP_PROTOCOLS]
    port = taken.port or next(iter(ports), None)
    if port is None:
        warnings.add(f"the port of virtualService {taken.service} is not known; 80 is written, correct it")
    if provider is not None and provider.kind == "virtualNode":
        return [actions.node_backend(provider.name, port or actions.ANY_PORT, mesh, own, warnings)], None
    warnings.add(
        f"the routes of virtualService {taken.service} hold for calls within the mesh only, not behind a Gateway"
    )
    reached = mesh.virtual_service(taken.service, warnings)
    return [actions.backend(reached, port or actions.ANY_PORT, mesh, own, warnings)], None


def _rewrite(route: GatewayRoute, warnings: Warnings) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if route.rewritten_host is not None:
        host = route.rewritten_host.lower()
        if _HOSTNAME.fullmatch(host):
            made["hostname"] = host
        else:
            warnings.add(
                f"the host name is not rewritten to {route.service}, which is not a host name in the Gateway API"
            )
    if route.rewritten_path is not None:
        made["path"] = {"type": "ReplaceFullPath", "replaceFullPath": route.rewritten_path}
    elif route.rewritten_prefix is not None:
        made["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": route.rewritten_prefix}
    return made
