"""The control plane's own certificate authority: what it signs, and how it is kept and told. No I/O.

    Secret control-plane-ca (ca.crt, ca.key) ─► Authority ─issue─► Pair, for xDS and the webhook
                                                    └─told─► ConfigMap shopmesh-root (ca.crt, ca.json), for proxies

`ca.crt` may hold several certificates: the one that `ca.key` fits signs, and all are told. So one authority follows
another without a proxy that cannot come in: first both are told, then the key is exchanged.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shopmesh.xds import names

CERTIFICATE, KEY = "ca.crt", "ca.key"
SDS = "ca.json"
YEARS = 10
DAYS = 30
"""Of a serving certificate; it is made in memory, and anew when two thirds are over."""
_SKEW = datetime.timedelta(hours=1)
"""Others' clocks may be behind."""


class AuthorityError(Exception):
    """What is kept is no authority; the message says what to do."""


class KeyPair(NamedTuple):
    """A certificate and its key, PEM; seconds since 1970 when it should be renewed."""

    chain: bytes
    key: bytes
    renew_at: float


@dataclass(frozen=True)
class CertificateAuthority:
    """`bundle` is all that is to be trusted, PEM."""

    bundle: bytes
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, name: str, now: float) -> CertificateAuthority:
        """A new one; `now` in seconds since 1970."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = datetime.datetime.fromtimestamp(now, datetime.UTC)
        certificate = (
            _builder(subject, subject, key, begin, begin + datetime.timedelta(days=365 * YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate.public_bytes(serialization.Encoding.PEM), certificate, key)

    @classmethod
    def parse(cls, data: Mapping[str, bytes]) -> CertificateAuthority:
        """What `data` wrote; raises AuthorityError."""
        try:
            key = serialization.load_pem_private_key(data[KEY], None)
            certificates = x509.load_pem_x509_certificates(data[CERTIFICATE])
        except KeyError as missing:
            raise AuthorityError(f"has no {missing.args[0]}") from None
        except (ValueError, TypeError) as error:
            # The library's message quotes nothing of a key, but need not stay so.
            raise AuthorityError(f"holds no certificates and key in PEM ({type(error).__name__})") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{KEY} is no key on an elliptic curve")
        for certificate in certificates:
            if certificate.public_key() == key.public_key():
                return cls(data[CERTIFICATE], certificate, key)
        raise AuthorityError(f"{KEY} fits no certificate of {CERTIFICATE}")

    def secret_data(self) -> dict[str, bytes]:
        """As it is kept."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {CERTIFICATE: self.bundle, KEY: pem}

    def public_bundle(self) -> dict[str, str]:
        """As proxies mount it: for people and programs, and as the secret that Envoy reads again when it changes.

        https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/security/secret
        """
        pem = self.bundle.decode("ascii")
        secret = {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": names.XDS_AUTHORITY,
            "validation_context": {"trusted_ca": {"inline_string": pem}},
        }
        return {CERTIFICATE: pem, SDS: json.dumps({"resources": [secret]})}

    def issue(self, hosts: Sequence[str], now: float) -> KeyPair:
        """A certificate for these host names and IP addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin = datetime.datetime.fromtimestamp(now, datetime.UTC)
        end = min(begin + datetime.timedelta(days=DAYS), self._certificate.not_valid_after_utc)
        # Common names are 64 characters at most, and nobody reads them.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "control-plane")])
        certificate = (
            _builder(subject, self._certificate.subject, key, begin, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        renew_at = now + (end.timestamp() - now) * 2 / 3
        return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), pem, renew_at)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
