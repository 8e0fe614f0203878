"""The only way in for all tools: App Mesh's API by boto3, what is beside it by HTTP.

Start reading at `client`, whose answers are in `types`.
"""

from shopmesh.client.apply import ApplyResult, all_resources, apply, delete, perform
from shopmesh.client.check import CheckResult, check
from shopmesh.client.client import Client
from shopmesh.client.diff import diff, diff_texts
from shopmesh.client.errors import ClientError, ResponseError, UnreachableError
from shopmesh.client.plan import PlanStep, deletion_commands, label, plan_deletion
from shopmesh.client.read import list_meshes, read_descriptions, read_mesh
from shopmesh.client.types import (
    ChangeDocument,
    ChangesDocument,
    FindingDocument,
    Health,
    ProxyConfig,
    ProxyDocument,
    RouteSplit,
    RouteSplits,
    SplitTarget,
    TransactionResult,
)

__all__ = [
    "ApplyResult",
    "ChangeDocument",
    "ChangesDocument",
    "CheckResult",
    "Client",
    "ClientError",
    "FindingDocument",
    "Health",
    "PlanStep",
    "ProxyConfig",
    "ProxyDocument",
    "ResponseError",
    "RouteSplit",
    "RouteSplits",
    "SplitTarget",
    "TransactionResult",
    "UnreachableError",
    "all_resources",
    "apply",
    "check",
    "delete",
    "deletion_commands",
    "diff",
    "diff_texts",
    "label",
    "list_meshes",
    "perform",
    "plan_deletion",
    "read_descriptions",
    "read_mesh",
]
