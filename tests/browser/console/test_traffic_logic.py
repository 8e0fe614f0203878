"""What the page Traffic computes, in chromium itself: weights, forms of a change, figures over time, plans."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from shopmesh import statistics
from shopmesh.appmesh.store import Key
from shopmesh.canary import plan
from shopmesh.documents import DeclaredResource, as_yaml, manifests
from tests.support.console import ConsoleServer
from tests.support.console_browser import Tab, Tabs

LOGIC = "pages/traffic/logic"
SPEC: Any = {
    "priority": 7,
    "httpRoute": {
        "match": {"prefix": "/", "headers": [{"name": "weight", "match": {"exact": "weight: 1"}}]},
        "retryPolicy": {"maxRetries": 2, "perRetryTimeout": {"unit": "ms", "value": 300}},
        "timeout": {"perRequest": {"unit": "s", "value": 2}},
        "action": {
            "weightedTargets": [
                {"virtualNode": "it's v1", "weight": 3, "port": 80},
                {"virtualNode": "v2", "weight": 1},
                {"virtualNode": "v3", "weight": 0},
            ]
        },
    },
}


@pytest.fixture(scope="module")
def page(chromium: Any, shared_server: ConsoleServer) -> Iterator[Tab]:
    """One tab for all tests: they only call functions."""
    tabs = Tabs(chromium, shared_server.link)
    yield tabs.open()
    assert [] == tabs.close()


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ([1, 1, 1], [34, 33, 33]),
        ([3, 1], [75, 25]),
        ([2, 3, 2], [29, 43, 28]),
        ([0, 0], [50, 50]),
        ([100, 100, 100, 100, 100, 100, 100], [15, 15, 14, 14, 14, 14, 14]),
        ([0, 7], [0, 100]),
        ([90, 10], [90, 10]),
    ],
)
def test_weights_become_percentages_by_largest_remainder(page: Tab, weights: list[int], shares: list[int]) -> None:
    assert shares == page.module(f"{LOGIC}/weights.js", "module.normalise(given[0])", weights)


def test_moved_weights_always_add_up_to_100(page: Tab) -> None:
    """Whatever was there and whatever is typed, all weights are whole numbers from 0 to 100, and the moved one is as
    it was moved."""
    wrong = page.module(
        f"{LOGIC}/weights.js",
        """(() => {
          let seed = 7;
          const draw = (most) => (seed = (seed * 48271) % 2147483647) % (most + 1);
          const found = [];
          for (let round = 0; round < 5000; round += 1) {
            const weights = Array.from({ length: 2 + draw(8) }, () => draw(100));
            const [index, value] = [draw(weights.length - 1), draw(100)];
            const moved = module.withWeight(module.normalise(weights), index, value);
            const sum = moved.reduce((total, weight) => total + weight, 0);
            const whole = moved.every((weight) => Number.isInteger(weight) && weight >= 0);
            if (sum !== 100 || !whole || moved[index] !== value) found.push([weights, index, value, moved]);
          }
          return found;
        })()""",
    )

    assert [] == wrong


@pytest.mark.parametrize(
    ("weights", "index", "value", "moved"),
    [
        ([60, 30, 10], 0, 20, [20, 60, 20]),
        ([100, 0, 0], 0, 50, [50, 25, 25]),
        ([50, 50], 1, "x", [100, 0]),
        ([50, 50], 1, 250, [0, 100]),
        ([50, 50], 1, -3, [100, 0]),
        ([100], 0, 10, [100]),
    ],
)
def test_others_keep_their_proportions(page: Tab, weights: list[int], index: int, value: Any, moved: list[int]) -> None:
    """Where they had nothing they share alike; what is typed is bounded; a lone version keeps all."""
    assert moved == page.module(f"{LOGIC}/weights.js", "module.withWeight(...given)", weights, index, value)


def test_nothing_but_the_weights_changes(page: Tab) -> None:
    """Match, retries, time-outs and priority are sent as they were, and what was read stays as it is."""
    changed, before = page.module(f"{LOGIC}/weights.js", "[module.withWeights(given[0], [10, 20, 70]), given[0]]", SPEC)

    assert before == SPEC
    expected = json.loads(json.dumps(SPEC))
    for target, weight in zip(expected["httpRoute"]["action"]["weightedTargets"], (10, 20, 70), strict=True):
        target["weight"] = weight
    assert expected == changed


def test_the_order_of_fields_is_no_difference(page: Tab) -> None:
    """What two clients wrote is compared; each has an order of its own."""
    orders = [{"spec": json.loads(json.dumps(SPEC, sort_keys=is_sorted))} for is_sorted in (True, False)]
    texts = page.module("pages/traffic/applied.js", "given.map(module.asText)", *orders)

    assert texts[0] == texts[1]
    assert SPEC == json.loads(texts[0])


def test_commands_are_quoted_for_a_shell(page: Tab) -> None:
    """A name with a quote, a blank or a command in it stays one argument."""
    route = {"meshName": "m", "virtualRouterName": "r; echo $(id)", "routeName": "it's", "spec": SPEC}
    aws, shopmesh = page.module(
        f"{LOGIC}/weights.js", "[module.awsCommand(given[0]), module.shopmeshCommand(given[0])]", route
    )

    assert ["aws", "appmesh", "update-route", "--cli-input-json"] == shlex.split(aws)[:-1]
    assert route == json.loads(shlex.split(aws)[-1])
    assert ["shopmesh", "--mesh", "m", "route", "r; echo $(id)", "--route", "it's"] == shlex.split(shopmesh)[:7]
    assert ["it's v1=3", "v2=1", "v3=0"] == shlex.split(shopmesh)[7:]


def test_shopmesh_route_is_left_out_where_it_cannot_do_it(page: Tab) -> None:
    """It names nodes, so it cannot tell two ports of one node apart."""
    spec = {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1, "port": p} for p in (1, 2)]}}}

    assert page.module(f"{LOGIC}/weights.js", "module.shopmeshCommand(given[0])", {"spec": spec}) is None


def router_manifest() -> str:
    """The manifest of a router with two routes whose names YAML would take for something else."""
    specs: dict[str, Any] = {"true": SPEC, "no's": {"grpcRoute": {**SPEC["httpRoute"], "match": {}}}}
    listener = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}
    resources = [
        DeclaredResource(Key("mesh", ("m",)), {}, {}),
        *(DeclaredResource(Key("virtualNode", ("m", node)), {}, {}) for node in ("it's v1", "v2", "v3")),
        DeclaredResource(Key("virtualRouter", ("m", "r")), listener, {}),
        *(DeclaredResource(Key("route", ("m", "r", name)), spec, {}) for name, spec in specs.items()),
    ]
    return as_yaml(manifests(resources, [Key("virtualRouter", ("m", "r"))]))


@pytest.mark.parametrize("route", ["true", "no's"])
def test_the_manifest_changes_in_the_weights_of_one_route(page: Tab, route: str) -> None:
    text = router_manifest()

    changed = page.module(
        f"{LOGIC}/weights.js", "module.withWeightsInManifest(...given)", text, route, [3, 1, 0], [1, 2, 97]
    )

    found, expected = yaml.safe_load(changed), yaml.safe_load(text)
    [of_route] = [one for one in expected["spec"]["routes"] if one["name"] == route]
    kind = "httpRoute" if route == "true" else "grpcRoute"
    for target, weight in zip(of_route[kind]["action"]["weightedTargets"], (1, 2, 97), strict=True):
        target["weight"] = weight
    assert expected == found
    assert 3 == sum(one != other for one, other in zip(text.split("\n"), changed.split("\n"), strict=True))


@pytest.mark.parametrize(("route", "before"), [("true", [3, 1]), ("true", [1, 3, 0]), ("another", [3, 1, 0])])
def test_a_manifest_that_says_other_weights_is_left_alone(page: Tab, route: str, before: list[int]) -> None:
    """No difference is shown rather than a wrong one."""
    given = (router_manifest(), route, before, [100] * len(before))

    assert page.module(f"{LOGIC}/weights.js", "module.withWeightsInManifest(...given)", *given) is None


@pytest.mark.parametrize(("count", "total"), [(0, 10), (10, 10), (3, 10), (498, 1000)])
def test_intervals_are_those_of_the_control_plane(page: Tab, count: int, total: int) -> None:
    found = page.module(f"{LOGIC}/series.js", "module.wilson(...given)", count, total)

    assert pytest.approx(statistics.wilson(count, total), abs=1e-6) == found


ROUTE: Any = {
    "virtualService": "s.local",
    "route": "r",
    "updatedAt": 105.0,
    "targets": [{"virtualNode": node, "port": 80, "weight": 50, "share": 0.5} for node in ("v1", "v2")],
}


def test_the_past_counts_over_ten_seconds_but_not_across_a_change(page: Tab) -> None:
    """100 to 0 until 105, then 50 to 50: a point after the change has none of the requests before it."""
    history = {
        "begin": 90.0,
        "step": 1.0,
        "series": [
            {"virtualNode": "v1", "port": 80, "requests": [10] * 15 + [5] * 5, "errors": [0] * 20, "p99": [7] * 20},
            {"virtualNode": "v2", "port": 80, "requests": [0] * 15 + [5] * 5, "errors": [1] * 20, "p99": [None] * 20},
        ],
        "weights": [
            {"at": 10.0, "route": "r", "weights": {"v1": 100, "v2": 0}},
            {"at": 50.0, "route": "another", "weights": {"v1": 1, "v2": 1}},
            {"at": 105.0, "route": "r", "weights": {"v1": 1, "v2": 1}},
        ],
    }

    found = page.module(f"{LOGIC}/series.js", "module.fromHistory(...given)", history, ROUTE)

    first, second = found["rows"]
    assert [91.0, 110.0] == [found["times"][0], found["times"][-1]]
    assert [1] * 15 + [0.5] * 5 == first["seen"]
    assert [1] * 15 + [0.5] * 5 == first["target"]
    assert (10, 5, 5) == (first["requests"][14], first["requests"][15], second["requests"][-1])
    assert [7] * 20 == first["p99"]
    assert (None, 0.2) == (second["errors"][0], second["errors"][-1])
    assert [None] * 20 == second["p99"]


def test_less_than_one_request_says_nothing_of_shares(page: Tab) -> None:
    """A proxy's first report is spread over all the time that it has run."""
    series = [
        {"virtualNode": node, "port": 80, "requests": [0.01] * 20 + [rate] * 5, "errors": [0] * 25, "p99": [None] * 25}
        for node, rate in (("v1", 3), ("v2", 1))
    ]
    history = {"begin": 90.0, "step": 1.0, "series": series, "weights": []}

    first = page.module(f"{LOGIC}/series.js", "module.fromHistory(...given)", history, ROUTE)["rows"][0]

    assert [None] * 20 == first["seen"][:20] == first["low"][:20]
    assert 0.7 < first["seen"][-1] < 0.8


