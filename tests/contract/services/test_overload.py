"""A service that cannot keep up, or cannot log, still answers in its own form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.contract.services.conftest import ROOT
from tests.contract.services.peers import hangs, peer
from tests.support.process import eventually, free_port

# What ends a call late, as everything does where the loop is too busy to run it in time.
BUSY = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
from flask import Flask
from services.chassis.config import Config
from services.chassis.errors import answer_errors
from services.chassis.faults import FaultInjector
from services.chassis.logs import RequestLog
from services.chassis.middleware import Middleware
from services.chassis.peers import Peers
from services.chassis.runtime_state import RuntimeState

class BusyTracing:
    id, headers = None, {}
    def begin(self, environ): return self
    def call(self, peer, url): return BusyCall()
    def end(self, route, status): pass

class BusyCall(BusyTracing):
    def end(self, status, error): gevent.sleep(60)

config = Config(peer_timeout_seconds=0.1, urls={"PRODUCT_URL": sys.argv[1]})
app, peers = Flask("order"), Peers(config, "product")
answer_errors(app)
app.get("/")(lambda: peers.ask({"product": "/"})["product"].body)
app.wsgi_app = Middleware(
    app.wsgi_app, "order/1.0", BusyTracing(), FaultInjector(RuntimeState(config)), RequestLog("order/1.0", sys.stderr)
)
answer = app.test_client().get("/")
print(answer.status_code)
print(answer.text)
"""


def test_a_call_that_cannot_be_ended_in_time_is_answered_with_504() -> None:
    """In the services' own form: an overloaded service is no internal error."""
    with peer(hangs) as product:
        done = subprocess.run(
            [sys.executable, "-c", BUSY, product], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
        )
    status, body = done.stdout.split("\n", 1)

    assert status == "504", done.stderr
    assert json.loads(body)["error"] == {
        "status": 504,
        "reason": "Gateway Timeout",
        "message": "product gave no complete answer within 0.1 s",
        "peer": "product",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_a_log_that_cannot_be_written_costs_no_answer() -> None:
    """As on a full disk: requests are answered all the same."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "gunicorn", "-c", "services/gunicorn.conf.py", "services.product.app:create_app()"]
    with Path("/dev/full").open("w") as full:
        service = subprocess.Popen(
            command, stdout=full, stderr=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "PORT": str(port)}
        )
    try:
        eventually(lambda: requests.get(f"{url}/readyz", timeout=5).ok, "it is ready", 30)
        answers = [requests.get(f"{url}/products/1", timeout=5) for _ in range(3)]
    finally:
        service.terminate()
        service.wait(15)

    assert [200] * 3 == [answer.status_code for answer in answers]
