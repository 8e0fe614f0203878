"""Codes that work once, and sessions that end: by time, and with their access key."""

from __future__ import annotations

import itertools

import pytest

from shopmesh.console.sign_in import (
    MOST_CODES,
    SESSION_SECONDS,
    WRONG_CODES,
    Codes,
    SessionCookies,
    SignIn,
    WrongCodes,
    replica_of,
)

KEYS = {"AKIAONE": "first secret", "AKIATWO": "second secret"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes(clock: Clock) -> Codes:
    numbers = itertools.count()
    return Codes(clock, lambda: f"code-{next(numbers)}")


@pytest.fixture
def cookies(clock: Clock) -> SessionCookies:
    return SessionCookies(KEYS, clock)


@pytest.fixture
def issued(cookies: SessionCookies) -> SignIn:
    found = cookies.issue("AKIAONE")
    assert found is not None
    return found


def test_a_code_works_once(codes: Codes) -> None:
    code = codes.mint("AKIAONE", 60)

    assert ["AKIAONE", None] == [codes.redeem(code.text), codes.redeem(code.text)]


def test_a_code_ends_in_the_second_that_it_says(codes: Codes, clock: Clock) -> None:
    early, late = codes.mint("AKIAONE", 60), codes.mint("AKIATWO", 60)
    clock.now = early.expires - 0.001
    assert "AKIAONE" == codes.redeem(early.text)
    clock.now = late.expires
    assert codes.redeem(late.text) is None


def test_more_codes_than_are_remembered_push_out_the_one_that_ends_first(codes: Codes) -> None:
    first, second = codes.mint("AKIAONE", 500), codes.mint("AKIAONE", 400)
    for _ in range(MOST_CODES - 1):
        codes.mint("AKIATWO", 450)

    assert [None, "AKIAONE"] == [codes.redeem(second.text), codes.redeem(first.text)]


def test_a_code_names_the_replica_that_minted_it(codes: Codes) -> None:
    """The whole text is the code: it is not valid with another replica's name."""
    code = codes.mint("AKIAONE", 60, "control-plane-7d9f.example")

    assert "control-plane-7d9f.example" == replica_of(code.text)
    assert codes.redeem(code.text.partition(".")[0]) is None
    assert "AKIAONE" == codes.redeem(code.text)
    assert "" == replica_of(codes.mint("AKIAONE", 60).text)


def test_two_codes_of_the_system_s_randomness_differ_and_cannot_be_guessed() -> None:
    """43 characters of 64 each are 256 bits."""
    first, second = (Codes(Clock()).mint("AKIAONE", 60).text for _ in range(2))

    assert first != second
    assert 43 == len(first)


def test_a_session_lasts_twelve_hours(cookies: SessionCookies, issued: SignIn, clock: Clock) -> None:
    begun = clock.now
    clock.now = begun + SESSION_SECONDS - 1
    session = cookies.verify(issued.cookie, issued.page_token)
    clock.now = begun + SESSION_SECONDS

    assert session is not None
    assert ("AKIAONE", begun + 12 * 3600) == (session.access_key, session.expires)
    assert cookies.verify(issued.cookie, issued.page_token) is None


def test_a_session_needs_both_of_its_halves(cookies: SessionCookies, issued: SignIn) -> None:
    """Those of two sign-ins are no session either, also of the same key in the same second."""
    other, again = cookies.issue("AKIATWO"), cookies.issue("AKIAONE")

    assert other is not None
    assert again is not None
    assert cookies.verify(issued.cookie, issued.page_token) is not None
    for half in ("", "1", other.page_token, again.page_token, issued.cookie, issued.page_token[:-1], "é"):
        assert cookies.verify(issued.cookie, half) is None, half
    assert cookies.verify("", issued.page_token) is None
    assert cookies.verify(issued.page_token, issued.page_token) is None


def test_another_control_plane_with_the_same_key_knows_a_session(issued: SignIn, clock: Clock) -> None:
    """So restarts and replicas accept it; one without that key, or with another secret for it, does not."""
    for keys, is_known in (
        ({"AKIAONE": "first secret"}, True),
        ({"AKIATWO": "second secret"}, False),
        ({"AKIAONE": "second secret"}, False),
        ({}, False),
    ):
        session = SessionCookies(keys, clock).verify(issued.cookie, issued.page_token)
        assert is_known == (session is not None), keys


def test_no_part_of_a_cookie_can_be_changed(cookies: SessionCookies, issued: SignIn) -> None:
    key, expires, random, mac = issued.cookie.split(".")
    other = cookies.issue("AKIATWO")
    assert other is not None
    changed = [
        f"{key}.{int(expires) + 1}.{random}.{mac}",
        f"{other.cookie.split('.')[0]}.{expires}.{random}.{mac}",
        f"{key}.{expires}.{random}.{'A' * 43}",
        f"{key}.0{expires}.{random}.{mac}",
        f"{key}.{expires}.{random}A.{mac}",
        f"{key}.{expires}.{random}.{mac}.{mac}",
        f"{key}.{expires}.{random}",
        f"{key}.{expires}.{random}.",
        f"{key}.{expires}..{mac}",
        f"{key}.-1.{random}.{mac}",
        f"{key}.{'9' * 400}.{random}.{mac}",
        f"é.{expires}.{random}.{mac}",
        f"A.{expires}.{random}.{mac}",
        f"{issued.cookie}\n",
        "x" * 100_000,
    ]

    assert [] == [one for one in changed if cookies.verify(one, issued.page_token) is not None]


def test_a_cookie_is_checked_for_itself(cookies: SessionCookies, issued: SignIn) -> None:
    """Not only as what its page token stands for."""
    key, expires, random, mac = issued.cookie.split(".")
    forged = f"{key}.{int(expires) + 1}.{random}.{mac}"

    assert cookies.verify(issued.cookie, cookies._mac("AKIAONE", f"page token {issued.cookie}")) is not None
    assert cookies.verify(forged, cookies._mac("AKIAONE", f"page token {forged}")) is None


def test_nobody_signs_in_with_an_unknown_key(cookies: SessionCookies) -> None:
    """Such as one that another replica has and this one has not."""
    assert cookies.issue("AKIATHREE") is None


def test_no_secret_stands_in_a_cookie_or_a_token(issued: SignIn) -> None:
    assert "secret" not in repr(issued)


def test_wrong_codes_are_bounded_and_allowed_again_after_a_while(clock: Clock) -> None:
    wrong = WrongCodes(clock)

    assert [True] * WRONG_CODES + [False] == [wrong.allow() for _ in range(WRONG_CODES + 1)]
    clock.now += 60 / WRONG_CODES
    assert [True, False] == [wrong.allow(), wrong.allow()]
    clock.now -= 3600
    assert not wrong.allow()
