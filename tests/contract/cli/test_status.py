"""`shopmesh status`, with figures and proxies as the control plane would tell them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cli.conftest import ControlPlane, Run, proxy

MESH = Path(__file__).parents[3] / "mesh"

NACKS = (
    {"type": "routes", "message": "no such cluster", "at": 1.0},
    {"type": "listeners", "message": "the filter is not known to " + "x" * 200, "at": 1.0},
)


def target(node: str, weight: int, seen: float, requests: int, **more: Any) -> dict[str, Any]:
    return {
        "virtualNode": node,
        "port": 5000,
        "weight": weight,
        "share": weight / 100,
        "seen": seen,
        "interval": [seen - 0.02, seen + 0.02],
        "requests": requests,
        "errors": 0,
        "retries": 0,
        "p50": 1.5,
        "p99": 10.0,
        **more,
    }


def finding(number: int) -> dict[str, str]:
    severity = "error" if number < 2 else "warning"
    said = {"where": f"route r{number}", "what": "is off", "why": "it hurts", "fix": "turn it on"}
    return {"code": "SM120", "severity": severity, "mesh": "shopmesh", "docs": "docs/doctor.md#sm120", **said}


@pytest.fixture
def busy(shopmesh: Run, control_plane: ControlPlane) -> None:
    shopmesh("apply", "-f", str(MESH))
    split = {
        "mesh": "shopmesh",
        "virtualService": "product.default.svc.cluster.local",
        "virtualRouter": "product-vr",
        "route": "product-r",
        "targets": [target("product-vn", 50, 0.48, 1200), target("product-v2-vn", 50, 0.52, 1300, errors=4)],
    }
    control_plane.beside["splits"]["splits"] = [split]
    control_plane.beside["proxies"]["proxies"] = [
        proxy("product-vn"),
        proxy("product-v2-vn", inStep=False, refused=NACKS[0], alsoRefused=NACKS[1:]),
        proxy("order-vn", connected=False, since=None),
    ]
    control_plane.beside["findings"]["findings"] = [finding(number) for number in range(12)]


@pytest.mark.usefixtures("busy")
def test_services_versions_weights_and_seen_shares_are_one_line_each(shopmesh: Run) -> None:
    """The service's name once, below it a line a version, with what it was to get and what it got."""
    lines = shopmesh("status").stdout.splitlines()
    [first] = [line.split() for line in lines if line.startswith("product.default")]
    [second] = [line.split() for line in lines if line.strip().startswith("product-v2-vn  ") and "52.0%" in line]

    assert ["product-vn", "1.0", "50", "48.0%"] == first[1:5]
    assert ["product-v2-vn", "2.0", "50", "52.0%", "50.0%", "to", "54.0%", "1300", "4"] == second[:9]
    assert ["0", "of", "1", "in", "sync"] == second[-5:]


@pytest.mark.usefixtures("busy")
def test_what_was_counted_for_less_time_or_elsewhere_is_said(shopmesh: Run, control_plane: ControlPlane) -> None:
    """Since when, where a route has changed; and by whom, where no proxy of the mesh calls a service."""
    assert "counted for" not in shopmesh("status").stdout
    answer = control_plane.beside["splits"]
    [split] = answer["splits"]
    entry = {
        **split,
        "virtualService": "order.default.svc.cluster.local",
        "route": None,
        "virtualRouter": None,
        "since": 100.0,
        "countedBy": "targets",
        "targets": [{**target("order-vn", 100, 1.0, 70), "seen": None, "interval": None}],
    }
    answer.update(since=100.0, splits=[{**split, "since": 107.0, "countedBy": "callers"}, entry])
    lines = shopmesh("status").stdout.splitlines()

    assert "product.default: counted for 3 s, since its route has changed" in lines
    assert "nothing in the mesh calls order.default: no weights act there, and its own proxies count requests" in lines
    assert not [line for line in lines if "past all weights" in line]
    [order] = [line.split() for line in lines if line.startswith("order.default ")]
    assert ["order-vn", "1.0", "100", "-", "70"] == order[1:6]

    answer["splits"] = [{**split, "countedBy": "targets"}]
    lines = shopmesh("status").stdout.splitlines()
    assert "requests for product.default came from outside the mesh, past all weights" in lines


