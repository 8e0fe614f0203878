"""Signing in to the console by a link, over a real server: what makes a session, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shopmesh.client import Client, ResponseError
from shopmesh.console import Mode
from tests.support.console import KEYS, SESSION, STATE, Browser, ConsoleServer, code_of
from tests.support.planes import Planes
from tests.support.process import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[ConsoleServer]:
    with ConsoleServer() as found:
        yield found


def test_a_link_signs_in_once(server: ConsoleServer) -> None:
    """The second browser that opens it learns which command makes another."""
    link = server.link()
    first, second = server.browser(signed_in=False), server.browser(signed_in=False)

    assert 200 == first.sign_in(link).status
    refused = second.sign_in(link)
    assert 401 == refused.status
    assert "shopmesh console" in refused.message
    assert [200, 401] == [first.get(STATE).status, second.get(STATE).status]


def test_the_page_learns_who_is_signed_in_and_until_when(server: ConsoleServer) -> None:
    session = server.browser().get(SESSION).json

    assert ("AKIAONE", server.now + 12 * 3600, "on") == (session["accessKey"], session["expires"], session["mode"])


def test_without_a_session_the_page_learns_the_command(server: ConsoleServer) -> None:
    for path in (SESSION, STATE):
        answer = server.browser(signed_in=False).get(path)
        assert 401 == answer.status
        assert "`shopmesh console`" in answer.message


def test_the_cookie_is_for_the_console_alone(server: ConsoleServer) -> None:
    """No script reads it, no other site sends it, and its name has the port, which cookies ignore."""
    name, *attributes = (
        part.strip() for part in server.browser(signed_in=False).sign_in(server.link()).headers["set-cookie"].split(";")
    )

    assert name.startswith(f"shopmesh-console-{server.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/console/", "Max-Age=43200"} == set(attributes)


def test_the_cookie_is_secure_where_the_browser_says_https(server: ConsoleServer) -> None:
    """Also behind a proxy that ends TLS; what such a proxy would say, anybody can say."""
    browser = server.browser(signed_in=False)
    for headers, is_secure in (
        ({"origin": f"https://127.0.0.1:{server.port}"}, True),
        ({"origin": f"http://127.0.0.1:{server.port}"}, False),
        ({"x-forwarded-proto": "https", "forwarded": "proto=https"}, False),
    ):
        answer = browser.request("POST", "/console/sign-in", {"code": code_of(server.link())}, headers)
        assert is_secure == ("Secure" in answer.headers["set-cookie"]), headers


def test_a_session_ends_after_twelve_hours() -> None:
    with ConsoleServer() as server:
        browser = server.browser()
        server.now += 12 * 3600 - 1
        assert 200 == browser.get(STATE).status
        server.now += 1
        assert [401, 401] == [browser.get(SESSION).status, browser.get(STATE).status]


@pytest.mark.parametrize("seconds", [60, 600])
def test_a_code_that_was_not_used_in_time_is_worth_nothing(seconds: float) -> None:
    with ConsoleServer() as server:
        early, late = server.link(seconds), server.link(seconds)
        server.now += seconds - 1
        assert 200 == server.browser(signed_in=False).sign_in(early).status
        server.now += 1
        assert 401 == server.browser(signed_in=False).sign_in(late).status


def test_removing_the_access_key_ends_its_sessions_and_a_restart_does_not() -> None:
    port = free_port()
    with ConsoleServer(port=port) as server:
        browser = server.browser()
    with ConsoleServer(port=port):
        assert 200 == browser.get(STATE).status
    with ConsoleServer(port=port, credentials={"AKIATWO": KEYS["AKIATWO"]}):
        assert 401 == browser.get(STATE).status
    with ConsoleServer(port=port, credentials={**KEYS, "AKIAONE": "a new secret"}):
        assert 401 == browser.get(STATE).status


def test_signing_out_takes_the_cookie_back(server: ConsoleServer) -> None:
    browser = server.browser()
    answer = browser.request("POST", "/console/sign-out")

    assert (204, b"") == (answer.status, answer.body)
    assert {} == browser.cookies
    assert 401 == browser.get(STATE).status


@pytest.mark.parametrize("signs_in_at", ["one", "two"])
def test_a_link_of_one_replica_signs_in_at_the_other(signs_in_at: str) -> None:
    """Once in all of them, and the session is then known to each."""
    with Planes(KEYS, Mode.ON) as planes:
        server = ConsoleServer(credentials=KEYS)
        server.port = planes.one.api_port
        link = server.link()
        here, there = Browser(planes.one.api_port), Browser(planes.two.api_port)
        first, second = (here, there) if signs_in_at == "one" else (there, here)
        # What a browser sees as one host: a Service's name.
        for browser in (here, there):
            browser.host = "localhost"
        assert 200 == first.sign_in(link).status
        assert 401 == second.sign_in(link).status
        second.cookies, second.page_token = first.cookies, first.page_token
        assert [200, 200] == [first.get(STATE).status, second.get(STATE).status]


def test_a_code_of_a_replica_that_has_gone_is_a_wrong_one() -> None:
    with Planes(KEYS, Mode.ON) as planes:
        assert 401 == Browser(planes.one.api_port).sign_in("#code=x.gone").status


def test_many_wrong_codes_are_refused_and_a_right_one_still_works() -> None:
    """Nobody keeps others from signing in by trying codes."""
    with ConsoleServer() as server:
        browser = server.browser(signed_in=False)
        statuses = [browser.sign_in("#code=wrong").status for _ in range(12)]
        assert [401] * 10 + [429] * 2 == statuses
        assert 200 == browser.sign_in(server.link()).status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "\ud800"},
        {"code": ""},
        {"code": 1},
        {"code": None},
        {"code": "x" * 513},
        {"code": "x", "more": 1},
        [],
        "x",
    ],
)
def test_what_is_not_a_code_is_refused(server: ConsoleServer, body: object) -> None:
    assert 400 == server.browser(signed_in=False).request("POST", "/console/sign-in", body).status


def test_a_large_sign_in_is_refused(server: ConsoleServer) -> None:
    assert 413 == server.browser(signed_in=False).request("POST", "/console/sign-in", {"code": "x" * 5000}).status


@pytest.mark.parametrize("seconds", [0, -1, 601, 1e300, "60", None, True])
def test_a_code_lasts_ten_minutes_at_most(server: ConsoleServer, seconds: object) -> None:
    with server.client() as client, pytest.raises(ResponseError) as refused:
        client._session.request("POST", "/shopmesh/v1/console/codes", body={"seconds": seconds})

    assert 400 == refused.value.status


def test_nobody_mints_a_code_without_a_signature(server: ConsoleServer) -> None:
    """Nor does a session of the console: it would never end."""
    browser = server.browser()
    for path in ("codes", "redemptions"):
        direct = browser.request("POST", f"/shopmesh/v1/console/{path}", {"code": "x"})
        assert 403 == direct.status
        assert 404 == browser.request("POST", f"/console/api/shopmesh/v1/console/{path}", {"code": "x"}).status
    assert 404 == browser.request("POST", "/console/api/shopmesh/v1/replica", {}).status


def test_without_access_keys_nobody_has_to_sign_in() -> None:
    """`--no-auth`: everybody on the machine may change the mesh, and web pages still may not."""
    with ConsoleServer(credentials={}) as server:
        browser = server.browser(signed_in=False)
        with Client(f"http://127.0.0.1:{server.port}") as client:
            assert f"http://127.0.0.1:{server.port}/console/" == client.console_link()
        assert [200, None] == [browser.get(STATE).status, browser.get(SESSION).json["accessKey"]]
        for hostile in ({"sec-fetch-site": "same-site"}, {"sec-fetch-site": None}, {"origin": "http://127.0.0.1:1"}):
            assert 403 == browser.get(STATE, hostile).status


def test_no_code_and_no_half_of_a_session_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with ConsoleServer() as server:
        link = server.link()
        browser = server.browser(signed_in=False)
        browser.sign_in(link)
        browser.sign_in(link)
        browser.get(STATE)

    assert browser.page_token is not None
    secrets = (code_of(link), browser.page_token, *browser.cookies.values())
    assert [] == [secret for secret in secrets if secret in caplog.text]
