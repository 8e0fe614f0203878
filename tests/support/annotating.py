"""Annotations for Hypothesis, as tags: any words that a kind may carry, whole or cut somewhere."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from shopmesh.appmesh.annotations import ANNOTATIONS, PREFIX
from shopmesh.appmesh.annotations.tag_chunks import LONGEST_VALUE
from shopmesh.appmesh.store import Key

LONG = "||".join(f"x-{number}=a value" for number in range(60))


@st.composite
def annotated(draw: st.DrawFn, key: Key, nodes: Sequence[str]) -> dict[str, str]:
    """Tags for a resource of that key; a mirror goes to one of these nodes."""
    found: dict[str, str] = {}
    for word, annotation in ANNOTATIONS.items():
        if key.kind not in annotation.kinds or not draw(st.booleans()):
            continue
        text = annotation.example
        if word == "mirror":
            if not nodes:
                continue
            text = f"{draw(st.sampled_from(nodes))} 10%"
        elif word.endswith("-add") and draw(st.booleans()):
            text = LONG
        found.update(cut(draw, PREFIX + word, text))
    return found


def cut(draw: st.DrawFn, name: str, text: str) -> dict[str, str]:
    """The text in pieces: as `split_text` cuts it, or not."""
    pieces: list[str] = []
    while text or not pieces:
        size = draw(st.sampled_from([LONGEST_VALUE, LONGEST_VALUE, LONGEST_VALUE - 1, 100]))
        pieces.append(text[:size])
        text = text[size:]
    return {name if number == 1 else f"{name}.{number}": piece for number, piece in enumerate(pieces, start=1)}
