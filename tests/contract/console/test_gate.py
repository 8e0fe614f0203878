"""Which requests of a browser the console answers, over a real server; attacks are played, and come to nothing."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shopmesh.console import Mode
from shopmesh.console.app import cookie_name
from tests.support.console import KEYS, OWN_PAGE, SESSION, STATE, Browser, ConsoleServer

MESHES = "/console/api/v20190125/meshes"
CHANGES = "/console/api/shopmesh/v1/changes?after=0"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ConsoleServer]:
    with ConsoleServer(hosts=("Mesh.Example",)) as found:
        yield found


@pytest.fixture(scope="module")
def browser(server: ConsoleServer) -> Browser:
    return server.browser()


def mesh_names(server: ConsoleServer) -> list[str]:
    with server.client() as client:
        return [one["meshName"] for one in client.appmesh.list_meshes()["meshes"]]


def test_a_signed_in_page_reads_and_writes_as_its_access_key(server: ConsoleServer, browser: Browser) -> None:
    """Through both of the API's versions and through shopmesh's own routes; the change says who made it, and where."""
    assert 200 == browser.request("PUT", MESHES, {"meshName": "written"}).status
    assert "written" in browser.get(MESHES).body.decode()
    assert "written" in browser.get("/console/api/meshes").body.decode()
    [change] = browser.get(CHANGES).json["changes"]
    assert ("AKIAONE", "console") == (change["author"], change["door"])
    assert 200 == browser.request("DELETE", f"{MESHES}/written").status


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": None},
        {"sec-fetch-site": None, "origin": "null"},
        {"sec-fetch-site": None, "origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8080"},
        {"origin": "http://localhost"},
        {"sec-fetch-site": "same-origin, same-site"},
        {"referer": "http://127.0.0.1/console/", "sec-fetch-site": None},
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", [SESSION, STATE, "/console/sign-in", "/console/sign-out"])
def test_a_page_of_another_port_or_site_gets_nothing(
    browser: Browser, server: ConsoleServer, path: str, headers: Mapping[str, str | None]
) -> None:
    """Its requests carry the cookie of somebody who is signed in, since cookies ignore ports."""
    method = "POST" if "sign" in path else "GET"
    answer = browser.request(method, path, {"code": "x"} if path.endswith("in") else None, headers)

    assert 403 == answer.status
    assert not {name for name in answer.headers if name.startswith("access-control-")}
    assert "set-cookie" not in answer.headers


def test_an_own_origin_is_enough(server: ConsoleServer, browser: Browser) -> None:
    """Some browsers do not send Sec-Fetch-Site."""
    for origin in (f"http://127.0.0.1:{server.port}", f"https://127.0.0.1:{server.port}"):
        assert 200 == browser.get(STATE, {"sec-fetch-site": None, "origin": origin}).status


def test_a_preflight_allows_nothing(browser: Browser) -> None:
    asked = {
        "origin": "http://127.0.0.1:8080",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "x-shopmesh-console",
    }
    for path in (MESHES, SESSION, "/console/", "/console/sign-in"):
        answer = browser.request("OPTIONS", path, headers=asked)
        assert 403 == answer.status, path
        assert not {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("given", [None, "1", "", "wrong"])
@pytest.mark.parametrize(("method", "path"), [("GET", STATE), ("PUT", MESHES), ("DELETE", f"{MESHES}/x")])
def test_a_cookie_without_its_page_token_opens_nothing(
    server: ConsoleServer, browser: Browser, method: str, path: str, given: str | None
) -> None:
    """The cookie is all that a program on another port gets, and it can then send any header."""
    thief = Browser(server.port, cookies=dict(browser.cookies), page_token=given)

    assert 401 == thief.request(method, path, {"meshName": "x"} if method == "PUT" else None).status
    assert [] == mesh_names(server)


def test_a_page_token_without_its_cookie_opens_nothing(server: ConsoleServer, browser: Browser) -> None:
    other = server.browser()

    assert 401 == Browser(server.port, page_token=browser.page_token).get(STATE).status
    assert 401 == Browser(server.port, cookies=other.cookies, page_token=browser.page_token).get(STATE).status


def test_cookies_that_another_port_has_set_keep_nobody_out(server: ConsoleServer, browser: Browser) -> None:
    """One with a longer path comes first in the header."""
    [(name, value)] = browser.cookies.items()

    assert 200 == browser.get(STATE, {"cookie": f"{name}=x; other=1; {name}=; {name}={value}"}).status
    assert 401 == browser.get(STATE, {"cookie": "; ".join(f"{name}=x" for _ in range(500))}).status


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "put", "BREW"])
def test_every_write_needs_the_header_of_the_console(server: ConsoleServer, method: str) -> None:
    """Also where nobody has to sign in, and for every method that is not known to only read."""
    with ConsoleServer(credentials={}) as open_to_all:
        stranger = open_to_all.browser(signed_in=False)
        for path in (MESHES, "/console/api/shopmesh/v1/requests"):
            answer = stranger.request(method, path, {"meshName": "x"})
            assert 403 == answer.status
            assert "x-shopmesh-console" in answer.message
        assert 200 == stranger.request("PUT", MESHES, {"meshName": "x"}, {"x-shopmesh-console": "none"}).status


def test_an_event_stream_has_its_page_token_in_the_query(browser: Browser) -> None:
    """Browsers add no header there. The routes do not get it, and a write is not opened by it."""
    token = browser.page_token
    without: dict[str, str | None] = {"x-shopmesh-console": None}

    assert 200 == browser.get(f"{CHANGES}&page-token={token}", without).status
    assert 401 == browser.get(f"{CHANGES}&page-token=x", without).status
    assert 403 == browser.request("PUT", f"{MESHES}?page-token={token}", {"meshName": "x"}, without).status


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "mesh.example.evil", "control-plane"]
)
@pytest.mark.parametrize("path", ["/console/", "/console/static/main.js", SESSION, STATE])
def test_a_name_that_leads_here_by_rebinding_is_refused(server: ConsoleServer, path: str, host: str) -> None:
    answer = Browser(server.port, f"{host}:{server.port}").get(path)

    assert 421 == answer.status
    assert "--console-host" in answer.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "mesh.example", "MESH.example.:443"])
def test_loopback_and_the_names_of_console_host_are_served(server: ConsoleServer, host: str) -> None:
    assert 200 == Browser(server.port, host).get("/console/").status


def test_a_name_of_the_console_is_no_name_of_the_api(server: ConsoleServer) -> None:
    answer = Browser(server.port, "mesh.example").get("/healthz")

    assert 421 == answer.status
    assert "--api-host" in answer.message


def test_a_link_of_another_site_opens_the_page_and_nothing_else(server: ConsoleServer, browser: Browser) -> None:
    """A terminal may be a web page; what it opens is a page of its own, without data, in no frame."""
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert [200, 307] == [browser.get(path, link).status for path in ("/console/", "/console")]
    for path in ("/console/static/main.js", SESSION, STATE):
        assert 403 == browser.get(path, link).status
    for other in ({"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors"}, {"origin": "http://evil.example"}):
        assert 403 == browser.get("/console/", {**link, **other}).status
    assert 403 == browser.request("POST", "/console/", headers=link).status
    assert 421 == browser.get("/console/", {**link, "host": "evil.example"}).status


def test_the_cookie_opens_nothing_outside_the_console(server: ConsoleServer, browser: Browser) -> None:
    """Sent there by hand, which no browser does."""
    [(name, value)] = browser.cookies.items()
    for path in ("/shopmesh/v1/proxies", "/v20190125/meshes", "/meshes", "/consolex/api/meshes", "/Console/session"):
        assert 403 == browser.get(path, {"cookie": f"{name}={value}"}).status, path


def test_a_signature_does_not_open_the_console(server: ConsoleServer) -> None:
    """Nor the API below the console's path, so that each way in has one proof."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for path in (SESSION, STATE):
        request = AWSRequest("GET", f"http://127.0.0.1:{server.port}{path}")
        SigV4Auth(Credentials("AKIAONE", KEYS["AKIAONE"]), "appmesh", "us-east-1").add_auth(request)
        assert 401 == Browser(server.port).get(path, dict(request.headers.items())).status


