"""The only way in for all tools: App Mesh's API by boto3, what is beside it by HTTP."""

from shopmesh import DEFAULT_ENDPOINT
from shopmesh.client.apply import Applied, apply, delete, everything, perform
from shopmesh.client.check import Checked, check
from shopmesh.client.client import Client
from shopmesh.client.diff import differences
from shopmesh.client.errors import ClientError, ResponseError, Unreachable
from shopmesh.client.plan import Step, deletion, label
from shopmesh.client.read import meshes, read_answers, read_mesh
from shopmesh.client.types import Change, Changes, Done, Finding, Health, Proxy, Split, Splits, Target

__all__ = [
    "DEFAULT_ENDPOINT",
    "Applied",
    "Change",
    "Changes",
    "Checked",
    "Client",
    "ClientError",
    "Done",
    "Finding",
    "Health",
    "Proxy",
    "ResponseError",
    "Split",
    "Splits",
    "Step",
    "Target",
    "Unreachable",
    "apply",
    "check",
    "delete",
    "deletion",
    "differences",
    "everything",
    "label",
    "meshes",
    "perform",
    "read_answers",
    "read_mesh",
]
