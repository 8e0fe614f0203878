"""Routes of a virtual router: one kind, that the router listens for, with targets that can get a share."""

from __future__ import annotations

from collections.abc import Iterator

from shopmesh.appmesh.api.validation import Problem, quote
from shopmesh.appmesh.document_types import RouteDocument, route_body
from shopmesh.appmesh.kinds import ROUTE_KINDS
from shopmesh.appmesh.resolved import listeners, ports
from shopmesh.appmesh.rules.matches import (
    exactly_one,
    header_problems,
    metadata_problems,
    path_problems,
    query_problems,
    service_name,
)
from shopmesh.appmesh.rules.rule_input import RuleInput, duration_problems, milliseconds, timeout_problems
from shopmesh.appmesh.store import Document, Key, Resource

# "The total weight for all targets combined must be less than or equal to 100": the model's text for WeightedTarget.
LARGEST_TOTAL = 100
HTTP_EVENTS = ("client-error", "gateway-error", "server-error", "stream-error")
MOST_RETRIES = 2**32 - 1
"""Envoy's num_retries is an unsigned integer of 32 bits."""


def one_kind(candidate: RuleInput) -> Iterator[Problem]:
    yield from exactly_one(candidate.spec, ROUTE_KINDS, "spec")


def weights(candidate: RuleInput) -> Iterator[Problem]:
    """Envoy refuses a route whose weights are all 0, and sums up a target that stands there twice."""
    for kind, route in _kinds(candidate.spec):
        field = f"spec.{kind}.action.weightedTargets"
        targets = route["action"]["weightedTargets"]
        total = sum(target["weight"] for target in targets)
        if total == 0:
            yield Problem(field, "all weights are 0; at least one target needs a weight")
        elif total > LARGEST_TOTAL:
            yield Problem(field, f"the weights add up to {total}, allowed are at most {LARGEST_TOTAL}")
        seen: set[tuple[str, int | None]] = set()
        for index, target in enumerate(targets):
            identity = (target["virtualNode"], target.get("port"))
            if identity in seen:
                yield Problem(f"{field}[{index}]", f"{quote(target['virtualNode'])} is listed twice")
            seen.add(identity)


def http_match(candidate: RuleInput) -> Iterator[Problem]:
    for kind in ("httpRoute", "http2Route"):
        if kind in candidate.spec:
            match, field = route_body(candidate.spec, kind).get("match", {}), f"spec.{kind}.match"
            yield from path_problems(match, field)
            yield from header_problems(match.get("headers", ()), f"{field}.headers")
            yield from query_problems(match.get("queryParameters", ()), f"{field}.queryParameters")


def grpc_match(candidate: RuleInput) -> Iterator[Problem]:
    if "grpcRoute" in candidate.spec:
        match, field = route_body(candidate.spec, "grpcRoute").get("match", {}), "spec.grpcRoute.match"
        if "methodName" in match and "serviceName" not in match:
            yield Problem(f"{field}.serviceName", "required with methodName")
        yield from service_name(match, field)
        yield from metadata_problems(match.get("metadata", ()), f"{field}.metadata")


def retries(candidate: RuleInput) -> Iterator[Problem]:
    for kind, route in _kinds(candidate.spec):
        policy = route.get("retryPolicy")
        if policy is None:
            continue
        field = f"spec.{kind}.retryPolicy"
        for index, event in enumerate(policy.get("httpRetryEvents", ())):
            if event not in HTTP_EVENTS:
                text = f"{quote(event)} must be one of {', '.join(HTTP_EVENTS)}"
                yield Problem(f"{field}.httpRetryEvents[{index}]", text)
        if not any(policy.get(f"{group}RetryEvents") for group in ("http", "tcp", "grpc")):
            yield Problem(field, "at least one retry event is required")
        if policy["maxRetries"] > MOST_RETRIES:
            yield Problem(f"{field}.maxRetries", f"{policy['maxRetries']} is over {MOST_RETRIES}")
        once, whole = milliseconds(policy["perRetryTimeout"]), milliseconds(route.get("timeout", {}).get("perRequest"))
        if once and whole and once > whole:
            text = f"{once} ms is longer than the time-out of the whole request, {whole} ms"
            yield Problem(f"{field}.perRetryTimeout", text)


def durations(candidate: RuleInput) -> Iterator[Problem]:
    for kind, route in _kinds(candidate.spec):
        yield from timeout_problems(route.get("timeout", {}), f"spec.{kind}.timeout")
        if "retryPolicy" in route:
            field = f"spec.{kind}.retryPolicy.perRetryTimeout"
            yield from duration_problems(route["retryPolicy"]["perRetryTimeout"], field)


def fits_its_router(candidate: RuleInput) -> Iterator[Problem]:
    """The router must listen for what a route routes; App Mesh left such a mesh without that route.

    https://github.com/aws/aws-app-mesh-roadmap/issues/82
    """
    router = candidate.view.get(Key("virtualRouter", candidate.key.parent))
    if router is not None:
        yield from _misfits(candidate.spec, router, "spec", f"virtual router {router.key.name}")


def fit_their_router(candidate: RuleInput) -> Iterator[Problem]:
    """A router's listeners cannot change from under its routes, as App Mesh refused it.

    https://github.com/hashicorp/terraform-provider-aws/issues/35294
    """
    for route in candidate.view.children("route", candidate.key.path):
        for problem in _misfits(route.spec, candidate, f"route {route.key.name}", "the new specification"):
            yield Problem("spec.listeners", f"{problem.field}: {problem.message}")


def target_ports(candidate: RuleInput) -> Iterator[Problem]:
    """A target's port must be one that the virtual node listens on.

    https://github.com/aws/aws-app-mesh-examples/issues/93
    """
    for kind, route in _kinds(candidate.spec):
        for index, target in enumerate(route["action"]["weightedTargets"]):
            node = candidate.view.get(Key("virtualNode", (candidate.key.mesh, target["virtualNode"])))
            if node is None or "port" not in target:
                continue
            open_ports = ports(node)
            if target["port"] not in open_ports:
                listens = f"listens on {', '.join(map(str, open_ports))}" if open_ports else "has no listener"
                field = f"spec.{kind}.action.weightedTargets[{index}].port"
                yield Problem(field, f"{target['port']}: virtual node {node.key.name} {listens}")


def _misfits(route: Document, router: Resource | RuleInput, field: str, where: str) -> Iterator[Problem]:
    of_router = listeners(router)
    if not of_router:
        # A router of the 2018-10-01 API has no listeners; its port is that of its targets.
        return
    for kind, body in _kinds(route):
        protocol, port = kind.removesuffix("Route"), body.get("match", {}).get("port")
        here = f"{field}.{kind}.match.port"
        if port is None and len(of_router) > 1:
            # https://github.com/aws/aws-app-mesh-controller-for-k8s/issues/715
            yield Problem(here, f"required, since {where} has {len(of_router)} listeners")
            continue
        found = [one.protocol for one in of_router if port is None or one.port == port]
        if not found:
            others = ", ".join(str(one.port) for one in of_router)
            yield Problem(here, f"{where} does not listen on port {port}, but on {others}")
        elif found != [protocol]:
            yield Problem(f"{field}.{kind}", f"{where} listens for {found[0]}; use {found[0]}Route")


def _kinds(spec: Document) -> Iterator[tuple[str, RouteDocument]]:
    for kind in ROUTE_KINDS:
        if kind in spec:
            yield kind, route_body(spec, kind)
