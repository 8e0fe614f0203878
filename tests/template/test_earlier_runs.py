"""A service is made and removed in a clone whose mesh has run before: `up` loads it, and the commands take it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.client import read_mesh
from tests.e2e.local.conftest import starting
from tests.support.clones import Clone


@pytest.mark.demo
@pytest.mark.timeout(300)
def test_a_service_comes_into_the_mesh_of_an_earlier_run_and_out_of_it(clone: Clone, tmp_path: Path) -> None:
    """Without --reset; what `remove` says to do leaves nothing of it in the running mesh."""
    with starting(tmp_path, "--workload", "customer", project=clone.root) as up:
        up.wait()
    clone.shopmesh("new", "storefront")
    with starting(tmp_path, "--workload", "storefront", "--way-in", "storefront", project=clone.root) as up:
        up.wait()
        assert '{"Service":"Storefront","Version":1.0}\n' == up.get()
        assert "created what is new in mesh/: virtualNode storefront-vn" in up.child.output

        said = clone.shopmesh("remove", "storefront")
        clone.variables["AWS_SHARED_CREDENTIALS_FILE"] = str(up.run_folder / "aws" / "credentials")
        commands = [line.split()[1:] for line in said.splitlines() if line.startswith("  shopmesh ")]
        assert ["stop", "storefront-vn"] == commands[0]
        clone.shopmesh(*commands[0], "--run-dir", str(up.run_folder))
        for arguments in commands[1:]:
            clone.shopmesh("--endpoint-url", f"http://127.0.0.1:{up.api_port}", *arguments)
        assert not [one for one in read_mesh(up.client, "shopmesh") if "storefront" in one.key.name]
    assert "" == clone.changed()
