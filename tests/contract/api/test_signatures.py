"""SigV4 from both sides: botocore signs, and each way in which a signature can be wrong is refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from shopmesh.appmesh.errors import Unauthenticated
from shopmesh.server.api.sigv4 import SignedRequest, Verifier, sha256, signature
from tests.contract.api.conftest import KEY, REGION, SECRET, ApiServer, serving
from tests.contract.api.raw import send
from tests.support.http_answers import Answer

PATH = "/v20190125/meshes"
BODY = b'{"meshName":"signed"}'


@pytest.fixture(scope="module")
def secured() -> Iterator[ApiServer]:
    with serving(credentials={KEY: SECRET, "AKIDOTHER": "another secret"}) as server:
        yield server


def signed(
    server: ApiServer,
    method: str = "PUT",
    path: str = PATH,
    body: bytes = BODY,
    key: str = KEY,
    secret: str = SECRET,
    region: str = REGION,
    service: str = "appmesh",
    extra: dict[str, str] | None = None,
) -> dict[str, str]:
    """The headers that botocore's own signer gives such a request."""
    headers = {"host": f"127.0.0.1:{server.port}", "content-type": "application/json", **(extra or {})}
    request = AWSRequest(method, server.url + path, headers, body)
    botocore.auth.SigV4Auth(Credentials(key, secret), service, region).add_auth(request)
    return dict(request.headers.items())


def put(server: ApiServer, headers: dict[str, str], path: str = PATH, body: bytes = BODY) -> Answer:
    return send(server.port, "PUT", path, body, headers)


@pytest.mark.parametrize("name", ["plain", "dots.in.it", "per%2Fcent", "with space", "ümlaut", "a+b=c&d~e", "a:b@c"])
def test_boto3_is_let_in(secured: ApiServer, name: str) -> None:
    """What botocore signs is accepted, whatever characters the path and the query hold."""
    client = secured.client(key=KEY, secret=SECRET)
    client.create_mesh(meshName=name)

    described = client.describe_mesh(meshName=name, meshOwner="123456789012")["mesh"]
    listed = client.list_tags_for_resource(resourceArn=described["metadata"]["arn"], limit=5)

    assert (name, []) == (described["meshName"], listed["tags"])


def test_each_key_has_its_secret(secured: ApiServer) -> None:
    """A second configured key is let in with its own secret and refused with the first one's."""
    assert secured.client(key="AKIDOTHER", secret="another secret").list_meshes()
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        secured.client(key="AKIDOTHER", secret=SECRET).list_meshes()


def test_signed_headers_alone_count(secured: ApiServer) -> None:
    """A header that something on the way adds unsigned does no harm; a signed one with odd spaces is understood."""
    headers = signed(secured, extra={"x-amz-meta": "a  b   c"})

    answer = put(secured, {**headers, "x-forwarded-for": "10.0.0.1"})

    assert answer.status in (200, 409), answer.body


def _unsigned(server: ApiServer) -> Answer:
    return put(server, {})


def _wrong_secret(server: ApiServer) -> Answer:
    return put(server, signed(server, secret="guessed"))


def _unknown_key(server: ApiServer) -> Answer:
    return put(server, signed(server, key="AKIDNOBODY"))


def _other_region(server: ApiServer) -> Answer:
    return put(server, signed(server, region="eu-west-1"))


def _other_service(server: ApiServer) -> Answer:
    return put(server, signed(server, service="s3"))


def _other_body(server: ApiServer) -> Answer:
    return put(server, signed(server), body=b'{"meshName":"forged"}')


def _unsigned_payload(server: ApiServer) -> Answer:
    return put(server, signed(server, extra={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}), body=b"{}")


def _other_path(server: ApiServer) -> Answer:
    return put(server, signed(server), path="/v20190125/meshes/signed")


def _other_query(server: ApiServer) -> Answer:
    return put(server, signed(server), path=PATH + "?meshOwner=123456789012")


def _other_host(server: ApiServer) -> Answer:
    return put(server, {**signed(server), "host": "elsewhere"})


def _other_signed_header(server: ApiServer) -> Answer:
    return put(server, {**signed(server, extra={"x-amz-meta": "a"}), "x-amz-meta": "b"})


def _other_date(server: ApiServer) -> Answer:
    return put(server, {**signed(server), "X-Amz-Date": time.strftime("%Y%m%dT000000Z", time.gmtime())})


def _no_scheme(server: ApiServer) -> Answer:
    return put(server, {"authorization": "Basic eDp5"})


