"""Shows planned steps as a unified diff of manifests. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from shopmesh.appmesh.store import Key
from shopmesh.client.plan import PlanStep, label
from shopmesh.documents import DeclaredResource, as_yaml, is_ours, manifests
from shopmesh.documents.equality import equivalent


def diff(existing: Iterable[DeclaredResource], steps: Sequence[PlanStep]) -> Iterator[str]:
    """Yields the lines of the diff, without line feeds; none when nothing would change.

    A route is shown in its router's manifest; tags that a manifest cannot hold are shown separately.
    """
    touched = {step.resource.key.mesh for step in steps if step.requests}
    before = {resource.key: resource for resource in existing if resource.key.mesh in touched}
    was, shall = _manifest_texts(before.values()), _manifest_texts(_apply_steps(before, steps).values())
    yield from diff_texts(was, shall, "mesh", "files")


def diff_texts(was: Mapping[str, str], shall: Mapping[str, str], before: str, after: str) -> Iterator[str]:
    """Yields the lines of the diffs of texts by name; `before` and `after` are the folders that the diff names."""
    for name in sorted({*was, *shall}):
        yield from difflib.unified_diff(
            was.get(name, "").splitlines(),
            shall.get(name, "").splitlines(),
            f"{before}/{name}" if name in was else "/dev/null",
            f"{after}/{name}" if name in shall else "/dev/null",
            lineterm="",
        )


def _apply_steps(before: dict[Key, DeclaredResource], steps: Sequence[PlanStep]) -> dict[Key, DeclaredResource]:
    after = dict(before)
    for step in steps:
        key = step.resource.key
        if step.verb == "deleted":
            after.pop(key, None)
        elif step.verb == "created":
            after[key] = step.resource
        elif step.verb == "updated":
            after[key] = _merge(before[key], step.resource)
    return after


def _merge(before: DeclaredResource, wanted: DeclaredResource) -> DeclaredResource:
    kept = {name: value for name, value in before.tags.items() if not (wanted.complete and is_ours(name))}
    spec = before.spec if equivalent(before.spec, wanted.spec) else wanted.spec
    return replace(wanted, spec=spec, tags={**kept, **wanted.tags})


def _manifest_texts(resources: Iterable[DeclaredResource]) -> dict[str, str]:
    known = list(resources)
    texts = {}
    for manifest in manifests(known):
        metadata = manifest["metadata"]
        names = [manifest["kind"], metadata.get("namespace"), metadata["name"]]
        texts["/".join(str(name) for name in names if name)] = as_yaml([manifest])
    for resource in known:
        if others := {name: value for name, value in sorted(resource.tags.items()) if not is_ours(name)}:
            texts[f"tags of {label(resource.key)}"] = as_yaml([others])
    return texts
