"""What each word of `shopmesh.dev/…` makes of Envoy's routes; `shopmesh.appmesh.annotations` has read and checked it.

    resource's tags ─► values ─► one effect each ─► a route, or the virtual host of a service or of a node's listener

All of it is part of route tables: they come by RDS, so switching something on or off drains no connection.
"""

from shopmesh.xds.translate.effects.annotate import EFFECTS, Annotated, annotate, is_annotated, unheeded
from shopmesh.xds.translate.effects.effect_context import Annotatable, Place

__all__ = ["EFFECTS", "Annotatable", "Annotated", "Place", "annotate", "is_annotated", "unheeded"]
