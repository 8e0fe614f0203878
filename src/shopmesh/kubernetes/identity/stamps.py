"""The stamp of a pod: the annotation or label that names the object whose proxy its Envoy is. No I/O.

    annotation shopmesh.dev/proxy-of: virtualnode/product    the object, in the pod's namespace; written at injection
    label shopmesh.dev/virtual-node: product-vn              the name in the API; in the pod's template

The annotation takes precedence over the labels. A ValidatingAdmissionPolicy of k8s/base/control-plane forbids changing
them while the pod exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.injection.sidecar import LABELS

ANNOTATION = "shopmesh.dev/proxy-of"


class Stamp(NamedTuple):
    """`source` is the name of the annotation or label, `value` its text."""

    source: str
    value: str

    def matches(self, owner: ObjectName, key: Key) -> bool:
        """Whether it names that object, which declares that key. Namespaces are not compared."""
        if self.source == ANNOTATION:
            return self.value == reference(owner)
        return self.source == LABELS.get(key.kind) and self.value == key.path[-1]

    def __str__(self) -> str:
        return f"{'annotation' if self.source == ANNOTATION else 'label'} {self.source}: {self.value[:200]}"


def read(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Stamp | None:
    """Returns the stamp of a pod with these labels and annotations, or None when it has none."""
    if value := annotations.get(ANNOTATION):
        return Stamp(ANNOTATION, value)
    for label in LABELS.values():
        if value := labels.get(label):
            return Stamp(label, value)
    return None


def reference(owner: ObjectName) -> str:
    """The annotation's text for an object, as kubectl names it: `virtualnode/product`."""
    return f"{owner.kind.lower()}/{owner.name}"
