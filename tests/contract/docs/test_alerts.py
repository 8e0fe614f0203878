"""The alert rules that are shipped, tried by Prometheus's own tool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests.support.repository import COMPOSE, ROOT

PROMTOOL = shutil.which("promtool")
RULES = COMPOSE / "observability" / "alerts.yml"
HISTORIES = ROOT / "tests" / "support" / "alerts.test.yml"
METRIC = re.compile(r"shopmesh_\w+")


def alerts() -> list[str]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["alert"] for rule in group["rules"]]


def test_each_alert_is_raised_and_ends_as_its_history_says() -> None:
    """`promtool test rules`: nothing before it lasts, the labels and sentences when it does."""
    if PROMTOOL is None and "CI" not in os.environ:
        pytest.skip("there is no promtool: apt-get install prometheus")
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(HISTORIES)], capture_output=True, text=True, timeout=60, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr


def test_no_alert_is_without_a_history() -> None:
    """A rule that nothing tries may never be raised."""
    tried = {
        one["alertname"] for test in yaml.safe_load(HISTORIES.read_text())["tests"] for one in test["alert_rule_test"]
    }

    assert sorted(tried) == sorted(alerts())


def test_alerts_ask_for_metrics_that_exist() -> None:
    """A misspelt metric is an alert that never comes."""
    source = (ROOT / "src" / "shopmesh" / "server" / "api" / "prometheus.py").read_text()
    of_proxies = re.findall(r'^    "(\w+)":', source, re.MULTILINE)
    served = {*METRIC.findall(source), *(f"shopmesh_proxies_{name}" for name in of_proxies)}
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    asked = {name for rule in group["rules"] for name in METRIC.findall(rule["expr"])}

    assert set() == asked - served
