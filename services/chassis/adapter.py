"""`requests`' transport adapter for one peer.

A call between services needs nothing of what a session does for each request (environment, cookies, redirects, the
choice of proxy and pool), which is more than half of its cost. So `Peers` passes prepared requests directly
to this adapter: https://requests.readthedocs.io/en/latest/user/advanced/#transport-adapters
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from urllib.parse import urlsplit

from gevent.monkey import get_original
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.util import SKIP_HEADER

# Tests whether a pooled connection is still open without yielding: gevent's poll would run its loop, and with it all
# other greenlets.
_poll = get_original("select", "poll")

# urllib3's default headers; each costs both ends some parsing.
_NOT_SENT = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}


class _Connection(HTTPConnection):
    @property
    def is_connected(self) -> bool:
        """Open, with nothing to read: data without a request means that the peer closed the connection."""
        if self.sock is None:
            return False
        waiting = _poll()
        waiting.register(self.sock.fileno(), select.POLLIN)
        return not waiting.poll(0)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class PeerAdapter(HTTPAdapter):
    """At most `connections` connections to one peer at `url`, or to the forward proxy at `proxy`.

    Further calls wait for a connection. There is no time-out here: the caller sets a deadline.
    """

    def __init__(self, url: str, proxy: str | None, connections: int) -> None:
        super().__init__()
        way = urlsplit(proxy or url)
        self._pool = _Pool(str(way.hostname), way.port or 80, maxsize=connections, block=True)
        self._absolute = proxy is not None

    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        """Sends a request and returns the response, whose body is read from `raw`. Raises urllib3's errors."""
        # A forward proxy needs the absolute form: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
        raw = self._pool.urlopen(
            str(request.method),
            str(request.url) if self._absolute else request.path_url,
            headers=request.headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
        response = Response()
        response.status_code = raw.status
        response.headers = CaseInsensitiveDict(raw.headers)
        response.raw = raw
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        super().close()
        self._pool.close()


def prepare_get(url: str, headers: Mapping[str, str]) -> PreparedRequest:
    """Prepares a GET. `url` is not validated: it is a peer's base URL with a path from our code."""
    request = PreparedRequest()
    request.method = "GET"
    request.url = url
    request.headers = CaseInsensitiveDict({**headers, **_NOT_SENT})
    return request
