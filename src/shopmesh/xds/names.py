"""The names of Envoy's resources, as App Mesh gave them: dashboards and walkthroughs parse them.

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
"""One table for both modes, whatever port the egress listener has: it is shared by all proxies of a node."""

SELF_REDIRECT = "lds_egress_self_redirect"
"""A gateway's egress listener: inside Envoy, on no port, so it has no address to be named by."""

BLACKHOLE = "cds_blackhole"
XDS_CLUSTER = "xds"
XDS_AUTHORITY = "control-plane"
"""The secret that says whom a proxy trusts as its control plane."""
SDS_CLUSTER = "static_cluster_sds_unix_socket"
"""The SDS of a proxy's own host (SPIRE's agent, say), under the name that App Mesh's Envoy image gave it."""

_IN_STATISTICS = str.maketrans(".:", "__")
_OF_TCP = re.compile(r"_tcp_\d+$")


def cluster(direction: Direction, mesh: str, node: str, protocol: str, port: int) -> str:
    return f"cds_{direction}_{mesh}_{node}_{protocol}_{port}"


def egress_cluster(target: Target) -> str:
    """Of a target, as its callers have it; another one for copies, which App Mesh did not have."""
    name = cluster("egress", target.mesh, target.node, target.protocol, target.port)
    return f"{name}_mirror" if target.mirror else name


def stat_name(cluster: str) -> str:
    """A cluster's name in Envoy's statistics, where a dot would end it and Envoy writes `_` for a colon by itself.

    Two nodes that then have the same name are counted together.
    """
    return cluster.translate(_IN_STATISTICS)


def is_tcp_cluster(stat_name: str) -> bool:
    """Whether that is a cluster whose connections are counted, and not its requests."""
    return _OF_TCP.search(stat_name) is not None


def self_redirect_cluster(mesh: str, gateway: str, protocol: str, port: int) -> str:
    """From a gateway's listener on that port to its own egress listener."""
    return f"cds_ingress_{mesh}_{gateway}_self_redirect_{protocol}_{port}"


def amazonaws_cluster(mesh: str) -> str:
    return f"cds_egress_{mesh}_amazonaws"


def allow_all_cluster(mesh: str) -> str:
    return f"cds_egress_{mesh}_mesh-allow-all"


def secret_warmup_cluster(secret: str) -> str:
    """No `cds_…`: it is of no use to dashboards, and has no figures."""
    return f"rehearsal:{secret}"


def listener(direction: Direction, address: str, port: int) -> str:
    return f"lds_{direction}_{address}_{port}"


def ingress_routes(port: int) -> str:
    return f"rds_ingress_http_{port}"
