"""The mutating webhook, which adds the sidecar to pods that a virtual node or gateway selects.

    API server ─AdmissionReview, HTTPS─► decide: FreshView, Selectors ─► injection ─► patch, warnings, or why not

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shopmesh.appmesh.errors import RequestTimeout, RequestTooLarge, ServiceUnavailable
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.resolved import unvalidated_ports
from shopmesh.appmesh.store import Document, Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.api.client import ApiServer, ConflictError, KubernetesApiError, NotFoundError
from shopmesh.kubernetes.api.resource_types import MUTATING_WEBHOOKS
from shopmesh.kubernetes.controller.selection import CachedSelectors, Labels, Selection
from shopmesh.kubernetes.identity.certificate_authority import CertificateAuthority
from shopmesh.kubernetes.identity.certificates import Certificates
from shopmesh.kubernetes.injection import pod_injection
from shopmesh.kubernetes.injection.fresh_view import FreshView, StaleViewError, WatchedObjects
from shopmesh.kubernetes.injection.pod_annotations import INJECT, MODES, InjectionError, sidecar_mode, wants_sidecar
from shopmesh.kubernetes.injection.sidecar import LABELS
from shopmesh.server.api import body
from shopmesh.server.api.isolation import IsolationMiddleware
from shopmesh.server.config import Config
from shopmesh.server.control_plane import listen
from shopmesh.server.http.limits import WEBHOOK_LIMITS
from shopmesh.server.http.server import serve_http

log = logging.getLogger(__name__)

PATH = "/inject"
NAME = "shopmesh"
"""The name of the MutatingWebhookConfiguration."""
API_VERSION = "admission.k8s.io/v1"
PUBLISH_ATTEMPTS = 3
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of a review: the API server accepts objects of 3 MiB."""
MAX_VALUES = 100_000
"""Counted by the marks between them, before it is parsed: a value of two bytes takes a hundred in memory."""

Json = dict[str, Any]


class MeshObjects(WatchedObjects, Protocol):
    """The objects of a mesh; `owners` are those whose declarations are in use."""

    @property
    def objects(self) -> Mapping[ObjectName, Document]: ...

    @property
    def owners(self) -> Mapping[Key, ObjectName]: ...

    @property
    def namespace_annotations(self) -> Mapping[str, Mapping[str, str]]: ...


