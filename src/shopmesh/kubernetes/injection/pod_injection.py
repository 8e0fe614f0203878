"""Adds the sidecar to a pod or a template of pods. No I/O.

    pod, Key, ports ─sidecar_options─► [proxy-init, envoy, its own init containers] [its containers] [volumes]

A pod with the label `shopmesh.dev/sidecar` has its sidecar already and is left unchanged.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shopmesh.appmesh.store import Key
from shopmesh.documents.declared_resource import at
from shopmesh.documents.names import KINDS, ObjectName
from shopmesh.kubernetes.identity import stamps
from shopmesh.kubernetes.injection import sidecar
from shopmesh.kubernetes.injection.pod_annotations import InjectionError, SidecarOptions, sidecar_mode, sidecar_options

Json = dict[str, Any]

INJECTED_LABEL = "shopmesh.dev/sidecar"
"""Its value is how: `intercepted`, `explicit` or `gateway`."""
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_IMAGES = sidecar.Images()


class InjectedPod(NamedTuple):
    """The pod with its sidecar, and warnings about annotations without effect."""

    pod: Json
    warnings: tuple[str, ...]


def inject(
    pod: Mapping[str, Any],
    key: Key,
    ports: Sequence[int] | None = None,
    mode: str = "intercepted",
    images: sidecar.Images = _IMAGES,
    owner: ObjectName | None = None,
) -> InjectedPod:
    """Returns a pod, or a template of one, with the sidecar of that virtual node or gateway. Raises InjectionError.

    `mode` is that of a pod whose annotations choose none. `owner` is the object that declares it, whose name becomes
    the stamp; without it the label is used. `ports` are those that its node listens to; without them and the
    annotation, those that its containers name. A node without listeners, of a Job for instance, only calls others;
    None is a node that is not known.
    """
    made: Json = copy.deepcopy(dict(pod))
    labels = _labels(made)
    if INJECTED_LABEL in labels:
        return InjectedPod(made, ())
    spec = made.setdefault("spec", {})
    if spec.get("hostNetwork"):
        # Its network is the machine's: everything there would be redirected.
        raise InjectionError("a pod with hostNetwork cannot have a sidecar; remove hostNetwork")
    annotations = at(made, ("metadata", "annotations")) or {}
    options, mode = sidecar_options(annotations), sidecar_mode(annotations, mode)
    warnings = list(options.warnings)
    if owner is not None:
        _stamp(made["metadata"], owner, warnings)
    by_label = _set_label(labels, key, warnings)
    if key.kind == "virtualGateway":
        labels[INJECTED_LABEL] = "gateway"
        _configure_gateway(spec, key, by_label, options, images)
    else:
        labels[INJECTED_LABEL] = mode
        taken = options.ports or tuple(ports or ()) or _container_ports(spec)
        if not taken and ports is None:
            raise InjectionError(
                "which ports the application listens to is not known: name them in annotation appmesh.k8s.aws/ports, "
                "in the VirtualNode's listeners, or as containerPort"
            )
        _add_sidecar(spec, key, by_label, options, images, taken, mode)
    _add_volumes(spec, options)
    return InjectedPod(made, tuple(warnings))


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Json]:
    """Returns the changes of a pod as a JSON Patch (RFC 6902), each list as a whole; `add` replaces what is there."""
    operations = []
    for section in ("metadata", "spec"):
        old, new = before.get(section) or {}, after.get(section) or {}
        if section not in before and new:
            operations.append({"op": "add", "path": f"/{section}", "value": new})
            continue
        operations += [
            {"op": "add", "path": f"/{section}/{field}", "value": value}
            for field, value in new.items()
            if old.get(field) != value
        ]
    return operations


def key_by_label(labels: Mapping[str, str], mesh: str) -> Key | None:
    """Returns the node or gateway that a label of the pod names."""
    for kind in KINDS.values():
        if name := labels.get(sidecar.LABELS.get(kind, "")):
            return Key(kind, (mesh, name))
    return None


def _labels(pod: Json) -> dict[str, str]:
    metadata = pod.get("metadata")
    if not isinstance(metadata, dict):
        metadata = pod["metadata"] = {}
    labels: dict[str, str] = metadata.get("labels") or {}
    metadata["labels"] = labels
    return labels


def _stamp(metadata: Json, owner: ObjectName, warnings: list[str]) -> None:
    """Writes the stamp, which replaces one that the author of the pod wrote."""
    annotations: dict[str, str] = metadata.get("annotations") or {}
    metadata["annotations"] = annotations
    text = stamps.reference(owner)
    if (before := annotations.get(stamps.ANNOTATION, text)) != text:
        was = str(before)[:200]
        warnings.append(f"annotation {stamps.ANNOTATION} was {was!r}, and is {text!r} now, which selects the pod")
    annotations[stamps.ANNOTATION] = text


def _set_label(labels: dict[str, str], key: Key, warnings: list[str]) -> bool:
    """Whether the label says it. One of another value stays: a Deployment may select its pods by it."""
    label, name = sidecar.LABELS[key.kind], key.path[1]
    if label not in labels and _LABEL_VALUE.fullmatch(name):
        labels[label] = name
    if labels.get(label, name) != name:
        warnings.append(f"label {label} is {labels[label]!r}, but {name!r} selects the pod; correct the label")
    return labels.get(label) == name


def _add_sidecar(
    spec: Json,
    key: Key,
    by_label: bool,
    options: SidecarOptions,
    images: sidecar.Images,
    ports: tuple[int, ...],
    mode: str,
) -> None:
    mine = [one for one in _containers(spec, "initContainers") if one.get("name") in (sidecar.INIT, sidecar.ENVOY)]
    if mine or any(one.get("name") == sidecar.ENVOY for one in _containers(spec, "containers")):
        raise InjectionError(
            f"the pod already has a container {sidecar.ENVOY} or {sidecar.INIT}; remove it, or label the pod "
            f"{INJECTED_LABEL}"
        )
    if mode == "explicit":
        added = [sidecar.envoy_container(key, by_label, options, images, ports)]
        _use_explicit_proxy(spec, ports, options)
    else:
        added = [
            sidecar.init_container(ports, options, images),
            sidecar.envoy_container(key, by_label, options, images),
        ]
    spec["initContainers"] = [*added, *_containers(spec, "initContainers")]


def _use_explicit_proxy(spec: Json, ports: tuple[int, ...], options: SidecarOptions) -> None:
    """Sets HTTP_PROXY for the application's requests, and moves it to another port if it has one."""
    if len(ports) > 1:
        raise InjectionError(
            "an explicit sidecar takes one port of the application, which finds its own in PORT, and here are "
            f"{len(ports)}; name the one in annotation appmesh.k8s.aws/ports"
        )
    variables = {"HTTP_PROXY": f"http://127.0.0.1:{options.egress_port}"}
    if ports:
        port = ports[0] + sidecar.APPLICATION_PORT_OFFSET
        variables = {"HOST": "127.0.0.1", "PORT": str(port), **variables}
    for container in _containers(spec, "containers"):
        env = [one for one in container.get("env") or () if one.get("name") not in variables]
        container["env"] = [*({"name": name, "value": value} for name, value in variables.items()), *env]


