"""The faults of a workload of `shopmesh up`, by the port that it shows for them."""

from __future__ import annotations

import http.client
import json
import re


def fault(summary: str, instance: str, **faults: float) -> None:
    """What that instance does wrong from now on (errorShare, delayMs, …); nothing without faults.

    `summary` is what `shopmesh up` printed.
    """
    [port] = re.findall(rf"^ *{re.escape(instance)} +\S+/.* :(\d+) *$", summary, re.MULTILINE)
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        method, body = ("PUT", json.dumps(faults)) if faults else ("DELETE", None)
        connection.request(method, "/faults", body, {"Content-Type": "application/json"})
        assert 200 == connection.getresponse().status
    finally:
        connection.close()
