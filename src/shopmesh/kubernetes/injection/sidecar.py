"""The containers and volumes of a sidecar, equal to those of k8s/components/sidecar."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.store import Key
from shopmesh.kubernetes.injection.pod_annotations import SidecarOptions
from shopmesh.xds import names
from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.bootstrap.envoy_json import cluster, pipe

Json = dict[str, Any]

ENVOY, INIT = "envoy", "proxy-init"
CONFIG_MAP, IDENTITY_VOLUME = "shopmesh-sidecar", "shopmesh-identity"
FOLDER = "/var/run/shopmesh"
"""The folder of the token and the CA bundle."""
LABELS = {"virtualNode": "shopmesh.dev/virtual-node", "virtualGateway": "shopmesh.dev/virtual-gateway"}
VARIABLES = {"virtualNode": "VIRTUAL_NODE", "virtualGateway": "VIRTUAL_GATEWAY"}
ADMIN_PORT = 9901
SDS_FOLDER, SDS_SOCKET = "/run/spire/sockets", "/run/spire/sockets/agent.sock"
APPLICATION_PORT_OFFSET = 80
"""Where an explicit sidecar takes a port, the application listens on another, on loopback."""
_DRAIN = rf"""
exec 3<>/dev/tcp/127.0.0.1/{ADMIN_PORT}
printf 'POST /healthcheck/fail HTTP/1.1\r\nhost: sidecar\r\nconnection: close\r\ncontent-length: 0\r\n\r\n' >&3
read -r -t 5 _ <&3
""".removeprefix("\n")
_NO_RIGHTS = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}


@dataclass(frozen=True)
class Images:
    """The images of the containers."""

    envoy: str = "envoyproxy/envoy:v1.40.0"
    init: str = "shopmesh/proxy-init:0.1.0"


def config_map_data(host: str, port: int) -> dict[str, str]:
    """Returns the content of ConfigMap `shopmesh-sidecar`: the bootstrap of all sidecars."""
    document = bootstrap_document(
        None, host, port, ADMIN_PORT, token_file=f"{FOLDER}/token", ca_file=f"{FOLDER}/ca.json"
    )
    return {"sidecar.json": json.dumps(document, indent=2) + "\n"}


def init_container(ports: tuple[int, ...], options: SidecarOptions, images: Images) -> Json:
    """Returns the container that redirects the traffic and exits."""
    variables = {"APPMESH_APP_PORTS": ",".join(map(str, ports)), **options.redirect_env}
    return {
        "name": INIT,
        "image": images.init,
        "imagePullPolicy": "IfNotPresent",
        "args": ["once"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": "500m", "memory": "32Mi"}},
        "securityContext": {
            "runAsNonRoot": False,
            "runAsUser": 0,
            "runAsGroup": 0,
            **_NO_RIGHTS,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }


def envoy_container(
    key: Key, by_label: bool, options: SidecarOptions, images: Images, explicit: tuple[int, ...] | None = None
) -> Json:
    """Returns Envoy as a native sidecar container. `by_label`: the pod has the label that names its node.

    `explicit` are the ports that Envoy listens on itself when traffic is not redirected, None when it is.
    """
    metadata: Json = {"instance": "$(POD_NAME)"}
    if explicit is not None:
        metadata |= {
            "mode": "explicit",
            "egress_port": options.egress_port,
            "ports": {str(port): port for port in explicit},
            "application_ports": {str(port): port + APPLICATION_PORT_OFFSET for port in explicit},
        }
    else:
        if options.ingress_port != names.INGRESS_PORT:
            metadata["ingress_port"] = options.ingress_port
        if options.egress_port != names.EGRESS_PORT:
            metadata["egress_port"] = options.egress_port
    return {
        "name": ENVOY,
        "image": images.envoy,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": ["envoy"],
        "args": arguments(key, metadata, options),
        "env": environment(key, by_label, options),
        "ports": [{"name": "envoy-ready", "containerPort": names.READY_PORT}],
        "resources": {
            "requests": {"cpu": "15m", "memory": "48Mi", **options.requests},
            "limits": {"cpu": "1", "memory": "256Mi", **options.limits},
        },
        "securityContext": security(options),
        **probes(),
        "lifecycle": lifecycle(),
        "volumeMounts": mounts(options),
    }


def arguments(key: Key, metadata: Json, options: SidecarOptions) -> list[str]:
    variable = f"$({VARIABLES[key.kind]})"
    more: Json = {"node": {"metadata": metadata}}
    if options.sds:
        # What --config-yaml brings is added to the file's clusters.
        more["static_resources"] = {"clusters": [cluster(names.SDS_CLUSTER, pipe(SDS_SOCKET), http2=True)]}
    return [
        "-c",
        "/etc/shopmesh/sidecar.json",
        "--disable-hot-restart",
        "--service-node",
        f"mesh/$(MESH)/{key.kind}/{variable}",
        "--service-cluster",
        variable,
        "--config-yaml",
        json.dumps(more, separators=(",", ":")),
        "--concurrency",
        str(options.concurrency),
        "--log-level",
        options.log_level,
    ]


def environment(key: Key, by_label: bool, options: SidecarOptions) -> list[Json]:
    """Returns the environment of Envoy: its identity, then the variables of the options."""
    mesh, name = key.path
    variable = VARIABLES[key.kind]
    named: Json = _field(f"metadata.labels['{LABELS[key.kind]}']") if by_label else {"value": name}
    ours: dict[str, Json] = {
        "MESH": {"value": mesh},
        variable: named,
        "VERSION": _field("metadata.labels['app.kubernetes.io/version']"),
        "POD_NAME": _field("metadata.name"),
        "OTEL_RESOURCE_ATTRIBUTES": {"value": f"service.name=$({variable}),service.version=$(VERSION)"},
    }
    extra = {name: {"value": value} for name, value in options.env.items() if name not in (*ours, "MESH")}
    if "OTEL_RESOURCE_ATTRIBUTES" in options.env:
        ours["OTEL_RESOURCE_ATTRIBUTES"] = {"value": options.env["OTEL_RESOURCE_ATTRIBUTES"]}
    return [{"name": name, **value} for name, value in {**ours, **extra}.items()]


def security(options: SidecarOptions) -> Json:
    return {"runAsUser": options.uid, "runAsGroup": options.gid, **_NO_RIGHTS, "capabilities": {"drop": ["ALL"]}}


def probes() -> Json:
    ready = {"path": "/ready", "port": "envoy-ready"}
    return {
        "startupProbe": {"httpGet": ready, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 600},
        "readinessProbe": {"httpGet": dict(ready), "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {
            "tcpSocket": {"port": "envoy-ready"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }


def lifecycle() -> Json:
    return {"preStop": {"exec": {"command": ["bash", "-c", _DRAIN]}}}


def mounts(options: SidecarOptions) -> list[Json]:
    found: list[Json] = [
        {"name": CONFIG_MAP, "mountPath": "/etc/shopmesh", "readOnly": True},
        {"name": IDENTITY_VOLUME, "mountPath": FOLDER, "readOnly": True},
    ]
    found += [{"name": name, "mountPath": path, "readOnly": True} for name, path in options.secrets]
    found += [{"name": name, "mountPath": path} for name, path in options.volumes]
    if options.sds:
        found.append({"name": "sds-socket", "mountPath": SDS_FOLDER, "readOnly": True})
    return found


def volumes(options: SidecarOptions) -> list[Json]:
    token = {"audience": "shopmesh", "expirationSeconds": 3600, "path": "token"}
    root = {"name": "shopmesh-root", "items": [{"key": "ca.json", "path": "ca.json"}]}
    found: list[Json] = [
        {"name": CONFIG_MAP, "configMap": {"name": CONFIG_MAP}},
        {"name": IDENTITY_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}, {"configMap": root}]}},
    ]
    found += [{"name": name, "secret": {"secretName": name}} for name in dict(options.secrets)]
    if options.sds:
        found.append({"name": "sds-socket", "hostPath": {"path": SDS_FOLDER, "type": "Directory"}})
    return found


def _field(path: str) -> Json:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}