def test_live_points_continue_the_past(page: Tab) -> None:
    """For five minutes, each time once, and with a gap where none came."""
    times, seen = page.module(
        f"{LOGIC}/series.js",
        """(() => {
          let series = module.empty(1);
          const add = (at, seen) => (series = module.append(series, at, [{ seen }]));
          add(1000, 0.1); add(1001, 0.2); add(1001, 0.9); add(1020, 0.3); add(1301.5, 0.4);
          return [series.times, series.rows[0].seen];
        })()""",
    )

    assert [1002, 1020, 1021, 1301.5] == times
    assert [None, 0.3, None, 0.4] == seen


def test_rates_are_those_of_all_callers(page: Tab) -> None:
    """Shares are of the route's figures; requests, errors and latency of the flows of its service."""
    flows = {
        "m/virtualNode/a/s.local/v1": [10, 1, 20],
        "m/virtualGateway/b/s.local/v1": [5, 0, None],
        "m/virtualNode/a/other.local/v2": [99, 9, 900],
    }
    figures = [None, "c", [[150, 10, 0, 5, 30, 1, 0.9, 1], [0, 0, 0, None, None, 0, 0, 0.1]]]

    first, second = page.module(
        f"{LOGIC}/series.js",
        "module.fromLive(given[0], given[1], module.sumFlows(Object.entries(given[2])), 100)",
        ROUTE,
        figures,
        flows,
    )

    assert (0.5, 1, 0.9, 1, 15, 20) == tuple(
        first[name] for name in ("target", "seen", "low", "high", "requests", "p99")
    )
    assert pytest.approx(1 / 15) == first["errors"]
    assert (0, None, None) == (second["requests"], second["errors"], second["p99"])


