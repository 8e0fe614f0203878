"""What a request is handled under: who owns the mesh, what the operator allows, and time and ids from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shopmesh.appmesh.host_policy import STRICT, HostPolicy


@dataclass(frozen=True, slots=True)
class Context:
    """The account (12 digits) and region of all resources, seconds since 1970, and a source of unique ids.

    `host_policy` None: what is written was stored elsewhere already, and may ask anything of Envoy's host.
    `defer_relations`: the request is one of several that are judged together, by `rules.check_relations` at the end.
    """

    account: str
    region: str
    now: float
    new_uid: Callable[[], str]
    host_policy: HostPolicy | None = STRICT
    defer_relations: bool = False
