"""The faults of a workload of `shopmesh up`, switched on the socket of its run folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from shopmesh.local.http import send_request
from shopmesh.local.run_dir import socket_path


def fault(run_folder: Path, instance: str, **faults: float) -> None:
    """What that instance does wrong from now on (errorShare, delayMs, …); nothing without faults."""
    method, body = ("PUT", json.dumps(faults).encode()) if faults else ("DELETE", b"")
    control = socket_path(run_folder, f"{instance}.control")

    assert 200 == asyncio.run(send_request(control, "/faults", method, 5.0, json_body=body)).status
