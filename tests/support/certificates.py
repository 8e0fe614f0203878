"""Certificates for tests, made by the `openssl` program, and clients that speak TLS by themselves."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shopmesh.kubernetes.identity.certificate_authority import CertificateAuthority, KeyPair

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    chain: Path
    key: Path

    def document(self) -> dict[str, dict[str, str]]:
        """As App Mesh's documents name it."""
        return {"file": {"certificateChain": str(self.chain), "privateKey": str(self.key)}}

    def move_to(self, other: Pair) -> None:
        """Replaces another pair, the certificate first: between the two moves it does not fit the key."""
        for one, there in zip(self, other, strict=True):
            move(one, there)

    @property
    def serial(self) -> int:
        return int(_openssl("x509", "-in", self.chain, "-noout", "-serial").partition("=")[2], 16)


class Authority:
    """Signs certificates in a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._issued = 0
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ("-subj", f"/CN={name}", "-days", "30")
        _openssl("req", "-x509", *KEY, "-keyout", self._key, "-out", self.certificate, *subject)

    def trust(self) -> dict[str, dict[str, str]]:
        """As App Mesh's documents name it."""
        return {"file": {"certificateChain": str(self.certificate)}}

    def issue(self, *names: str, days: int = 10) -> Pair:
        """A new pair in new files; a name with a scheme is a URI."""
        self._issued += 1
        stem = self._folder / f"{self.certificate.stem}-{self._issued}"
        pair, request, more = (
            Pair(stem.with_suffix(".crt"), stem.with_suffix(".key")),
            f"{stem}.csr",
            Path(f"{stem}.ext"),
        )
        _openssl("req", *KEY, "-keyout", pair.key, "-out", request, "-subj", f"/CN={stem.name}")
        kinds = (f"URI:{name}" if "://" in name else f"DNS:{name}" for name in names)
        more.write_text(f"subjectAltName={','.join(kinds)}\n")
        signed = ("-CA", self.certificate, "-CAkey", self._key, "-days", days, "-extfile", more)
        _openssl("x509", "-req", "-in", request, *signed, "-out", pair.chain)
        return pair


class Client:
    """Connects to 127.0.0.1 with TLS, checks the server's certificate, and may show one of its own."""

    def __init__(self, authority: Authority, name: str, own: Pair | None = None) -> None:
        self._name = name
        self._context = ssl.create_default_context(cafile=authority.certificate)
        if own is not None:
            self._context.load_cert_chain(own.chain, own.key)

    def get(self, port: int) -> tuple[int, int]:
        """The status of `GET /` on a new connection, and the serial number of the server's certificate."""
        with self._connected(port) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            serial = _serial(connection)
            return _status(connection), serial

    def first_line(self, port: int) -> str:
        """What a server says that speaks first."""
        with self._connected(port) as connection, connection.makefile("rb") as lines:
            return lines.readline().decode().strip()

    def _connected(self, port: int) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        try:
            return self._context.wrap_socket(plain, server_hostname=self._name)
        except OSError:
            plain.close()
            raise


def plain_get(port: int) -> int | None:
    """The status of `GET /` in plain text; None where the connection is refused or closed without an answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            return _status(connection)
    except OSError:
        return None


def move(one: Path, there: Path) -> None:
    """Puts a copy of a file in another's place in one step: Envoy watches for moves alone."""
    copy = there.with_name(f".{there.name}")
    shutil.copyfile(one, copy)
    copy.rename(there)


def _status(connection: socket.socket) -> int:
    with connection.makefile("rb") as lines:
        version, _, rest = lines.readline().decode(errors="replace").partition(" ")
    if not version.startswith("HTTP/"):
        raise ConnectionError(f"{version!r} is no answer in HTTP")
    return int(rest.split()[0])


def _serial(connection: ssl.SSLSocket) -> int:
    found = connection.getpeercert() or {}
    return int(str(found["serialNumber"]), 16)


def _openssl(*arguments: str | int | Path) -> str:
    words: Sequence[str] = ["openssl", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return done.stdout.strip()


class RenewableCertificate:
    """The certificate of a server on loopback, of an authority of its own, which a test may renew."""

    def __init__(self) -> None:
        self.authority = CertificateAuthority.create("a test's", time.time())
        self._contexts: list[ssl.SSLContext] = []
        self.key_pair = self._issue()

    def renew(self) -> None:
        self.key_pair = self._issue()
        for context in self._contexts:
            self._load(context)

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(context)
        self._contexts.append(context)
        return context

    def _issue(self) -> KeyPair:
        return self.authority.issue(("localhost", "127.0.0.1"), time.time())

    def _load(self, context: ssl.SSLContext) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.key_pair.key + self.key_pair.chain)
            file.flush()
            context.load_cert_chain(file.name)
