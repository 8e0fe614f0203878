"""What each annotation `shopmesh.dev/…` changes in Envoy's routes; `shopmesh.appmesh.annotations` parses them.

    resource's tags ─► values ─► one effect each ─► a route, or the virtual host of a service or of a node's listener

All effects are in route tables. These are served by RDS, so switching an effect on or off drains no connection.

Start reading at `annotate`.
"""

from shopmesh.xds.translate.effects.annotate import EFFECTS, AnnotationResult, annotate, is_annotated, without_effect
from shopmesh.xds.translate.effects.effect_context import Annotatable, EffectContext

__all__ = ["EFFECTS", "Annotatable", "AnnotationResult", "EffectContext", "annotate", "is_annotated", "without_effect"]
