"""Manifests over the API: read, edited, planned and written, with every mistake at its line."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from shopmesh.console.resources.routes import LONGEST_TEXT, resource_routes
from shopmesh.server.config import Config
from shopmesh.server.control_plane import Listening, serving_control_plane
from tests.support.small_mesh import MESH


class Answer(NamedTuple):
    status: int
    document: dict[str, Any]


class Api:
    """A client of one control plane."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._url}{path}", content, {"content-type": "application/json"}, method=method
        )  # loopback
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error))

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path).document

    def plan(self, text: str, **more: Any) -> Answer:
        return self.send("POST", "/shopmesh/v1/manifests", {"text": text, **more})

    def planned(self, text: str, **more: Any) -> dict[str, Any]:
        status, document = self.plan(text, **more)
        assert 200 == status, document
        return document

    def apply(self, text: str, **more: Any) -> Answer:
        requests = self.planned(text, **more)["requests"]
        return self.send("POST", "/shopmesh/v1/requests", {"requests": requests})

    def errors(self, text: str) -> list[tuple[int, str, str]]:
        """Line, field and message of what is wrong with a text."""
        status, document = self.plan(text)
        assert 400 == status
        return [(one["line"], one["field"], one["message"]) for one in document["errors"]]


@pytest.fixture
def api() -> Iterator[Api]:
    """A control plane in a thread of its own, with the mesh above."""
    loop, stop, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    bound: list[Listening] = []

    async def serve() -> None:
        async with serving_control_plane(Config(api_port=0, xds_port=0, insecure=True), resource_routes) as listening:
            bound.append(listening)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(20)
        found = Api(bound[0].api_port)
        assert 200 == found.apply(MESH).status
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_the_table_names_every_resource_with_what_tells_it_apart(api: Api) -> None:
    """Kinds, names, versions, and a few words of each."""
    found = api.get("/shopmesh/v1/resources?mesh=shop")["resources"]

    assert [
        ("mesh", ["shop"], 1, ""),
        ("route", ["shop", "web", "all"], 1, "one 50"),
        ("virtualNode", ["shop", "one"], 1, "http 80"),
        ("virtualRouter", ["shop", "web"], 1, "http 80"),
        ("virtualService", ["shop", "web.shop"], 1, "web"),
    ] == [(one["kind"], one["path"], one["version"], one["summary"]) for one in found]
    assert [] == api.get("/shopmesh/v1/resources?mesh=other")["resources"]


def test_a_resource_names_what_it_refers_to_and_what_refers_to_it(api: Api) -> None:
    """Parents and fields both ways; a backend by name alone as well."""
    service = api.get("/shopmesh/v1/resources/virtualService/shop/web.shop")
    route = api.get("/shopmesh/v1/resources/route/shop/web/all")

    backend = "spec.backends[0].virtualService.virtualServiceName"
    assert [(backend, ["shop", "one"])] == [(one["field"], one["path"]) for one in service["referredBy"]]
    assert [["shop"], ["shop", "web"]] == [one["path"] for one in service["refersTo"]]
    target = "spec.httpRoute.action.weightedTargets[0].virtualNode"
    assert ("virtualNode", ["shop", "one"]) in [(one["kind"], one["path"]) for one in route["refersTo"]]
    assert target in [one["field"] for one in route["refersTo"]]


def test_a_route_is_read_and_written_in_the_manifest_of_its_router(api: Api) -> None:
    """A text that is written as it was read changes nothing; an edited weight updates the route alone."""
    found = api.get("/shopmesh/v1/resources/route/shop/web/all")
    base = {name: found[name] for name in ("kind", "path", "digest")}
    text = found["manifest"]

    assert [] == api.planned(text, base=base)["requests"]
    edited = text.replace("weight: 50", "weight: 20")
    plan = api.planned(edited, base=base)
    assert ["UpdateRoute"] == [one["operation"] for one in plan["requests"]]
    assert ["-          weight: 50", "+          weight: 20"] == [
        line for line in plan["diff"].splitlines() if line[:1] in "+-" and "weight" in line
    ]
    assert 200 == api.apply(edited, base=base).status
    assert 2 == api.get("/shopmesh/v1/resources/route/shop/web/all")["version"]


def test_a_plan_writes_nothing(api: Api) -> None:
    """The revision stays, however often a text is planned."""
    before = api.get("/shopmesh/v1/resources")["revision"]
    new = MESH.replace("name: one\nspec:\n  awsName: one", "name: two\nspec:\n  awsName: two")
    planned = api.planned(new)

    assert "created" in [one["verb"] for one in planned["steps"]]
    assert before == api.get("/shopmesh/v1/resources")["revision"]