PATHS = {
    "a dot segment": "/console/static/../index.html",
    "an encoded dot segment": "/console/static/%2e%2e/index.html",
    "dots out of the package": "/console/static/../../app.py",
    "doubly encoded dots": "/console/static/%252e%252e/app.py",
    "an encoded slash": "/console/static/..%2f..%2fapp.py",
    "a backslash": "/console/static/..\\..\\app.py",
    "an empty segment": "/console//static/index.html",
    "an empty segment in the API": "/console/api//shopmesh/v1/proxies",
    "an encoded console": "/%63onsole/session",
    "an encoded part": "/console/%61pi/shopmesh/v1/proxies",
    "an encoded slash before the API": "/console/api%2fshopmesh/v1/proxies",
    "out of the API": "/console/api/../session",
    "encoded dots out of the API": "/console/api/%2e%2e/session",
    "into the console of the API": "/console/api/console/api/shopmesh/v1/proxies",
    "a zero": "/console/static/index.html%00.js",
    "a line feed": "/console/static/index.html%0d%0aset-cookie:x",
    "an absolute path": "/console/static//etc/passwd",
    "a folder": "/console/static/vendor",
    "a file of Python": "/console/static/../__init__.py",
    "a file without a known type": "/console/static/README.md",
    "a hidden file": "/console/static/.gitignore",
    "the API itself": "/console/api",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_path_that_could_mean_another_one_is_refused(browser: Browser, path: str) -> None:
    """Whatever it would become after decoding once more, or after dots are resolved."""
    answer = browser.get(path)

    has_dots = any(part in path for part in ("/../", "%2e%2e/", "..%2f"))
    assert answer.status in ((400,) if has_dots else (400, 404)), answer.body[:300]
    assert CONTENT_SECURITY_POLICY == answer.headers["content-security-policy"]


def test_a_name_may_hold_an_encoded_slash(browser: Browser) -> None:
    """It reaches the API as it came: it is a name that does not exist, not another path."""
    answer = browser.get(f"{MESHES}/a%2Fb")

    assert (404, True) == (answer.status, "a/b" in answer.message)


def test_a_redirect_leads_nowhere_else(browser: Browser) -> None:
    """For a slash too many, Starlette names an address that is not below the console, so no cookie goes there."""
    answer = browser.get(f"{STATE}/")

    assert answer.status in (307, 404)
    assert "evil" not in answer.headers.get("location", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/console/", "/console", "/console/static/index.html", SESSION])
def test_pages_and_files_are_only_read(browser: Browser, method: str, path: str) -> None:
    answer = browser.request(method, path)

    assert (405, "GET, HEAD") == (answer.status, answer.headers["allow"])


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
def test_signing_in_and_out_by_a_link_is_refused(browser: Browser, path: str) -> None:
    """So that no picture of another page signs anybody out."""
    assert (405, "POST") == ((answer := browser.get(path)).status, answer.headers["allow"])


def test_a_form_of_another_page_is_refused(browser: Browser) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = browser.request("POST", "/console/sign-in", {"code": "x"}, {"content-type": kind})
        assert 415 == answer.status


def test_a_websocket_is_not_opened(server: ConsoleServer, browser: Browser) -> None:
    """An upgrade is an ordinary request, which the gate refuses or the route answers."""
    upgrade = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }

    assert 401 == Browser(server.port).get(STATE, upgrade).status
    assert 200 == browser.get(STATE, upgrade).status


def test_a_second_request_hidden_in_a_first_one_is_not_run(server: ConsoleServer, browser: Browser) -> None:
    """Bodies have one length, so what follows is a request of its own, without a session."""
    [(name, value)] = browser.cookies.items()
    hidden = f"GET {STATE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    head = [
        f"GET {STATE} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Sec-Fetch-Site: same-origin",
        f"Cookie: {name}={value}",
        f"x-shopmesh-console: {browser.page_token}",
    ]
    for lengths in (["Content-Length: 0", "Transfer-Encoding: chunked"], ["Content-Length: 0", "Content-Length: 5"]):
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall("\r\n".join([*head, *lengths, "", hidden]).encode())
            answer = connection.recv(65536)
        assert not answer.startswith(b"HTTP/1.1 200")


