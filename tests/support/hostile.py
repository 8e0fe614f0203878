"""Text as somebody would write it who wants to be on the terminals and in the logs of others."""

from __future__ import annotations

import re

from hypothesis import strategies as st

PIECES = (
    *("\x1b[31m", "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\r", "\n", "\r\nCRITICAL forged", "\x00", "\x08", "\x7f"),
    *("\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\u2069", "\u200f", "\u061c", "\t", "\x0b", "\x0c", "\x1c"),
    *("[red]", "[/]", "[/red]", "[link=http://evil.example]", ":smile:", "\\", '"', "'", "<script>", "%0a", "\\u001b"),
)
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What must reach no terminal and no log, beside line feeds of our own."""

SURROGATES = ("\ud800", "\udfff")

texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=6).map("".join)
with_surrogates = st.lists(st.one_of(st.sampled_from((*PIECES, *SURROGATES)), st.text(max_size=5)), max_size=6).map(
    "".join
)
