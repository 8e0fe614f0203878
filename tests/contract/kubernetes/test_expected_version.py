"""The version that a request expects, over a cluster: an edit of the object by another client is one as well."""

from __future__ import annotations

import json
from typing import Any

from tests.contract.api.conftest import serving
from tests.contract.api.raw import send
from tests.contract.kubernetes.stores import stored
from tests.support.kubernetes import Cluster


def test_change_is_refused_after_an_update_by_another_client(cluster: Cluster) -> None:
    """The version that was read is taken once."""
    names = {"meshName": "m", "virtualNodeName": "n"}
    with serving(stored=lambda: stored(cluster)) as api:
        client = api.client()
        client.create_mesh(meshName="m")
        client.create_virtual_node(**names, spec={})
        read: dict[str, Any] = client.describe_virtual_node(**names)["virtualNode"]["metadata"]
        update = {
            "operation": "UpdateVirtualNode",
            "parameters": {**names, "spec": {"logging": {}}},
            "expect": {"version": read["version"], "uid": read["uid"]},
        }

        first, second = (
            send(api.port, "POST", "/shopmesh/v1/requests", json.dumps({"requests": [update]})) for _ in range(2)
        )

    assert 200 == first.status, first.json
    assert (409, "ConflictException") == (second.status, second.code)