EVERYWHERE: list[tuple[str, str, Any, dict[str, str | None]]] = [
    ("GET", "/console/", None, {}),
    ("GET", "/console", None, {}),
    ("GET", "/console/static/index.html", None, {}),
    ("GET", "/console/static/missing.js", None, {}),
    ("GET", "/console/static/../x", None, {}),
    ("GET", SESSION, None, {}),
    ("GET", SESSION, None, {"cookie": None, "x-shopmesh-console": None}),
    ("GET", STATE, None, {}),
    ("GET", STATE, None, {"sec-fetch-site": "cross-site"}),
    ("GET", STATE, None, {"host": "evil.example"}),
    ("GET", "/console/api/nothing", None, {}),
    ("GET", f"{MESHES}/none", None, {}),
    ("PUT", MESHES, {"meshName": "-"}, {}),
    ("POST", "/console/sign-in", {"code": "x"}, {}),
    ("POST", "/console/sign-in", {"code": "x"}, {"content-type": "text/plain"}),
    ("POST", "/console/sign-out", None, {}),
    ("DELETE", "/console/", None, {}),
]


@pytest.mark.parametrize(("method", "path", "body", "headers"), EVERYWHERE)
def test_every_answer_has_the_headers_that_confine_it(
    server: ConsoleServer, method: str, path: str, body: Any, headers: dict[str, str | None]
) -> None:
    """No script or style of elsewhere, no frame, no guessed type, no referrer, no shared window, no stored data."""
    found = server.browser().request(method, path, body, headers).headers

    assert CONTENT_SECURITY_POLICY == found["content-security-policy"]
    assert "nosniff" == found["x-content-type-options"]
    assert "no-referrer" == found["referrer-policy"]
    assert "same-origin" == found["cross-origin-opener-policy"]
    assert "same-origin" == found["cross-origin-resource-policy"]
    assert ("no-cache" if "etag" in found else "no-store") == found["cache-control"]
    assert "server" not in found


