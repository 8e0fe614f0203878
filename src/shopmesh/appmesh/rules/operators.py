"""The command operators of Envoy's access logs, such as `%REQ(X-ID)%`: an unknown one costs a proxy all its listeners.

https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/advanced/substitution_formatter; each was tried on 1.40.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from shopmesh.appmesh.api.validation import Problem, quote

WITHOUT_ARGUMENT = frozenset(
    """
    ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_RETRANSMITTED BYTES_SENT CONNECTION_ID CONNECTION_TERMINATION_DETAILS
    CUSTOM_FLAGS DOWNSTREAM_CX_RTT DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED
    DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT DOWNSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_DIRECT_LOCAL_ADDRESS
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_DIRECT_LOCAL_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS
    DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_HEADER_BYTES_RECEIVED
    DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID
    DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_LOCAL_IP_SAN
    DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN
    DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1 DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256
    DOWNSTREAM_PEER_CHAIN_SERIALS DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1
    DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER
    DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256 DOWNSTREAM_PEER_ISSUER_SERIAL DOWNSTREAM_PEER_OTHERNAME_SAN
    DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_REMOTE_ADDRESS
    DOWNSTREAM_REMOTE_PORT DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_GROUP DOWNSTREAM_TLS_SESSION_ID
    DOWNSTREAM_TLS_VERSION DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED
    DOWNSTREAM_WIRE_BYTES_SENT DURATION FILTER_CHAIN_NAME GRPC_STATUS_NUMBER HOSTNAME LISTENER_NAME LOCAL_REPLY_BODY
    PACKETS_RETRANSMITTED PROTOCOL REQUEST_DURATION REQUEST_HEADERS_BYTES REQUEST_TX_DURATION RESPONSE_CODE
    RESPONSE_DURATION RESPONSE_FLAGS RESPONSE_FLAGS_LONG RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES
    RESPONSE_TX_DURATION ROUNDTRIP_DURATION ROUTE_NAME ROUTE_RESOLUTION_COUNT ROUTE_RESOLUTION_TIME_US SPAN_ID
    STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID UNIQUE_ID UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW
    UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_IDS_ATTEMPTED UPSTREAM_CONNECTION_POOL_READY_DURATION
    UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT UPSTREAM_DETECTED_CLOSE_TYPE
    UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOST UPSTREAM_HOSTS_ATTEMPTED
    UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME UPSTREAM_HOST_NAMES_ATTEMPTED
    UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_LOCAL_ADDRESS
    UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_LOCAL_DNS_SAN UPSTREAM_LOCAL_IP_SAN UPSTREAM_LOCAL_PORT
    UPSTREAM_LOCAL_URI_SAN UPSTREAM_PEER_CERT UPSTREAM_PEER_DNS_SAN UPSTREAM_PEER_IP_SAN UPSTREAM_PEER_ISSUER
    UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_URI_SAN UPSTREAM_PROTOCOL UPSTREAM_REMOTE_ADDRESS
    UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID UPSTREAM_REMOTE_PORT UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_SERVER_NAME
    UPSTREAM_TLS_CIPHER UPSTREAM_TLS_GROUP UPSTREAM_TLS_SESSION_ID UPSTREAM_TLS_VERSION
    UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME
    """.split()  # noqa: SIM905  # a hundred quoted names would be a hundred lines
)
"""They take neither an argument nor a length."""


class Argument(NamedTuple):
    """What an operator takes in parentheses, and the message where something else is written."""

    form: re.Pattern[str]
    hint: str
    required: bool = False
    length: bool = True


def _argument(form: str, hint: str, required: bool = False, length: bool = True) -> Argument:
    return Argument(re.compile(form, re.DOTALL), hint, required, length)


_HEADER = r"(?::?[!#$&'*+.^_`|~0-9A-Za-z-]*)"
_OF_HEADER = _argument(rf"{_HEADER}(?:\?{_HEADER})?", "the name of a header, or of two as A?B", required=True)
_ANYTHING = _argument(".*", "a format")
_SOMETHING = _argument(".+", "what it is to look up", required=True)
_KINDS_OF_METADATA = "DYNAMIC|CLUSTER|ROUTE|UPSTREAM_HOST|LISTENER|LISTENER_FILTER_CHAIN|VIRTUAL_HOST"
_STATE = _argument(
    "[^:]+(?::(?:PLAIN|TYPED|FIELD:.+))?", "a key, and PLAIN, TYPED or FIELD:NAME after a colon", required=True
)

WITH_ARGUMENT: Mapping[str, Argument] = MappingProxyType(
    {
        **dict.fromkeys(
            ("REQ", "RESP", "TRAILER", "REQUEST_HEADER", "RESPONSE_HEADER", "RESPONSE_TRAILER"), _OF_HEADER
        ),
        **dict.fromkeys(
            ("START_TIME", "START_TIME_LOCAL", "EMIT_TIME", "EMIT_TIME_LOCAL"), _ANYTHING._replace(length=False)
        ),
        **{f"{side}_PEER_CERT_V_{end}": _ANYTHING for side in ("DOWNSTREAM", "UPSTREAM") for end in ("START", "END")},
        **{
            f"{address}_ADDRESS_WITHOUT_PORT": _ANYTHING
            for address in (
                *("DOWNSTREAM_DIRECT_LOCAL", "DOWNSTREAM_DIRECT_REMOTE", "DOWNSTREAM_LOCAL", "DOWNSTREAM_REMOTE"),
                *("UPSTREAM_LOCAL", "UPSTREAM_REMOTE"),
            )
        },
        **dict.fromkeys(
            (
                *("CEL", "CLUSTER_METADATA", "COALESCE", "DYNAMIC_METADATA", "ENVIRONMENT", "QUERY_PARAM"),
                *("STREAM_INFO_REQ", "UPSTREAM_METADATA", "XFCC_VALUE"),
            ),
            _SOMETHING,
        ),
        **dict.fromkeys(("FILTER_STATE", "UPSTREAM_FILTER_STATE"), _STATE),
        "COMMON_DURATION": _argument("[^:]+:[^:]+:(?:ms|us|ns)", "START:END:PRECISION (ms, us or ns)", required=True),
        "GRPC_STATUS": _argument(
            "|CAMEL_STRING|SNAKE_STRING|NUMBER", "CAMEL_STRING, SNAKE_STRING or NUMBER", length=False
        ),
        "METADATA": _argument(
            f"(?:{_KINDS_OF_METADATA})(?::.*)?",
            f"one of {_KINDS_OF_METADATA.replace('|', ', ')}, and a key",
            required=True,
        ),
        "PATH": _argument("|(?:WQ|NQ)(?::(?:ORIG|PATH|ORIG_OR_PATH))?", "WQ or NQ, then :ORIG, :PATH or :ORIG_OR_PATH"),
        "QUERY_PARAMS": _argument("|ORIG|DECODED", "ORIG or DECODED"),
        "REQUESTED_SERVER_NAME": _argument(
            "|(?:SNI_ONLY|SNI_FIRST|HOST_FIRST)(?::.*)?", "SNI_ONLY, SNI_FIRST or HOST_FIRST"
        ),
        "RESPONSE_CODE_DETAILS": _argument("|ALLOW_WHITESPACES", "ALLOW_WHITESPACES"),
    }
)

_OPERATOR = re.compile(r"%(?:%|(?P<name>[A-Z][A-Z0-9_]*)(?:\((?P<argument>[^)]*)\))?(?P<length>:\d+)?%)")


def problems(text: str, field: str) -> Iterator[Problem]:
    """What Envoy would refuse in a format."""
    if "%" in _OPERATOR.sub("", text):
        yield Problem(field, f"{quote(text)} has a % that does not begin an operator; write %% for a percent sign")
    for found in _OPERATOR.finditer(text):
        if found["name"] is not None and (problem := _problem(found["name"], found["argument"], found["length"])):
            yield Problem(field, f"{quote(found[0])} {problem}")


def _problem(name: str, argument: str | None, length: str | None) -> str | None:
    if name in WITHOUT_ARGUMENT:
        return "takes neither an argument nor a length" if argument or length else None
    takes = WITH_ARGUMENT.get(name)
    if takes is None:
        return "is not an operator of Envoy's access logs"
    if length and not takes.length:
        return "takes no length"
    if not argument and takes.required:
        return f"needs {takes.hint} in parentheses"
    if argument and not takes.form.fullmatch(argument):
        return f"takes {takes.hint} in its parentheses"
    return None
