"""TLS of xDS and the webhook: the authority is kept in a Secret, the certificates in memory.

load: Secret control-plane-ca, read or created ─► serving certificate ─┬─► key_pair, read by xDS for each handshake
auto_renewing: read again and renew, once a minute                     └─► tls_context() of the webhook
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, NotFoundError
from shopmesh.kubernetes.api.resource_types import SECRETS
from shopmesh.kubernetes.background import background_task
from shopmesh.kubernetes.identity.certificate_authority import AuthorityError, CertificateAuthority, KeyPair
from shopmesh.server.config import ConfigError, new_credentials, parse_credentials

log = logging.getLogger(__name__)

CA_NAME = "control-plane-ca"
CREDENTIALS_NAME = "control-plane-api"
REFRESH_SECONDS = 60.0
LABELS = {"app.kubernetes.io/part-of": "shopmesh", "app.kubernetes.io/managed-by": "control-plane"}


Publisher = Callable[[], Awaitable[str | None]]
"""Publishes the authority to clients; returns an error message, or None."""


class Certificates:
    """The certificates that this process serves with (`carrier.ServerCertificate`). Use `load`."""

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        hosts: Sequence[str],
        authority: CertificateAuthority,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hosts` are the names and addresses in the certificates; `clock` gives seconds since 1970."""
        self._server = server
        self._namespace = namespace
        self._hosts = hosts
        self._clock = clock
        self._contexts: list[ssl.SSLContext] = []
        self._publishers: list[Publisher] = []
        self.authority = authority
        self.key_pair = authority.issue(hosts, clock())

    @classmethod
    async def load(
        cls, server: ApiServer, namespace: str, hosts: Sequence[str], clock: Callable[[], float] = time.time
    ) -> Certificates:
        """Reads or creates the namespace's certificate authority. Raises KubernetesApiError, ConfigError."""
        authority = await _authority(
            server, namespace, lambda: CertificateAuthority.create(f"shopmesh {namespace}", clock())
        )
        return cls(server, namespace, hosts, authority, clock)

    async def on_change(self, publisher: Publisher) -> None:
        """Calls `publisher` now and with each refresh: the authority may change, or its publication get lost."""
        self._publishers.append(publisher)
        await _publish(publisher)

    def tls_context(self) -> ssl.SSLContext:
        """Returns a TLS context whose certificate is kept up to date."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, self.key_pair)
        self._contexts.append(context)
        return context

    def auto_renewing(self) -> AbstractAsyncContextManager[None]:
        """Refreshes the certificates once a minute for the length of an `async with` block."""
        return background_task(self._renew_forever(), "renewal of certificates")

    async def refresh(self) -> None:
        """Reads the authority again and renews the certificate if needed; on an error keeps both."""
        try:
            # A deleted Secret is written again, because proxies trust this authority.
            authority = await _authority(self._server, self._namespace, lambda: self.authority)
        except (KubernetesApiError, ConfigError) as error:
            log.warning("keeping the current certificates, the authority cannot be read: %s", error)
            authority = self.authority
        exchanged = authority.secret_data() != self.authority.secret_data()
        if exchanged or self._clock() >= self.key_pair.renew_at:
            self.authority, self.key_pair = authority, authority.issue(self._hosts, self._clock())
            for context in self._contexts:
                _load(context, self.key_pair)
            log.info("serving a new certificate%s", ", signed by a new authority" if exchanged else "")
        for publisher in self._publishers:
            await _publish(publisher)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception:
                log.exception("could not renew the certificates")


async def _publish(publisher: Publisher) -> None:
    if (problem := await publisher()) is not None:
        log.warning("%s", problem)


async def api_credentials(server: ApiServer, namespace: str) -> dict[str, str]:
    """Reads the API's access keys from Secret `control-plane-api`; creates it when missing.

    Raises KubernetesApiError, ConfigError.
    """
    where = f"Secret {namespace}/{CREDENTIALS_NAME}"
    data = await _secret(server, namespace, CREDENTIALS_NAME, lambda: {"credentials": new_credentials().encode()})
    if "credentials" not in data:
        raise ConfigError(f"{where} has no entry credentials; add it, or delete the Secret to have a new one created")
    return parse_credentials(data["credentials"].decode("utf-8", "replace"), f"{where}, entry credentials,")


async def _authority(
    server: ApiServer, namespace: str, make: Callable[[], CertificateAuthority]
) -> CertificateAuthority:
    data = await _secret(server, namespace, CA_NAME, lambda: make().secret_data())
    try:
        return CertificateAuthority.parse(data)
    except AuthorityError as error:
        raise ConfigError(
            f"Secret {namespace}/{CA_NAME} {error}; correct it, or delete it to have a new authority created"
        ) from error


async def _secret(
    server: ApiServer, namespace: str, name: str, make: Callable[[], Mapping[str, bytes]]
) -> dict[str, bytes]:
    """Returns the content of a Secret, which is created when missing; of two replicas that create it the first wins."""
    try:
        found = await server.get(SECRETS, name, namespace)
    except NotFoundError:
        body = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in make().items()},
        }
        try:
            found = await server.create(SECRETS, body)
            log.info("created Secret %s/%s", namespace, name)
        except ConflictError:
            found = await server.get(SECRETS, name, namespace)
    try:
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    except (binascii.Error, ValueError, TypeError) as error:
        raise ConfigError(f"Secret {namespace}/{name} cannot be read: {error}") from error


def _load(context: ssl.SSLContext, key_pair: KeyPair) -> None:
    # OpenSSL reads certificates from files only; this private folder is deleted at once.
    with tempfile.TemporaryDirectory(prefix="shopmesh-") as folder:
        path = Path(folder, "pair.pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key_pair.key + key_pair.chain)
        context.load_cert_chain(path)
