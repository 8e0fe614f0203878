"""The effect of each word, and what they do together."""

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
    """What a message needs beside it: the clusters that copies go to."""

    mirrors: frozenset[Target]
    findings: tuple[Finding, ...]


def is_annotated(resource: Resource) -> bool:
    said = read(resource.key.kind, resource.tags)
    return bool(said.values or said.problems)


def annotate(view: TrackingView, resource: Resource, message: Annotatable) -> AnnotationResult:
    """Changes a route or virtual host as the annotations of its resource say."""
    said = read(resource.key.kind, resource.tags)
    context = EffectContext(view, resource, message)
    for word, value in said.values.items():
        if word in EFFECTS:
            EFFECTS[word](context, value)
    for problem in said.problems:
        # The API refuses them; a store of an earlier version may hold one.
        context.findings.append(_finding(resource, problem.field, problem.message))
    return AnnotationResult(frozenset(context.mirrors), tuple(context.findings))


def without_effect(resource: Resource, why: str) -> Iterable[Finding]:
    """For a resource that has no HTTP which its annotations could change."""
    for word in read(resource.key.kind, resource.tags).values:
        if word in EFFECTS:
            yield _finding(resource, f"shopmesh.dev/{word}", why)


def _finding(resource: Resource, tag: str, why: str) -> Finding:
    return ANNOTATION_WITHOUT_EFFECT.at(resource.key, f"has {tag} without effect: {why}")
