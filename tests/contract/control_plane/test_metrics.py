"""What Prometheus reads of the control plane, and who may."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client
from tests.contract.control_plane.conftest import ControlPlane, serving

TOKEN = "a-token-of-some-length"


def metrics(found: ControlPlane, headers: dict[str, str] | None = None) -> tuple[int, str]:
    try:
        asked = urllib.request.Request(f"{found.url}/metrics", headers=headers or {})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_shares_changes_and_findings_are_told(control_plane: ControlPlane, client: Client) -> None:
    """A version without traffic has a target and no seen share; what `doctor` finds is counted by severity."""
    appmesh = client.appmesh
    spec: Any = {"listeners": [{"portMapping": {"port": 5000, "protocol": "http"}}]}
    targets: Any = [{"virtualNode": "v1-vn", "weight": 3}, {"virtualNode": "v2-vn", "weight": 1}]
    appmesh.create_mesh(meshName="shop")
    for node in ("v1-vn", "v2-vn"):
        appmesh.create_virtual_node(meshName="shop", virtualNodeName=node, spec=spec)
    appmesh.create_virtual_router(meshName="shop", virtualRouterName="r", spec=spec)
    route: Any = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}
    appmesh.create_route(meshName="shop", virtualRouterName="r", routeName="all", spec=route)
    provider: Any = {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}
    appmesh.create_virtual_service(meshName="shop", virtualServiceName="product", spec=provider)
    status, page = metrics(control_plane)

    assert 200 == status
    of = 'shopmesh_target_share{mesh="shop",virtual_service="product",route="all",virtual_node='
    assert [f'{of}"v1-vn",port="5000"}} 0.75', f'{of}"v2-vn",port="5000"}} 0.25'] == [
        line for line in page.splitlines() if line.startswith("shopmesh_target_share{")
    ]
    assert "\nshopmesh_seen_share{" not in page
    assert "\nshopmesh_revision 6\n" in page
    assert "\nshopmesh_changes_pending 0\n" in page
    found = Counter(finding["severity"] for finding in client.findings())
    assert found
    for severity, count in found.items():
        assert f'\nshopmesh_findings{{severity="{severity}"}} {count}\n' in page


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with keys and a token, as in containers."""
    folder = tmp_path_factory.mktemp("guarded")
    keys, token = folder / "keys", folder / "token"
    keys.write_text("[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = right\n")
    token.write_text(TOKEN)
    with serving("--credentials", str(keys), "--xds-token-file", str(token)) as found:
        yield found


def test_whoever_has_the_proxies_token_may_read(guarded: ControlPlane) -> None:
    """Prometheus cannot sign, but it can bring a token; the token opens nothing else."""
    assert 200 == metrics(guarded, {"authorization": f"Bearer {TOKEN}"})[0]
    with Client(guarded.url, credentials=Credentials("AKIAONE", "right")) as client:
        assert [] == client.proxies()
    asked = urllib.request.Request(f"{guarded.url}/shopmesh/v1/proxies", headers={"authorization": f"Bearer {TOKEN}"})
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(asked, timeout=5):
        pass
    assert 400 == refused.value.code
    refused.value.close()


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer another-token-of-that-length"}])
def test_nobody_else_may(guarded: ControlPlane, headers: dict[str, str]) -> None:
    """The answer says what is missing, and nothing of the mesh or of the token."""
    status, said = metrics(guarded, headers)

    assert 401 == status
    assert "authorization: Bearer" in said
    assert TOKEN not in said
    assert "shopmesh_" not in said


def test_with_keys_and_no_token_a_signature_is_wanted(tmp_path: Path) -> None:
    """Nothing is open by accident."""
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = right\n")
    with serving("--credentials", str(keys)) as found:
        assert 403 == metrics(found)[0]
