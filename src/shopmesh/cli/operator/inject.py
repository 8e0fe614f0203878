"""`shopmesh inject`: adds sidecars to Kubernetes workloads in files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from shopmesh.cli.files import FilesCommand, read_sources
from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.appmesh.store import Document
    from shopmesh.documents.names import ObjectName
    from shopmesh.kubernetes.injection.workloads import NamespaceMetadata


@click.command(
    cls=FilesCommand,
    epilog="""\b
Examples:
  shopmesh inject -f deploy.yaml | kubectl apply -f -
  shopmesh inject -f k8s/ -f mesh/ > meshed.yaml
  shopmesh inject -f deploy.yaml --from-cluster --mode explicit

A pod's virtual node is the one whose podSelector matches, in the files or in the cluster; otherwise the one that the
pod's label shopmesh.dev/virtual-node names. The annotations of AWS's injector are supported, such as
appmesh.k8s.aws/cpuRequest.
""",
)
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="File or folder of workloads, - for standard input; repeatable.",
)
@click.option(
    "--mode",
    type=click.Choice(["intercepted", "explicit"]),
    default="intercepted",
    show_default=True,
    help="Redirect all traffic into the sidecar, or set HTTP_PROXY for the application (one port, HTTP/1.1). "
    "Annotation shopmesh.dev/sidecar-mode of a pod or its Namespace comes first.",
)
@click.option("--from-cluster", is_flag=True, help="Also read virtual nodes from the cluster of KUBECONFIG.")
@click.pass_obj
def inject(settings: Settings, files: tuple[str, ...], mode: str, from_cluster: bool) -> None:
    """Add a sidecar to Deployments, StatefulSets, DaemonSets, Jobs, CronJobs and Pods, and print all as YAML.

    Other resources pass through unchanged, and workloads that have a sidecar keep it.
    """
    from shopmesh.documents import DocumentError, as_yaml
    from shopmesh.kubernetes.api.client import KubernetesApiError
    from shopmesh.kubernetes.injection.workloads import inject_documents

    try:
        known, namespaces = asyncio.run(_read_cluster()) if from_cluster else ({}, {})
        found = inject_documents(read_sources(files), mode, settings.mesh or "shopmesh", known, namespaces)
    except (KubernetesApiError, DocumentError) as error:
        raise click.ClickException(str(error)) from error
    for note in found.notes:
        echo(note, err=True)
    echo_document(as_yaml(found.documents))


async def _read_cluster() -> tuple[Mapping[ObjectName, Document], Mapping[str, NamespaceMetadata]]:
    """The meshes, virtual nodes and gateways of the cluster, and its namespaces."""
    from shopmesh.documents.names import ObjectName
    from shopmesh.kubernetes.api.client import ApiServer
    from shopmesh.kubernetes.api.resource_types import MESHES, NAMESPACES, VIRTUAL_GATEWAYS, VIRTUAL_NODES
    from shopmesh.kubernetes.injection.workloads import NamespaceMetadata

    server = await ApiServer.connect()
    try:
        objects = {}
        for kind in (MESHES, VIRTUAL_NODES, VIRTUAL_GATEWAYS):
            for one in (await server.list(kind)).objects:
                metadata = one["metadata"]
                objects[ObjectName(kind.kind, metadata.get("namespace") or "", metadata["name"])] = one
        listed = (await server.list(NAMESPACES)).objects
        return objects, {one["metadata"]["name"]: NamespaceMetadata.of(one) for one in listed}
    finally:
        await server.close()
