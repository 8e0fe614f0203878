"""Commands beside a control plane of another version, with other words in its answers. It is a stand-in."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shopmesh.cli.views.canary_view import CanaryView
from shopmesh.client import Client
from shopmesh.output.console import PlainConsole

CANARY: dict[str, Any] = {
    "mesh": "shop",
    "virtualRouter": "product-vr",
    "route": "product-r",
    "service": "product",
    "plan": {"to": "product-v2-vn", "steps": [50], "every": 30.0, "maxErrorRate": 0.01, "minRequests": 100},
    "owner": "",
    "lease": 0.0,
    "paused": False,
    "reason": "2 % of the requests failed",
    "stage": 0,
    "called": "50 %",
    "weight": 0,
    "since": 1.0,
    "now": 2.0,
    "seen": {},
    "history": [],
    "revision": 3,
}


@pytest.fixture
def answers() -> dict[str, Any]:
    """What it answers, by path."""
    return {}


@pytest.fixture
def client(answers: dict[str, Any]) -> Iterator[Client]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with Client(f"http://127.0.0.1:{server.server_port}") as found:
                yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("word", "phase", "shown"),
    [
        ("returned", "rolled_back", "rolled back: 2 %"),
        ("lapsed", "expired", "rolled back: 2 %"),
        ("rolled_back", "rolled_back", "rolled back: 2 %"),
        ("suspended", "suspended", "suspended: 2 %"),
    ],
)
def test_the_end_of_a_canary_is_shown_whatever_its_version_calls_it(
    client: Client, answers: dict[str, Any], word: str, phase: str, shown: str
) -> None:
    """An earlier word means today's; one of a later version is shown as it is."""
    answers["/shopmesh/v1/canaries/shop/product-vr/product-r"] = {**CANARY, "phase": word}
    answers["/shopmesh/v1/canaries"] = {"canaries": [{**CANARY, "phase": word}]}
    found = client.canary(("shop", "product-vr", "product-r"))
    screen = io.StringIO()
    with CanaryView(PlainConsole(file=screen, width=100)) as view:
        view.update(found, None)

    assert [phase] == [one["phase"] for one in client.canaries()]
    assert phase == found["phase"]
    assert shown in screen.getvalue()
