"""`shopmesh serve`: the control plane."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh import defaults
from shopmesh.cli.files import read_sources
from shopmesh.cli.operator.host_policy import host_policy_options
from shopmesh.cli.options import console_option, no_auth_option, run_folder_option
from shopmesh.cli.output import echo
from shopmesh.files.private_files import METRICS_TOKEN, XDS_TOKEN, ensure_token_file, make_private_folder

if TYPE_CHECKING:
    from shopmesh.appmesh.host_policy import HostPolicy
    from shopmesh.console import WebConsole
    from shopmesh.kubernetes.control_plane import ClusterConfig
    from shopmesh.local.access import AccessFiles
    from shopmesh.server.config import Config
    from shopmesh.server.control_plane import Listening

log = logging.getLogger(__name__)

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@click.command(
    epilog="""\b
Examples:
  shopmesh serve
  shopmesh serve --store mesh.db
  shopmesh serve --host 0.0.0.0 --credentials keys
  shopmesh serve --kubernetes    store resources in the cluster of KUBECONFIG

With --kubernetes, requests are signed with the keys of the Secret control-plane-api, which is created if it is
missing; proxies authenticate with a token of their pod's service account, and xDS uses TLS.
"""
)
@click.option("--host", default=defaults.LOOPBACK, show_default=True, help="Address on which the App Mesh API listens.")
@click.option(
    "--api-port", default=defaults.API_PORT, show_default=True, help="Port of the App Mesh API; 0 for a free one."
)
@click.option(
    "--api-host",
    "api_hosts",
    multiple=True,
    metavar="NAME",
    help="Further host name by which clients reach the API; repeatable.",
)
@click.option("--xds-host", default=defaults.LOOPBACK, show_default=True, help="Address on which xDS listens.")
@click.option("--xds-port", default=defaults.XDS_PORT, show_default=True, help="Port of xDS; 0 for a free one.")
@click.option(
    "--xds-socket",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Unix socket of xDS instead of a port, in a folder that no other user can enter.",
)
@click.option(
    "--xds-carrier",
    type=click.Choice(("grpc", "http2")),
    default="grpc",
    show_default=True,
    help="What serves xDS: gRPC's library, or an implementation of our own, experimental, with less CPU and memory for "
    "each proxy.",
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File in which resources are stored, created if missing.  [default: in memory]",
)
@click.option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File in the format of ~/.aws/credentials; requests must be signed with one of its keys.  [default: a key "
    "that is created in --run-dir]",
)
@no_auth_option
@run_folder_option("Folder for the access key and the xDS token, unless files are named for them.")
@click.option(
    "--xds-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the token that proxies must send; read for each stream, so it can be replaced.  [default for a "
    "port: xds-token in --run-dir, created if missing]",
)
@click.option("--region", default=defaults.REGION, show_default=True, help="AWS region in ARNs and signatures.")
@click.option("--account", default=defaults.ACCOUNT, show_default=True, help="AWS account in ARNs, 12 digits.")
@click.option(
    "--insecure",
    is_flag=True,
    help="Accept proxies without a token unless --xds-token-file is given, and allow --no-auth on addresses beyond "
    "loopback. Every program that reaches them can then pose as a proxy and receive requests.",
)
@click.option("--kubernetes", is_flag=True, help="Store resources in a Kubernetes cluster's API server.")
@click.option(
    "--namespace",
    envvar="POD_NAMESPACE",
    help="With --kubernetes: namespace of the Secrets and the Lease.  [default: the pod's own, else shopmesh-system]",
)
@click.option(
    "--name",
    envvar="POD_NAME",
    help="With --kubernetes: unique name of this replica.  [default: the host name]",
)
@click.option(
    "--mesh",
    "start",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --kubernetes: folder of manifests to create if the cluster has no mesh.",
)
@click.option(
    "--webhook-port",
    type=int,
    help="With --kubernetes: port of the webhook that adds sidecars to pods.  [default: none]",
)
@click.option(
    "--replicas",
    metavar="HOST:PORT",
    help="With --kubernetes: addresses of all replicas' APIs, such as a headless Service; commas separate several.",
)
@click.option(
    "--xds-audience", default="shopmesh", show_default=True, help="With --kubernetes: audience of the proxies' tokens."
)
@console_option("on; with --kubernetes: read-only")
@click.option(
    "--console-host",
    "console_hosts",
    multiple=True,
    metavar="NAME",
    help="Further host name by which browsers reach the console; repeatable.",
)
@host_policy_options
def serve(
    host: str,
    api_port: int,
    api_hosts: tuple[str, ...],
    xds_host: str,
    xds_port: int,
    xds_socket: Path | None,
    xds_carrier: str,
    store: Path | None,
    credentials: Path | None,
    no_auth: bool,
    run_dir: Path,
    xds_token_file: Path | None,
    region: str,
    account: str,
    insecure: bool,
    kubernetes: bool,
    namespace: str | None,
    name: str | None,
    start: Path | None,
    webhook_port: int | None,
    replicas: str | None,
    xds_audience: str,
    console_mode: str | None,
    console_hosts: tuple[str, ...],
    host_policy: HostPolicy,
) -> None:
    """Run only the control plane: the App Mesh API for clients, xDS for Envoys."""
    # gRPC's C core would write its own lines to standard error, beside the one that says what to do.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from shopmesh.console import Mode, WebConsole
    from shopmesh.event_loop import new_event_loop
    from shopmesh.local.access import AccessFiles
    from shopmesh.output.logs import log_to_stderr
    from shopmesh.server.config import Config, ConfigError, XdsCarrier
    from shopmesh.server.control_plane import run
    from shopmesh.server.store.store import StoreError

    if kubernetes and (store or xds_token_file or xds_socket):
        raise click.UsageError("--kubernetes cannot be combined with --store, --xds-token-file or --xds-socket")
    if no_auth and (credentials or kubernetes):
        raise click.UsageError("--no-auth cannot be combined with --credentials or --kubernetes")
    log_to_stderr()

    access = None if credentials or kubernetes else AccessFiles(run_dir.absolute())

    def ready(bound: Listening) -> None:
        if access is not None:
            _publish_endpoint(access, host, bound.api_port, region)
        if no_auth:
            log.warning("--no-auth: every program and user of this machine can read and change the mesh")
        xds = xds_socket or f"{xds_host}:{bound.xds_port}"
        token = f" with the token in {config.xds_token_file}" if config.xds_token_file else ""
        echo(f"App Mesh API on http://{host}:{bound.api_port}, xDS on {xds}{token}", err=True)

    try:
        keys = _read_keys(credentials, access)
        if not (kubernetes or insecure or xds_socket or xds_token_file):
            xds_token_file = _ensure_token(run_dir / XDS_TOKEN)
        # A socket needs no token, but Prometheus does: it cannot sign its requests for /metrics.
        metrics_token_file = _ensure_token(run_dir / METRICS_TOKEN) if xds_socket and keys else None
        config = Config(
            host=host,
            api_port=api_port,
            xds_host=xds_host,
            xds_port=xds_port,
            xds_socket=xds_socket,
            xds_carrier=XdsCarrier(xds_carrier),
            store=store,
            region=region,
            account=account,
            credentials={} if no_auth else keys,
            xds_token_file=xds_token_file,
            metrics_token_file=metrics_token_file,
            insecure=insecure,
            host_policy=host_policy,
            in_cluster=kubernetes,
            api_hosts=api_hosts,
        )
        cluster = _cluster_config(namespace, name, xds_audience, start, webhook_port, replicas) if kubernetes else None
        console = WebConsole(Mode(console_mode or ("read-only" if kubernetes else "on")), console_hosts)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(run(_serve(config, cluster, console), ready))
    except (ConfigError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _ensure_token(path: Path) -> Path:
    """A token of the run folder, created if missing."""
    try:
        make_private_folder(path.parent)
        ensure_token_file(path)
    except OSError as error:
        raise click.ClickException(
            f"cannot create the token {path}: {error.strerror}; choose another folder with --run-dir"
        ) from error
    return path


def _read_keys(credentials: Path | None, access: AccessFiles | None) -> Mapping[str, str]:
    """The keys that requests must be signed with; none with --kubernetes, where a Secret has them."""
    from shopmesh.server.config import read_credentials

    if credentials is not None:
        return read_credentials(credentials)
    return access.create_key() if access is not None else {}


def _publish_endpoint(access: AccessFiles, host: str, api_port: int, region: str) -> None:
    from shopmesh.local.access import ServedEndpoint

    reached_by = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    authority = f"[{reached_by}]:{api_port}" if ":" in reached_by else f"{reached_by}:{api_port}"
    try:
        access.publish(ServedEndpoint(f"http://{authority}", region, os.getpid()))
    except OSError as error:
        log.warning("`shopmesh env` will not find this control plane: %s", error)


def _serve(
    config: Config, cluster: ClusterConfig | None, console: WebConsole
) -> AbstractAsyncContextManager[Listening]:
    if cluster is None:
        from shopmesh.server.control_plane import serving_control_plane

        return serving_control_plane(config, console.routes, console.front)
    from shopmesh.kubernetes.control_plane import serving as serving_cluster

    return serving_cluster(config, cluster, console.routes, console.front)


def _cluster_config(
    namespace: str | None,
    name: str | None,
    audience: str,
    start: Path | None,
    webhook_port: int | None,
    replicas: str | None,
) -> ClusterConfig:
    from shopmesh.documents import DocumentError
    from shopmesh.files.input_files import InputFileError
    from shopmesh.kubernetes.control_plane import ClusterConfig
    from shopmesh.server.replicas import Peer

    if namespace is None:
        namespace = _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else "shopmesh-system"
    # An empty folder means that the mesh is created by other means.
    there = [str(start)] if start is not None and start.is_dir() and any(start.glob("*.yaml")) else []
    try:
        manifests = [dict(source.value) for source in read_sources(there)]
    except (DocumentError, InputFileError, OSError) as error:
        raise click.ClickException(str(error)) from error
    try:
        peers = [Peer.parse(one) for one in replicas.split(",")] if replicas else []
    except ValueError as error:
        raise click.UsageError(f"--replicas: {error}") from error
    return ClusterConfig(name or socket.gethostname(), namespace, audience, manifests, webhook_port, peers)
