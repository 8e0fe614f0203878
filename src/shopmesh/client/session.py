"""HTTP with AWS signatures over one pool of connections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from shopmesh.client.errors import ResponseError, UnreachableError

MAX_RESPONSE = 64 << 20
"""Bytes; a mesh of 1,000 services with all its documents is a tenth of it."""

# The server may close a pooled connection just as it is used again; a GET is safe to repeat.
_RETRIES = urllib3.Retry(total=1, connect=0, read=1, status=0, redirect=0, other=0, allowed_methods={"GET"})


class SignedSession:
    """JSON over HTTP to one control plane. Safe to use from several threads."""

    def __init__(self, endpoint_url: str, region: str, credentials: Credentials, timeout: float) -> None:
        self._endpoint = endpoint_url.rstrip("/")
        self._signer = SigV4Auth(credentials, "appmesh", region)
        self._timeout = timeout
        self._pool = urllib3.PoolManager(maxsize=8)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | float | Sequence[str]] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Sends a signed request, returns the response's JSON object; raises UnreachableError and ResponseError."""
        url = f"{self._endpoint}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = json.dumps(body, separators=(",", ":")).encode() if body is not None else b""
        # With this header the server authenticates a request before it reads the body, and accepts a large one.
        headers = {"X-Amz-Content-SHA256": hashlib.sha256(content).hexdigest()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = AWSRequest(method, url, headers, content)
        self._signer.add_auth(request)
        seconds = self._timeout if timeout is None else timeout
        try:
            response = self._pool.request(
                method,
                url,
                body=content or None,
                headers=dict(request.headers.items()),
                timeout=urllib3.Timeout(connect=min(seconds, 5.0), read=seconds),
                retries=_RETRIES,
                preload_content=False,
            )
            try:
                answer = response.read(MAX_RESPONSE + 1)
            finally:
                response.release_conn()
        except (HTTPError, OSError) as error:
            raise self._unreachable(error, seconds) from error
        return self._object(response.status, answer, response.headers.get("x-amzn-ErrorType"))

    def close(self) -> None:
        self._pool.clear()

    def _object(self, status: int, answer: bytes, code: str | None) -> dict[str, Any]:
        if len(answer) > MAX_RESPONSE:
            raise UnreachableError(
                f"{self._endpoint} answered with more than {MAX_RESPONSE} bytes; limit the request with --mesh"
            )
        try:
            value = json.loads(answer)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise UnreachableError(
                f"the server at {self._endpoint} is not a control plane of shopmesh (HTTP {status}, no JSON object);"
                " give its address with --endpoint-url"
            )
        if status >= 400:
            message = str(value.get("message") or f"HTTP {status}")
            raise ResponseError(str(value.get("code") or code or f"HTTP {status}"), message, status, value.get("index"))
        return value

    def _unreachable(self, error: Exception, seconds: float) -> UnreachableError:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(reason, HTTPTimeout) and not isinstance(reason, NewConnectionError):
            return UnreachableError(
                f"the control plane at {self._endpoint} did not answer within {seconds:g} s; see its log"
            )
        return UnreachableError(
            f"no control plane answers at {self._endpoint}: start one with `shopmesh up`,"
            " or give another address with --endpoint-url"
        )
