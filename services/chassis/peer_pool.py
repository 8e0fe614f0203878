"""The connections to one peer: urllib3's pool, without what a call between services does not need.

A session of `requests` (environment, cookies, redirects, the choice of proxy and pool) is more than half of the cost of
a call, and its response objects some twentieth of the cost of a whole order.
https://urllib3.readthedocs.io/en/stable/reference/urllib3.connectionpool.html
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from urllib.parse import urlsplit

from gevent.monkey import get_original
from urllib3 import BaseHTTPResponse, HTTPConnectionPool
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


class PeerPool:
    """At most `connections` connections to one peer at `url`, or to the forward proxy at `proxy`.

    Further calls wait for a connection. There is no time-out here: the caller sets a deadline.
    """

    def __init__(self, url: str, proxy: str | None, connections: int) -> None:
        way = urlsplit(proxy or url)
        self._pool = _Pool(str(way.hostname), way.port or 80, maxsize=connections, block=True)
        # A forward proxy needs the absolute form: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
        self._prefix = url if proxy is not None else urlsplit(url).path

    def get(self, path: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """Sends a GET for a path below the peer's URL; the caller reads the body. Raises urllib3's errors."""
        return self._pool.urlopen(
            "GET",
            self._prefix + path,
            headers={**headers, **_NOT_SENT},
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
