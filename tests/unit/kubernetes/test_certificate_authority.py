"""The control plane's authority: what it signs is good for those who trust it, and survives where it is kept."""

from __future__ import annotations

import datetime
import json

import pytest
from cryptography import x509
from cryptography.x509 import verification

from shopmesh.kubernetes.identity.certificate_authority import DAYS, AuthorityError, CertificateAuthority

NOW = 1_800_000_000.0
DAY = 86_400.0
HOST = "control-plane.shopmesh-system.svc.cluster.local"


def accepted(bundle: bytes, chain: bytes, host: str, at: float) -> bool:
    """Whether a client that trusts `bundle` takes that certificate, by the rules of RFC 5280 and the Web PKI."""
    store = verification.Store(x509.load_pem_x509_certificates(bundle))
    builder = verification.PolicyBuilder().store(store).time(_time(at))
    try:
        builder.build_server_verifier(x509.DNSName(host)).verify(x509.load_pem_x509_certificate(chain), [])
    except verification.VerificationError:
        return False
    return True


def _time(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def test_a_certificate_is_good_for_its_hosts_and_its_time() -> None:
    """For the names given and no other, from an hour ago for some weeks, and only for whoever trusts its authority."""
    authority, other = CertificateAuthority.create("one", NOW), CertificateAuthority.create("two", NOW)
    pair = authority.issue([HOST, "control-plane", "10.0.0.7"], NOW)

    assert accepted(authority.bundle, pair.chain, HOST, NOW)
    assert accepted(authority.bundle, pair.chain, HOST, NOW - 3_000)
    assert accepted(authority.bundle, pair.chain, HOST, pair.renew_at)
    assert not accepted(authority.bundle, pair.chain, "order", NOW)
    assert not accepted(authority.bundle, pair.chain, HOST, NOW + (DAYS + 1) * DAY)
    assert not accepted(other.bundle, pair.chain, HOST, NOW)


def test_what_is_kept_is_the_same_authority() -> None:
    """A control plane that starts again signs what proxies trust already."""
    authority = CertificateAuthority.create("one", NOW)
    again = CertificateAuthority.parse(authority.secret_data())

    assert authority.secret_data() == again.secret_data()
    assert accepted(authority.bundle, again.issue([HOST], NOW).chain, HOST, NOW)


def test_two_authorities_are_told_while_one_follows_the_other() -> None:
    """The one whose key is there signs, wherever it stands; all are told, as PEM and as Envoy's secret."""
    old, new = CertificateAuthority.create("old", NOW), CertificateAuthority.create("new", NOW)
    both = CertificateAuthority.parse({"ca.crt": old.bundle + new.bundle, "ca.key": new.secret_data()["ca.key"]})
    chain = both.issue([HOST], NOW).chain
    told = both.public_bundle()
    (secret,) = json.loads(told["ca.json"])["resources"]

    assert accepted(new.bundle, chain, HOST, NOW)
    assert not accepted(old.bundle, chain, HOST, NOW)
    assert (old.bundle + new.bundle).decode() == told["ca.crt"]
    assert told["ca.crt"] == secret["validation_context"]["trusted_ca"]["inline_string"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ca.key": b""}, "holds no certificates and key"),
        ({"ca.crt": b"x"}, "holds no certificates and key"),
        ({"ca.key": CertificateAuthority.create("other", NOW).secret_data()["ca.key"]}, "fits no certificate"),
    ],
)
def test_what_is_no_authority_is_said(changes: dict[str, bytes], why: str) -> None:
    """Without a word of the key."""
    data = {**CertificateAuthority.create("one", NOW).secret_data(), **changes}

    with pytest.raises(AuthorityError, match=why):
        CertificateAuthority.parse(data)
    with pytest.raises(AuthorityError, match=r"has no ca\.key"):
        CertificateAuthority.parse({"ca.crt": data["ca.crt"]})


def test_a_certificate_ends_with_its_authority() -> None:
    """One that outlived it would fail with a less clear reason."""
    authority = CertificateAuthority.create("one", NOW)
    soon = NOW + 365 * 10 * DAY - 3 * DAY
    pair = authority.issue([HOST], soon)

    assert pair.renew_at == pytest.approx(soon + 2 * DAY)
