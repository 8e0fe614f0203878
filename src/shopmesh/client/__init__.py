"""The only way in for all tools: App Mesh's API by boto3, what is beside it by HTTP."""

from shopmesh.client.answers import Change, Changes, Done, Finding, Proxy, Split, Splits, Target
from shopmesh.client.client import DEFAULT_ENDPOINT, Client
from shopmesh.client.errors import ClientError, Refused, Unreachable
from shopmesh.client.reading import meshes, read_answers, read_mesh

__all__ = [
    "DEFAULT_ENDPOINT",
    "Change",
    "Changes",
    "Client",
    "ClientError",
    "Done",
    "Finding",
    "Proxy",
    "Refused",
    "Split",
    "Splits",
    "Target",
    "Unreachable",
    "meshes",
    "read_answers",
    "read_mesh",
]
