"""`shopmesh bootstrap`: the bootstrap configuration of a sidecar's Envoy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shopmesh import defaults
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.xds.bootstrap.environment import ProxyOwner
    from shopmesh.xds.node import ProxyNode

MAX_OVERRIDES_BYTES = 1 << 20


@click.command(
    epilog="""\b
Examples:
  shopmesh bootstrap virtualNode/product-vn --instance product-1 > envoy.json
  envoy -c envoy.json --disable-hot-restart

\b
Without KIND/NAME, one file serves all sidecars. Each Envoy is then started
with its identity:
  --service-node mesh/MESH/virtualNode/NAME --service-cluster NAME
  --config-yaml '{"node": {"metadata": {"instance": …, "address": …,
                 "readiness": {"5000": "/readyz"}}}}'

The environment variables of AWS's Envoy image are read as well: APPMESH_RESOURCE_ARN, APPMESH_XDS_ENDPOINT,
ENABLE_ENVOY_STATS_TAGS and many more; docs/sidecar.md lists them.
"""
)
@click.argument("node", metavar="[KIND/NAME]", required=False)
@click.option("--instance", help="Unique name of this Envoy among those of its node.")
@click.option("--address", help="Address at which other Envoys reach this one.  [default: the node's DNS name]")
@click.option("--xds-host", help=f"Host of the control plane's xDS server.  [default: {defaults.LOOPBACK}]")
@click.option("--xds-port", type=int, help=f"Port of xDS.  [default: {defaults.XDS_PORT}]")
@click.option("--xds-socket", metavar="PATH", help="Unix socket of xDS, instead of host and port.")
@click.option(
    "--xds-token-file",
    metavar="PATH",
    help="File with the token for xDS, where Envoy runs; Envoy reloads it when it changes.",
)
@click.option(
    "--xds-ca-file",
    metavar="PATH",
    help="Use TLS, and verify the control plane by this file where Envoy runs (ca.json of ConfigMap shopmesh-root); "
    "Envoy reloads it when it changes.",
)
@click.option("--admin-port", type=int, help="Port of Envoy's admin interface, on loopback.  [default: 9901]")
@click.option("--admin-socket", metavar="PATH", help="Unix socket of Envoy's admin interface, instead of a port.")
@click.option("--ready-port", default=15021, show_default=True, help="Port of GET /ready, for readiness probes.")
@click.option(
    "--prometheus-port",
    type=int,
    help="Port of GET /stats/prometheus, readable by every client (usually 15090).  [default: none]",
)
@click.option(
    "--statistics",
    multiple=True,
    metavar="REGEX",
    help="Keep further statistics of Envoy whose full name matches; '.*' keeps all. Repeatable.",
)
@click.pass_obj
def bootstrap(
    settings: Settings,
    node: str | None,
    instance: str | None,
    address: str | None,
    xds_host: str | None,
    xds_port: int | None,
    xds_socket: str | None,
    xds_token_file: str | None,
    xds_ca_file: str | None,
    admin_port: int | None,
    admin_socket: str | None,
    ready_port: int,
    prometheus_port: int | None,
    statistics: tuple[str, ...],
) -> None:
    """Print the bootstrap configuration with which a sidecar's Envoy starts, as JSON.

    It is for pods and hosts that redirect traffic into Envoy; `shopmesh up` writes its own files.
    """
    from dataclasses import replace

    from shopmesh.xds.bootstrap import BootstrapError, bootstrap_document, environment
    from shopmesh.xds.bootstrap.variables import unused_variables

    environ = os.environ
    try:
        owner = _parse_owner(settings, node) or environment.proxy_owner(environ)
        endpoint = environment.control_plane(environ)
        host, port = endpoint if isinstance(endpoint, tuple) else (defaults.LOOPBACK, defaults.XDS_PORT)
        options = environment.options(environ, owner, _read_overrides)
        if xds_socket is not None and (xds_host is not None or xds_port is not None):
            raise click.UsageError("give either --xds-socket, or --xds-host and --xds-port")
        if any(given is not None for given in (xds_socket, xds_host, xds_port)):
            options = replace(options, xds_socket=xds_socket)
        document = bootstrap_document(
            _proxy_node(owner, instance, address, environment.service_cluster(environ)),
            xds_host or host,
            xds_port or port,
            admin_port or environment.EnvironmentReader(environ).port("ENVOY_ADMIN_ACCESS_PORT"),
            ready_port,
            token_file=xds_token_file,
            ca_file=xds_ca_file,
            options=replace(options, admin_socket=admin_socket, prometheus_port=prometheus_port, statistics=statistics),
        )
    except BootstrapError as error:
        raise click.UsageError(str(error)) from error
    for line in unused_variables(environ):
        echo(line, err=True)
    echo_document(json.dumps(document, indent=2))


def _parse_owner(settings: Settings, node: str | None) -> ProxyOwner | None:
    from shopmesh.xds.bootstrap.environment import ProxyOwner
    from shopmesh.xds.node import KINDS

    if node is None:
        return None
    kind, _, name = node.partition("/")
    if kind not in KINDS or not name:
        raise click.UsageError(f"{node!r} does not name a proxy: write virtualNode/NAME or virtualGateway/NAME")
    return ProxyOwner(settings.mesh or "shopmesh", kind, name)


def _proxy_node(
    owner: ProxyOwner | None, instance: str | None, address: str | None, cluster: str | None
) -> ProxyNode | None:
    from shopmesh.xds.node import ProxyNode

    if owner is None:
        if instance or address:
            raise click.UsageError("--instance and --address need a proxy: name it, such as virtualNode/NAME")
        return None
    if instance is None:
        raise click.UsageError("give --instance: it must be unique among the Envoys of a node")
    return ProxyNode(
        mesh=owner.mesh,
        name=owner.name,
        instance=instance,
        kind=owner.kind,
        cluster=cluster or owner.name,
        address=address,
    )


def _read_overrides(path: str) -> dict[str, Any]:
    """Reads a file with sections of a bootstrap, YAML or JSON."""
    from shopmesh.documents import DocumentError, only_document
    from shopmesh.files.input_files import InputFileError, read_text
    from shopmesh.xds.bootstrap import BootstrapError

    try:
        document = only_document(read_text(Path(path), MAX_OVERRIDES_BYTES), path)
    except OSError as error:
        raise BootstrapError(f"cannot read {path}: {error.strerror}") from error
    except (DocumentError, InputFileError) as error:
        raise BootstrapError(str(error)) from error
    if not document:
        raise BootstrapError(f"{path} is empty: write a section of a bootstrap, such as stats_config")
    return dict(document)
