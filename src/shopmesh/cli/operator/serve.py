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
from shopmesh.cli.options import no_auth_option, run_folder_option
from shopmesh.cli.output import echo
from shopmesh.files.private_files import XDS_TOKEN, ensure_token_file, make_private_folder

if TYPE_CHECKING:
    from shopmesh.appmesh.host_policy import HostPolicy
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
  shopmesh serve --run-dir mesh-a; eval "$(shopmesh env --run-dir mesh-a)"
  shopmesh serve --store mesh.db --credentials keys --host 0.0.0.0 --xds-host 0.0.0.0 --xds-token-file token
  shopmesh serve --kubernetes    the cluster of KUBECONFIG is the store; in a pod its own cluster

\b
In a cluster requests are signed with the keys of the Secret control-plane-api, which is made when it is missing, and
proxies bring the token that their pod was given for the audience; xDS is served with TLS.
"""
)
@click.option("--host", default=defaults.LOOPBACK, show_default=True, help="Address of the App Mesh API.")
@click.option("--api-port", default=defaults.API_PORT, show_default=True, help="Port of the API; 0 for any free one.")
@click.option(
    "--api-host",
    "api_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name by which clients reach the API, beside loopback and the server's own address; may be repeated.",
)
@click.option("--xds-host", default=defaults.LOOPBACK, show_default=True, help="Address of xDS.")
@click.option("--xds-port", default=defaults.XDS_PORT, show_default=True, help="Port of xDS; 0 for any free one.")
@click.option(
    "--xds-socket",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Unix socket of xDS instead of address and port, in a folder that no other user may enter.",
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the resources, made when missing; without it they are gone with the process.",
)
@click.option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File in the form of ~/.aws/credentials: requests must be signed with one of its keys.  [default: a key that "
    "is made in --run-dir]",
)
@no_auth_option
@run_folder_option("Folder of the access key and of the token for xDS, where no files are named for them.")
@click.option(
    "--xds-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the token that proxies must bring; read anew for each stream, so it may be replaced.  "
    "[default for a port: xds-token in the run folder, made when missing]",
)
@click.option("--region", default=defaults.REGION, show_default=True, help="Region in ARNs and signatures.")
@click.option("--account", default=defaults.ACCOUNT, show_default=True, help="Account in ARNs, 12 digits.")
@click.option(
    "--insecure",
    is_flag=True,
    help="Proxies need no token where none is named, and --no-auth may listen on other addresses than loopback: "
    "everybody who reaches them, every program of this machine at least, may be a proxy that others send requests to.",
)
@click.option("--kubernetes", is_flag=True, help="Keep nothing: a cluster's API server is the store.")
@click.option(
    "--namespace",
    envvar="POD_NAMESPACE",
    help="In a cluster: where its Secrets and its Lease are.  [default: the pod's own, else shopmesh-system]",
)
@click.option(
    "--name",
    envvar="POD_NAME",
    help="In a cluster: what tells this replica from the others.  [default: the host's name]",
)
@click.option(
    "--mesh",
    "start",
    type=click.Path(file_okay=False, path_type=Path),
    help="In a cluster: folder of the manifests that it begins with, if it has no mesh.",
)
@click.option(
    "--webhook-port",
    type=int,
    help="In a cluster: port of the webhook that puts sidecars into pods, on the API's address; none without.",
)
@click.option(
    "--replicas",
    metavar="HOST:PORT",
    help="In a cluster: where the APIs of all replicas are found, such as a headless Service; several with commas.",
)
@click.option("--xds-audience", default="shopmesh", show_default=True, help="In a cluster: whom tokens are meant for.")
@host_policy_options
def serve(
    host: str,
    api_port: int,
    api_hosts: tuple[str, ...],
    xds_host: str,
    xds_port: int,
    xds_socket: Path | None,
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
    host_policy: HostPolicy,
) -> None:
    """Run the control plane: the App Mesh API for clients, xDS for Envoys."""
    # gRPC's C core writes lines of its own to standard error, beside the one that says what to do.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from shopmesh.local.access import AccessFiles
    from shopmesh.output.logs import log_to_stderr
    from shopmesh.server.config import Config, ConfigError
    from shopmesh.server.control_plane import run
    from shopmesh.server.store.store import StoreError

    if kubernetes and (store or xds_token_file or xds_socket):
        raise click.UsageError(
            "--store, --xds-token-file and --xds-socket are for a control plane that keeps its own resources"
        )
    if no_auth and (credentials or kubernetes):
        raise click.UsageError("--no-auth takes unsigned requests: leave it out, or --credentials and --kubernetes")
    log_to_stderr()

    access = None if credentials or kubernetes else AccessFiles(run_dir.absolute())

    def ready(bound: Listening) -> None:
        if access is not None:
            _publish_endpoint(access, host, bound.api_port, region)
        if no_auth:
            log.warning("--no-auth: every program and every user of this machine may read and change the mesh")
        xds = xds_socket or f"{xds_host}:{bound.xds_port}"
        token = f" with the token in {config.xds_token_file}" if config.xds_token_file else ""
        echo(f"App Mesh API on http://{host}:{bound.api_port}, xDS on {xds}{token}", err=True)

    try:
        keys = _read_keys(credentials, access)
        if not (kubernetes or insecure or xds_socket or xds_token_file):
            xds_token_file = _ensure_token(run_dir)
        config = Config(
            host=host,
            api_port=api_port,
            xds_host=xds_host,
            xds_port=xds_port,
            xds_socket=xds_socket,
            store=store,
            region=region,
            account=account,
            credentials={} if no_auth else keys,
            xds_token_file=xds_token_file,
            insecure=insecure,
            host_policy=host_policy,
            in_cluster=kubernetes,
            api_hosts=api_hosts,
        )
        cluster = _cluster_config(namespace, name, xds_audience, start, webhook_port, replicas) if kubernetes else None
        asyncio.run(run(_serve(config, cluster), ready))
    except (ConfigError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _ensure_token(run_folder: Path) -> Path:
    """The token of the run folder, where the user names no other."""
    path = run_folder / XDS_TOKEN
    try:
        make_private_folder(run_folder)
        ensure_token_file(path)
    except OSError as error:
        raise click.ClickException(
            f"cannot make the token for xDS in {run_folder}: {error.strerror}; choose another folder with --run-dir"
        ) from error
    return path


def _read_keys(credentials: Path | None, access: AccessFiles | None) -> Mapping[str, str]:
    """The keys that requests must be signed with; in a cluster they come from there."""
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


def _serve(config: Config, cluster: ClusterConfig | None) -> AbstractAsyncContextManager[Listening]:
    if cluster is None:
        from shopmesh.server.control_plane import serving_control_plane

        return serving_control_plane(config)
    from shopmesh.kubernetes.control_plane import serving as serving_cluster

    return serving_cluster(config, cluster)


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
    # A folder that holds nothing is a mesh that others bring.
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
