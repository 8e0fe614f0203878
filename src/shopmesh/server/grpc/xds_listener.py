"""The listener of xDS: a port, or a Unix socket, whose folder's rights decide who may be a proxy."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import grpc

from shopmesh.files.private_files import FILE_MODE, is_private_folder
from shopmesh.server.config import Config, ConfigError


def bind(server: grpc.aio.Server, config: Config, credentials: grpc.ServerCredentials | None) -> int:
    """Binds the port and returns it, or the socket and returns 0; raises ConfigError."""
    if config.xds_socket is not None:
        _bind_socket(server, config.xds_socket.absolute(), is_open=config.insecure or config.xds_token_file is not None)
        return 0
    return _bind_port(server, config.xds_host, config.xds_port, credentials)


def _bind_socket(server: grpc.aio.Server, path: Path, is_open: bool) -> None:
    """`is_open`: access is not decided by the folder, but by a token, or it is not restricted."""
    if not path.parent.is_dir():
        raise ConfigError(f"the socket {path} cannot be created: there is no folder {path.parent}")
    # gRPC creates the socket with the umask's rights, so only the folder protects it from the beginning.
    if not is_open and not is_private_folder(path.parent):
        raise ConfigError(
            f"the folder {path.parent} lets other users of this machine open the socket {path.name} and pose as "
            "proxies: choose a folder of your own with mode 0700, or give --xds-token-file FILE"
        )
    if _has_listener(path):
        raise ConfigError(
            f"xDS cannot listen on {path}: another program listens there; stop it, or give another --xds-socket"
        )
    try:
        # The path is that of a URI.
        server.add_insecure_port(f"unix:{quote(str(path))}")
    except RuntimeError as error:
        raise ConfigError(
            f"xDS cannot listen on {path}: no socket can be created there; give --xds-socket an unused path of at most "
            "103 bytes in a folder that can be written"
        ) from error
    if not is_open:
        path.chmod(FILE_MODE)


def _has_listener(path: Path) -> bool:
    """Whether a program accepts connections there: gRPC would silently take the path over from it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _bind_port(server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials | None) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigError(
            f"xDS cannot listen on {address}: the address is in use, or is not an address of this machine; "
            "stop what listens there, or give --xds-port"
        ) from error
