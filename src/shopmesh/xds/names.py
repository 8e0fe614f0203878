"""The names of Envoy's resources. They are App Mesh's, for dashboards and walkthroughs parse them.

`cds_<ingress|egress>_<mesh>_<virtual node>_<protocol>_<port>`, `lds_<direction>_<ip>_<port>`,
`rds_<direction>_http_<port>`.
"""

from __future__ import annotations

import re
from typing import Literal

from shopmesh.appmesh.resolved import Target

Direction = Literal["ingress", "egress"]

INGRESS_PORT = 15000
EGRESS_PORT = 15001
READY_PORT = 15021

EGRESS_ROUTES = "rds_egress_http_15001"
"""The same for both modes and every egress port, so that all proxies of a node share one table."""

SELF_REDIRECT = "lds_egress_self_redirect"
"""A gateway's egress listener, which is inside Envoy and has no port."""

BLACKHOLE = "cds_blackhole"
XDS_CLUSTER = "xds"
XDS_AUTHORITY = "control-plane"
"""The secret with the certificate authorities of the control plane."""
SDS_CLUSTER = "static_cluster_sds_unix_socket"
"""The SDS server of a proxy's own host, such as SPIRE's agent; App Mesh's Envoy image called it so."""

_IN_STATISTICS = str.maketrans(".:", "__")
_OF_TCP = re.compile(r"_tcp_\d+$")


def cluster(direction: Direction, mesh: str, node: str, protocol: str, port: int) -> str:
    return f"cds_{direction}_{mesh}_{node}_{protocol}_{port}"


def egress_cluster(target: Target) -> str:
    """The cluster of a target at its callers; mirrored requests have one of their own, which App Mesh did not have."""
    name = cluster("egress", target.mesh, target.node, target.protocol, target.port)
    return f"{name}_mirror" if target.mirror else name


def stat_name(cluster: str) -> str:
    """A cluster's name in Envoy's statistics: a dot would end it, and Envoy replaces colons by `_` itself.

    Two nodes whose names become equal by this are counted together.
    """
    return cluster.translate(_IN_STATISTICS)


def is_tcp_cluster(stat_name: str) -> bool:
    """Whether connections are counted for that cluster, and not requests."""
    return _OF_TCP.search(stat_name) is not None


def self_redirect_cluster(mesh: str, gateway: str, protocol: str, port: int) -> str:
    """The cluster from a gateway's listener on that port to its own egress listener."""
    return f"cds_ingress_{mesh}_{gateway}_self_redirect_{protocol}_{port}"


def amazonaws_cluster(mesh: str) -> str:
    return f"cds_egress_{mesh}_amazonaws"


def allow_all_cluster(mesh: str) -> str:
    return f"cds_egress_{mesh}_mesh-allow-all"


def secret_warmup_cluster(secret: str) -> str:
    """The cluster that loads a secret before a working one needs it. No `cds_…`, so its statistics are not kept."""
    return f"secret-warm-up:{secret}"


def listener(direction: Direction, address: str, port: int) -> str:
    return f"lds_{direction}_{address}_{port}"


def ingress_routes(port: int) -> str:
    return f"rds_ingress_http_{port}"
