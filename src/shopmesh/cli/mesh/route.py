"""`shopmesh route`: how a service's traffic is split between its versions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from shopmesh.appmesh.kinds import weighted_targets
from shopmesh.appmesh.store import Key
from shopmesh.appmesh.weights import AmbiguousWeights, parse, set_weights, shift
from shopmesh.cli.callers import ADVICE, NO_CALLER, uncalled_service
from shopmesh.cli.output import StyledText, echo
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import ChangeDocument, Client
    from shopmesh.documents import DeclaredResource


def _parse_weights(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    named: dict[str, int] = {}
    for value in values:
        try:
            name, weight = parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error
        if name in named:
            raise click.BadParameter(f"{name} is named twice", ctx, param)
        named[name] = weight
    return named


@click.command(
    epilog="""\b
Examples:
  shopmesh route product                     show the weights
  shopmesh route product product-v2-vn=50    send half of the requests to 2.0
  shopmesh route product v2=50               the same
  shopmesh route product product-vn=0 product-v2-vn=100
  shopmesh route product-vr --route beta product-v2-vn=10

SERVICE is a virtual service, by its full name or the first part of it, or a virtual router. NODE is a virtual node, or
the version that it runs: product/2.0, 2.0 or v2. Weights are percentages: targets that are not named share the rest in
their present proportion.
"""
)
@click.argument("service")
@click.argument("weights", nargs=-1, metavar="[NODE=WEIGHT]...", callback=_parse_weights)
@click.option("--route", "route_name", metavar="NAME", help="Route to change, if the virtual router has several.")
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until every Envoy has confirmed the change."
)
@click.option(
    "--timeout", default=10.0, show_default=True, type=click.FloatRange(0.1, 60), help="Seconds to wait for the Envoys."
)
@click.pass_obj
def route(
    settings: Settings, service: str, weights: dict[str, int], route_name: str | None, wait: bool, timeout: float
) -> None:
    """Show the weights of SERVICE's versions, or change them at once."""
    from shopmesh.client import label, read_mesh

    with settings.client() as client:
        resources = read_mesh(client, settings.require_mesh(client))
        routes = routes_of(resources, service, route_name)
        if not weights:
            _print_weights(routes, settings)
            _warn_without_caller(resources, routes[0])
            return
        if len(routes) > 1:
            names = ", ".join(resource.key.name for resource in routes)
            raise click.ClickException(f"{service} has several routes ({names}); name one with --route")
        changed = _with_weights(routes[0], weights, [r for r in resources if r.key.kind == "virtualNode"])
        if changed == routes[0].spec:
            echo(f"unchanged {label(routes[0].key)}")
        else:
            _update_route(client, routes[0], changed, timeout if wait else None)
    _warn_without_caller(resources, routes[0])


def routes_of(resources: Sequence[DeclaredResource], service: str, route_name: str | None) -> list[DeclaredResource]:
    """The routes of a service or router, or the one of that name; raises `click.ClickException` where there is none."""
    from shopmesh.cli.resolve_name import resolve

    keys = [resource.key for resource in resources]
    routers = [key for key in keys if key.kind == "virtualRouter" and key.name == service]
    if routers:
        router = routers[0].name
    else:
        key = resolve(keys, "virtualService", service)
        provider = next(resource for resource in resources if resource.key == key).spec.get("provider", {})
        if "virtualRouter" not in provider:
            node = provider.get("virtualNode", {}).get("virtualNodeName")
            given = f"is provided directly by the virtual node {node}" if node else "has no provider"
            raise click.ClickException(f"{key.name} {given}; only a virtual router has weights")
        router = provider["virtualRouter"]["virtualRouterName"]
    routes = [r for r in resources if r.key.kind == "route" and r.key.path[1] == router]
    named = [r for r in routes if route_name in (None, r.key.name)]
    if not named:
        there = ", ".join(r.key.name for r in routes) or "none"
        missing = f"no route {route_name!r}" if route_name else "no route"
        raise click.ClickException(f"virtual router {router} has {missing} (there: {there})")
    return named


def _with_weights(
    resource: DeclaredResource, weights: dict[str, int], nodes: Sequence[DeclaredResource]
) -> dict[str, Any]:
    """The route's specification with the new weights; nodes that were not targets are added."""
    from shopmesh.cli.resolve_name import resolve_node

    spec = copy.deepcopy(dict(resource.spec))
    targets = weighted_targets(spec)
    current = [(target["virtualNode"], target["weight"]) for target in targets]
    if len(dict(current)) != len(current):
        raise click.ClickException(
            f"route {resource.key.name} names one node twice, by different ports; use `shopmesh apply` for it"
        )
    named: dict[str, int] = {}
    for name, weight in weights.items():
        node = resolve_node(nodes, name, dict(current))
        if node in named:
            raise click.ClickException(f"{node} is named twice, the second time as {name!r}")
        named[node] = weight
    try:
        new = shift(current, named)
    except AmbiguousWeights as error:
        raise click.ClickException(str(error)) from error
    targets[:] = set_weights(targets, new)
    return spec


def _warn_without_caller(resources: Sequence[DeclaredResource], route: DeclaredResource) -> None:
    service = uncalled_service(resources, Key("virtualRouter", route.key.parent))
    if service is not None:
        echo(f"warning: these weights have no effect: {NO_CALLER.format(service=service)}; {ADVICE}", err=True)


def _update_route(client: Client, resource: DeclaredResource, spec: dict[str, Any], timeout: float | None) -> None:
    from dataclasses import replace

    from shopmesh.client import label
    from shopmesh.documents import parameters

    request = {"operation": "UpdateRoute", "parameters": parameters(replace(resource, spec=spec))}
    revision = client.requests([request]).revision
    weights = " ".join(f"{target['virtualNode']}={target['weight']}" for target in weighted_targets(spec))
    echo(StyledText("updated", fg="yellow"), f" {label(resource.key)}: {weights}")
    if timeout is not None:
        _report_convergence(client.wait_converged(revision, timeout), timeout)


def _report_convergence(change: ChangeDocument, timeout: float) -> None:
    if not change["converged"]:
        late = ", ".join(name for name, milliseconds in change["proxies"].items() if milliseconds is None)
        raise click.ClickException(
            f"the change is stored, but {late or 'an Envoy'} did not confirm it within {timeout:g} s;"
            " `shopmesh status` shows why"
        )
    if not change["proxies"]:
        echo("no connected Envoy uses this route")
        return
    count = len(change["proxies"])
    envoys = "1 Envoy has" if count == 1 else f"all {count} Envoys have"
    echo(f"{envoys} confirmed it, the last after {change['milliseconds'] or 0:.1f} ms")


def _print_weights(routes: Sequence[DeclaredResource], settings: Settings) -> None:
    from shopmesh.cli.views.annotations_view import format_annotations
    from shopmesh.cli.views.tables import percent, show, table

    rows = []
    for resource in routes:
        targets = weighted_targets(resource.spec)
        total = sum(target["weight"] for target in targets)
        for index, target in enumerate(targets):
            name = "/".join(resource.key.path[1:]) if index == 0 else ""
            share = percent(target["weight"] / total if total else None)
            rows.append((name, target["virtualNode"], str(target["weight"]), share))
    show(table(("ROUTE", "VIRTUAL NODE", "WEIGHT", "SHARE"), rows, right=("WEIGHT", "SHARE")), settings.color)
    for resource in routes:
        for said in format_annotations(resource.tags):
            echo(f"{'/'.join(resource.key.path[1:])}: {said}")
