"""The console in a cluster: any replica answers for all, and it shows without changing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.credentials import Credentials

from shopmesh.client import Client
from tests.e2e.kubernetes.running import Story, story
from tests.support.console import SESSION, STATE, Browser

SERVICE = "control-plane.shopmesh-system.svc.cluster.local"
MESHES = "/console/api/v20190125/meshes"


@pytest.fixture
def told() -> Iterator[Story]:
    with story() as made:
        made.control_planes("control-plane-a", "control-plane-b")
        yield made


def test_a_link_of_one_replica_opens_a_console_of_all_that_only_shows(told: Story) -> None:
    """By the name of their Service, of which a browser knows one host; after a restart the session is still there."""
    one, other = told.replicas
    with Client(f"http://127.0.0.1:{one.api_port}", credentials=Credentials(*told.keys)) as client:
        link = client.console_link()
    browser = Browser(other.api_port, host=SERVICE)
    assert 200 == browser.sign_in(link).status
    for port in (other.api_port, one.api_port):
        browser.port = port
        assert "read-only" == browser.get(SESSION).json["mode"]
        assert [200, 200] == [browser.get(STATE).status, browser.get(MESHES).status]
        assert 403 == browser.request("PUT", MESHES, {"meshName": "of-a-page"}).status

    one.kill()
    one.start()
    assert 200 == browser.get(STATE).status
