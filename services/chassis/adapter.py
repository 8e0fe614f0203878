"""`requests`' transport for one peer: what is the same for every call is decided once.

A call between services has no use for what a session does anew each time (environment, cookies, redirects, the choice
of proxy and pool), and that is more than half of what it costs. So `Peers` sends prepared requests
straight through this adapter, which fills the hooks that `HTTPAdapter` documents for subclasses:
https://requests.readthedocs.io/en/latest/api/#requests.adapters.HTTPAdapter
"""

from __future__ import annotations

import select
from urllib.parse import urlsplit

from gevent.monkey import get_original
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.util import SKIP_HEADER

# The question whether a pooled connection is still open is answered at once: gevent's own poll would go through its
# loop, and let all other greenlets run in between.
_poll = get_original("select", "poll")


class _Connection(HTTPConnection):
    @property
    def is_connected(self) -> bool:
        """Open, and with nothing to read: what a peer says unasked is that it closed."""
        if self.sock is None:
            return False
        waiting = _poll()
        waiting.register(self.sock.fileno(), select.POLLIN)
        return not waiting.poll(0)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class PeerAdapter(HTTPAdapter):
    """Connections to one peer at `url`, or to the forward proxy at `proxy` that knows the way; at most `connections`.

    More calls at the same time wait for a connection, within their own deadline.
    """

    def __init__(self, url: str, proxy: str | None, connections: int) -> None:
        super().__init__()
        way = urlsplit(proxy or url)
        self._pool = _Pool(str(way.hostname), way.port or 80, maxsize=connections, block=True)
        self._absolute = proxy is not None

    def get_connection_with_tls_context(self, request: object, verify: object, *_: object, **__: object) -> _Pool:
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: object) -> str:
        """A forward proxy is asked in absolute form: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2"""
        return str(request.url) if self._absolute else request.path_url

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = str(req.url)
        response.request = req
        return response

    def close(self) -> None:
        super().close()
        self._pool.close()


# urllib3's own words about itself; each header costs both ends its parsing.
_NOT_SENT = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}


def prepared(url: str, headers: dict[str, str]) -> PreparedRequest:
    """A GET, ready to be sent. `url` is sound already: it is a peer's base URL with a path of our own making."""
    request = PreparedRequest()
    request.method = "GET"
    request.url = url
    request.headers = CaseInsensitiveDict(headers | _NOT_SENT)
    return request
