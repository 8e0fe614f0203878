"""`requests`' transport for one peer: what is the same for every call is decided once.

A call between services has no use for what a session does anew each time (environment, cookies, redirects, the choice
of proxy and pool), and that is more than half of what it costs. So `Peers` hands prepared requests straight
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

# Whether a pooled connection is still open is asked without waiting: gevent's own poll would go through its loop, and
# let all other greenlets run in between.
_poll = get_original("select", "poll")

# urllib3's words about itself; each header costs both ends its parsing.
_NOT_SENT = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}


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

    More calls at the same time wait for a connection. Nothing here has a time-out: the caller's deadline counts.
    """

    def __init__(self, url: str, proxy: str | None, connections: int) -> None:
        super().__init__()
        way = urlsplit(proxy or url)
        self._pool = _Pool(str(way.hostname), way.port or 80, maxsize=connections, block=True)
        self._absolute = proxy is not None

    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        """Sends a request and gives the head of its answer; the body is read from `raw`. Raises urllib3's errors."""
        # A forward proxy is asked in absolute form: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
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
    """A GET, ready to be sent. `url` is sound already: it is a peer's base URL with a path of our own making."""
    request = PreparedRequest()
    request.method = "GET"
    request.url = url
    request.headers = CaseInsensitiveDict({**headers, **_NOT_SENT})
    return request
