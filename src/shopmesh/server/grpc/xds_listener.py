"""Where xDS listens: a port, or a Unix socket whose folder says who may be a proxy."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import grpc

from shopmesh.files.private_files import FILE_MODE, is_private_folder
from shopmesh.server.config import Config, ConfigError


def bind(server: grpc.aio.Server, config: Config, credentials: grpc.ServerCredentials | None) -> int:
    """Binds the port, which is returned, or the socket, for which that is 0; raises ConfigError."""
    if config.xds_socket is not None:
        _bind_socket(server, config.xds_socket.absolute(), is_open=config.insecure or config.xds_token_file is not None)
        return 0
    return _bind_port(server, config.xds_host, config.xds_port, credentials)


def _bind_socket(server: grpc.aio.Server, path: Path, is_open: bool) -> None:
    """`is_open`: something else than the folder says who may speak, or everybody may."""
    if not path.parent.is_dir():
        raise ConfigError(f"the socket {path} cannot be made: there is no folder {path.parent}")
    # gRPC makes the socket with the rights of the umask, so only the folder keeps others away from the beginning.
    if not is_open and not is_private_folder(path.parent):
        raise ConfigError(
            f"the folder {path.parent} lets other users of this machine open the socket {path.name}, and be proxies: "
            "choose a folder of your own with mode 0700, or give --xds-token-file FILE"
        )
    if _has_listener(path):
        raise ConfigError(f"xDS cannot listen on {path}: another program does; stop it, or give --xds-socket")
    try:
        # The path is that of a URI.
        server.add_insecure_port(f"unix:{quote(str(path))}")
    except RuntimeError as error:
        raise ConfigError(
            f"xDS cannot listen on {path}: no socket can be made there; give --xds-socket a path of at most 103 bytes "
            "in a folder that can be written, which is not taken by another file"
        ) from error
    if not is_open:
        path.chmod(FILE_MODE)


def _has_listener(path: Path) -> bool:
    """Whether somebody accepts connections there: gRPC would take the path over from them without a word."""
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
            f"xDS cannot listen on {address}: the address is taken or not of this machine; "
            "stop what listens there, or give --xds-port"
        ) from error
