"""The documents that people have, and the API's resources: one into the other, both ways, without I/O.

    text ─► documents() ─► Source … ─► declared() ─► Declared … ─► manifests() ─► objects, as the CRDs have them

Read are manifests, the JSON of the `aws` CLI in both versions of the API, and CloudFormation templates.
A manifest is an object of `appmesh.k8s.aws/v1beta2` as AWS's controller for Kubernetes read it. What the API has no
place for (the object's own name, selectors) is kept in tags, so that the way back is exact.
"""

from shopmesh.documents.check import located, problems, refused
from shopmesh.documents.cli_json import NAMES, document, parameters
from shopmesh.documents.cloudformation import Given
from shopmesh.documents.convert import declared, foreign, is_manifest, skipped
from shopmesh.documents.declared_resource import ORDER, Declared, in_order, is_ours, restored
from shopmesh.documents.export import manifests, not_for_kubernetes
from shopmesh.documents.text.output import as_json, as_yaml
from shopmesh.documents.text.sources import DocumentError, Source, documents, only_document

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
