"""Secrets that name files of the proxy's own file system: no private key passes through the control plane.

    tls.crt, tls.key ─► certificate(…) ─► SDS over ADS ─► Envoy reads them, and again after each move into their folder

Envoy does not notice a file that is written in place: replace it by a move, or swap the symlink of its folder as
Kubernetes does (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/security/secret#certificate-rotation).
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

    def build(name: str, spell: _Spelling) -> Secret:
        pair = TlsCertificate(
            certificate_chain=DataSource(filename=spell(chain)), private_key=DataSource(filename=spell(key))
        )
        if _folder(key) == folder:
            # For files in two folders Envoy watches each file itself.
            pair.watched_directory.CopyFrom(WatchedDirectory(path=folder))
        return Secret(name=name, tls_certificate=pair)

    return _resource(f"certificate:{chain}:{key}", build)


def trust(chain: str) -> XdsResource:
    """The certificates of the authorities that may issue a peer's certificate, in one PEM file."""

    def build(name: str, spell: _Spelling) -> Secret:
        context = CertificateValidationContext(
            trusted_ca=DataSource(filename=spell(chain)), watched_directory=WatchedDirectory(path=_folder(chain))
        )
        return Secret(name=name, validation_context=context)

    return _resource(f"{_TRUST}{chain}", build)


def is_trust(secret: XdsResource) -> bool:
    """Whether a secret was made by `trust`; otherwise by `certificate`."""
    return secret.name.startswith(_TRUST)


def _resource(name: str, build: Callable[[str, _Spelling], Secret]) -> XdsResource:
    """Makes a secret and its variant, which has the same paths spelt differently (`/a/./b`).

    Envoy ignores a secret that equals the last one it was sent, even if it failed to load that one; the variant makes
    it try again (`XdsResource.variant`).
    """
    again = resource("secrets", name, serialise(build(name, _respell)))
    return resource("secrets", name, serialise(build(name, str)), variant=again)


def _folder(path: str) -> str:
    return posixpath.dirname(path) or "."


def _respell(path: str) -> str:
    return posixpath.join(_folder(path), ".", posixpath.basename(path))
