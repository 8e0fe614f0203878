"""`shopmesh.dev/patch`: what users merge into the resources of their own proxies.

Each resource and patch is a computation of its own, so that a change of one cluster patches that cluster alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from shopmesh.appmesh.annotations.annotation_reader import read
from shopmesh.appmesh.annotations.patch import PATCH, Patch
from shopmesh.appmesh.annotations.protobuf import merge_patch
from shopmesh.appmesh.api.validation import hint
from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import PATCH_NOT_APPLIED
from shopmesh.appmesh.store import Key
from shopmesh.xds.incremental import TrackingView
from shopmesh.xds.resources import Collection, TypeName, XdsResource, resource, serialise

PATCHABLE: Mapping[TypeName, tuple[str, type[Message]]] = {
    "clusters": ("cluster", Cluster),
    "listeners": ("listener", Listener),
    "routes": ("routes", RouteConfiguration),
}
"""The types of resources that can be patched, each with its name in a patch and its message."""


@dataclass(frozen=True)
class PatchResult:
    collection: Collection
    findings: tuple[Finding, ...] = ()


def apply_patches(view: TrackingView, key: Key, collection: Collection) -> PatchResult:
    """Computation: a collection with the patches of the virtual node or gateway whose proxies get it."""
    kind, _ = PATCHABLE[collection.kind]
    patches = [patch for patch in view.compute(_patches, key) if patch.kind == kind]
    if not patches:
        return PatchResult(collection)
    resources = dict(collection.resources)
    findings = []
    for patch in patches:
        names = [name for name in resources if fnmatchcase(name, patch.name)]
        if not names:
            findings.append(
                _not_applied(key, patch, f"its proxies have no {kind} of that name; {hint(patch.name, resources)}")
            )
        for name in names:
            result = view.compute(_apply_patch, collection.kind, resources[name], patch.merge)
            if isinstance(result, XdsResource):
                resources[name] = result
            else:
                findings.append(_not_applied(key, patch, f"{name}: {result}"))
    return PatchResult(Collection(collection.kind, resources.values()), tuple(findings))


def _patches(view: TrackingView, key: Key) -> tuple[Patch, ...]:
    """Computation: the patches in the tags of a resource; none where the operator does not allow patches."""
    if not view.host_policy.allow_patches:
        return ()
    found = view.get(key)
    patches = read(key.kind, found.tags).values.get(PATCH.name) if found else None
    return patches if isinstance(patches, tuple) else ()


def _apply_patch(view: TrackingView, kind: TypeName, one: XdsResource, merge: str) -> XdsResource | str:
    """Computation: one resource with one patch, or why the patch cannot be applied."""
    _, message = PATCHABLE[kind]
    body = DeltaDiscoveryResponse.FromString(one.encoded).resources[0].resource.value
    fields = MessageToDict(message.FromString(body), preserving_proto_field_name=True)
    try:
        patched = serialise(ParseDict(merge_patch(fields, json.loads(merge)), message()))
    except Exception as error:
        # Protobuf does not specify which errors ParseDict raises for values that do not fit.
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return resource(kind, one.name, patched, one.needs, one.secrets)


def _not_applied(key: Key, patch: Patch, why: str) -> Finding:
    return PATCH_NOT_APPLIED.at(key, f"has a patch of {patch.kind}/{patch.name} that is not applied: {why}")
