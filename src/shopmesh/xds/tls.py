"""TLS between proxies: what a listener terminates, and what its callers originate.

    listener  tls ─────────────────────► termination ─► transport socket of its filter chains
    caller    client policy ┐
    listener  tls           ┴──────────► origination ─► transport socket of the caller's cluster

https://docs.aws.amazon.com/app-mesh/latest/userguide/tls.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shopmesh.appmesh.resolved import Target, listener_of
from shopmesh.appmesh.store import Document, Key
from shopmesh.xds import secrets
from shopmesh.xds.dependencies import Reader
from shopmesh.xds.limitations import Limitation
from shopmesh.xds.resources import XdsResource


class Source(NamedTuple):
    """Where a proxy takes a secret from: files, named by a secret over ADS; None: by name from the SDS of its host."""

    name: str
    secret: XdsResource | None


class Termination(NamedTuple):
    """TLS as a listener offers it; with `trust` clients must show a certificate, of one of `names` if there are any."""

    permissive: bool
    certificate: Source
    trust: Source | None
    names: tuple[str, ...]

    @property
    def sources(self) -> Iterable[Source]:
        return (self.certificate,) if self.trust is None else (self.certificate, self.trust)


class ClientPolicy(NamedTuple):
    """What a caller asks of its connections to a backend. `trust` None: it is in ACM, which is not here."""

    enforce: bool
    ports: frozenset[int]
    trust: Source | None
    names: tuple[str, ...]
    certificate: Source | None

    def covers(self, target: Target) -> bool:
        return not self.ports or target.port in self.ports


class Origination(NamedTuple):
    """TLS as a cluster begins it. Without `trust` any certificate will do."""

    trust: Source | None = None
    names: tuple[str, ...] = ()
    certificate: Source | None = None
    server_name: str = ""

    @property
    def sources(self) -> Iterable[Source]:
        return [one for one in (self.certificate, self.trust) if one is not None]


def secrets_of(sources: Iterable[Source]) -> tuple[XdsResource, ...]:
    """Those that the control plane has to send."""
    return tuple(one.secret for one in sources if one.secret is not None)


def termination(document: Document | None, where: str) -> Termination | Limitation | None:
    """A listener's `tls`; None: plain text. A `Limitation`: it cannot be had, and the listener must stay shut.

    Plain text instead would show what was meant to be secret, whatever the mode: callers took TLS where it was offered.
    """
    if document is None or document["mode"] == "DISABLED":
        return None
    certificate = _certificate(document["certificate"])
    if certificate is None:
        return Limitation(
            where,
            f"takes its certificate from ACM ({document['certificate']['acm']['certificateArn']}), which is not here",
            "nothing listens there: plain text is not served in place of TLS",
            "give tls.certificate.file with paths in the proxy's file system (or sds), or set the mode to DISABLED",
        )
    validation = document.get("validation")
    trust = _trust(validation["trust"]) if validation else None
    return Termination(document["mode"] == "PERMISSIVE", certificate, trust, _names(validation))


def client_policy(document: Document | None) -> ClientPolicy | None:
    """A `clientPolicy`; None where it says nothing about TLS."""
    policy = (document or {}).get("tls")
    if policy is None:
        return None
    validation, certificate = policy["validation"], policy.get("certificate")
    return ClientPolicy(
        policy.get("enforce", True),
        frozenset(policy.get("ports") or ()),
        _trust(validation["trust"]),
        _names(validation),
        _certificate(certificate) if certificate else None,
    )


def origination(reader: Reader, target: Target, policy: ClientPolicy | None) -> Origination | Limitation | None:
    """How a caller with that policy connects to a target: None in plain text, a `Limitation` not at all.

    Without a policy for that port the server decides, and its certificate is not checked, as in App Mesh.
    """
    enforced = policy is not None and policy.enforce and policy.covers(target)
    if not enforced and not _offered(reader, target):
        return None
    name = _discovery_name(reader, target)
    if policy is None or not policy.covers(target):
        return Origination(server_name=name)
    where = f"virtual node {target.mesh}/{target.node}, port {target.port}"
    if policy.trust is None:
        return Limitation(
            where,
            "a client policy for it trusts authorities in ACM, which are not here",
            "its callers cannot check the certificate, so they do not connect: their requests are answered 503",
            "give validation.trust.file with a path in the proxy's file system (or sds) in the client policy",
        )
    names = policy.names or ((name,) if name else ())
    if not names:
        return Limitation(
            where,
            "a client policy for it names no subjectAlternativeNames, and it has no discovery name to check instead",
            "any certificate of the authority would do, so its callers do not connect: they are answered 503",
            "give validation.subjectAlternativeNames in the client policy, or serviceDiscovery to the virtual node",
        )
    return Origination(policy.trust, names, policy.certificate, name)


def _offered(reader: Reader, target: Target) -> bool:
    document = listener_of(reader, target).get("tls") or {}
    return bool(document.get("mode", "DISABLED") != "DISABLED")


def _discovery_name(reader: Reader, target: Target) -> str:
    """The name that a server's certificate must have when the policy says none."""
    found = reader.get(Key("virtualNode", (target.mesh, target.node)))
    discovery = (found.spec.get("serviceDiscovery") or {}) if found else {}
    if "dns" in discovery:
        return str(discovery["dns"]["hostname"]).rstrip(".")
    if "awsCloudMap" in discovery:
        return f"{discovery['awsCloudMap']['serviceName']}.{discovery['awsCloudMap']['namespaceName']}"
    return ""


def _certificate(document: Document) -> Source | None:
    if "file" in document:
        secret = secrets.certificate(document["file"]["certificateChain"], document["file"]["privateKey"])
        return Source(secret.name, secret)
    return Source(document["sds"]["secretName"], None) if "sds" in document else None


def _trust(document: Document) -> Source | None:
    if "file" in document:
        secret = secrets.trust(document["file"]["certificateChain"])
        return Source(secret.name, secret)
    return Source(document["sds"]["secretName"], None) if "sds" in document else None


def _names(validation: Document | None) -> tuple[str, ...]:
    found: Sequence[str] = ((validation or {}).get("subjectAlternativeNames") or {}).get("match", {}).get("exact", ())
    return tuple(found)
