"""A patch that Envoy refuses, on a virtual node of a mesh that allows patches: nothing else leads to a NACK."""

from __future__ import annotations

import json

from shopmesh.client import Client

MARKUP = "<img src=x onerror=alert(1)>"
SENSELESS = json.dumps({"cluster/*": {"alt_stat_name": MARKUP, "connect_timeout": "0s"}})
"""What Envoy quotes of it is markup."""
TAG = "shopmesh.dev/patch"


def _arn_of(client: Client, node: str) -> str:
    found = client.appmesh.describe_virtual_node(meshName="shopmesh", virtualNodeName=node)
    return str(found["virtualNode"]["metadata"]["arn"])


def refuse(client: Client, node: str) -> None:
    """From now on the proxies of the node refuse their clusters."""
    tags = [{"key": TAG, "value": SENSELESS}]
    client.requests([{"operation": "TagResource", "parameters": {"resourceArn": _arn_of(client, node), "tags": tags}}])


def mend(client: Client, node: str) -> None:
    """They accept them again."""
    parameters = {"resourceArn": _arn_of(client, node), "tagKeys": [TAG]}
    client.requests([{"operation": "UntagResource", "parameters": parameters}])
