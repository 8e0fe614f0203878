"""Replicas of a control plane: each holds the same mesh, and only the proxies that are connected to it.

    whoever answers ─Question─► Replicas ─┬─► local            what is known here
                                          ├─► peers (HTTP) ─► POST /shopmesh/v1/replica of each other replica
                                          └─► merge ─► Answer: one Told of all that answered, and who did not

A control plane that is alone has no peers, and then nothing is asked and nothing is merged.
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
