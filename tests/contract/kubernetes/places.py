"""Where the contract is tried: the test server, and the cluster that SHOPMESH_TEST_KUBECONFIG names, if any."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import load_kube_config

from shopmesh.documents.crds import definitions
from shopmesh.kubernetes.api.client import ApiServer, ConflictError
from shopmesh.kubernetes.api.resource_types import MESHES, NAMESPACES, ResourceType
from tests.contract.kubernetes.reflecting import speaking, until_async
from tests.support.kubernetes import Cluster

KUBECONFIG = os.environ.get("SHOPMESH_TEST_KUBECONFIG", "")
CUSTOM = ResourceType(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)


class Answer(NamedTuple):
    status: int
    body: Any
    """JSON, or text where it is none."""


class Place:
    """A namespace of its own, empty at first."""

    def __init__(self, api: ApiServer, configuration: Configuration, namespace: str, cluster: Cluster | None) -> None:
        self.api = api
        self.configuration = configuration
        self.namespace = namespace
        self.cluster = cluster

    def named(self, name: str, **more: Any) -> dict[str, Any]:
        """Metadata."""
        return {"name": name, "namespace": self.namespace, **more}

    def config_map(self, name: str, labels: Mapping[str, str] | None = None, **data: str) -> dict[str, Any]:
        metadata = self.named(name, labels=dict(labels or {}))
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def router(self, name: str, weight: int = 100, **more: Any) -> dict[str, Any]:
        target = {"virtualNodeRef": {"name": "product"}, "weight": weight}
        route = {"name": "all", "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}}
        listener = {"portMapping": {"port": 5000, "protocol": "http"}}
        return {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": "VirtualRouter",
            "metadata": self.named(name),
            "spec": {"listeners": [listener], "routes": [route]},
            **more,
        }

    async def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        """An exchange as it is on the wire, beside our own client."""
        headers = {"Content-Type": content_type, "Accept": accept}
        async with ApiClient(self.configuration) as client:
            await client.update_params_for_auth(headers, [], ["BearerToken"])
            url = str(self.configuration.host).rstrip("/") + path
            found = await client.rest_client.request(
                method, url, query_params=query, headers=headers, body=body, _preload_content=False
            )
            text = await found.text()
        try:
            return Answer(found.status, json.loads(text))
        except ValueError:
            return Answer(found.status, text)


@contextlib.asynccontextmanager
async def place_in(cluster: Cluster | None) -> AsyncIterator[Place]:
    """In the test server, or else in the real one."""
    if cluster is not None:
        configuration = cluster.configuration()
    else:
        configuration = Configuration()
        await load_kube_config(config_file=KUBECONFIG, client_configuration=configuration)
    namespace = f"shopmesh-test-{secrets.token_hex(4)}"
    async with speaking(configuration) as api:
        if cluster is None:
            await _install(api)
        await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        try:
            yield Place(api, configuration, namespace, cluster)
        finally:
            await api.delete(NAMESPACES, namespace)


async def _install(api: ApiServer) -> None:
    for one in definitions():
        with contextlib.suppress(ConflictError):
            await api.create(CUSTOM, one)

    async def served() -> bool:
        await api.list(MESHES)
        return True

    await until_async(served, "our definitions")
