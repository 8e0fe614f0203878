"""What the effects of annotations work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.type.v3.percent_pb2 import FractionalPercent

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Resource
from shopmesh.xds.incremental import TrackingView

Annotatable: TypeAlias = Route | VirtualHost


@dataclass(frozen=True)
class EffectContext:
    """The message that effects change, the resource with the annotations, and what the effects add besides."""

    view: TrackingView
    resource: Resource
    message: Annotatable
    mirrors: list[Target] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


Effect = Callable[[EffectContext, Any], None]
"""Changes the message of the context by the value of the annotation."""


def share(millionths: int) -> FractionalPercent:
    return FractionalPercent(numerator=millionths, denominator=FractionalPercent.MILLION)