def test_the_plan_of_the_form_is_one_that_the_control_plane_reads(page: Tab) -> None:
    """Each field with its unit; what is left empty is the control plane's default."""
    typed = {"to": "v2", "steps": "10, 50", "every": "20", "maxErrorRate": "2", "minRequests": "40", "manual": True}
    more = {"maxP99": "300", "patience": "90", "match": "x-canary=1", "mirror": "5"}

    few, all_of_them, command = page.module(
        f"{LOGIC}/canary.js",
        "[module.planOf(given[0]), module.planOf(given[1]), module.commandOf('r', 't', module.planOf(given[1]))]",
        typed,
        typed | more,
    )

    read = plan.from_document(few)
    assert ((10, 50), 20.0, 0.02, 40, True, None) == (
        read.steps,
        read.every,
        read.max_error_rate,
        read.min_requests,
        read.manual,
        read.max_p99,
    )
    read = plan.from_document(all_of_them)
    assert (300.0, 90.0, "header:x-canary=1", 0.05) == (read.max_p99, read.patience, str(read.match), read.mirror)
    assert shlex.split(
        "shopmesh canary r --route t --to v2 --steps 10,50 --every 20s --max-error-rate 2% --max-p99 300ms"
        " --min-requests 40 --patience 90s --match header:x-canary=1 --mirror 5% --manual --detach"
    ) == shlex.split(command)