def test_a_text_that_was_read_before_another_write_is_refused_with_both(api: Api) -> None:
    """The answer holds what is there now; a tag alone counts as a change as well."""
    path = "/shopmesh/v1/resources/virtualNode/shop/one"
    found = api.get(path)
    base = {name: found[name] for name in ("kind", "path", "digest")}
    arn = found["api"]["metadata"]["arn"]
    tag = {"resourceArn": arn, "tags": [{"key": "shopmesh.dev/panic-threshold", "value": "5%"}]}
    requests = [{"operation": "TagResource", "parameters": tag}]
    assert 200 == api.send("POST", "/shopmesh/v1/requests", {"requests": requests}).status

    status, document = api.plan(found["manifest"], base=base)
    assert 409 == status
    assert "virtual node one has changed since the text was read" == document["message"]
    assert document["current"] == api.get(path)
    assert "panic-threshold: 5%" in document["current"]["manifest"]


def test_requests_of_a_plan_are_refused_once_somebody_else_has_written(api: Api) -> None:
    """They carry the versions that they were made for, those that change only annotations as well."""
    text = api.get("/shopmesh/v1/resources/virtualNode/shop/one")["manifest"]
    edited = text.replace("port: 80", "port: 81")
    annotated = text.replace("metadata:\n", "metadata:\n  annotations:\n    shopmesh.dev/panic-threshold: 5%\n")
    plans = [api.planned(changed)["requests"] for changed in (edited, annotated)]
    assert 200 == api.apply(text.replace("port: 80", "port: 82")).status

    answers = [api.send("POST", "/shopmesh/v1/requests", {"requests": requests}) for requests in plans]
    assert [409, 409] == [answer.status for answer in answers]


def test_two_people_who_edit_annotations_do_not_overwrite_each_other(api: Api) -> None:
    """App Mesh's versions do not count tags, which annotations are; the second plan is refused all the same."""
    text = api.get("/shopmesh/v1/resources/virtualNode/shop/one")["manifest"]
    plans = [
        api.planned(
            text.replace("metadata:\n", f"metadata:\n  annotations:\n    shopmesh.dev/panic-threshold: {percent}%\n")
        )
        for percent in (5, 10)
    ]

    answers = [api.send("POST", "/shopmesh/v1/requests", {"requests": plan["requests"]}) for plan in plans]
    assert [200, 409] == [answer.status for answer in answers]
    assert "panic-threshold: 5%" in api.get("/shopmesh/v1/resources/virtualNode/shop/one")["manifest"]


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("weight: 50", "weight: 500", 35, "spec.routes[0].httpRoute.action.weightedTargets[0].weight"),
        ("{name: one}", "{name: gone}", 34, "spec.routes[0].httpRoute.action.weightedTargets[0].virtualNodeRef"),
        ("protocol: http", "protocol: smtp", 14, "spec.listeners[0].portMapping.protocol"),
        ("  listeners:", "  listners:", 13, "spec.listners"),
        ("  serviceDiscovery: {}", "  serviceDiscovery: {", 17, ""),
        ("prefix: /", "prefix: shop", 31, "spec.routes[0].httpRoute.match.prefix"),
        ("  name: web\n", "  name: web\n  name: web\n", 24, ""),
    ],
)
def test_each_mistake_is_named_by_line_and_field(api: Api, old: str, new: str, line: int, field: str) -> None:
    """Those of the reader, of the model, and of the API's rules."""
    assert (line, field) in [found[:2] for found in api.errors(MESH.replace(old, new, 1))]


def test_a_text_is_bounded_and_cannot_spell_an_endless_one(api: Api) -> None:
    """Aliases of aliases, depth, size, and bytes that are no text."""
    bombs = ["a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(3)), "[" * 5000, "a: \x00"]
    for bomb in bombs:
        assert 400 == api.plan(bomb).status
    status, document = api.plan("#" * (LONGEST_TEXT + 1))
    assert (400, True) == (status, document["message"].startswith(f"text: has {LONGEST_TEXT + 1} characters"))
    assert 413 == api.plan("#" * (1024 * 1024)).status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/shopmesh/v1/resources/virtualNode/shop/gone", None, 404),
        ("GET", "/shopmesh/v1/resources/virtualNode/shop", None, 404),
        ("GET", "/shopmesh/v1/resources/secret/shop/one", None, 404),
        ("GET", "/shopmesh/v1/manifests", None, 405),
        ("POST", "/shopmesh/v1/resources", {}, 405),
        ("POST", "/shopmesh/v1/manifests", {"text": 1}, 400),
        ("POST", "/shopmesh/v1/manifests", {"text": "", "base": {"kind": "mesh", "path": ["shop"]}}, 400),
        ("POST", "/shopmesh/v1/manifests", {"text": "", "base": {"kind": "x", "path": ["y"], "digest": ""}}, 404),
        ("POST", "/shopmesh/v1/manifests", {"text": "", "write": True}, 400),
    ],
)
def test_other_requests_are_refused_in_a_sentence(api: Api, method: str, path: str, body: Any, status: int) -> None:
    """What does not exist, and what no route takes."""
    answer = api.send(method, path, body)

    assert (status, True) == (answer.status, bool(answer.document["message"]))
