"""Tracing by the X-Ray SDK: one segment a request, one subsegment a call, sent to the daemon over UDP.

The SDK's recorder keeps the open segment in a variable of the thread and asks the daemon for sampling rules in a
thread of its own. Neither is needed here: segments are passed as arguments, and the caller decides on
sampling (the default is "sampled"). So its models and its emitter are used without the recorder.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter
from aws_xray_sdk.core.models.segment import Segment
from aws_xray_sdk.core.models.subsegment import Subsegment
from aws_xray_sdk.core.models.trace_header import TraceHeader

from services.chassis.tracing import Environ, Headers, new_trace_id, propagated_headers, trace_headers, trace_id


class XRay:
    """Traces one process; each segment is sent when it ends. `daemon` is `host:port`."""

    def __init__(self, name: str, version: str, daemon: str) -> None:
        self._name = name
        self._version = version
        self._emitter = UDPEmitter(daemon)

    def begin(self, environ: Environ) -> _SegmentTrace:
        header = TraceHeader.from_header_str(str(environ.get("HTTP_X_AMZN_TRACE_ID", "")))
        w3c = str(environ.get("HTTP_TRACEPARENT", ""))
        if header.root:
            identity = trace_id({"x-amzn-trace-id": f"Root={header.root}"})
            parent, sampled = header.parent, header.sampled != 0
        else:
            identity = trace_id({"traceparent": w3c})
            parent, sampled = (w3c.split("-")[2], w3c[-1:] in "13579bdf") if identity else (None, True)
        identity = identity or new_trace_id()
        segment = Segment(self._name, traceid=f"1-{identity[:8]}-{identity[8:]}", parent_id=parent, sampled=sampled)
        segment.set_service({"version": self._version})
        segment.put_http_meta("method", str(environ["REQUEST_METHOD"]))
        segment.put_http_meta("url", str(environ["PATH_INFO"]))
        return _SegmentTrace(segment, identity, self._emitter, propagated_headers(environ))

    def close(self) -> None:
        pass


class _SegmentTrace:
    def __init__(self, segment: Segment, identity: str, emitter: UDPEmitter, headers: Headers) -> None:
        self.id: str | None = identity
        self._segment = segment
        self._emitter = emitter
        self._carried = headers

    def call(self, peer: str, url: str) -> _SubsegmentCall:
        # `remote` and the peer's name make an edge in X-Ray's service map.
        subsegment = Subsegment(peer, "remote", self._segment)
        self._segment.add_subsegment(subsegment)
        subsegment.put_http_meta("method", "GET")
        subsegment.put_http_meta("url", url)
        headers = trace_headers(str(self.id), subsegment.id, self._segment.sampled)
        return _SubsegmentCall(subsegment, {**self._carried, **headers})

    def end(self, route: str, status: int) -> None:
        self._segment.put_annotation("route", route)
        self._segment.apply_status_code(status)
        self._segment.put_http_meta("status", status)
        self._segment.close()
        if self._segment.sampled:
            self._emitter.send_entity(self._segment)


class _SubsegmentCall:
    def __init__(self, subsegment: Subsegment, headers: Headers) -> None:
        self._subsegment = subsegment
        self.headers = headers

    def end(self, status: int | None, error: str | None = None) -> None:
        if status is None:
            self._subsegment.add_fault_flag()
            self._subsegment.put_metadata("error", error)
        else:
            self._subsegment.put_http_meta("status", status)
        self._subsegment.close()
