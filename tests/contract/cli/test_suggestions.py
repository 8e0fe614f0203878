"""What a user types who does not know the exact name yet: it is understood, or answered with what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shopmesh.client import Client
from tests.contract.cli.conftest import ControlPlane, Run, proxy

MESH = Path(__file__).parents[3] / "mesh"

PROXIES = [proxy("order-vn"), proxy("product-vn"), proxy("product-v2-vn", connected=False)]


@pytest.fixture
def mesh(shopmesh: Run, control_plane: ControlPlane) -> None:
    shopmesh("apply", "-f", str(MESH))
    control_plane.beside["proxies"] = {"proxies": PROXIES}


def weights(client: Client, service: str) -> dict[str, int]:
    answer: Any = client.appmesh.describe_route(
        meshName="shopmesh", virtualRouterName=f"{service}-vr", routeName=f"{service}-r"
    )
    targets = answer["route"]["spec"]["httpRoute"]["action"]["weightedTargets"]
    return {target["virtualNode"]: target["weight"] for target in targets}


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("service", "name", "node"),
    [
        ("product", "v2", "product-v2-vn"),
        ("product", "2", "product-v2-vn"),
        ("product", "2.0", "product-v2-vn"),
        ("product", "v2.0", "product-v2-vn"),
        ("product", "product/2.0", "product-v2-vn"),
        ("customer", "v15", "customer-v15-vn"),
        ("customer", "1.5", "customer-v15-vn"),
    ],
)
def test_a_version_stands_for_its_virtual_node(
    shopmesh: Run, client: Client, service: str, name: str, node: str
) -> None:
    """By the labels of the manifest or a part of the node's name, among the versions of the service."""
    shopmesh("route", service, f"{name}=40")

    assert 40 == weights(client, service)[node]


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["route", "customer", "v1=10"], "'v1' is ambiguous: customer-v15-vn, customer-vn; write the name of"),
        (
            ["route", "product", "v3=10"],
            "there is no virtual node 'v3'; there: customer-v15-vn, customer-vn, customer/1",
        ),
        (["route", "product", "product/2.1=10"], "there is no virtual node 'product/2.1'; did you mean 'product/2.0'?"),
        (["route", "product", "v2=10", "product-v2-vn=20"], "product-v2-vn is named twice"),
        (["route", "produkt", "v2=10"], "there is no virtualService 'produkt'; did you mean 'product'?"),
        (["canary", "product", "--to", "product-v3-vn"], "there is no virtual node 'product-v3-vn'; did you mean 'pro"),
        (["describe", "produkt"], "there is no resource 'produkt'; did you mean 'product'?"),
        (["get", "vs", "ordr"], "there is no virtualService 'ordr'; did you mean 'order'?"),
    ],
)
def test_a_name_that_fits_nothing_or_several_is_answered_with_what_there_is(
    shopmesh: Run, arguments: list[str], reason: str
) -> None:
    """Nothing is changed, and the message holds the name to type next."""
    assert reason in shopmesh(*arguments, status=1).stderr


@pytest.mark.usefixtures("mesh")
def test_everything_can_be_asked_for_by_a_word(shopmesh: Run) -> None:
    """`get all` lists what `get` does; with a name it asks for the kind."""
    assert shopmesh("get").stdout == shopmesh("get", "all").stdout
    assert "`shopmesh get KIND product`" in shopmesh("get", "all", "product", status=2).stderr


@pytest.mark.usefixtures("mesh")
def test_a_resource_is_described_by_its_name_alone(shopmesh: Run) -> None:
    """Its kind is found, the short name of a virtual service included."""
    assert shopmesh("describe", "virtualservice", "product").stdout == shopmesh("describe", "product").stdout
    assert "virtualNode" == yaml.safe_load(shopmesh("describe", "product-v2-vn").stdout)["kind"]
    assert "'vn' is a kind; name the virtualNode as well" in shopmesh("describe", "vn", status=2).stderr


def test_a_name_of_two_kinds_needs_the_kind(shopmesh: Run, client: Client) -> None:
    """Both are named, so that the next command is known."""
    client.requests(
        [
            {"operation": "CreateMesh", "parameters": {"meshName": "m"}},
            {
                "operation": "CreateVirtualNode",
                "parameters": {"meshName": "m", "virtualNodeName": "a", "spec": {"listeners": []}},
            },
            {
                "operation": "CreateVirtualRouter",
                "parameters": {"meshName": "m", "virtualRouterName": "a", "spec": {"listeners": []}},
            },
        ]
    )

    said = shopmesh("describe", "a", status=1).stderr

    assert "error: 'a' is ambiguous: virtualNode a, virtualRouter a; name the kind as well\n" == said


@pytest.mark.usefixtures("mesh")
def test_a_described_service_shows_its_weights_its_proxies_and_its_callers(shopmesh: Run) -> None:
    """Who answers, with which share, and whose Envoys decide it."""
    shopmesh("route", "product", "v2=25")

    found = yaml.safe_load(shopmesh("describe", "vs", "product").stdout)

    first, second = found["routes"][0]["targets"]
    assert ("product-vr/product-r", "product-vn", "product/1.0", 75, "75.0%", {"product-vn-1": "in sync"}) == (
        found["routes"][0]["route"],
        *(first[name] for name in ("virtualNode", "version", "weight", "share", "proxies")),
    )
    assert {"product-v2-vn-1": "not connected"} == second["proxies"]
    assert [{"virtualNode": "order-vn", "proxies": {"order-vn-1": "in sync"}}] == found["callers"]
    assert {"order-vn-1": "in sync"} == yaml.safe_load(shopmesh("describe", "order-vn").stdout)["proxies"]


@pytest.mark.parametrize("command", ["apply", "delete", "doctor", "inject"])
def test_files_without_their_option_are_answered_with_it(shopmesh: Run, command: str) -> None:
    """The whole command is shown as it would be right."""
    said = shopmesh(command, "mesh/", status=2).stderr

    assert f"files are named with -f: `shopmesh {command} -f mesh/`" in said


def test_the_version_is_shown_of_both_sides(shopmesh: Run, control_plane: ControlPlane) -> None:
    """Of the command, and of the control plane where one answers."""
    control_plane.beside["health"]["version"] = "9.8.7"

    said = shopmesh("version").stdout
    alone = shopmesh("--endpoint-url", "http://127.0.0.1:9", "version").stdout

    assert f"control plane  9.8.7, at {control_plane.url}" in said
    assert "control plane  does not answer at http://127.0.0.1:9" in alone


@pytest.mark.parametrize(
    ("command", "document", "reason"),
    [
        (["apply", "-f", "-"], "apiVersion: v1", "neither a manifest (apiVersion and kind)"),
        (["apply", "-f", "-"], "apiVersion: v1\nkind: [Service]", "neither a manifest (apiVersion and kind)"),
        (["apply", "-f", "-"], "apiVersion: v1\nkind: VirtualNode", "a VirtualNode has the apiVersion appmesh.k8s.aws"),
        (["doctor", "-f", "-"], "kind: VirtualRouter\nmetadata: {name: a}", "v1beta2; this one has none"),
        (["inject", "-f", "-"], "apiVersion: v1", "has an apiVersion and no kind"),
    ],
)
def test_a_document_that_is_only_half_one_is_refused(
    shopmesh: Run, command: list[str], document: str, reason: str
) -> None:
    """It is not skipped as somebody else's: the exit status says that something is wrong."""
    assert reason in shopmesh(*command, stdin=document, status=1).stderr