def test_read_only_shows_and_changes_nothing() -> None:
    """A dry run passes, since it changes nothing; what says that it is one twice, or in another way, does not."""
    requests = [{"operation": "CreateMesh", "parameters": {"meshName": "x"}}]
    with ConsoleServer(Mode.READ_ONLY) as server:
        browser = server.browser()
        assert "read-only" == browser.get(SESSION).json["mode"]
        assert 200 == browser.get(MESHES).status
        refused = browser.request("PUT", MESHES, {"meshName": "x"})
        assert 403 == refused.status
        assert "--console on" in refused.message
        dry = "/console/api/shopmesh/v1/requests"
        assert 200 == browser.request("POST", dry, {"requests": requests, "dryRun": True}).status
        for more in ({}, {"dryRun": False}, {"dryRun": 1}, {"dryRun": "true"}, {"dryrun": True}):
            assert 403 == browser.request("POST", dry, {"requests": requests, **more}).status, more
        for path in ("shopmesh/v1/canaries", "shopmesh%2Fv1%2Fcanaries", "shopmesh/v1/requests/"):
            assert 403 == browser.request("POST", f"/console/api/{path}", {"requests": requests, "dryRun": True}).status
        assert 403 == browser.request("PUT", dry, {"requests": requests, "dryRun": True}).status
        assert [] == mesh_names(server)


def test_a_dry_run_that_says_two_things_is_refused() -> None:
    body = (
        '{"dryRun": true, "requests": [{"operation": "CreateMesh", "parameters": {"meshName": "x"}}], "dryRun": false}'
    )
    with ConsoleServer(Mode.READ_ONLY) as server:
        browser = server.browser()
        [(name, value)] = browser.cookies.items()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {
            **OWN_PAGE,
            "cookie": f"{name}={value}",
            "x-shopmesh-console": browser.page_token or "",
            "content-type": "application/json",
        }
        connection.request("POST", "/console/api/shopmesh/v1/requests", body, headers)
        with connection.getresponse() as answer:
            assert answer.status in (400, 403)
        connection.close()
        assert [] == mesh_names(server)


def test_off_serves_no_page_and_no_code() -> None:
    """And says which option changes that."""
    with ConsoleServer(Mode.OFF) as server:
        browser = server.browser(signed_in=False)
        for path in ("/console", "/console/", "/console/static/index.html", SESSION, STATE):
            answer = browser.get(path)
            assert 404 == answer.status
            assert "--console" in answer.message
        with pytest.raises(Exception, match="--console"):
            server.link()


def test_an_event_stream_ends_with_its_session() -> None:
    """A page that stays open for twelve hours sees no more than one that asks anew."""
    with ConsoleServer() as server:
        browser = server.browser()
        expires = browser.get(SESSION).json["expires"]
        server.now = expires - 0.5
        answer = browser.get("/console/api/shopmesh/v1/live", {"accept": "text/event-stream"})
        server.now = expires

        assert (200, True) == (answer.status, answer.body.startswith((b"event:", b"retry:")))
        assert 401 == browser.get(STATE).status


def test_the_name_of_the_cookie_has_the_port_that_the_browser_knows() -> None:
    """Two control planes of one machine do not sign each other's users out."""
    for host, name in ((b"127.0.0.1:9080", "-9080"), (b"[::1]:9081", "-9081"), (b"mesh.example", "")):
        assert f"shopmesh-console{name}" == cookie_name({"headers": [(b"host", host)]})
