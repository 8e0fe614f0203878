"""The documents that people have, and the API's resources: one into the other, both ways, without I/O.

    text ─► Source ─declared_resources─► DeclaredResource ─manifests─► objects, as the CRDs have them

Read are manifests, the JSON of the `aws` CLI in both versions of the API, and CloudFormation templates.
A manifest is an object of `appmesh.k8s.aws/v1beta2` as AWS's controller for Kubernetes read it. What the API has no
place for (the object's own name, selectors) is kept in tags, so that the way back is exact.

Start reading at `declared_resource`.
"""

from shopmesh.documents.check import error_at, error_from_api, manifest_problems, problems
from shopmesh.documents.cli_json import NAMES, document, parameters
from shopmesh.documents.cloudformation import TemplateOptions
from shopmesh.documents.convert import declared_resources, foreign_kind, ignored_documents, is_manifest
from shopmesh.documents.declared_resource import ORDER, DeclaredResource, base_manifest, creation_order, is_ours
from shopmesh.documents.export import manifests, not_for_kubernetes
from shopmesh.documents.text.output import as_json, as_yaml
from shopmesh.documents.text.sources import CombinedDocumentError, DocumentError, Source, documents, only_document

__all__ = [
    "NAMES",
    "ORDER",
    "CombinedDocumentError",
    "DeclaredResource",
    "DocumentError",
    "Source",
    "TemplateOptions",
    "as_json",
    "as_yaml",
    "base_manifest",
    "creation_order",
    "declared_resources",
    "document",
    "documents",
    "error_at",
    "error_from_api",
    "foreign_kind",
    "ignored_documents",
    "is_manifest",
    "is_ours",
    "manifest_problems",
    "manifests",
    "not_for_kubernetes",
    "only_document",
    "parameters",
    "problems",
]
