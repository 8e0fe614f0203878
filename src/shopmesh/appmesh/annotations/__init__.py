"""`shopmesh.dev/…`: what App Mesh's users asked for and its API has no field for, said in tags.

    tags ─► texts (pieces joined) ─► values, one a word ─► what the translation makes of them

`VOCABULARY` is the whole of it. A word is a small module: its name, the kinds it is for, how its text is read; what it
does to Envoy stands under the same name in `shopmesh.xds.translate.effects`.
"""

from shopmesh.appmesh.annotations.annotation import Annotation, Malformed
from shopmesh.appmesh.annotations.annotation_reader import Read
from shopmesh.appmesh.annotations.registry import VOCABULARY
from shopmesh.appmesh.annotations.tag_chunks import PREFIX, in_pieces, joined

__all__ = ["PREFIX", "VOCABULARY", "Annotation", "Malformed", "Read", "in_pieces", "joined"]
