"""Envoy's resources as JSON to read: with Envoy's own field names, and without anything that is secret.

    XdsResource ─► message ─► what Envoy marks as sensitive is removed ─► JSON ─► names and texts of secrets are removed

Envoy marks fields of its messages that it leaves out of its own dumps (`udpa.annotations.sensitive`). Its Structs, and
headers that documents or patches add, have no such marks: there the names of fields and headers decide. Certificates
are public, and are shown by subject, issuer, expiry and hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf import json_format, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.wrappers_pb2 import StringValue
from udpa.annotations.sensitive_pb2 import sensitive

from shopmesh.appmesh.annotations.annotation import AnnotationError
from shopmesh.appmesh.annotations.protobuf import message_type
from shopmesh.xds.resources import TypeName, XdsResource

REDACTED = "[redacted]"
_MOST_NESTED = 60
"""Levels of a resource that are shown; what Envoy accepts has fewer."""
_SECRET_FIELD = re.compile(
    r"(?:^|[_\-.])(?:tokens?|passwords?|passwd|passphrase|secrets?|api_?keys?|private_?keys?|access_?keys?|json_?key"
    r"|credentials?)$",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(
    r"(?:^|[-_])auth(?:orization|entication)?(?:$|[-_])|token|secret|password|api[-_]?key|access[-_]?key|cookie"
    r"|credential|session",
    re.IGNORECASE,
)
_PLACES = frozenset({"filename", "environment_variable", "name", "@type", "path"})
"""Fields that say where a secret is, and not what it is."""
_MATCHES = frozenset(
    {"string_match", "exact_match", "prefix_match", "suffix_match", "contains_match", "safe_regex_match"}
)
_CERTIFICATES = frozenset({"certificate_chain", "trusted_ca"})
_PRIVATE_KEY = "PRIVATE KEY"
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+[^\s\"']+|(?<=://)[^/\s@]+@", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def readable(kind: TypeName, one: XdsResource) -> dict[str, Any]:
    """`{"name", "version", "resource": {…}}`; of a secret `subject`, `issuer`, `expires`, `sha256` and `files` instead.

    `expires` is in seconds since 1970. What is in a file of the proxy's own file system is not known here, and None.
    """
    body: AnyMessage = DeltaDiscoveryResponse.FromString(one.encoded).resources[0].resource
    head = {"name": one.name, "version": one.version}
    message = _unpack(body)
    if kind == "secrets":
        return {**head, **_secret(message if isinstance(message, Secret) else Secret())}
    return {**head, "resource": to_document(message) if message is not None else {"unknown": _placeholder(body)}}


def to_document(message: Message) -> dict[str, Any]:
    """The JSON of a message without its secrets; one that has no JSON is shown as such."""
    copied = type(message)()
    copied.CopyFrom(message)
    _redact(copied, 0)
    try:
        found = MessageToDict(copied, preserving_proto_field_name=True)
    except (json_format.Error, ValueError, TypeError) as error:
        return {"unknown": f"[it cannot be written as JSON: {type(error).__name__}]"}
    return _clean_object(found)


def _secret(secret: Secret) -> dict[str, Any]:
    pair, trust = secret.tls_certificate, secret.validation_context
    source = trust.trusted_ca if secret.HasField("validation_context") else pair.certificate_chain
    files = [one.filename for one in (pair.certificate_chain, pair.private_key, trust.trusted_ca) if one.filename]
    content = source.inline_bytes or source.inline_string.encode()
    return {**_certificate(content.decode("ascii", "replace")), "files": files}


def _certificate(pem: str) -> dict[str, Any]:
    """What is public of the first certificate of a chain."""
    unknown = {"subject": None, "issuer": None, "expires": None, "sha256": None}
    found = _PEM.search(pem)
    if found is None:
        return unknown
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        return unknown
    return {**unknown, **_details(der), "sha256": hashlib.sha256(der).hexdigest()}


def _details(der: bytes) -> dict[str, Any]:
    """Subject, issuer and expiry, where the library is installed that a control plane in Kubernetes needs as well."""
    try:
        from cryptography import x509
    except ImportError:
        return {}
    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "subject": found.subject.rfc4514_string(),
            "issuer": found.issuer.rfc4514_string(),
            "expires": found.not_valid_after_utc.timestamp(),
        }
    except ValueError:
        return {}


# by Envoy's marks


def _redact(message: Message, depth: int) -> None:
    """Removes what Envoy marks as sensitive, also inside packed messages."""
    for field, value in message.ListFields():
        if field.GetOptions().Extensions[sensitive]:
            _redact_field(message, field)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if depth >= _MOST_NESTED:
                message.ClearField(field.name)
                continue
            for one in _messages(field, value):
                if isinstance(one, AnyMessage):
                    _redact_any(one, depth + 1)
                else:
                    _redact(one, depth + 1)


def _redact_any(packed: AnyMessage, depth: int) -> None:
    message = _unpack(packed)
    if message is None:
        packed.Pack(StringValue(value=_placeholder(packed)))
        return
    _redact(message, depth)
    url = packed.type_url
    packed.Pack(message)
    packed.type_url = url


def _redact_field(message: Message, field: FieldDescriptor) -> None:
    value = getattr(message, field.name)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        for one in _messages(field, value):
            if isinstance(one, DataSource):
                _redact_source(one)
            else:
                one.Clear()
    elif field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
        setattr(message, field.name, REDACTED)
    else:
        message.ClearField(field.name)


def _redact_source(source: DataSource) -> None:
    if source.WhichOneof("specifier") in ("inline_bytes", "inline_string"):
        source.inline_string = REDACTED


def _messages(field: FieldDescriptor, value: Any) -> list[Message]:
    if not field.is_repeated:
        return [value]
    entry = field.message_type
    assert entry is not None  # noqa: S101  # it is a field of messages
    if entry.GetOptions().map_entry:
        if entry.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
            return []
        return list(value.values())
    return list(value)


def _unpack(packed: AnyMessage) -> Message | None:
    """The message; None for a type that is not known here, or bytes that are not of its type."""
    name = packed.type_url.rpartition("/")[2]
    try:
        found = message_factory.GetMessageClass(message_type(name))()
        found.ParseFromString(packed.value)
    except (AnnotationError, DecodeError):
        return None
    return found


def _placeholder(packed: AnyMessage) -> str:
    return f"[{len(packed.value)} bytes of the type {packed.type_url}, which cannot be shown]"


# by names and texts


def _clean_object(found: dict[str, Any]) -> dict[str, Any]:
    named = found.get("name") or found.get("header_name")
    pair = found.get("key") or found.get("header") or found.get("header_name")
    cleaned = {}
    for key, value in found.items():
        is_value = key in ("value", "raw_value") and isinstance(pair, str) and _SECRET_HEADER.search(pair)
        is_match = key in _MATCHES and isinstance(named, str) and _SECRET_HEADER.search(named)
        if is_value or is_match or (_SECRET_FIELD.search(key) and key not in _PLACES):
            cleaned[key] = _without_texts(value)
        elif key in _CERTIFICATES and isinstance(value, dict) and value.keys() & {"inline_bytes", "inline_string"}:
            cleaned[key] = _certificate(_inline_text(value))
        elif key == "inline_bytes" and isinstance(value, str) and _PRIVATE_KEY in _inline_text({key: value}):
            cleaned[key] = REDACTED
        else:
            cleaned[key] = _clean(value)
    return cleaned


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return _clean_object(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, str):
        if _PRIVATE_KEY in value:
            return REDACTED
        return _CREDENTIALS.sub(lambda found: f"{found[1]} {REDACTED}" if found[1] else f"{REDACTED}@", value)
    return value


def _without_texts(value: Any) -> Any:
    """The same without any text and number, except those that say where it is."""
    if isinstance(value, dict):
        return {key: one if key in _PLACES else _without_texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_texts(one) for one in value]
    return value if isinstance(value, bool) or value is None else REDACTED


def _inline_text(source: dict[str, Any]) -> str:
    if "inline_string" in source:
        return str(source["inline_string"])
    try:
        return base64.b64decode(source["inline_bytes"]).decode("ascii", "replace")
    except (binascii.Error, ValueError):
        return ""
