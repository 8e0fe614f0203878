"""The documents that people have, and the API's resources: one into the other, both ways, without I/O.

    text ─► documents() ─► Source … ─► declared() ─► Declared … ─► manifests() ─► objects, as the CRDs have them

Read are manifests, the JSON of the `aws` CLI in both versions of the API, and CloudFormation templates.
A manifest is an object of `appmesh.k8s.aws/v1beta2` as AWS's controller for Kubernetes read it. What the API has no
place for (the object's own name, selectors) is kept in tags, so that the way back is exact.
"""

from shopmesh.appmesh.manifests.check import located, problems, refused
from shopmesh.appmesh.manifests.cloudformation import Given
from shopmesh.appmesh.manifests.convert import declared, foreign, is_manifest, skipped
from shopmesh.appmesh.manifests.declared import ORDER, Declared, in_order, is_ours, restored
from shopmesh.appmesh.manifests.documents import DocumentError, Source, documents, only_document
from shopmesh.appmesh.manifests.export import manifests, not_for_kubernetes
from shopmesh.appmesh.manifests.requests import NAMES, document, parameters
from shopmesh.appmesh.manifests.written import as_json, as_yaml

__all__ = [
    "NAMES",
    "ORDER",
    "Declared",
    "DocumentError",
    "Given",
    "Source",
    "as_json",
    "as_yaml",
    "declared",
    "document",
    "documents",
    "foreign",
    "in_order",
    "is_manifest",
    "is_ours",
    "located",
    "manifests",
    "not_for_kubernetes",
    "only_document",
    "parameters",
    "problems",
    "refused",
    "restored",
    "skipped",
]
