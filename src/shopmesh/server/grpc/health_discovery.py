"""Health discovery (HDS): proxies check the health of their application and report whether it is ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envoy.service.health.v3.hds_pb2 import HealthCheckRequestOrEndpointHealthResponse
from google.protobuf.message import DecodeError

from shopmesh.server.grpc.admission import MOST_STREAMS, Admission, OpenStreams
from shopmesh.server.grpc.sessions import Methods, Principal, StreamError, Wake
from shopmesh.xds.health_check_specifier import is_ready, specifier
from shopmesh.xds.node import ProxyNode

METHOD = "/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck"
OnReadiness = Callable[[ProxyNode, bool], None]


def methods(on_readiness: OnReadiness, most_streams: int = MOST_STREAMS) -> Methods:
    """HDS; calls `on_readiness` with each proxy's first report and with every change after it.

    The end of a stream changes no readiness: the proxy may go on serving without its control plane.
    """
    streams = OpenStreams(most_streams)

    def open_session(principal: Principal | None, _: Wake) -> HealthSession:
        return HealthSession(streams.open(principal), on_readiness)

    return {METHOD: open_session}


class HealthSession:
    """One proxy's stream: first its node, which is answered with what to check, then its reports."""

    def __init__(self, admission: Admission, on_readiness: OnReadiness) -> None:
        self._admission = admission
        self._on_readiness = on_readiness
        self._specifiers: list[bytes] = []
        self._ready: bool | None = None

    def receive(self, data: bytes) -> None:
        try:
            message = HealthCheckRequestOrEndpointHealthResponse.FromString(data)
        except DecodeError as error:
            raise StreamError(str(error)) from None
        node = self._admission.node
        if node is None:
            node = self._admission.admit(message.health_check_request.node)
            if node.readiness:
                self._specifiers.append(specifier(node).SerializeToString())
            return
        # The client may have lost the right to be this node's proxy since the stream began.
        self._admission.require_right()
        ready = is_ready(node, message.endpoint_health_response)
        if ready is not self._ready:
            self._ready = ready
            self._on_readiness(node, ready)

    def take(self) -> Sequence[bytes]:
        messages, self._specifiers = self._specifiers, []
        return messages

    def finish(self) -> Sequence[bytes]:
        return ()

    def close(self) -> None:
        self._admission.close()
