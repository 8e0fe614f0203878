"""Which versions an answer came through."""

from __future__ import annotations

import pytest

from shopmesh.load.judgement.attribution import BODY_PATTERN, Attribution, compile_pattern, service_of


@pytest.mark.parametrize(
    ("values", "versions"),
    [
        ((b"order/1.0", b"customer/1.0, product/2.0"), ("customer/1.0", "order/1.0", "product/2.0")),
        ((b"order/1.0", None), ("order/1.0",)),
        ((b" Order/1.0 ,", b"order/1.0"), ("order/1.0",)),
        ((b"2.0",), ("app/2.0",)),
        ((b"shop/product/2.0",), ("shop/product/2.0",)),
        ((None, None), ()),
        ((b"x" * 1000,), ("app/" + "x" * 64,)),
        ((b"\xff/1",), ("ÿ/1",)),
    ],
)
def test_versions_are_read_from_headers(values: tuple[bytes | None, ...], versions: tuple[str, ...]) -> None:
    """Each once, sorted, however they are written, and no longer than somebody reads."""
    assert versions == Attribution().versions(values)


def test_versions_are_read_from_the_webinars_lines() -> None:
    """Numbers and strings alike."""
    attribution = Attribution((), compile_pattern(BODY_PATTERN))
    body = b'{"Service":"Order","Version":1.0}\n{"Service": "Product", "Version": "2.0"}\n'

    assert ("order/1.0", "product/2.0") == attribution.versions(attribution.find_in_body(body))


def test_a_pattern_with_one_group_is_a_version() -> None:
    """Its service has no name of its own."""
    attribution = Attribution((), compile_pattern(r"version (\S+)"))

    assert ("app/7",) == attribution.versions(attribution.find_in_body(b"this is version 7"))


@pytest.mark.parametrize(
    ("text", "said"), [("(", "not a regular expression"), ("a", "0 groups"), ("(a)(b)(c)", "3 groups")]
)
def test_an_unusable_pattern_is_refused(text: str, said: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(ValueError, match=said):
        compile_pattern(text)


def test_the_service_of_a_version_is_what_stands_before_the_last_slash() -> None:
    """A service's name may have slashes itself."""
    assert ("product", "shop/product") == (service_of("product/2.0"), service_of("shop/product/2.0"))
