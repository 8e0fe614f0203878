"""The listener of xDS: a port, or a Unix socket, whose folder's rights decide who may be a proxy."""

from __future__ import annotations

import socket
from pathlib import Path

from shopmesh.files.private_files import FILE_MODE, is_private_folder
from shopmesh.server.config import Config, ConfigError, XdsCarrier
from shopmesh.server.grpc.carrier import Carrier, ServerCertificate
from shopmesh.server.grpc.sessions import Authenticate, Methods


def carrier(kind: XdsCarrier, methods: Methods, authenticate: Authenticate) -> Carrier:
    """Makes a carrier of that kind, and loads only the libraries that it needs."""
    if kind is XdsCarrier.HTTP2:
        from shopmesh.server.grpc.http2.http2_carrier import Http2Carrier

        return Http2Carrier(methods, authenticate)
    from shopmesh.server.grpc.grpc_carrier import GrpcCarrier

    return GrpcCarrier(methods, authenticate)


def bind(carrier: Carrier, config: Config, certificate: ServerCertificate | None) -> int:
    """Binds the port and returns it, or the socket and returns 0; raises ConfigError."""
    if config.xds_socket is not None:
        _bind_socket(
            carrier, config.xds_socket.absolute(), is_open=config.insecure or config.xds_token_file is not None
        )
        return 0
    return _bind_port(carrier, config.xds_host, config.xds_port, certificate)


def _bind_socket(carrier: Carrier, path: Path, is_open: bool) -> None:
    """`is_open`: access is not decided by the folder, but by a token, or it is not restricted."""
    if not path.parent.is_dir():
        raise ConfigError(f"the socket {path} cannot be created: there is no folder {path.parent}")
    # The carrier creates the socket with the umask's rights, so only the folder protects it from the beginning.
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
        carrier.bind_socket(path)
    except OSError as error:
        raise ConfigError(
            f"xDS cannot listen on {path}: no socket can be created there; give --xds-socket an unused path of at most "
            "103 bytes in a folder that can be written"
        ) from error
    if not is_open:
        path.chmod(FILE_MODE)


def _has_listener(path: Path) -> bool:
    """Whether a program accepts connections there: the carrier would silently take the path over from it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _bind_port(carrier: Carrier, host: str, port: int, certificate: ServerCertificate | None) -> int:
    try:
        return carrier.bind_port(host, port, certificate)
    except OSError as error:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigError(
            f"xDS cannot listen on {address}: the address is in use, or is not an address of this machine; "
            "stop what listens there, or give --xds-port"
        ) from error
