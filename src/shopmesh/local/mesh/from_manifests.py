"""Reads from manifests what to run: virtual nodes and gateways with labels of service and version."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from shopmesh.appmesh.resolved import ports as ports_of
from shopmesh.defaults import WAY_IN_LABEL
from shopmesh.documents import DeclaredResource, Source, declared_resources, documents
from shopmesh.documents.service_version import NAME_LABEL, VERSION_LABEL, is_way_in
from shopmesh.files.input_files import InputFileError, read_text
from shopmesh.local.errors import StartError

WEBINARS_WAY_IN = "order"
"""The service before which the load balancer stands in the webinar."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One version of a service that runs beside its sidecar; `node` is its virtual node, `ports` are the node's."""

    mesh: str
    node: str
    service: str
    version: str
    ports: tuple[int, ...]
    instance: int = 1

    @property
    def name(self) -> str:
        """Its name as an instance: `product-v2-vn-1`."""
        return f"{self.node}-{self.instance}"

    @property
    def service_version(self) -> str:
        """Service and version, as its responses name them: `product/2.0`."""
        return f"{self.service}/{self.version}"

    def with_instance(self, instance: int) -> Workload:
        return replace(self, instance=instance)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A virtual gateway that runs here as one Envoy, with no application; `node` is its name, `ports` are its own."""

    mesh: str
    node: str
    service: str
    ports: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name as an instance: `shop-gw-1`."""
        return f"{self.node}-1"


Runnable = TypeVar("Runnable", bound=Workload | Gateway)


def read_manifests(folder: Path) -> list[DeclaredResource]:
    """The resources of a folder's manifests, in an order in which they can be created.

    Raises StartError when there are no manifests, DocumentError (with file and line) for an invalid one.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise StartError(f"there are no manifests in {folder}/: run shopmesh in the folder of the project")
    sources: list[Source] = []
    for file in files:
        try:
            sources += documents(read_text(file), f"{folder.name}/{file.name}")
        except (InputFileError, OSError) as error:
            raise StartError(f"cannot read {file}: {error}") from error
    return declared_resources(sources)


def workloads_of(resources: Sequence[DeclaredResource]) -> list[Workload]:
    """The workloads of the manifests, sorted by service and version.

    Raises StartError when there is not exactly one mesh, or when a workload has no port.
    """
    meshes = [resource.key.name for resource in resources if resource.key.kind == "mesh"]
    if len(meshes) != 1:
        raise StartError(f"the manifests hold {len(meshes)} meshes ({', '.join(meshes) or 'none'}): keep exactly one")
    found = []
    for resource in resources:
        labels = _labels(resource)
        if resource.key.kind != "virtualNode" or not {NAME_LABEL, VERSION_LABEL} <= labels.keys():
            continue
        node = resource.key.name
        ports = tuple(ports_of(resource))
        if not ports:
            raise StartError(f"the virtual node {node} has no listener: give it one, so that others reach it")
        found.append(Workload(meshes[0], node, str(labels[NAME_LABEL]), str(labels[VERSION_LABEL]), ports))
    return sorted(found, key=lambda workload: (workload.service, _version_key(workload.version)))


def gateways_of(resources: Sequence[DeclaredResource]) -> list[Gateway]:
    """The virtual gateways with a service label, sorted by name."""
    found = [
        Gateway(
            mesh=resource.key.mesh,
            node=resource.key.name,
            service=str(labels[NAME_LABEL]),
            ports=tuple(ports_of(resource)),
        )
        for resource in resources
        if resource.key.kind == "virtualGateway" and NAME_LABEL in (labels := _labels(resource))
    ]
    return sorted(found, key=lambda gateway: gateway.node)


def way_in_of(resources: Sequence[DeclaredResource]) -> str:
    """The service whose virtual node has the label of the way in; order in a mesh without that label.

    Raises StartError when two services have it.
    """
    found = {
        str(_labels(resource).get(NAME_LABEL, resource.key.name)): resource
        for resource in resources
        if resource.key.kind == "virtualNode" and is_way_in(resource)
    }
    if len(found) > 1:
        raise StartError(
            f"{' and '.join(sorted(found))} both have the label {WAY_IN_LABEL} in mesh/: "
            "keep it on the virtual node of the one that is called from outside"
        )
    return next(iter(found), WEBINARS_WAY_IN)


def _labels(resource: DeclaredResource) -> Mapping[str, Any]:
    # The API does not store labels: they are read from the manifest.
    selector = resource.source.value.get("spec", {}).get("podSelector") if resource.source else None
    labels = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


def _version_key(version: str) -> tuple[tuple[int, str], ...]:
    """Sorts 1.10 after 1.9, and words after numbers."""
    return tuple(
        (int(part), "") if re.fullmatch("[0-9]{1,9}", part) else (1 << 30, part) for part in version.split(".")
    )


def select(runnables: Sequence[Runnable], only: Iterable[str], without: Iterable[str]) -> list[Runnable]:
    """The workloads and gateways that --workload and --without select, by virtual node, gateway or service.

    Raises StartError for an unknown name.
    """
    only, without = set(only), set(without)
    known = {name for one in runnables for name in (one.node, one.service)}
    if unknown := sorted((only | without) - known):
        raise StartError(
            f"{unknown[0]!r} is not a workload of the manifests; there are {', '.join(one.node for one in runnables)}"
        )
    return [
        one
        for one in runnables
        if (not only or {one.node, one.service} & only) and not {one.node, one.service} & without
    ]


def application_arguments(workload: Workload, project: Path, run_folder: Path) -> tuple[str, ...]:
    """The command line of its application: the service's own `run VERSION` if there is one, otherwise gunicorn.

    The path of its pid file names the run folder; a later `up` recognizes leftover processes by it.
    Raises StartError when the service's code is not there.
    """
    mark = str(run_folder / f"{workload.name}.pid")
    program = project / "services" / workload.service / "run"
    if program.exists():
        return (str(program), workload.version, mark)
    application = f"{application_module(workload, project)}:create_app()"
    return (sys.executable, "-m", "gunicorn", "-c", "services/gunicorn.conf.py", "--pid", mark, application)


def application_module(workload: Workload, project: Path) -> str:
    """The module of that version's application: a file of its own, or `app` for the first version.

    Raises StartError when the service's code is not there.
    """
    folder = project / "services" / workload.service
    module = "v" + workload.version.replace(".", "_")
    if (folder / f"{module}.py").exists():
        return f"services.{workload.service}.{module}"
    if not (folder / "app.py").exists():
        raise StartError(
            f"by its label, {workload.node} runs the service {workload.service!r}, but there is no "
            f"{folder / 'app.py'}: correct its label {NAME_LABEL}, or write the service"
        )
    return f"services.{workload.service}.app"
