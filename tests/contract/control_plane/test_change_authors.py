"""Who made each change, and through which door, as `/shopmesh/v1/changes` says it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from botocore.credentials import Credentials

from shopmesh.client import Client
from tests.support.canaries import ROUTE, SHORT, build, start
from tests.support.planes import Plane, Planes
from tests.support.process import eventually

KEYS = {"AKIAONE": "right", "AKIATWO": "also right"}


def client(plane: Plane, key: str) -> Client:
    return Client(plane.url, credentials=Credentials(key, KEYS[key]))


def authors(client: Client, after: int = 0) -> list[tuple[str | None, str | None]]:
    return [(one["author"], one["door"]) for one in client.changes(after)["changes"]]


def test_each_change_names_the_access_key_of_its_request() -> None:
    """At either replica, also where the other one wrote it for a client of this one."""
    with Planes(KEYS) as planes, client(planes.one, "AKIAONE") as one, client(planes.two, "AKIATWO") as two:
        build(one)
        assert {("AKIAONE", "api")} == set(authors(one)) == set(authors(two))
        before = one.changes()["revision"]
        start(two)
        assert [("AKIATWO", "api")] == authors(one, before) == authors(two, before)
        assert "AKIATWO" == one.wait_converged(before + 1)["author"]


def test_what_the_supervisor_of_canaries_does_has_a_door_of_its_own() -> None:
    with Planes(KEYS) as planes, client(planes.one, "AKIAONE") as one:
        build(one)
        before = one.changes()["revision"]
        start(one, SHORT)
        eventually(lambda: one.canary(ROUTE)["phase"] == "expired", "its lease ends")

        assert [("AKIAONE", "api"), (None, "canary")] == authors(one, before)


def test_events_name_authors_too_and_nobody_where_requests_are_not_signed() -> None:
    with Planes() as planes, Client(planes.one.url) as one:
        one.appmesh.create_mesh(meshName="shop")
        asked = urllib.request.Request(f"{planes.one.url}/shopmesh/v1/changes", headers={"accept": "text/event-stream"})
        with urllib.request.urlopen(asked, timeout=10) as events:
            seen: Any = None
            while seen is None:
                line = events.readline().decode()
                if line.startswith("data: "):
                    seen = json.loads(line.removeprefix("data: "))

    assert (None, "api") == (seen["author"], seen["door"])
