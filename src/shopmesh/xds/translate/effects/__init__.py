"""What each word of `shopmesh.dev/…` makes of Envoy's routes; `shopmesh.appmesh.annotations` has read and checked it.

    resource's tags ─► values ─► one effect each ─► a route, or the virtual host of a service or of a node's listener

All of it is part of route tables: they come by RDS, so switching something on or off drains no connection.
"""

from shopmesh.xds.translate.effects.annotate import EFFECTS, AnnotationResult, annotate, is_annotated, without_effect
from shopmesh.xds.translate.effects.effect_context import Annotatable, EffectContext

__all__ = ["EFFECTS", "Annotatable", "AnnotationResult", "EffectContext", "annotate", "is_annotated", "without_effect"]
