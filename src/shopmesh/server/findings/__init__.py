"""What is wrong in a running mesh, or about to be: its documents' mistakes, and those that only its proxies show.

    store ──parts──► mistakes of documents ─┐
    proxies, store ──► mistakes of proxies ─┼─► Findings.of(…)
    translation ──► limitations ────────────┘

A mistake of the documents is looked for again only where something changed that it depends on; asking for all of them
every second costs a look at each proxy.
"""

from shopmesh.appmesh.findings import Mistake
from shopmesh.server.findings import certificates, proxies, traffic
from shopmesh.server.findings.collection import LIMITATION, Findings, LookAtProxies, nothing_more
from shopmesh.server.replicas.finding import UNANSWERED

MISTAKES: tuple[Mistake, ...] = (
    proxies.UNKNOWN,
    proxies.REFUSED,
    proxies.OUT_OF_STEP,
    traffic.GONE,
    traffic.NOWHERE,
    traffic.ONE_HOST,
    LIMITATION,
    proxies.NO_CERTIFICATE,
    traffic.UNREADY,
    certificates.EXPIRES,
    UNANSWERED,
)

__all__ = ["MISTAKES", "Findings", "LookAtProxies", "nothing_more"]
