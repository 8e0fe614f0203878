"""The effect of each annotation, and applying them to a route or virtual host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shopmesh.appmesh.annotations.annotation_reader import read
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import ANNOTATION_WITHOUT_EFFECT
from shopmesh.appmesh.resolved import Target
from shopmesh.appmesh.store import Resource
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.translate.effects import faults, headers
from shopmesh.xds.translate.effects.effect_context import Annotatable, Effect, EffectContext
from shopmesh.xds.translate.effects.mirror import mirror
from shopmesh.xds.translate.effects.rate_limit import rate_limit

EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "mirror": mirror,
        "fault-delay": faults.delay,
        "fault-abort": faults.abort,
        "request-headers-add": headers.add_to_request,
        "request-headers-remove": headers.remove_from_request,
        "response-headers-add": headers.add_to_response,
        "response-headers-remove": headers.remove_from_response,
        "rate-limit": rate_limit,
    }
)


@dataclass(frozen=True)
class AnnotationResult:
    """What a changed message needs besides: the targets of mirrored requests."""

    mirrors: frozenset[Target]
    findings: tuple[Finding, ...]


def is_annotated(resource: Resource) -> bool:
    annotations = read(resource.key.kind, resource.tags)
    return bool(annotations.values or annotations.problems)


def annotate(view: TrackingView, resource: Resource, message: Annotatable) -> AnnotationResult:
    """Applies the annotations of a resource to its route or virtual host."""
    annotations = read(resource.key.kind, resource.tags)
    context = EffectContext(view, resource, message)
    for name, value in annotations.values.items():
        if name in EFFECTS:
            EFFECTS[name](context, value)
    for problem in annotations.problems:
        # The API refuses such values, but a store of an earlier version may hold them.
        context.findings.append(_without_effect_finding(resource, problem.field, problem.message))
    return AnnotationResult(frozenset(context.mirrors), tuple(context.findings))


def without_effect(resource: Resource, why: str) -> Iterable[Finding]:
    """Findings for a resource without HTTP, whose annotations change nothing."""
    for name in read(resource.key.kind, resource.tags).values:
        if name in EFFECTS:
            yield _without_effect_finding(resource, f"shopmesh.dev/{name}", why)


def _without_effect_finding(resource: Resource, tag: str, why: str) -> Finding:
    return ANNOTATION_WITHOUT_EFFECT.at(resource.key, f"has {tag} without effect: {why}")
