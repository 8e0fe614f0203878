"""The same attribution and the same verdict with Locust as the engine: its web page, its master and workers.

    make load-locust ARGS="--headless --users 50 --run-time 30s --assert-split"

    worker ─┐ what it counted, every three seconds
    worker ─┼─► master: weights from the control plane, one report over all, its exit status     (or all in one process)
    worker ─┘           web page: Locust's own, and `/shopmesh` with the report so far

Each user sends one request a second, if it can. Locust knows no planned times: its latencies count from when a request
was sent, so a stall hits one request of each user and no more. For latencies, `shopmesh load` is the tool.
"""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from rich.console import Console

from shopmesh.client import ClientError, list_meshes
from shopmesh.defaults import ENDPOINT_URL
from shopmesh.load.engine.plan import LoadPlan
from shopmesh.load.engine.results import LoadResults
from shopmesh.load.judgement.assertions import Assertions, failed_assertions
from shopmesh.load.judgement.weights import WeightSetting, parse_shares
from shopmesh.load.report.html import render_html
from shopmesh.load.report.json_report import to_json
from shopmesh.load.report.report import LoadReport, build_report
from shopmesh.load.report.result_file import LoadRecord, results_from_document, results_to_document
from shopmesh.load.report.text import render_text
from shopmesh.load.weight_watcher import WeightWatcher
from shopmesh.local.access import open_client

LAST_COUNT = "shopmesh last count"
"""The message of a worker whose users have stopped."""


class Shopper(FastHttpUser):
    """Asks for what `--path` says."""

    wait_time = constant_throughput(1)
    network_timeout = connection_timeout = 10.0

    @task
    def ask(self) -> None:
        self.client.get(self.environment.parsed_options.path)


class Count:
    """What this process has seen, and on a master what its workers have; one for each run of Locust."""

    def __init__(self, environment: Environment) -> None:
        self.results = LoadResults()
        self.began = time.time()
        self.ended: float | None = None
        self.notes = ["latencies count from when a request was sent: Locust has no planned times"]
        self._options = environment.parsed_options
        self._stack = contextlib.ExitStack()
        self._watcher: WeightWatcher | None = None

    def start(self) -> None:
        """Counts from now on, and asks the control plane for the weights, if there is one."""
        self.results, self.began, self.ended = LoadResults(), time.time(), None
        self._watcher = None
        client = self._stack.enter_context(open_client(Path.cwd(), self._options.endpoint_url))
        try:
            mesh = self._options.mesh or next(iter(list_meshes(client)), "")
            nodes = dict(pair.split("=", 1) for pair in self._options.node)
            self._watcher = self._stack.enter_context(WeightWatcher(client, mesh, nodes, self._expected()))
        except ClientError as error:
            self.notes.append(f"no weights from a control plane: {error}")

    def stop(self) -> None:
        """No more requests are sent."""
        self.ended = time.time()
        self._stack.close()

    def saw(self, response: Any, exception: object, sent: float, seconds: float) -> None:
        """One request ended; `sent` is in seconds since 1970."""
        at = sent - self.began
        status = getattr(response, "status_code", 0) or 0
        if not status:
            self.results.record_failure(type(exception).__name__, at)
            return
        headers: Mapping[str, str] = response.headers
        names = (name.decode() for name in self.results.attribution.header_names)
        values = tuple(None if (value := headers.get(name)) is None else value.encode("latin-1") for name in names)
        self.results.record_response(status, values, b"", at, seconds, seconds)

    def given_away(self) -> dict[str, Any]:
        """What was counted since the last time, for the master."""
        document = {"began": self.began, "tally": results_to_document(self.results)}
        self.results = LoadResults()
        return document

    def taken(self, document: Mapping[str, Any]) -> None:
        """What a worker gave away; clocks of machines differ by less than matters here."""
        self.results.merge(results_from_document(document["tally"]), shift=document["began"] - self.began)

    def record(self, host: str) -> LoadRecord:
        """All that is known, also in the middle of a run."""
        notes = self.notes
        settings = [WeightSetting(-1.0, -1.0, self._expected())] if self._options.expect else []
        if self._watcher is not None:
            settings = self._watcher.settings(self.began)
            notes = [*notes, *self._watcher.notes]
        return LoadRecord(
            urls=[host + self._options.path],
            plan=LoadPlan(()),
            results=self.results,
            due=self.results.ended,
            seconds=(self.ended or time.time()) - self.began,
            cpu=0.0,
            connections=0,
            settings=settings,
            notes=notes,
            about={"machine": f"{platform.system()} {platform.machine()}", "engine": "Locust"},
        )

    def _expected(self) -> dict[str, dict[str, float]]:
        pairs = (pair.rpartition("=") for pair in self._options.expect)
        return parse_shares([(version, float(percent.removesuffix("%"))) for version, _, percent in pairs])


