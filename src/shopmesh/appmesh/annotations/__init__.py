"""`shopmesh.dev/…`: what App Mesh's users asked for and its API has no field for, said in tags.

    tags ─► texts (pieces joined) ─► values, one a word ─► what the translation makes of them

`ANNOTATIONS` is the whole of it. A word is a small module: its name, the kinds it is for, how its text is read; what it
does to Envoy stands under the same name in `shopmesh.xds.translate.effects`, or in `….clusters.annotations` where it
changes the clusters of a node's callers.
"""

from shopmesh.appmesh.annotations.annotation import Annotation, AnnotationError
from shopmesh.appmesh.annotations.annotation_reader import ParsedAnnotations
from shopmesh.appmesh.annotations.registry import ANNOTATIONS
from shopmesh.appmesh.annotations.tag_chunks import PREFIX, join_text, split_text

__all__ = ["ANNOTATIONS", "PREFIX", "Annotation", "AnnotationError", "ParsedAnnotations", "join_text", "split_text"]
