"""TLS between proxies: what a listener terminates, and what its callers originate.

    listener  tls ─────────────────────► termination ─► transport socket of its filter chains
    caller    client policy ┐
    listener  tls           ┴──────────► origination ─► transport socket of the caller's cluster

https://docs.aws.amazon.com/app-mesh/latest/userguide/tls.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import (
    AUTHORITY_IN_ACM,
    CERTIFICATE_IN_ACM,
    CERTIFICATE_NOT_ALLOWED,
    NO_NAME_TO_CHECK,
)
from shopmesh.appmesh.document_types import (
    CertificateDocument,
    ClientTlsDocument,
    ListenerTlsDocument,
    TrustDocument,
    ValidationDocument,
)
from shopmesh.appmesh.host_policy import HostPolicy, certificate_problems
from shopmesh.appmesh.resolved import Target, enforces, listener_of, offers_tls
from shopmesh.appmesh.store import Key
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import XdsResource
from shopmesh.xds.translate.tls import secrets


class SecretSource(NamedTuple):
    """The source of a secret: one over ADS that names files; None: by name from the SDS server of the proxy's host."""

    name: str
    secret: XdsResource | None


class Termination(NamedTuple):
    """TLS of a listener; with `trust` clients need a certificate, for one of `names` if there are any."""

    permissive: bool
    certificate: SecretSource
    trust: SecretSource | None
    names: tuple[str, ...]

    @property
    def sources(self) -> Iterable[SecretSource]:
        return (self.certificate,) if self.trust is None else (self.certificate, self.trust)


class ClientPolicy(NamedTuple):
    """What a caller requires of connections to a backend. `trust` None: it is in ACM, which does not exist here.

    `forbidden_reason` names a file of the policy that the operator does not allow.
    """

    enforce: bool
    ports: frozenset[int]
    trust: SecretSource | None
    names: tuple[str, ...]
    certificate: SecretSource | None
    forbidden_reason: str | None = None

    def covers(self, target: Target) -> bool:
        return not self.ports or target.port in self.ports


class Origination(NamedTuple):
    """TLS of a cluster. Without `trust` it accepts any certificate."""

    trust: SecretSource | None = None
    names: tuple[str, ...] = ()
    certificate: SecretSource | None = None
    server_name: str = ""

    @property
    def sources(self) -> Iterable[SecretSource]:
        return [one for one in (self.certificate, self.trust) if one is not None]


def secrets_of(sources: Iterable[SecretSource]) -> tuple[XdsResource, ...]:
    """The secrets that the control plane has to send."""
    return tuple(one.secret for one in sources if one.secret is not None)


def termination(
    document: ListenerTlsDocument | None, key: Key, port: int, host_policy: HostPolicy
) -> Termination | Finding | None:
    """A listener's `tls`; None: plain text. A `Finding`: its TLS is not possible, and the listener must stay closed.

    Plain text instead would expose traffic in any mode: callers use TLS wherever a listener offers it.
    """
    if document is None or document["mode"] == "DISABLED":
        return None
    if forbidden_reason := _forbidden_reason(document, host_policy):
        return CERTIFICATE_NOT_ALLOWED.at(key, f"has TLS on port {port}: {forbidden_reason}")
    certificate = _certificate(document["certificate"])
    if certificate is None:
        arn = document["certificate"]["acm"]["certificateArn"]
        return CERTIFICATE_IN_ACM.at(key, f"takes the certificate of port {port} from ACM: {arn}")
    validation = document.get("validation")
    trust = _trust(validation["trust"]) if validation else None
    return Termination(document["mode"] == "PERMISSIVE", certificate, trust, _subject_alt_names(validation))


def client_policy(policy: ClientTlsDocument | None, host_policy: HostPolicy) -> ClientPolicy | None:
    """Translates the `tls` of a `clientPolicy`; None where it has none."""
    if policy is None:
        return None
    validation, certificate = policy["validation"], policy.get("certificate")
    return ClientPolicy(
        policy.get("enforce", True),
        frozenset(policy.get("ports") or ()),
        _trust(validation["trust"]),
        _subject_alt_names(validation),
        _certificate(certificate) if certificate else None,
        _forbidden_reason(policy, host_policy),
    )


def origination(view: TrackingView, target: Target, policy: ClientPolicy | None) -> Origination | Finding | None:
    """How a caller with that policy connects to a target; None: in plain text, a `Finding`: not at all.

    Without a policy for that port the server decides, and its certificate is not verified, as in App Mesh.
    """
    if not enforces(policy, target) and not offers_tls(listener_of(view, target)):
        return None
    name = _discovery_name(view, target)
    if policy is None or not policy.covers(target):
        return Origination(server_name=name)
    if policy.forbidden_reason is not None:
        return CERTIFICATE_NOT_ALLOWED.at(
            target.key, f"has a client policy for port {target.port}: {policy.forbidden_reason}"
        )
    if policy.trust is None:
        return AUTHORITY_IN_ACM.at(
            target.key, f"has a client policy for port {target.port} that trusts authorities in ACM"
        )
    names = policy.names or ((name,) if name else ())
    if not names:
        what = f"has a client policy for port {target.port} without subjectAlternativeNames, and no discovery name"
        return NO_NAME_TO_CHECK.at(target.key, what)
    return Origination(policy.trust, names, policy.certificate, name)


def _forbidden_reason(document: ListenerTlsDocument | ClientTlsDocument, host_policy: HostPolicy) -> str | None:
    return next((problem.message for problem in certificate_problems(host_policy, document, "")), None)


def _discovery_name(view: TrackingView, target: Target) -> str:
    """The name that a server's certificate must have when the policy names none."""
    found = view.get(Key("virtualNode", (target.mesh, target.node)))
    discovery = (found.spec.get("serviceDiscovery") or {}) if found else {}
    if "dns" in discovery:
        return str(discovery["dns"]["hostname"]).rstrip(".")
    if "awsCloudMap" in discovery:
        return f"{discovery['awsCloudMap']['serviceName']}.{discovery['awsCloudMap']['namespaceName']}"
    return ""


def _certificate(document: CertificateDocument) -> SecretSource | None:
    if "file" in document:
        secret = secrets.certificate(document["file"]["certificateChain"], document["file"]["privateKey"])
        return SecretSource(secret.name, secret)
    return SecretSource(document["sds"]["secretName"], None) if "sds" in document else None


def _trust(document: TrustDocument) -> SecretSource | None:
    if "file" in document:
        secret = secrets.trust(document["file"]["certificateChain"])
        return SecretSource(secret.name, secret)
    return SecretSource(document["sds"]["secretName"], None) if "sds" in document else None


def _subject_alt_names(validation: ValidationDocument | None) -> tuple[str, ...]:
    names = validation.get("subjectAlternativeNames") if validation else None
    return tuple(names["match"]["exact"]) if names else ()
