"""A mesh on its way to the Gateway API: routes of services for a mesh (GAMMA), gateways, and all that gets lost.

    virtual service ─► router ─► routes   ⇒   HTTPRoute, GRPCRoute, TCPRoute with a Service as their parent
    virtual gateway ─► gateway routes     ⇒   Gateway, HTTPRoute, GRPCRoute
    virtual node                          ⇒   nothing: its Service is a backend

The form is that of v1.7.0, standard channel: https://gateway-api.sigs.k8s.io/reference/spec/
A rule that cannot be expressed as narrowly as it was is left out, with a warning: a broader one would take requests of
others.

Start reading at `export`.
"""

from shopmesh.documents.gateway_api.export import Export, gateway_api
from shopmesh.documents.gateway_api.output import ExportedObject

__all__ = ["Export", "ExportedObject", "gateway_api"]
