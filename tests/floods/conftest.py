"""A control plane in a process of its own, with the limits that users have, and honest clients beside the strangers."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.kubernetes.api.resource_types import MUTATING_WEBHOOKS
from shopmesh.kubernetes.injection import webhook
from tests.contract.control_plane.conftest import ControlPlane, serving
from tests.floods.strangers import Door, Memory
from tests.support.kubernetes import cluster
from tests.support.process import free_port
from tests.support.system_objects import NAMESPACE, configuration, review

KEY, SECRET = "AKIDFLOODED", "secretOfTheHonestClient"


def answered(
    port: int, method: str, path: str, body: bytes | None = None, context: ssl.SSLContext | None = None
) -> bool:
    """Whether a request on a new connection is answered with 200."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    )
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@pytest.fixture
def control_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """`shopmesh serve` with one key."""
    keys = tmp_path / "keys"
    keys.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    keys.chmod(0o600)
    with serving("--credentials", str(keys)) as found:
        yield found


@pytest.fixture
def api(control_plane: ControlPlane) -> Door:
    port = control_plane.api_port
    return Door(
        port, "/shopmesh/v1/requests", lambda: all(answered(port, "GET", path) for path in ("/healthz", "/readyz"))
    )


@pytest.fixture(params=["api", "webhook"])
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Door, Memory]]:
    """Each port that speaks HTTP, after its first answer."""
    if request.param == "api":
        door, child = request.getfixturevalue("api"), request.getfixturevalue("control_plane").child
        assert door.ask()
        yield door, Memory(child.pid)
        return
    with cluster() as within, pytest.MonkeyPatch.context() as patch:
        within.put(NAMESPACE)
        within.put(configuration())
        patch.setenv("KUBECONFIG", str(within.kubeconfig(tmp_path)))
        port = free_port()
        with serving("--kubernetes", "--name", "one", "--webhook-port", str(port)) as found:
            bundle = within.get(MUTATING_WEBHOOKS, webhook.NAME)["webhooks"][0]["clientConfig"]["caBundle"]
            trusting = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
            body = json.dumps(review({})).encode()
            stranger = ssl.create_default_context()
            stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
            door = Door(port, webhook.PATH, lambda: answered(port, "POST", webhook.PATH, body, trusting), stranger)
            assert door.ask()
            yield door, Memory(found.child.pid)