@events.init_command_line_parser.add_listener
def options(parser: Any) -> None:
    """Those of `shopmesh load`, with its names."""
    # What the page's form sends is text, whatever the type: lists cannot be sent at all.
    unshown = {"include_in_web_ui": False}
    parser.add_argument("--path", default="/", help="what each user asks for")
    parser.add_argument("--endpoint-url", default=ENDPOINT_URL, env_var="SHOPMESH_ENDPOINT_URL", **unshown)
    parser.add_argument("--mesh", default="", env_var="SHOPMESH_MESH", **unshown)
    parser.add_argument("--node", action="append", default=[], metavar="NODE=VERSION", **unshown)
    parser.add_argument("--expect", action="append", default=[], metavar="VERSION=PERCENT", **unshown)
    parser.add_argument("--assert-split", action="store_true", help="every share as it is set")
    parser.add_argument("--assert-errors", type=float, metavar="SHARE", help="0.01 for one in a hundred")
    parser.add_argument("--assert-p99", type=float, metavar="SECONDS", help="within that")
    parser.add_argument("--shopmesh-report", metavar="FILE", help="write the report as .html or .json", **unshown)


@events.init.add_listener
def begin(environment: Environment, **_: object) -> None:
    """Ties one count to one Locust process; its role decides what it does with it."""
    # Timers count from when the event loop last looked at the clock, which was before all that was imported: without
    # this, a run would be shorter than `--run-time` says.
    gevent.get_hub().loop.update_now()
    count = Count(environment)
    is_worker = isinstance(environment.runner, WorkerRunner)
    is_master = isinstance(environment.runner, MasterRunner)

    def start(**_: object) -> None:
        if is_worker:
            count.results, count.began = LoadResults(), time.time()
        else:
            count.start()

    def stop(**_: object) -> None:
        if is_worker:
            # Locust itself would send it with its next report, which a master that ends does not wait for.
            environment.runner.send_message(LAST_COUNT, count.given_away())
        else:
            count.stop()

    def saw(response: Any, exception: object, start_time: float, response_time: float, **_: object) -> None:
        count.saw(response, exception, start_time, response_time / 1000)

    def give(data: dict[str, Any], **_: object) -> None:
        data["shopmesh"] = count.given_away()

    def take(data: Mapping[str, Any], **_: object) -> None:
        if "shopmesh" in data:
            count.taken(data["shopmesh"])

    environment.events.test_start.add_listener(start)
    environment.events.test_stop.add_listener(stop)
    if is_worker:
        environment.events.report_to_master.add_listener(lambda client_id, data: give(data))
    if is_master:
        environment.runner.register_message(LAST_COUNT, lambda environment, msg: count.taken(msg.data))
        environment.events.worker_report.add_listener(lambda client_id, data: take(data))
    else:
        environment.events.request.add_listener(saw)
    if not is_worker:
        environment.events.quitting.add_listener(lambda environment, **_: judge(environment, count))
    if environment.web_ui is not None:
        pages = environment.web_ui.app

        @pages.route("/shopmesh")
        def shopmesh() -> str:
            return render_html(*verdict(environment, count))

        @pages.route("/shopmesh.json")
        def shopmesh_json() -> dict[str, Any]:
            report, _, found = verdict(environment, count)
            return to_json(report, found)


def verdict(environment: Environment, count: Count) -> tuple[LoadReport, Assertions, list[str]]:
    """The report of the run that is under way, or of the last one; what was promised; what of that was not kept."""
    asked = environment.parsed_options
    errors, p99 = (None if bound in (None, "") else float(bound) for bound in (asked.assert_errors, asked.assert_p99))
    promises = Assertions(asked.assert_split, errors, p99)
    report = build_report(count.record(environment.host or ""))
    return report, promises, failed_assertions(report, promises)


def judge(environment: Environment, count: Count) -> None:
    """Prints the report, and fails the run for a promise that was not kept."""
    # Locust asks for this before it has told its workers to stop: what they still hold belongs to the report.
    if environment.runner is not None:
        environment.runner.stop()
    report, promises, found = verdict(environment, count)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200, color_system=None)
    for part in render_text(report, promises, found):
        console.print(part, soft_wrap=True)
    if file := environment.parsed_options.shopmesh_report:
        document = json.dumps(to_json(report, found), indent=1)
        Path(file).write_text(
            document if file.endswith(".json") else render_html(report, promises, found), encoding="utf-8"
        )
    if found or promises:
        environment.process_exit_code = 1 if found else 0
