"""Findings about a running mesh: those of its documents, and those that only its proxies show.

    store ──parts──► findings of documents ─┐
    proxies, store ──► findings of proxies ─┼─► LiveFindings.collect(…)
    translation ──► findings ───────────────┘

Documents are checked again only where something changed that a finding depends on; a query of all findings checks each
proxy.

Start reading at `collection`.
"""

from shopmesh.server.live_findings.collection import LiveFindings, ProxyChecks, no_extra_findings

__all__ = ["LiveFindings", "ProxyChecks", "no_extra_findings"]