def _configure_gateway(spec: Json, key: Key, by_label: bool, options: SidecarOptions, images: sidecar.Images) -> None:
    """Completes the Envoy container of a gateway, which has its ports; fields that it sets stay."""
    container = next((one for one in _containers(spec, "containers") if one.get("name") == sidecar.ENVOY), None)
    if container is None:
        raise InjectionError(f"the pods of a virtual gateway have a container named {sidecar.ENVOY}; name it so")
    if not options.keeps_image or not container.get("image"):
        container["image"] = images.envoy
        container.setdefault("imagePullPolicy", "IfNotPresent")
    container["command"] = ["envoy"]
    container["args"] = sidecar.arguments(key, {"instance": "$(POD_NAME)"}, options)
    container["env"] = _merge_by_name(sidecar.environment(key, by_label, options), container.get("env") or ())
    ready = {"name": "envoy-ready", "containerPort": 15021}
    container["ports"] = [*(container.get("ports") or ()), ready]
    resources = container.setdefault("resources", {})
    for what, amounts in (("requests", options.requests), ("limits", options.limits)):
        if amounts:
            resources[what] = {**(resources.get(what) or {}), **amounts}
    container.setdefault("securityContext", sidecar.security(options))
    for name, probe in sidecar.probes().items():
        container.setdefault(name, probe)
    container.setdefault("lifecycle", sidecar.lifecycle())
    container["volumeMounts"] = _merge_by_name(sidecar.mounts(options), container.get("volumeMounts") or ())


def _add_volumes(spec: Json, options: SidecarOptions) -> None:
    there = spec.get("volumes") or []
    known = {one.get("name") for one in there}
    added = sidecar.volumes(options)
    missing = [name for name, _ in options.volumes if name not in known]
    if missing:
        raise InjectionError(
            f"annotation appmesh.k8s.aws/volumeMounts names {missing[0]!r}, which is not a volume of the pod; add it"
        )
    spec["volumes"] = _merge_by_name(added, there)


def _merge_by_name(ours: Iterable[Json], theirs: Iterable[Json]) -> list[Json]:
    """Merges two lists by name, ours first; of two items with one name theirs stays."""
    others = list(theirs)
    names = {one.get("name") for one in others}
    return [*(one for one in ours if one["name"] not in names), *others]


def _container_ports(spec: Json) -> tuple[int, ...]:
    ports = (
        port.get("containerPort")
        for container in _containers(spec, "containers")
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    )
    return tuple(dict.fromkeys(port for port in ports if isinstance(port, int)))


def _containers(spec: Json, field: str) -> list[Json]:
    return spec.get(field) or []
