"""A mesh on its way to the Gateway API: routes of services for a mesh (GAMMA), gateways, and all that gets lost.

    virtual service ─► router ─► routes   ⇒   HTTPRoute, GRPCRoute, TCPRoute with a Service as their parent
    virtual gateway ─► gateway routes     ⇒   Gateway, HTTPRoute, GRPCRoute
    virtual node                          ⇒   nothing: its Service is a backend

The form is that of v1.7.0, standard channel: https://gateway-api.sigs.k8s.io/reference/spec/
A rule that cannot be said as narrowly as it was is left out, and told: said more broadly, it would take requests that
were meant for others.
"""

from shopmesh.documents.gateway_api.export import Export, gateway_api
from shopmesh.documents.gateway_api.output import ExportedObject

__all__ = ["Export", "ExportedObject", "gateway_api"]
