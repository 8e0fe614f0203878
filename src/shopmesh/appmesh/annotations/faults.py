"""Fault injection: delayed responses, and responses in place of the service's."""

from __future__ import annotations

import re
from typing import NamedTuple

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError
from shopmesh.appmesh.annotations.quantities import milliseconds, split_share

KINDS = ("route", "virtualService", "virtualNode", "gatewayRoute", "virtualGateway")


class Delay(NamedTuple):
    """`share` in millionths."""

    milliseconds: int
    share: int


class Abort(NamedTuple):
    """`share` in millionths."""

    status: int
    share: int


def parse_delay(text: str) -> Delay:
    length, share = split_share(text)
    return Delay(milliseconds(length), share)


def parse_abort(text: str) -> Abort:
    status, share = split_share(text)
    if not re.fullmatch("[2-5][0-9][0-9]", status):
        raise AnnotationError(f"{status!r} is not an HTTP status from 200 to 599")
    return Abort(int(status), share)


FAULT_DELAY = Annotation("fault-delay", KINDS, "this share of the requests is delayed", "2s 5%", parse_delay)
FAULT_ABORT = Annotation(
    "fault-abort", KINDS, "this share of the requests is answered with this status by the proxy", "503 1%", parse_abort
)
