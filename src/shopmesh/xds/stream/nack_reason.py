"""The reason of a NACK, without the content that Envoy prints with it.

Where a field is not valid, Envoy 1.40 answers with the whole message in protobuf's text format, private keys included,
and the reason before or behind it:

    goo.gle/debugstr
    name: "product" …
    : Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_NACK = 4096
"""Characters of a reason that are kept; Envoy's own messages are shorter."""

_LONGEST_READ = 1024 * 1024
_MARK = re.compile(r"goo\.gle/debug[a-z]*[ \t]*\n?")
"""What protobuf writes before content."""
_END_OF_CONTENT = "\n: "
"""None of its lines begins with a colon."""
_NESTED_LINES = re.compile(r"(?m)^[ \t]+\S.*\n?|^\}\n?")
"""Lines of content without a mark, from earlier versions of Envoy, that are inside of a field."""
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_LONGEST_CONTENT = 100


def nack_reason(message: str) -> str:
    """What is wrong, in Envoy's words; `(no reason given)` for nothing."""
    text = "".join(_without_content(message[:_LONGEST_READ]))
    text = _PRIVATE_KEY.sub("[private key]", _NESTED_LINES.sub("", text))
    return text.strip()[:LONGEST_NACK] or "(no reason given)"


def _without_content(text: str) -> Iterator[str]:
    """The parts of a text without marked content, unless that is a few numbers, such as those of a duration."""
    at = 0
    while (mark := _MARK.search(text, at)) is not None:
        end = text.find(_END_OF_CONTENT, mark.end() - 1)
        content = text[mark.end() : len(text) if end < 0 else end].strip()
        yield text[at : mark.start()]
        if len(content) <= _LONGEST_CONTENT and '"' not in content:
            yield content
        at = len(text) if end < 0 else end + len(_END_OF_CONTENT)
    yield text[at:]
