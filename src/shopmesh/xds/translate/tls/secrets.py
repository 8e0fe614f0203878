"""Secrets that name files of the proxy's own file system: no key ever passes through the control plane.

    tls.crt, tls.key ─► certificate(…) ─► SDS over ADS ─► Envoy reads them, and again after each move into their folder

A file that is written in place is not noticed: replace it by a move, or swap the symlink of its folder as Kubernetes
does (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/security/secret#certificate-rotation).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from envoy.config.core.v3.base_pb2 import DataSource, WatchedDirectory
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext, TlsCertificate
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret

from shopmesh.xds.resources import XdsResource, resource, serialise

_TRUST = "trust:"
_Spelling = Callable[[str], str]


def certificate(chain: str, key: str) -> XdsResource:
    """A certificate with its chain, and its private key, both PEM files."""
    folder = _folder(chain)

    def made(name: str, spell: _Spelling) -> Secret:
        pair = TlsCertificate(
            certificate_chain=DataSource(filename=spell(chain)), private_key=DataSource(filename=spell(key))
        )
        if _folder(key) == folder:
            # In two folders Envoy watches each file by itself.
            pair.watched_directory.CopyFrom(WatchedDirectory(path=folder))
        return Secret(name=name, tls_certificate=pair)

    return _resource(f"certificate:{chain}:{key}", made)


def trust(chain: str) -> XdsResource:
    """The certificates of the authorities that a peer's certificate may come from, in one PEM file."""

    def made(name: str, spell: _Spelling) -> Secret:
        context = CertificateValidationContext(
            trusted_ca=DataSource(filename=spell(chain)), watched_directory=WatchedDirectory(path=_folder(chain))
        )
        return Secret(name=name, validation_context=context)

    return _resource(f"{_TRUST}{chain}", made)


def is_trust(secret: XdsResource) -> bool:
    """Whether it is of `trust`; else it is of `certificate`."""
    return secret.name.startswith(_TRUST)


def _resource(name: str, made: Callable[[str, _Spelling], Secret]) -> XdsResource:
    """Envoy takes a secret that equals the last one it was sent as known, though it failed to load that one.

    So it gets the same with its paths spelt otherwise when it shall try again (`XdsResource.otherwise`).
    """
    again = resource("secrets", name, serialise(made(name, _respell)))
    return resource("secrets", name, serialise(made(name, str)), variant=again)


def _folder(path: str) -> str:
    return posixpath.dirname(path) or "."


def _respell(path: str) -> str:
    return posixpath.join(_folder(path), ".", posixpath.basename(path))
