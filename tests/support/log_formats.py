"""Formats of access logs that Envoy accepts, and such that it refuses."""

from __future__ import annotations

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
