"""The CustomResourceDefinitions of `appmesh.k8s.aws/v1beta2`, made from App Mesh's published model.

    model ─► schema.of_shape ─► what Kubernetes alone has (selectors, awsName, references) ─► definition

Manifests written for AWS's controller are valid by them; what the API would refuse, `kubectl apply` refuses already
where a schema can tell.
"""

from __future__ import annotations

from shopmesh.documents.crds.definitions import definitions

__all__ = ["definitions"]
