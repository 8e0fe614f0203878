"""The control plane's own certificate authority: issues certificates, and reads and writes its own. No I/O.

    Secret control-plane-ca (ca.crt, ca.key) ─► CertificateAuthority ─issue─► KeyPair, for xDS and the webhook
                                                               └─public_bundle─► ConfigMap shopmesh-root, for proxies

`ca.crt` may hold several certificates: the one that `ca.key` fits signs, and all are published. So an authority can be
replaced without locking a proxy out: first publish both certificates, then replace the key.
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
"""Lifetime of a serving certificate, which is kept in memory and renewed after two thirds of it."""
_SKEW = datetime.timedelta(hours=1)
"""Certificates are valid from an hour ago, because clocks of clients may be slow."""


class AuthorityError(Exception):
    """The data are not those of a certificate authority."""


class KeyPair(NamedTuple):
    """A certificate chain and its key in PEM; `renew_at` is in seconds since 1970."""

    chain: bytes
    key: bytes
    renew_at: float


@dataclass(frozen=True)
class CertificateAuthority:
    """Signs certificates; `bundle` are all certificates to trust, in PEM."""

    bundle: bytes
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, name: str, now: float) -> CertificateAuthority:
        """Creates a new authority; `now` is in seconds since 1970."""
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
        """Reads what `secret_data` returned. Raises AuthorityError."""
        try:
            key = serialization.load_pem_private_key(data[KEY], None)
            certificates = x509.load_pem_x509_certificates(data[CERTIFICATE])
        except KeyError as missing:
            raise AuthorityError(f"has no {missing.args[0]}") from None
        except (ValueError, TypeError) as error:
            # The library's message quotes nothing of a key, but need not stay so.
            raise AuthorityError(f"holds no certificates and key in PEM ({type(error).__name__})") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{KEY} is not an elliptic-curve key")
        for certificate in certificates:
            if certificate.public_key() == key.public_key():
                return cls(data[CERTIFICATE], certificate, key)
        raise AuthorityError(f"{KEY} fits no certificate of {CERTIFICATE}")

    def secret_data(self) -> dict[str, bytes]:
        """Returns the content of its Secret."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {CERTIFICATE: self.bundle, KEY: pem}

    def public_bundle(self) -> dict[str, str]:
        """Returns the content of the ConfigMap that proxies mount: PEM, and the SDS secret that Envoy watches.

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
        """Issues a certificate for these host names and IP addresses; `now` is in seconds since 1970."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin = datetime.datetime.fromtimestamp(now, datetime.UTC)
        end = min(begin + datetime.timedelta(days=DAYS), self._certificate.not_valid_after_utc)
        # A common name has at most 64 characters, and clients ignore it.
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
