"""The client of Kubernetes as the image has it: without the models and calls of six hundred types."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.support.answering import answering, ok
from tests.support.repository import ROOT

FOLDER = r"RUN cd /opt/venv/lib/python3\*/site-packages/kubernetes_asyncio/client"
COMMAND = re.compile(rf"^{FOLDER} \\\n && (.*?[^\\])\n", re.MULTILINE | re.DOTALL)
SCRIPT = """
import asyncio, json, sys
import kubernetes_asyncio.client.models
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import SERVICES

async def main():
    api = await ApiServer.connect()
    found = await api.list(SERVICES)
    await api.close()
    print(json.dumps([found.objects, found.resource_version, kubernetes_asyncio.client.models.__file__]))

asyncio.run(main())
"""


def test_the_client_works_without_what_the_image_leaves_out(tmp_path: Path) -> None:
    """Removed from a copy by the command of the Dockerfile: it reads a kubeconfig, connects and lists."""
    spec = find_spec("kubernetes_asyncio")
    assert spec is not None
    assert spec.origin is not None
    copy = tmp_path / "kubernetes_asyncio"
    shutil.copytree(Path(spec.origin).parent, copy)
    before = size(copy)
    found = COMMAND.search((ROOT / "Dockerfile").read_text())
    assert found is not None
    command = found[1].replace("\\\n", "").replace("/opt/venv/bin/python", sys.executable)
    subprocess.run(["sh", "-ec", command], cwd=copy / "client", check=True, timeout=60)
    answer = json.dumps({"items": [{"metadata": {"name": "shop"}}], "metadata": {"resourceVersion": "7"}}).encode()
    with answering(ok({"content-type": "application/json"}, answer)) as server:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(config(server.url)))
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    assert 0 == done.returncode, done.stderr
    objects, version, models = json.loads(done.stdout)
    assert ([{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}], "7") == (objects, version)
    assert str(copy / "client" / "models" / "__init__.py") == models
    assert size(copy) < before / 10


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def config(url: str) -> dict[str, object]:
    """A kubeconfig of one cluster, without credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url.rstrip("/")}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
