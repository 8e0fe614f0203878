"""Formats of access logs: what Envoy refuses is refused before it. The same examples are tried on a real Envoy."""

from __future__ import annotations

import pytest

from shopmesh.appmesh.rules.operators import problems
from tests.support.log_formats import ACCEPTED, REFUSED


@pytest.mark.parametrize("text", ACCEPTED)
def test_an_operator_that_envoy_knows_passes(text: str) -> None:
    """With the arguments and lengths that it takes."""
    assert [] == list(problems(text, "format"))


@pytest.mark.parametrize("text", REFUSED)
def test_what_envoy_refuses_is_refused_first(text: str) -> None:
    """Once for what is wrong, naming the field."""
    (problem,) = problems(text, "format")

    assert problem.field == "format"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("%NOSUCH%", "not an operator"),
        ("%DURATION(x)%", "neither an argument nor a length"),
        ("%REQ()%", "the name of a header"),
        ("%GRPC_STATUS(x)%", "CAMEL_STRING, SNAKE_STRING or NUMBER"),
        ("50%", "write %%"),
    ],
)
def test_the_message_says_what_is_right(text: str, advice: str) -> None:
    """Nobody has to look it up."""
    (problem,) = problems(text, "format")

    assert advice in problem.message
