"""The commands of docs/compose.md, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.containers.stack import ROOT, Stack, docker
from tests.support.process import BIN


@pytest.mark.timeout(400)
def test_the_page_does_what_it_says(images: Stack, tmp_path: Path) -> None:
    """From nothing to the canaries, the demo's verdict, a roll, and nothing left; only the ports are others."""
    page = Stack(built_as=images.name)
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/compose.md").read_text(), re.M | re.S))
    for said, meant in (
        (":8080", f":{page.port}"),
        (":9080", f":{page.api_port}"),
        (".shopmesh", str(tmp_path / "keys")),
    ):
        commands = commands.replace(said, meant)
    commands = commands.replace(f"$PWD/{tmp_path}", str(tmp_path))
    try:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", commands],
            cwd=ROOT,
            env={**page.environment, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=360,
            check=False,
        )
    finally:
        left = page.compose("--profile", "*", "ps", "--all", "--quiet").split()
        page.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)

    said = done.stdout
    assert done.returncode == 0, said[-3000:] + done.stderr[-6000:]
    assert '"product":{"id":1' in said
    assert "product-vn=50 product-v2-vn=50" in said
    assert {"1.0", "2.0"} <= set(re.findall(r'"Product","Version":([\d.]+)', said))
    assert "product-v2-vn" in re.findall(r'"virtualNodeName": "([^"]+)"', said)
    assert "PASSED" in said
    for version, share in (("product/1.0", 50), ("product/2.0", 50), ("customer/1.0", 75), ("customer/1.5", 25)):
        assert re.search(rf"^{version} +{share} % +\d", said, re.MULTILINE), version
    assert not left
    assert not docker("volume", "ls", "--quiet", "--filter", f"name={page.name}").split()
