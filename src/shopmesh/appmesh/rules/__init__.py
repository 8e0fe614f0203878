"""What no single field shows to be wrong, and Envoy would refuse or silently do nothing with.

A rule takes a `RuleInput` and yields a `Problem` for all that is wrong; to add one, write it and name it in `RULES`,
and in `RELATIONS` too when it compares the specification with those of other resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shopmesh.appmesh.api.validation import raise_problems
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.kinds import describe
from shopmesh.appmesh.rules import gateways, listeners, names, nodes, routes
from shopmesh.appmesh.rules.rule_input import Rule, RuleInput
from shopmesh.appmesh.store import Document, Key, View

RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "mesh": (),
        "virtualNode": (
            listeners.ports_differ,
            listeners.health_checks,
            listeners.protocols_agree,
            listeners.durations,
            nodes.backends,
            nodes.discovery,
            nodes.access_log,
        ),
        "virtualRouter": (listeners.ports_differ, routes.fit_their_router),
        "route": (
            routes.one_kind,
            routes.weights,
            routes.http_match,
            routes.grpc_match,
            routes.retries,
            routes.durations,
            routes.fits_its_router,
            routes.target_ports,
        ),
        "virtualService": (),
        "virtualGateway": (
            listeners.ports_differ,
            listeners.health_checks,
            listeners.protocols_agree,
            nodes.access_log,
            gateways.fit_their_gateway,
        ),
        "gatewayRoute": (
            gateways.one_kind,
            gateways.http_match,
            gateways.grpc_match,
            gateways.rewrites,
            gateways.fits_its_gateway,
        ),
    }
)

RELATIONS: frozenset[Rule] = frozenset(
    {
        routes.fits_its_router,
        routes.fit_their_router,
        routes.target_ports,
        gateways.fits_its_gateway,
        gateways.fit_their_gateway,
    }
)
"""The rules about several resources. When several are written together these hold for all of them at the end, not for
each against the former state of the others."""


def check_name(key: Key, view: View) -> None:
    """The rules for the name of a new resource; raises BadRequest, or Conflict when a name differs only in case."""
    raise_problems(names.problems(key))
    if key.kind == "virtualService":
        twin = names.same_domain(key, view)
        if twin is not None:
            raise Conflict(
                f"{describe(key)} differs from {describe(twin)} only in case, which host names do not distinguish; "
                "choose another name"
            )


def check(key: Key, spec: Document, view: View, relations: bool = True) -> None:
    """The rules for a specification that is valid by the model; raises BadRequest with all that is wrong.

    Without `relations` what other resources say does not count; `check_relations` must follow.
    """
    candidate = RuleInput(key, spec, view)
    rules = (rule for rule in RULES[key.kind] if relations or rule not in RELATIONS)
    raise_problems(problem for rule in rules for problem in rule(candidate))


def check_relations(key: Key, view: View) -> None:
    """The rules about several resources, for one as it is stored now; raises BadRequest with all that is wrong."""
    resource = view.get(key)
    if resource is not None:
        candidate = RuleInput(key, resource.spec, view)
        rules = (rule for rule in RULES[key.kind] if rule in RELATIONS)
        raise_problems(problem for rule in rules for problem in rule(candidate))
