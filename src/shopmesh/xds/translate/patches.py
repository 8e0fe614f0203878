"""`shopmesh.dev/patch`: what users merge into the resources of their own proxies.

One part for each resource and patch, so that a change of one cluster patches that cluster alone.
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
"""The types of resources that can be patched, each with what patches call it."""


@dataclass(frozen=True)
class PatchResult:
    collection: Collection
    findings: tuple[Finding, ...] = ()


def apply_patches(view: TrackingView, key: Key, collection: Collection) -> PatchResult:
    """A part: a collection with the patches of the virtual node or gateway whose proxies get it."""
    kind, _ = PATCHABLE[collection.kind]
    wanted = [patch for patch in view.compute(_patches, key) if patch.kind == kind]
    if not wanted:
        return PatchResult(collection)
    found = dict(collection.resources)
    findings = []
    for patch in wanted:
        names = [name for name in found if fnmatchcase(name, patch.name)]
        if not names:
            findings.append(
                _not_applied(key, patch, f"its proxies have no {kind} of that name; {hint(patch.name, found)}")
            )
        for name in names:
            made = view.compute(_apply_patch, collection.kind, found[name], patch.merge)
            if isinstance(made, XdsResource):
                found[name] = made
            else:
                findings.append(_not_applied(key, patch, f"{name}: {made}"))
    return PatchResult(Collection(collection.kind, found.values()), tuple(findings))


def _patches(view: TrackingView, key: Key) -> tuple[Patch, ...]:
    """A part: read anew only when the tags change; none where the operator allows none."""
    if not view.host_policy.allow_patches:
        return ()
    found = view.get(key)
    said = read(key.kind, found.tags).values.get(PATCH.name) if found else None
    return said if isinstance(said, tuple) else ()


def _apply_patch(view: TrackingView, kind: TypeName, one: XdsResource, merge: str) -> XdsResource | str:
    """A part: one resource with one patch, or why the two do not go together."""
    _, message = PATCHABLE[kind]
    body = DeltaDiscoveryResponse.FromString(one.encoded).resources[0].resource.value
    whole = MessageToDict(message.FromString(body), preserving_proto_field_name=True)
    try:
        made = serialise(ParseDict(merge_patch(whole, json.loads(merge)), message()))
    except Exception as error:
        # Which errors it raises for values that do not go together, protobuf leaves open.
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return resource(kind, one.name, made, one.needs, one.secrets)


def _not_applied(key: Key, patch: Patch, why: str) -> Finding:
    return PATCH_NOT_APPLIED.at(key, f"has a patch of {patch.kind}/{patch.name} that is not applied: {why}")
