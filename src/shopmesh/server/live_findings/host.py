"""Findings about stored documents that ask for more on Envoy's host than the operator allows; it is left out."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import CERTIFICATE_NOT_ALLOWED, NOT_ALLOWED
from shopmesh.appmesh.host_policy import CERTIFICATE_FILES, problems
from shopmesh.appmesh.store import Resource
from shopmesh.xds.incremental import TrackingView


def host_findings(view: TrackingView, resource: Resource) -> Iterator[Finding]:
    """One finding for each such part of a document."""
    for problem in problems(view.host_policy, resource.spec, [name for name, _ in resource.tags]):
        is_certificate = problem.field.rpartition(".")[2] in CERTIFICATE_FILES
        found = CERTIFICATE_NOT_ALLOWED if is_certificate else NOT_ALLOWED
        yield found.at(resource.key, f"{problem.field}: {problem.message}")