@pytest.mark.parametrize(
    ("phase", "stage", "states"),
    [
        ("running", 1, ["done", "now", "next"]),
        ("promoted", 1, ["done", "done", "done"]),
        ("rolled_back", 0, ["failed", "next", "next"]),
        ("expired", 1, ["done", "failed", "next"]),
    ],
)
def test_stages_say_how_far_a_canary_is(page: Tab, phase: str, stage: int, states: list[str]) -> None:
    canary = {"plan": {"steps": [10, 50]}, "phase": phase, "stage": stage}

    found = page.module(f"{LOGIC}/canary.js", "module.stagesOf(given[0])", canary)

    assert list(zip(["10 %", "50 %", "100 %"], states, strict=True)) == [(one["label"], one["is"]) for one in found]


def test_a_canary_that_cannot_be_started_says_why(page: Tab) -> None:
    def obstacle(protocol: str, called: bool, *weights: int) -> Any:
        targets = [{"virtualNode": f"v{at}", "weight": weight} for at, weight in enumerate(weights)]
        given = ({"protocol": protocol, "targets": targets}, called)
        return page.module(f"{LOGIC}/canary.js", "module.obstacleOf(...given)", *given)

    assert obstacle("http", True, 100, 0) is None
    assert "TCP" in obstacle("tcp", True, 100, 0)
    assert "Nothing in the mesh calls" in obstacle("http", False, 100, 0)
    for weights in ((100,), (50, 50), (0, 0)):
        assert "weight 0" in obstacle("http", True, *weights)