@pytest.mark.usefixtures("busy")
def test_right_after_a_change_callers_may_not_have_reported_yet(shopmesh: Run, control_plane: ControlPlane) -> None:
    """What only the targets have counted until then is not taken for requests from outside the mesh."""
    answer = control_plane.beside["splits"]
    [split] = answer["splits"]
    answer.update(since=100.0, splits=[{**split, "since": 109.0, "countedBy": "targets"}])
    lines = shopmesh("status").stdout.splitlines()

    assert "product.default: counted for 1 s, since its route has changed" in lines
    assert not [line for line in lines if "past all weights" in line]


@pytest.mark.usefixtures("busy")
def test_a_node_that_stands_twice_in_a_route_is_named_with_its_port(shopmesh: Run, control_plane: ControlPlane) -> None:
    """Elsewhere the port says nothing new."""
    [split] = control_plane.beside["splits"]["splits"]
    split["targets"] = [target("product-vn", 75, 0.7, 70), target("product-vn", 25, 0.3, 30, port=6000)]

    lines = shopmesh("status").stdout.splitlines()

    assert [["product-vn:5000", "1.0", "75", "70.0%"], ["product-vn:6000", "1.0", "25", "30.0%"]] == [
        line.replace("product.default", "").split()[:4] for line in lines if "product-vn:" in line
    ]


@pytest.mark.usefixtures("busy")
def test_a_refused_configuration_is_told_in_envoys_words(shopmesh: Run) -> None:
    """So are proxies that are away, and findings with what to do."""
    said = shopmesh("status").stdout

    assert "rejected its routes: no such cluster; its listeners: the filter is not known to xx…" in said
    assert "not connected" in said
    assert "error SM120  route r0: is off" in said
    assert "do:  turn it on" in said


@pytest.mark.usefixtures("busy")
def test_a_long_refusal_keeps_the_table_a_table(shopmesh: Run, control_plane: ControlPlane) -> None:
    """The first words stand in one line of the table and of the finding; `doctor` has all of it."""
    reason = "Error adding listener:\n\tfield is wrong \x1b[31m" + "x" * 2000 + " the end"
    refused = {"type": "listeners", "message": reason, "at": 1.0}
    control_plane.beside["proxies"]["proxies"] = [proxy("product-v2-vn", inStep=False, refused=refused)]
    what = f"refused its listeners: {reason}"
    control_plane.beside["findings"]["findings"] = [{**finding(0), "code": "SM202", "what": what}]

    lines = shopmesh("status").stdout.splitlines()
    row = next(line for line in lines if line.startswith("product-v2-vn-1"))
    mark = next(line for line in lines if "SM202" in line)
    whole = shopmesh("doctor", status=1).stdout

    assert "rejected its listeners: Error adding listener: field is wro…" in row
    assert len(row) < 130
    assert "Error adding listener: field is wrong" in mark
    assert mark.endswith("… (`shopmesh doctor` shows all of it)")
    assert len(mark) < 350
    assert not any("\x1b" in line for line in (*lines, whole))
    assert "the end" in whole


@pytest.mark.usefixtures("busy")
def test_of_many_findings_the_first_are_shown_and_all_are_counted(shopmesh: Run) -> None:
    """Errors come first; `doctor` shows the rest."""
    said = shopmesh("status").stdout

    assert "2 errors, 10 warnings" in said
    assert "route r4" in said
    assert "route r5" not in said
    assert "`shopmesh doctor` shows all findings" in said


@pytest.mark.usefixtures("busy")
def test_piped_output_is_plain(shopmesh: Run) -> None:
    """No colours, no lines cut at eighty columns, no blanks at their ends."""
    said = shopmesh("status").stdout

    assert "\x1b" not in said
    assert all(line == line.rstrip() for line in said.splitlines())


@pytest.mark.usefixtures("busy")
def test_json_is_for_programs(shopmesh: Run) -> None:
    """The same facts as one document."""
    document = json.loads(shopmesh("status", "-o", "json").stdout)

    assert {"mesh", "window", "splits", "proxies", "findings"} == document.keys()
    assert "product-vn" == document["splits"][0]["targets"][0]["virtualNode"]


def test_an_empty_control_plane_says_what_to_do(shopmesh: Run) -> None:
    """A newcomer is told how to load a mesh."""
    said = shopmesh("status", status=1).stderr

    assert "error: no mesh yet: load one with `shopmesh apply -f mesh/`\n" == said


def test_watching_needs_a_terminal(shopmesh: Run) -> None:
    """Piped, --watch is a usage error instead of an endless stream of escapes."""
    shopmesh("apply", "-f", str(MESH))

    assert "--watch needs a terminal" in shopmesh("status", "--watch", status=2).stderr
