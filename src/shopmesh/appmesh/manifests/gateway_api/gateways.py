"""Virtual gateways and their routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.manifests.declared import Declared, at
from shopmesh.appmesh.manifests.gateway_api import actions
from shopmesh.appmesh.manifests.gateway_api.matches import grpc_match, http_match
from shopmesh.appmesh.manifests.gateway_api.routes import KINDS, sole_targets
from shopmesh.appmesh.manifests.gateway_api.services import Mesh, Service
from shopmesh.appmesh.manifests.gateway_api.written import Names, Warnings, Written, made
from shopmesh.appmesh.manifests.names import ObjectName
from shopmesh.appmesh.store import Document

_HOSTNAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def gateways(mesh: Mesh, gateway_class: str, names: Names) -> Iterator[Written | Warnings]:
    """Each gateway, and after it its routes."""
    for gateway in mesh.all("virtualGateway"):
        named = mesh.objects[gateway.key]
        routes = mesh.all("gatewayRoute", gateway.key.name)
        elsewhere = any(mesh.objects[route.key].namespace != named.namespace for route in routes)
        warnings = Warnings(f"virtualGateway {gateway.key.name}")
        listeners = [_listener(one, named, elsewhere, warnings) for one in gateway.spec["listeners"]]
        spec = {"gatewayClassName": gateway_class, "listeners": listeners}
        yield made("Gateway", named.namespace, names.free("Gateway", *named[1:]), spec, warnings.lines)
        for route in routes:
            yield _route(route, gateway, mesh, names)


def _listener(listener: Document, named: ObjectName, elsewhere: bool, warnings: Warnings) -> dict[str, Any]:
    mapping, tls = listener["portMapping"], listener.get("tls", {})
    secure = tls.get("mode", "DISABLED") != "DISABLED"
    made: dict[str, Any] = {
        "name": f"{mapping['protocol']}-{mapping['port']}",
        "port": mapping["port"],
        "protocol": "HTTPS" if secure else "HTTP",
    }
    if secure:
        secret = f"{named.name[:240]}-tls"
        kind = next(iter(tls["certificate"]))
        made["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
        warnings.add(f"the certificate of port {mapping['port']} ({kind}) must be put into a Secret, {secret}")
        if tls["mode"] == "PERMISSIVE":
            warnings.add(f"port {mapping['port']} took plain text too; a listener takes TLS or plain text")
        if "validation" in tls:
            warnings.add(f"client certificates of port {mapping['port']} are not asked for; see spec.tls.frontend")
    if elsewhere:
        made["allowedRoutes"] = {"namespaces": {"from": "All"}}
    return made


def _route(route: Declared, gateway: Declared, mesh: Mesh, names: Names) -> Written | Warnings:
    warnings = Warnings(f"gatewayRoute {'/'.join(route.key.path[1:])}")
    kind = next(kind for kind in ROUTE_KINDS if kind in route.spec)
    body, named = route.spec[kind], mesh.objects[route.key]
    http = kind != "grpcRoute"
    match = (http_match if http else grpc_match)(body["match"], warnings)
    hostnames = _hostnames(body["match"].get("hostname"), warnings)
    if match is None or hostnames is None:
        return warnings
    if "priority" in route.spec:
        warnings.add(f"priority {route.spec['priority']} cannot be said; the more specific match goes first")
    target = body["action"]["target"]
    service = target["virtualService"]["virtualServiceName"]
    refs, source = _backends(service, target.get("port"), kind, mesh, Service(named.namespace, ""), warnings)
    said: dict[str, Any] = {"matches": [match]} if match else {}
    if http:
        if filters := _rewrite(body, service, warnings):
            said["filters"] = [{"type": "URLRewrite", "urlRewrite": filters}]
        said["timeouts"] = actions.http_timeouts(source, warnings)
        said |= {"retry": retried} if (retried := actions.retry(source, warnings)) else {}
    else:
        warnings.add("the host name was rewritten to the service's; a GRPCRoute rewrites none")
    parent = _parent(body["match"].get("port"), gateway, mesh.objects[gateway.key], named)
    spec = {
        "parentRefs": [parent],
        **({"hostnames": hostnames} if hostnames else {}),
        "rules": [{**said, "backendRefs": refs}],
    }
    name = names.free(KINDS[kind], *named[1:])
    return made(KINDS[kind], named.namespace, name, spec, warnings.lines)


def _parent(port: int | None, gateway: Declared, named: ObjectName, own: ObjectName) -> dict[str, Any]:
    mappings = [listener["portMapping"] for listener in gateway.spec["listeners"]]
    mapping = next((one for one in mappings if one["port"] == port), None)
    apart = {"namespace": named.namespace} if named.namespace != own.namespace else {}
    section = {"sectionName": f"{mapping['protocol']}-{mapping['port']}"} if mapping else {}
    return {"name": named.name, **apart, **section}


def _hostnames(hostname: Document | None, warnings: Warnings) -> list[str] | None:
    if hostname is None:
        return []
    if "exact" in hostname:
        name = hostname["exact"].lower()
    else:
        name = "*." + hostname["suffix"].lower().lstrip(".")
        warnings.add(f"the suffix {hostname['suffix']} is written as {name}, which takes whole names before a dot only")
    if not _HOSTNAME.fullmatch(name) or name.replace(".", "").isdigit():
        warnings.add(f"left out: {name} is no host name to the Gateway API")
        return None
    return [name]


def _backends(
    service: str, wished: int | None, kind: str, mesh: Mesh, own: Service, warnings: Warnings
) -> tuple[list[dict[str, Any]], Document]:
    """The backends behind a virtual service, and the route whose time-outs and retries hold for them.

    A Gateway sends to the Pods of a Service; the routes that a Service has for its callers do not hold for it:
    https://gateway-api.sigs.k8s.io/mesh/#gateway-api-for-mesh
    """
    route, of_kind, body = sole_targets(mesh, service)
    if route is not None and of_kind != "tcpRoute":
        port = at(body, ("match", "port"))
        return actions.backends(body, of_kind, mesh, own, warnings, port), body
    provider = (mesh.spec("virtualService", service) or {}).get("provider") or {}
    if "virtualNode" in provider:
        node = provider["virtualNode"]["virtualNodeName"]
        return [actions.node_backend(node, wished, kind, mesh, own, warnings, wished)], {}
    router = provider.get("virtualRouter", {}).get("virtualRouterName", "")
    mappings = [one["portMapping"]["port"] for one in (mesh.spec("virtualRouter", router) or {}).get("listeners", ())]
    warnings.add(f"the routes of virtualService {service} hold for calls within the mesh only, not behind a Gateway")
    reached = mesh.virtual_service(service, warnings)
    port = wished or next(iter(mappings), None)
    if port is None:
        warnings.add(f"the port of virtualService {service} is not known; 80 is written, correct it")
    return [actions.backend(reached, port or 80, mesh, own, warnings)], {}


def _rewrite(body: Document, service: str, warnings: Warnings) -> dict[str, Any]:
    """App Mesh rewrote the host name to the service's and the prefix to / where nothing else is said."""
    rewrite, match = body["action"].get("rewrite", {}), body["match"]
    made: dict[str, Any] = {}
    if at(rewrite, ("hostname", "defaultTargetHostname")) != "DISABLED":
        host = service.lower()
        if _HOSTNAME.fullmatch(host):
            made["hostname"] = host
        else:
            warnings.add(f"the host name is not rewritten to {service}, which is none to the Gateway API")
    if "path" in rewrite:
        made["path"] = {"type": "ReplaceFullPath", "replaceFullPath": rewrite["path"]["exact"]}
    elif "prefix" in match and at(rewrite, ("prefix", "defaultPrefix")) != "DISABLED":
        value = at(rewrite, ("prefix", "value")) or "/"
        if (match["prefix"], value) != ("/", "/"):
            made["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": value}
    return made
