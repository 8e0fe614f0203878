"""`shopmesh.dev/…`: what App Mesh's users asked for and its API has no field for, said in tags.

    tags ─► texts (pieces joined) ─► values, one a word ─► what the translation makes of them

`VOCABULARY` is the whole of it. A word is a small module: its name, the kinds it is for, how its text is read; what it
does to Envoy stands under the same name in `shopmesh.xds.effects`.
"""

from shopmesh.appmesh.annotations.annotation import Annotation, Malformed
from shopmesh.appmesh.annotations.pieces import PREFIX, in_pieces, joined
from shopmesh.appmesh.annotations.tagged import Read
from shopmesh.appmesh.annotations.vocabulary import VOCABULARY

__all__ = ["PREFIX", "VOCABULARY", "Annotation", "Malformed", "Read", "in_pieces", "joined"]
