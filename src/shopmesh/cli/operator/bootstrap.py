"""`shopmesh bootstrap`: the file that a sidecar starts with."""

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
    from shopmesh.xds.bootstrap.environment import Resource
    from shopmesh.xds.node import ProxyNode

MAX_OVERRIDES_BYTES = 1 << 20


@click.command(
    epilog="""\b
Examples:
  shopmesh bootstrap virtualNode/product-vn --instance product-1 > envoy.json
  envoy -c envoy.json --disable-hot-restart
  shopmesh bootstrap --xds-host control-plane > sidecar.json    one file for all, which does not say whose it is

\b
Who starts Envoy with such a file says it: --service-node mesh/MESH/virtualNode/NAME --service-cluster NAME
--config-yaml '{"node": {"metadata": {"instance": …, "address": …, "readiness": {"5000": "/readyz"}}}}'

\b
What App Mesh's Envoy image read from its environment is read here too: APPMESH_RESOURCE_ARN, APPMESH_XDS_ENDPOINT,
ENABLE_ENVOY_STATS_TAGS, ENABLE_ENVOY_XRAY_TRACING and many more; docs/sidecar.md has them all.
"""
)
@click.argument("node", metavar="[KIND/NAME]", required=False)
@click.option("--instance", help="Tells the Envoys of one node apart.")
@click.option("--address", help="Where other Envoys reach this one; without it the node's DNS name is used.")
@click.option("--xds-host", help=f"Where the control plane's xDS is.  [default: {defaults.LOOPBACK}]")
@click.option("--xds-port", type=int, help=f"The port of xDS.  [default: {defaults.XDS_PORT}]")
@click.option("--xds-socket", metavar="PATH", help="The Unix socket of xDS, instead of host and port.")
@click.option(
    "--xds-token-file",
    metavar="PATH",
    help="The token for xDS, as a file in the proxy's file system; Envoy sees when it changes.",
)
@click.option(
    "--xds-ca-file",
    metavar="PATH",
    help="Speak TLS, and trust the control plane by this file in the proxy's file system (ca.json of ConfigMap "
    "shopmesh-root); Envoy sees when it changes.",
)
@click.option("--admin-port", type=int, help="Envoy's admin port, on loopback.  [default: 9901]")
@click.option("--admin-socket", metavar="PATH", help="A Unix socket for Envoy's admin interface, instead of the port.")
@click.option("--ready-port", default=15021, show_default=True, help="Port of GET /ready, for probes.")
@click.option(
    "--prometheus-port",
    type=int,
    help="Port of GET /stats/prometheus for all to read (15090 is usual), with what dashboards ask for; none without.",
)
@click.option(
    "--statistics",
    multiple=True,
    metavar="REGEX",
    help="More of Envoy's statistics to keep, by their whole names; all of them: '.*'.",
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
    """Write the static file that an Envoy starts with, as JSON, for traffic that is redirected into it.

    `shopmesh up` writes its own, for applications that find their sidecar by HTTP_PROXY.
    """
    from dataclasses import replace

    from shopmesh.xds.bootstrap import BootstrapError, environment
    from shopmesh.xds.bootstrap import bootstrap as written
    from shopmesh.xds.bootstrap.variables import unused

    environ = os.environ
    try:
        of = _parse_resource(settings, node) or environment.resource(environ)
        endpoint = environment.control_plane(environ)
        host, port = endpoint if isinstance(endpoint, tuple) else (defaults.LOOPBACK, defaults.XDS_PORT)
        options = environment.options(environ, of, _read_overrides)
        if xds_socket is not None and (xds_host is not None or xds_port is not None):
            raise click.UsageError("--xds-socket is instead of --xds-host and --xds-port: give one of them")
        if any(given is not None for given in (xds_socket, xds_host, xds_port)):
            options = replace(options, xds_socket=xds_socket)
        document = written(
            _proxy_node(of, instance, address, environment.service_cluster(environ)),
            xds_host or host,
            xds_port or port,
            admin_port or environment.Environment(environ).port("ENVOY_ADMIN_ACCESS_PORT"),
            ready_port,
            token_file=xds_token_file,
            ca_file=xds_ca_file,
            options=replace(options, admin_socket=admin_socket, prometheus_port=prometheus_port, statistics=statistics),
        )
    except BootstrapError as error:
        raise click.UsageError(str(error)) from error
    for line in unused(environ):
        echo(line, err=True)
    echo_document(json.dumps(document, indent=2))


def _parse_resource(settings: Settings, node: str | None) -> Resource | None:
    from shopmesh.xds.bootstrap.environment import Resource
    from shopmesh.xds.node import KINDS

    if node is None:
        return None
    kind, _, name = node.partition("/")
    if kind not in KINDS or not name:
        raise click.UsageError(f"{node!r} is no proxy's name: write virtualNode/NAME or virtualGateway/NAME")
    return Resource(settings.mesh or "shopmesh", kind, name)


def _proxy_node(
    of: Resource | None, instance: str | None, address: str | None, cluster: str | None
) -> ProxyNode | None:
    from shopmesh.xds.node import ProxyNode

    if of is None:
        if instance or address:
            raise click.UsageError("--instance and --address are of one proxy: name it, as virtualNode/NAME")
        return None
    if instance is None:
        raise click.UsageError("give --instance: it tells the Envoys of one node apart")
    return ProxyNode(
        mesh=of.mesh, name=of.name, instance=instance, kind=of.kind, cluster=cluster or of.name, address=address
    )


def _read_overrides(path: str) -> dict[str, Any]:
    """A file of a sidecar's configuration, YAML or JSON."""
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
        raise BootstrapError(f"{path} holds no section of a bootstrap, such as stats_config")
    return dict(document)
