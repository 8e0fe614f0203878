"""TLS of xDS and the webhook: an authority that survives restarts, and certificates that live in memory.

begin: Secret control-plane-ca, read or made ─► serving certificate ─┬─► credentials() of gRPC: each handshake
looked_after: once a minute, read again; renew                       └─► context() of the webhook
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

import grpc

from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, NotFoundError
from shopmesh.kubernetes.api.resource_types import SECRETS
from shopmesh.kubernetes.background import background_task
from shopmesh.kubernetes.identity.certificate_authority import Authority, AuthorityError, Pair
from shopmesh.server.config import ConfigError, new_credentials, parsed_credentials

log = logging.getLogger(__name__)

AUTHORITY = "control-plane-ca"
CREDENTIALS = "control-plane-api"
SECONDS_BETWEEN_LOOKS = 60.0
LABELS = {"app.kubernetes.io/part-of": "shopmesh", "app.kubernetes.io/managed-by": "control-plane"}


Teller = Callable[[], Awaitable[str | None]]
"""Tells others by whom this process proves itself; what went wrong, None when all is well."""


class Certificates:
    """What this process serves with. Use `begin`."""

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        hosts: Sequence[str],
        authority: Authority,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hosts` are the names and addresses that clients know it by; `clock` gives seconds since 1970."""
        self._server = server
        self._namespace = namespace
        self._hosts = hosts
        self._clock = clock
        self._contexts: list[ssl.SSLContext] = []
        self._tellers: list[Teller] = []
        self.authority = authority
        self.pair = authority.issue(hosts, clock())

    @classmethod
    async def begin(
        cls, server: ApiServer, namespace: str, hosts: Sequence[str], clock: Callable[[], float] = time.time
    ) -> Certificates:
        """By the authority of that namespace, which is made where there is none. Raises ApiError, ConfigError."""
        authority = await _authority(server, namespace, lambda: Authority.made(f"shopmesh {namespace}", clock()))
        return cls(server, namespace, hosts, authority, clock)

    async def tell(self, teller: Teller) -> None:
        """Calls that now, and again with each look: what it told may be lost, or the authority be another."""
        self._tellers.append(teller)
        await _told(teller)

    def credentials(self) -> grpc.ServerCredentials:
        """For gRPC: each handshake has the certificate of that moment."""
        given = self.pair

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            # Called in a thread of gRPC's; None: as before.
            nonlocal given
            if self.pair is given:
                return None
            given = self.pair
            return _configuration(given)

        return grpc.dynamic_ssl_server_credentials(_configuration(given), fetch)  # type: ignore[arg-type]  # None is told in its text

    def context(self) -> ssl.SSLContext:
        """For anything else; it is kept up to date."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, self.pair)
        self._contexts.append(context)
        return context

    def looked_after(self) -> AbstractAsyncContextManager[None]:
        """Keeps them up to date for the length of an `async with` block."""
        return background_task(self._look_after(), "renewal of certificates")

    async def look(self) -> None:
        """Takes over another authority, and renews what is old. What cannot be read leaves all as it is."""
        try:
            # If somebody deleted it, it is kept again: proxies trust it.
            authority = await _authority(self._server, self._namespace, lambda: self.authority)
        except (KubernetesApiError, ConfigError) as error:
            log.warning("the certificates stay as they are: %s", error)
            authority = self.authority
        exchanged = authority.data() != self.authority.data()
        if exchanged or self._clock() >= self.pair.renew_at:
            self.authority, self.pair = authority, authority.issue(self._hosts, self._clock())
            for context in self._contexts:
                _load(context, self.pair)
            log.info("a new certificate is served%s", ", of another authority" if exchanged else "")
        for teller in self._tellers:
            await _told(teller)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            try:
                await self.look()
            except Exception:
                log.exception("the certificates could not be looked after")


async def _told(teller: Teller) -> None:
    if (problem := await teller()) is not None:
        log.warning("%s", problem)


async def api_credentials(server: ApiServer, namespace: str) -> dict[str, str]:
    """The keys that may sign requests: Secret `control-plane-api`, made when missing. Raises ApiError, ConfigError."""
    where = f"Secret {namespace}/{CREDENTIALS}"
    data = await _secret(server, namespace, CREDENTIALS, lambda: {"credentials": new_credentials().encode()})
    if "credentials" not in data:
        raise ConfigError(f"{where} has no entry credentials; write it, or delete the Secret and it is made anew")
    return parsed_credentials(data["credentials"].decode("utf-8", "replace"), f"{where}, entry credentials,")


async def _authority(server: ApiServer, namespace: str, make: Callable[[], Authority]) -> Authority:
    data = await _secret(server, namespace, AUTHORITY, lambda: make().data())
    try:
        return Authority.read(data)
    except AuthorityError as error:
        raise ConfigError(
            f"Secret {namespace}/{AUTHORITY} {error}; correct it, or delete it and a new authority is made"
        ) from error


async def _secret(
    server: ApiServer, namespace: str, name: str, make: Callable[[], Mapping[str, bytes]]
) -> dict[str, bytes]:
    """What a Secret holds; it is made where there is none, and of two that make it at once one is right for both."""
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
            log.info("Secret %s/%s made", namespace, name)
        except ConflictError:
            found = await server.get(SECRETS, name, namespace)
    try:
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    except (binascii.Error, ValueError, TypeError) as error:
        raise ConfigError(f"Secret {namespace}/{name} cannot be read: {error}") from error


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    # OpenSSL takes it from files only; this folder is for nobody else, and gone at once.
    with tempfile.TemporaryDirectory(prefix="shopmesh-") as folder:
        path = Path(folder, "pair.pem")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pair.key + pair.chain)
        context.load_cert_chain(path)
