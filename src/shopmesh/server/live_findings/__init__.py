"""What is wrong in a running mesh, or about to be: in its documents, and what only its proxies show.

    store ──parts──► findings of documents ─┐
    proxies, store ──► findings of proxies ─┼─► LiveFindings.collect(…)
    translation ──► findings ───────────────┘

Documents are looked at again only where something changed that a finding depends on; asking for all findings every
second costs a look at each proxy.
"""

from shopmesh.server.live_findings.collection import LiveFindings, ProxyChecks, no_extra_findings

__all__ = ["LiveFindings", "ProxyChecks", "no_extra_findings"]
