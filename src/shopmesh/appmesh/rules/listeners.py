"""Listeners of virtual nodes, virtual routers and virtual gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.resolved import Listener, listeners
from shopmesh.appmesh.rules.rule_input import RuleInput, duration_problems, timeout_problems


def ports_differ(candidate: RuleInput) -> Iterator[Problem]:
    """Envoy refuses two listeners of one port."""
    seen: set[int] = set()
    for field, listener in _listeners(candidate):
        if listener.port in seen:
            yield Problem(f"{field}.portMapping.port", f"port {listener.port} already has a listener; use another port")
        seen.add(listener.port)


def health_checks(candidate: RuleInput) -> Iterator[Problem]:
    for field, listener in _listeners(candidate):
        check = listener.document.get("healthCheck")
        if check is None:
            continue
        here = f"{field}.healthCheck"
        if check.get("port", listener.port) != listener.port:
            yield Problem(f"{here}.port", f"{check['port']} must be the listener's port, {listener.port}")
        # https://github.com/hashicorp/terraform-provider-aws/issues/21359
        if check["protocol"] == "grpc" and listener.protocol not in ("grpc", "http2"):
            text = f"grpc requires a listener of grpc or http2, this one is {listener.protocol}"
            yield Problem(f"{here}.protocol", text)
        if "path" in check and not check["path"].startswith("/"):
            yield Problem(f"{here}.path", f"{quote(check['path'])} must begin with /")


def protocols_agree(candidate: RuleInput) -> Iterator[Problem]:
    """Time-outs and connection pools are given for the listener's own protocol."""
    for field, listener in _listeners(candidate):
        protocol = listener.protocol
        by_protocol: dict[str, Mapping[str, object]] = {
            "timeout": listener.document.get("timeout", {}),
            "connectionPool": listener.document.get("connectionPool", {}),
        }
        for member, documents in by_protocol.items():
            for kind in documents:
                if kind != protocol:
                    yield Problem(f"{field}.{member}.{kind}", f"the listener is {protocol}; set {member}.{protocol}")


def durations(candidate: RuleInput) -> Iterator[Problem]:
    for field, listener in _listeners(candidate):
        for kind, timeout in listener.document.get("timeout", {}).items():
            yield from timeout_problems(timeout, f"{field}.timeout.{kind}")
        if (detection := listener.document.get("outlierDetection")) is not None:
            here = f"{field}.outlierDetection"
            yield from duration_problems(detection["interval"], f"{here}.interval", positive=True)
            yield from duration_problems(
                detection["baseEjectionDuration"], f"{here}.baseEjectionDuration", positive=True
            )


def _listeners(candidate: RuleInput) -> Iterator[tuple[str, Listener]]:
    for index, listener in enumerate(listeners(candidate)):
        yield f"spec.listeners[{index}]", listener
