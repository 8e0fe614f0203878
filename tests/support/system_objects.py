"""Objects that the control plane has in its own namespace, and the review that an API server asks its webhook for."""

from __future__ import annotations

import base64
from typing import Any

from shopmesh.kubernetes.injection import webhook

SYSTEM = "shopmesh-system"


def secret(name: str, **data: bytes) -> dict[str, Any]:
    encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SYSTEM}, "data": encoded}


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}


def configuration() -> dict[str, Any]:
    """As k8s/base/control-plane has it: without a caBundle."""
    service = {"name": "control-plane", "namespace": SYSTEM, "path": webhook.PATH}
    hooks = [{"name": name, "clientConfig": {"service": service}, "timeoutSeconds": 5} for name in ("a.dev", "b.dev")]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": webhook.NAME},
        "webhooks": hooks,
    }


def review(labels: dict[str, str], **annotations: str) -> dict[str, Any]:
    """The creation of a pod, as in Kubernetes' documentation."""
    metadata = {
        "generateName": "product-7d9f-",
        "namespace": "default",
        "labels": labels,
        "annotations": {f"appmesh.k8s.aws/{name}": value for name, value in annotations.items()},
    }
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "default",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            },
            "dryRun": False,
        },
    }
