"""Replicas of a control plane: each has the same mesh, and only the proxies that are connected to it.

    a route ─StateQuery─► Replicas ─┬─► local          the ReplicaState of this one
                                    ├─► peers (HTTP) ─► POST /shopmesh/v1/replica of each other replica
                                    └─► merge ─► CombinedState: one ReplicaState, and the unreachable replicas

Start reading at `replicas.Replicas`.

A sole control plane has no peers: it answers from its own state.
"""

from shopmesh.server.replicas.handover import Handover
from shopmesh.server.replicas.leadership import SOLE_REPLICA, Leadership
from shopmesh.server.replicas.local import LocalReplica
from shopmesh.server.replicas.peer_protocol import ChangeStatus, ReplicaState, StateQuery
from shopmesh.server.replicas.replicas import (
    FORWARDED,
    CombinedState,
    Peer,
    PeerError,
    Peers,
    Replicas,
    UnreachableReplica,
)

__all__ = [
    "FORWARDED",
    "SOLE_REPLICA",
    "ChangeStatus",
    "CombinedState",
    "Handover",
    "Leadership",
    "LocalReplica",
    "Peer",
    "PeerError",
    "Peers",
    "ReplicaState",
    "Replicas",
    "StateQuery",
    "UnreachableReplica",
]
