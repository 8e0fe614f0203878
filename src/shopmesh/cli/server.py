"""`shopmesh serve` and `shopmesh bootstrap`: the control plane, and what a sidecar needs to find it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.xds.node import ProxyNode


@click.command(
    epilog="""\b
Examples:
  shopmesh serve
  shopmesh serve --store mesh.db --credentials keys --host 0.0.0.0 --xds-host 0.0.0.0 --xds-token-file token
"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the App Mesh API.")
@click.option("--api-port", default=9080, show_default=True, help="Port of the API; 0 for any free one.")
@click.option("--xds-host", default="127.0.0.1", show_default=True, help="Address of xDS.")
@click.option("--xds-port", default=18000, show_default=True, help="Port of xDS; 0 for any free one.")
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the resources, made when missing; without it they are gone with the process.",
)
@click.option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File in the form of ~/.aws/credentials: requests must be signed with one of its keys.",
)
@click.option(
    "--xds-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the token that proxies must bring; read anew for each stream, so it may be replaced.",
)
@click.option("--region", default="us-east-1", show_default=True, help="Region in ARNs and signatures.")
@click.option("--account", default="123456789012", show_default=True, help="Account in ARNs, 12 digits.")
@click.option("--insecure", is_flag=True, help="Listen on other addresses than loopback without authentication.")
def serve(
    host: str,
    api_port: int,
    xds_host: str,
    xds_port: int,
    store: Path | None,
    credentials: Path | None,
    xds_token_file: Path | None,
    region: str,
    account: str,
    insecure: bool,
) -> None:
    """Run the control plane: the App Mesh API for clients, xDS for Envoys."""
    # gRPC's C core writes lines of its own to standard error, beside the one that says what to do.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from shopmesh.server.config import Config, ConfigError, read_credentials
    from shopmesh.server.control_plane import Bound, run
    from shopmesh.server.database import StoreError

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")

    def ready(bound: Bound) -> None:
        click.echo(f"App Mesh API on http://{host}:{bound.api_port}, xDS on {xds_host}:{bound.xds_port}", err=True)

    try:
        keys = read_credentials(credentials) if credentials else {}
        config = Config(
            host=host,
            api_port=api_port,
            xds_host=xds_host,
            xds_port=xds_port,
            store=store,
            region=region,
            account=account,
            credentials=keys,
            xds_token_file=xds_token_file,
            insecure=insecure,
        )
        asyncio.run(run(config, ready))
    except (ConfigError, StoreError) as error:
        raise click.ClickException(str(error)) from error


@click.command(
    epilog="""\b
Examples:
  shopmesh bootstrap virtualNode/product-vn --instance product-1 > envoy.json
  envoy -c envoy.json --disable-hot-restart
  shopmesh bootstrap --xds-host control-plane > sidecar.json    one file for all, which does not say whose it is

\b
Who starts Envoy with such a file says it: --service-node mesh/MESH/virtualNode/NAME --service-cluster NAME
--config-yaml '{"node": {"metadata": {"instance": …, "address": …, "readiness": {"5000": "/readyz"}}}}'
"""
)
@click.argument("node", metavar="[KIND/NAME]", required=False)
@click.option("--instance", help="Tells the Envoys of one node apart.")
@click.option("--address", help="Where other Envoys reach this one; without it the node's DNS name is used.")
@click.option("--xds-host", default="127.0.0.1", show_default=True, help="Where the control plane's xDS is.")
@click.option("--xds-port", default=18000, show_default=True, help="The port of xDS.")
@click.option(
    "--xds-token-file",
    metavar="PATH",
    help="The token for xDS, as a file in the proxy's file system; Envoy sees when it changes.",
)
@click.option("--admin-port", default=9901, show_default=True, help="Envoy's admin port, on loopback.")
@click.option("--ready-port", default=15021, show_default=True, help="Port of GET /ready, for probes.")
@click.pass_obj
def bootstrap(
    settings: Settings,
    node: str | None,
    instance: str | None,
    address: str | None,
    xds_host: str,
    xds_port: int,
    xds_token_file: str | None,
    admin_port: int,
    ready_port: int,
) -> None:
    """Write the static file that an Envoy starts with, as JSON, for traffic that is redirected into it.

    `shopmesh up` writes its own, for applications that find their sidecar by HTTP_PROXY.
    """
    from shopmesh.xds.bootstrap import BootstrapError
    from shopmesh.xds.bootstrap import bootstrap as written

    proxy = _proxy(settings, node, instance, address) if node is not None else None
    if proxy is None and (instance or address):
        raise click.UsageError("--instance and --address are of one proxy: name it, as virtualNode/NAME")
    try:
        document = written(proxy, xds_host, xds_port, admin_port, ready_port, token_file=xds_token_file)
    except BootstrapError as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(document, indent=2))


def _proxy(settings: Settings, node: str, instance: str | None, address: str | None) -> ProxyNode:
    from shopmesh.xds.node import KINDS, ProxyNode

    kind, _, name = node.partition("/")
    if kind not in KINDS or not name:
        raise click.UsageError(f"{node!r} is no proxy's name: write virtualNode/NAME or virtualGateway/NAME")
    if instance is None:
        raise click.UsageError("give --instance: it tells the Envoys of one node apart")
    return ProxyNode(
        mesh=settings.mesh or "shopmesh", name=name, instance=instance, kind=kind, cluster=name, address=address
    )