def _no_credential(server: ApiServer) -> Answer:
    return put(server, {"authorization": "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + "0" * 64})


def _short_credential(server: ApiServer) -> Answer:
    authorization = f"AWS4-HMAC-SHA256 Credential={KEY}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    return put(server, {"authorization": authorization, "x-amz-date": "20260101T000000Z"})


def _host_unsigned(server: ApiServer) -> Answer:
    headers = signed(server)
    return put(server, {**headers, "Authorization": headers["Authorization"].replace("host;", "")})


def _no_date(server: ApiServer) -> Answer:
    return put(server, {k: v for k, v in signed(server).items() if k != "X-Amz-Date"})


def _huge(server: ApiServer) -> Answer:
    return put(server, {"authorization": "AWS4-HMAC-SHA256 " + "a" * 10_000})


REFUSED = {
    _unsigned: (403, "MissingAuthenticationTokenException"),
    _wrong_secret: (403, "InvalidSignatureException"),
    _unknown_key: (403, "UnrecognizedClientException"),
    _other_region: (403, "InvalidSignatureException"),
    _other_service: (403, "InvalidSignatureException"),
    _other_body: (403, "InvalidSignatureException"),
    _unsigned_payload: (403, "InvalidSignatureException"),
    _other_path: (403, "InvalidSignatureException"),
    _other_query: (403, "InvalidSignatureException"),
    _other_host: (403, "InvalidSignatureException"),
    _other_signed_header: (403, "InvalidSignatureException"),
    _other_date: (403, "InvalidSignatureException"),
    _no_scheme: (400, "IncompleteSignatureException"),
    _no_credential: (400, "IncompleteSignatureException"),
    _short_credential: (400, "IncompleteSignatureException"),
    _host_unsigned: (400, "IncompleteSignatureException"),
    _no_date: (400, "IncompleteSignatureException"),
    _huge: (400, "IncompleteSignatureException"),
}


@pytest.mark.parametrize("wrong", REFUSED, ids=lambda wrong: wrong.__name__.strip("_"))
def test_refused(secured: ApiServer, wrong: Any) -> None:
    """Each way of being wrong gets AWS's status and code, and reaches no operation."""
    before = secured.store.revision

    answer = wrong(secured)

    assert REFUSED[wrong] == (answer.status, answer.code), answer.body
    assert before == secured.store.revision


def test_wrong_scope_is_named(secured: ApiServer) -> None:
    """Who signs for another region or service is told which one is expected."""
    for answer in (_other_region(secured), _other_service(secured)):
        assert answer.message.endswith("expected us-east-1/appmesh/aws4_request")


def test_credential_is_of_the_same_day() -> None:
    """A signature that is right, but with a credential of another date, is refused."""
    verifier = Verifier({KEY: SECRET}, REGION, "appmesh")
    names, stamp = ("host", "x-amz-date"), "20190125T120000Z"
    for date, accepted in (("20190125", True), ("20190124", False)):
        headers = {"host": ("h",), "x-amz-date": (stamp,)}
        bare = SignedRequest("GET", PATH, "", headers, sha256(b""))
        scope = (date, REGION, "appmesh", "aws4_request")
        found = signature(bare, names, SECRET, stamp, scope)
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={KEY}/{'/'.join(scope)}, SignedHeaders={';'.join(names)}, Signature={found}"
        )
        request = replace(bare, headers={**headers, "authorization": (authorization,)})
        if accepted:
            claim = verifier.claim(request, 1548417600.0)
            verifier.compare(request, claim)
            assert KEY == claim.key
        else:
            with pytest.raises(Unauthenticated, match="differs from the date in X-Amz-Date"):
                verifier.claim(request, 1548417600.0)


@pytest.mark.parametrize(("minutes", "word"), [(-6, "expired"), (6, "not yet current")])
def test_old_and_future_signatures_are_refused(
    secured: ApiServer, monkeypatch: pytest.MonkeyPatch, minutes: int, word: str
) -> None:
    """A signature is good for five minutes before and after its time stamp."""
    now = datetime.now(UTC)
    for shift, status in ((minutes * 60, 403), (minutes * 60 * 4 // 6, 200)):
        then = now + timedelta(seconds=shift)
        with monkeypatch.context() as patch:
            patch.setattr("botocore.auth.get_current_datetime", lambda then=then, **_: then)
            headers = signed(secured, method="GET", body=b"")
        answer = send(secured.port, "GET", PATH, None, headers)
        assert status == answer.status, answer.body
        assert status == 200 or word in answer.message


def test_open_paths_need_no_signature(secured: ApiServer) -> None:
    """Health is for everyone: it reaches the application, which has no such route here."""
    assert {404} == {send(secured.port, "GET", path).status for path in ("/healthz", "/readyz")}


def test_everything_else_needs_one(secured: ApiServer) -> None:
    """Also paths that do not exist, and shopmesh's own, so that nothing can be probed."""
    paths = ("/", "/shopmesh/v1/requests", "/shopmesh/v1/proxies", "/healthz/", "/readyz/x")
    assert {403} == {send(secured.port, "GET", path).status for path in paths}


def test_secrets_are_never_logged(secured: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a secret key nor a signature is written to a log or told to the client."""
    caplog.set_level(logging.DEBUG)
    headers = signed(secured, secret="guessed")
    headers["Authorization"] = headers["Authorization"][:-1] + "0"
    signature = headers["Authorization"].rpartition("=")[2]
    caplog.clear()

    answer = put(secured, headers)

    told = answer.body.decode() + caplog.text
    assert not [word for word in (SECRET, signature) if word in told]


def test_too_large_a_body_is_refused_before_it_is_read(secured: ApiServer) -> None:
    """Whoever has a key is told the bound; whoever has none learns nothing, and nothing of the body is read for him."""
    body = b" " * 2_000_000

    assert (413, "RequestEntityTooLargeException") == _brief(put(secured, signed(secured, body=body), body=body))
    assert (403, "MissingAuthenticationTokenException") == _brief(put(secured, {}, body=body))


def test_a_body_that_was_announced_must_come(secured: ApiServer) -> None:
    """Whoever signs the hash of a body is known before the body is read, which must have that hash all the same."""
    announced = signed(secured, extra={"x-amz-content-sha256": sha256(BODY)})
    guessed = signed(secured, secret="guessed", extra={"x-amz-content-sha256": sha256(BODY)})

    assert put(secured, announced).status in (200, 409)
    assert (403, "InvalidSignatureException") == _brief(put(secured, announced, body=b'{"meshName":"forged"}'))
    assert (403, "InvalidSignatureException") == _brief(put(secured, guessed))
    assert (403, "InvalidSignatureException") == _brief(put(secured, {**announced, "x-amz-content-sha256": "0" * 64}))


def _brief(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code
