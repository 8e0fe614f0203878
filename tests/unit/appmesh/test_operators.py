"""Formats of access logs: what Envoy refuses is refused before it. The same examples are tried on a real Envoy."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.rules.operators import problems

ACCEPTED = (
    "plain text",
    "100%%",
    "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):10% %RESP(content-type)% %TRAILER(grpc-status)%",
    "%START_TIME% %START_TIME(%Y/%m/%dT%H:%M:%S%z %s.%3f)% %EMIT_TIME_LOCAL%",
    "%RESPONSE_CODE%%RESPONSE_FLAGS%",
    "%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)% %PATH(NQ:ORIG)% %QUERY_PARAMS(DECODED)%",
    "%GRPC_STATUS(CAMEL_STRING)% %GRPC_STATUS_NUMBER% %REQUESTED_SERVER_NAME(SNI_FIRST:ORIG)%",
    "%DYNAMIC_METADATA(a:b):9% %METADATA(ROUTE:a)% %CLUSTER_METADATA(a)% %UPSTREAM_METADATA(a)%",
    "%FILTER_STATE(a)% %FILTER_STATE(a:PLAIN)% %FILTER_STATE(a:FIELD:b)%",
    "%COMMON_DURATION(DS_RX_BEG:US_RX_END:ms)% %CEL(request.path)% %ENVIRONMENT(HOME)% %QUERY_PARAM(q)%",
    "%DOWNSTREAM_PEER_CERT_V_START(%b)% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %TRACE_ID% %XFCC_VALUE(uri)%",
)
REFUSED = (
    "100%",
    "a%b%c",
    "%req(A)%",
    "%REQ(x)y%",
    "%REQ%",
    "%REQ()%",
    "%REQ(a b)%",
    "%REQ(A?B?C)%",
    "%NOSUCH%",
    "%FILE_CONTENT(/etc/passwd)%",
    "%RESPONSE_CODE:5%",
    "%DURATION(x)%",
    "%START_TIME:5%",
    "%GRPC_STATUS(x)%",
    "%METADATA(x:y)%",
    "%METADATA%",
    "%PATH(x)%",
    "%COMMON_DURATION(a:b:s)%",
    "%FILTER_STATE%",
    "%FILTER_STATE(a:FIELD)%",
    "%FILTER_STATE(a:b:c)%",
)


@pytest.mark.parametrize("text", ACCEPTED)
def test_an_operator_that_envoy_knows_passes(text: str) -> None:
    """With the arguments and lengths that it takes."""
    assert [] == list(problems(text, "format"))


@pytest.mark.parametrize("text", REFUSED)
def test_what_envoy_refuses_is_refused_first(text: str) -> None:
    """Once for what is wrong, naming the field."""
    (problem,) = problems(text, "format")

    assert problem.field == "format"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("%NOSUCH%", "not an operator"),
        ("%DURATION(x)%", "neither an argument nor a length"),
        ("%REQ()%", "the name of a header"),
        ("%GRPC_STATUS(x)%", "CAMEL_STRING, SNAKE_STRING or NUMBER"),
        ("50%", "write %%"),
    ],
)
def test_the_message_says_what_is_right(text: str, advice: str) -> None:
    """Nobody has to look it up."""
    (problem,) = problems(text, "format")

    assert advice in problem.message