def application(
    declared: MeshObjects,
    current: CachedSelectors,
    view: FreshView,
    most_unverified: int = WEBHOOK_LIMITS.unverified_bytes,
) -> ASGIApp:
    """Answers reviews by what is known of the cluster; `most_unverified` are the bytes of all that come in at once."""
    # API servers show no credentials, unless a cluster's administrator has configured them to.
    bodies = body.UnverifiedBodies(most_unverified)

    async def inject(request: Request) -> Response:
        try:
            review = _parse(await bodies.read(request.scope, request.receive, MAX_BYTES))
            asked = review["request"]
            uid, pod = asked["uid"], asked["object"]
            if review["apiVersion"] != API_VERSION or review["kind"] != "AdmissionReview" or pod["kind"] != "Pod":
                raise ValueError("it is of another kind")
            namespace = str(asked.get("namespace") or "")
        except body.ClientDisconnected:
            return Response()
        except (RequestTooLarge, RequestTimeout) as error:
            return PlainTextResponse(str(error), error.status)
        except ServiceUnavailable as error:
            return PlainTextResponse(str(error), 503)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return PlainTextResponse(f"not an {API_VERSION} AdmissionReview of a Pod: {error!r}", 400)
        try:
            answer = await decide(pod, namespace, declared, current, view)
        except Exception:
            log.exception("a pod of namespace %s cannot be read", namespace)
            answer = _deny(f"a pod of namespace {namespace} gets no sidecar: it cannot be read; correct its fields")
        return JSONResponse({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": {"uid": uid, **answer}})

    return Starlette(routes=[Route(PATH, inject, methods=["POST"])])


def _parse(content: bytes) -> Any:
    """The JSON of a review; raises ValueError."""
    if content.count(b",") + content.count(b":") > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES} values")
    return json.loads(content)


async def decide(
    pod: Mapping[str, Any], namespace: str, declared: MeshObjects, current: CachedSelectors, view: FreshView
) -> Json:
    """Returns the response to the creation of a pod.

    A pod is allowed without a sidecar only when the API server itself has nothing that selects it.
    """
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    if wants_sidecar(metadata.get("annotations") or {}) is False or pod_injection.INJECTED_LABEL in labels:
        return {"allowed": True}
    try:
        await view.require_contact(namespace)
        selection = current.get().select(namespace, labels)
        if not selection.selected_by:
            await view.read(namespace)
            selection = current.get().select(namespace, labels)
    except StaleViewError as error:
        return _deny(f"{_describe_pod(pod, namespace)} gets no sidecar yet: {error}", 503, "ServiceUnavailable")
    return admit(pod, namespace, declared, selection)


def admit(pod: Mapping[str, Any], namespace: str, declared: MeshObjects, selection: Selection) -> Json:
    """Returns the response to the creation of a pod: allowed, with a patch where it gets a sidecar."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    switch = wants_sidecar(metadata.get("annotations") or {})
    who = _describe_pod(pod, namespace)
    if selection.key is None:
        if not selection.selected_by and not switch and not any(label in labels for label in LABELS.values()):
            return {"allowed": True}
        # It is meant to be in the mesh: its controller tries again, and the node may come a moment later.
        return _deny(f"{who} gets no sidecar: {selection.problem}")
    (by,) = selection.selected_by
    if declared.owners.get(selection.key, by) != by:
        taken = f"another object than its {by.kind} {by.name} is {describe(selection.key)}; give that another awsName"
        return _deny(f"{who} gets no sidecar: {taken}")
    try:
        ports = unvalidated_ports(declared.objects[by].get("spec"))
        mode = sidecar_mode(declared.namespace_annotations.get(namespace, {}), MODES[0], f"namespace {namespace}")
        made = pod_injection.inject(pod, selection.key, ports, mode, owner=by)
    except InjectionError as error:
        return _deny(f"{who} gets no sidecar: {error}")
    answer: Json = {"allowed": True}
    if made.warnings:
        answer["warnings"] = list(made.warnings)
    if patch := pod_injection.patch(pod, made.pod):
        answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
    return answer


def _describe_pod(pod: Mapping[str, Any], namespace: str) -> str:
    metadata = pod.get("metadata") or {}
    name = metadata.get("name") or f"{metadata.get('generateName', '')}…"
    return f"pod {namespace}/{name}"


def _deny(message: str, code: int = 422, reason: str = "Invalid") -> Json:
    log.warning("%s", message)
    return {"allowed": False, "status": {"code": code, "reason": reason, "message": message}}


@contextlib.asynccontextmanager
async def serving(
    server: ApiServer,
    declared: MeshObjects,
    current: CachedSelectors,
    certificates: Certificates,
    config: Config,
    port: int,
) -> AsyncIterator[int]:
    """Serves it over HTTPS and publishes its CA to the API server, for the length of an `async with` block.

    Yields its port. Raises ConfigError when it cannot listen there.
    """
    limits = config.webhook_limits
    app = IsolationMiddleware(
        application(declared, current, FreshView(server, declared), limits.unverified_bytes), config.allowed_hosts()
    )
    with contextlib.closing(listen(config.host, port, "the webhook", "--webhook-port")) as listener:
        async with serve_http(app, listener, limits, certificates.tls_context()):
            await certificates.on_change(lambda: publish_ca_bundle(server, certificates.authority))
            yield int(listener.getsockname()[1])


def injected_namespaces(namespaces: Mapping[str, Labels]) -> set[str]:
    """Returns the namespaces whose pods are injected: the webhook's configuration selects them by this label."""
    return {name for name, labels in namespaces.items() if labels.get(INJECT) == "enabled"}


async def publish_ca_bundle(server: ApiServer, authority: CertificateAuthority) -> str | None:
    """Writes the CA bundle into the webhook's configuration, if there is one. Returns an error message, or None.

    It is written only when it differs; another replica may write the same at the same time.
    """
    bundle = base64.b64encode(authority.bundle).decode()
    problem: str | None = None
    for _ in range(PUBLISH_ATTEMPTS):
        try:
            await _write_ca_bundle(server, bundle)
            return None
        except NotFoundError:
            return None
        except ConflictError as error:
            problem = f"MutatingWebhookConfiguration {NAME}: {error}"
        except KubernetesApiError as error:
            return f"MutatingWebhookConfiguration {NAME}: {error}"
    return problem


async def _write_ca_bundle(server: ApiServer, bundle: str) -> None:
    """Raises ConflictError when another client has changed the configuration meanwhile."""
    found = await server.get(MUTATING_WEBHOOKS, NAME)
    webhooks = found.get("webhooks") or []
    if all((one.get("clientConfig") or {}).get("caBundle") == bundle for one in webhooks):
        return
    updated = [{**one, "clientConfig": {**one.get("clientConfig", {}), "caBundle": bundle}} for one in webhooks]
    # With its version: another client may change the list at the same time.
    version = found["metadata"].get("resourceVersion")
    await server.patch(MUTATING_WEBHOOKS, NAME, {"metadata": {"resourceVersion": version}, "webhooks": updated})
