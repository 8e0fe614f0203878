"""What the tests with real Envoys need: a control plane in this process, applications, sidecars and load."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import json
import socket
import socketserver
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from shopmesh.appmesh.api import operations, rest_json
from shopmesh.appmesh.api.model import GA
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Key, Resource, State, Transaction
from shopmesh.server.config import XdsCarrier
from shopmesh.server.grpc import health_discovery, xds_listener
from shopmesh.server.grpc.ads import Ads
from shopmesh.server.grpc.carrier import Carrier
from shopmesh.server.grpc.proxies import Proxies, ProxyStatus
from shopmesh.server.grpc.sessions import Methods, accept_everyone
from shopmesh.server.store.sqlite_store import SqliteStore
from shopmesh.server.store.store import Store
from shopmesh.server.traffic import metrics_service
from shopmesh.server.traffic.figures import Figures
from shopmesh.xds.bootstrap import Options, bootstrap_document
from shopmesh.xds.node import Mode, ProxyNode
from tests.support.process import ENVOY, Child, eventually, free_port, running

T = TypeVar("T")

DEFAULTS = Options()
CONFIG_DUMP = "/config_dump?include_eds"


class _Served:
    """A server on a free port of loopback, in a thread of its own, for the length of a `with` block."""

    def __init__(self, server: http.server.ThreadingHTTPServer | socketserver.ThreadingTCPServer) -> None:
        self._server = server
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Upstream(_Served):
    """An application on loopback that answers its name; `behave` may be replaced while it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: Counter[str] = Counter()
        self.headers: Mapping[str, str] = {}
        """Of the last request."""
        self.answers_with: Mapping[str, str] = {}
        """Headers of each answer."""
        self.behave: Callable[[str, int], tuple[int, float]] = lambda path, count: (200, 0.0)
        """The status, and the seconds before it, of the n-th request for a path."""
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one write: in two, a delayed acknowledgement between them costs 40 ms.
            wbufsize = -1

            def do_GET(self) -> None:
                upstream.requests[self.path] += 1
                upstream.headers = {name.lower(): value for name, value in self.headers.items()}
                status, delay = upstream.behave(self.path, upstream.requests[self.path])
                time.sleep(delay)
                body = upstream.name.encode()
                self.send_response(status)
                for name, value in {**upstream.answers_with, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
                """Says nothing."""

        super().__init__(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))


class Application(Protocol):
    """Whatever a sidecar may stand before: it listens on that port of loopback."""

    port: int


class TcpApplication(_Served):
    """An application on loopback that speaks a protocol of its own: `serve` has one connection."""

    def __init__(self) -> None:
        application = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    application.serve(self.request)

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Greeter(TcpApplication):
    """Speaks first: its name and a line feed, then whatever it is sent."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def serve(self, connection: socket.socket) -> None:
        connection.sendall(f"{self.name}\n".encode())
        while data := connection.recv(4096):
            connection.sendall(data)


class Mesh:
    """A control plane: store, registry, ADS on a free port; its loop runs in a thread."""

    def __init__(self, host_policy: HostPolicy = STRICT, carrier: XdsCarrier = XdsCarrier.GRPC) -> None:
        self.host_policy = host_policy
        self._kind_of_carrier = carrier
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = contextlib.ExitStack()
        self.port = 0
        self.figures = Figures()

    def __enter__(self) -> Mesh:
        self._thread.start()
        self.store: SqliteStore = self.run(SqliteStore.open(None))
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.socket = Path(folder) / "xds.sock"
        """For proxies in a network of their own, where loopback is another."""
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        kind, value, trace = exception
        assert trace is None or isinstance(trace, TracebackType)
        self._stack.__exit__(kind, value, trace)  # type: ignore[arg-type]  # what `with` gives
        self.stop()
        self.run(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def start(self) -> None:
        """Starts ADS, on the same port as before after a `stop`."""

        async def begin() -> tuple[Carrier, Proxies, int]:
            proxies = Proxies()
            ads = Ads(self.store, proxies, retry_seconds=0.3, host_policy=self.host_policy)
            methods: Methods = {
                **ads.methods(),
                **health_discovery.methods(ads.instances.on_readiness),
                **metrics_service.methods(self.figures, ads.clusters_of),
            }
            carrier = xds_listener.carrier(self._kind_of_carrier, methods, accept_everyone)
            port = carrier.bind_port("127.0.0.1", self.port, None)
            carrier.bind_socket(self.socket)
            await carrier.start()
            return carrier, proxies, port

        self._carrier, self.proxies, self.port = self.run(begin())

    def stop(self) -> None:
        self.run(self._carrier.stop())

    def put(self, *resources: Resource) -> int:
        """Writes resources in one transaction; the revision after it."""

        def work(transaction: Transaction) -> None:
            for one in resources:
                transaction.put(one)

        async def submit() -> int:
            await self.store.submit(work)
            return self.store.revision

        return self.run(submit())

    def replace(self, state: State) -> int:
        """Makes all documents those of `state` in one transaction, but for what proxies declared of themselves."""

        def work(transaction: Transaction) -> None:
            for one in [one for one in self.store.state if one.key.kind != "instance"]:
                if state.get(one.key) is None:
                    transaction.delete(one.key)
            for one in state:
                transaction.put(one)

        async def submit() -> int:
            await self.store.submit(work)
            return self.store.revision

        return self.run(submit())

    def ask(self, operation: str, **parameters: Any) -> None:
        """As a request of the API, with its rules; raises its refusals."""
        call = rest_json.binding_of(GA, operation)
        checked = rest_json.validate(call, parameters)
        context = Context("123456789012", "us-east-1", 0.0, lambda: "uid", self.host_policy)

        async def submit() -> None:
            await self.store.submit(
                lambda transaction: operations.handle(call.operation, checked, transaction, context)
            )

        self.run(submit())

    def delete(self, *keys: Key) -> int:
        def work(transaction: Transaction) -> None:
            for key in keys:
                transaction.delete(key)

        async def submit() -> int:
            await self.store.submit(work)
            return self.store.revision

        return self.run(submit())

    def converge(self, revision: int) -> None:
        assert self.run(self.proxies.wait_until_converged(revision, 15)), self.statuses()

    def statuses(self) -> Mapping[str, ProxyStatus]:
        """By instance."""

        async def read() -> list[ProxyStatus]:
            return self.proxies.statuses()

        return {status.instance: status for status in self.run(read())}

    def endpoints_of(self, name: str) -> list[str]:
        """The instances of a virtual node that have declared themselves as endpoints."""
        return sorted(one for one, status in self.statuses().items() if status.declared and status.name == name)

    def sidecar(self, name: str, upstream: Application | None = None, **more: Any) -> Sidecar:
        """Starts an Envoy for that virtual node of mesh `shop`, until the test ends."""
        return self._stack.enter_context(Sidecar(self, name, upstream, **more))


class Serving(Protocol):
    """The control plane of a sidecar: its port of xDS, and where it is declared."""

    port: int

    @property
    def store(self) -> Store: ...


class Sidecar:
    """One real Envoy."""

    def __init__(
        self,
        mesh: Serving,
        name: str,
        upstream: Application | None,
        instance: str = "",
        mode: Mode = "explicit",
        address: str | None = "127.0.0.1",
        ports: Sequence[int] = (5000,),
        wait: bool = True,
        taken: int | None = None,
        looks: bool = False,
        kind: str = "virtualNode",
        services: Sequence[str] = (),
        options: Options = DEFAULTS,
        attributes: Mapping[str, str] | None = None,
        ingress_port: int | None = None,
    ) -> None:
        """With `looks` it looks at its application's /readyz, and at its own readiness, and reports both.

        `services` are TCP backends (`db.local:6000`), each of which gets a port on loopback in explicit mode.
        """
        self._mesh = mesh
        self._wait = wait
        self._options = options
        self.instance = instance or f"{name}-1"
        self.egress, self.admin, self.ready = free_port(), free_port(), free_port()
        self.ports = {port: taken or free_port() for port in ports}
        self.services = {service: free_port() for service in services}
        explicit = mode == "explicit"
        self.node = ProxyNode(
            mesh="shop",
            name=name,
            instance=self.instance,
            kind=kind,
            mode=mode,
            address=address,
            ports=tuple(self.ports.items()) if explicit else (),
            application_ports=tuple((port, upstream.port if upstream else 1) for port in ports)
            if explicit and kind == "virtualNode"
            else (),
            ingress_port=ingress_port or free_port(),
            egress_port=self.egress,
            readiness=tuple(sorted(((upstream.port, "/readyz"), (self.ready, "/ready")))) if looks and upstream else (),
            egress_ports=tuple(sorted(self.services.items())),
            attributes=tuple(sorted((attributes or {}).items())),
        )

    def __enter__(self) -> Sidecar:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            file = folder / "bootstrap.json"
            document = bootstrap_document(
                self.node, "127.0.0.1", self._mesh.port, self.admin, self.ready, options=self._options
            )
            # Tests look at more than the product does.
            document["admin"]["allow_paths"].append({"exact": CONFIG_DUMP})
            file.write_text(json.dumps(document))
            self.child: Child = stack.enter_context(running(envoy_command(file)))
            if self._wait:
                self.child.wait_for(self.is_ready, f"{self.instance} is ready")
                if self.node.address:
                    key = self.node.identity.key
                    eventually(lambda: self._mesh.store.state.get(key), f"{self.instance} is declared")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def is_ready(self) -> bool:
        return get(self.ready, "/ready")[0] == 200

    def get(self, url: str, timeout: float = 20) -> tuple[int, str]:
        """Through the forward proxy, as a client that was told to use it."""
        return get(self.egress, url, host=urllib.parse.urlsplit(url).netloc, timeout=timeout)

    def config(self) -> Any:
        return json.loads(get(self.admin, CONFIG_DUMP)[1])

    def cluster_names(self) -> set[str]:
        found = json.loads(get(self.admin, "/clusters?format=json")[1])
        return {one["name"] for one in found["cluster_statuses"]}


def envoy_command(bootstrap_file: Path, *more: str) -> list[str | Path]:
    return [
        *(ENVOY, "-c", bootstrap_file, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"),
        # By default an access log is written every ten seconds.
        *("--file-flush-interval-msec", "20"),
        *more,
    ]


def get(
    port: int,
    target: str,
    host: str | None = None,
    timeout: float = 20,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, target, headers={**({"host": host} if host else {}), **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


class Caller(Protocol):
    """Whoever has a forward proxy on that port of loopback."""

    egress: int


class Load:
    """Requests one after another from a few threads, each on its own connection, for the length of a `with` block.

    Through the forward proxy, or to a `port` of a proxy that has one of its own for them.
    """

    def __init__(self, caller: Caller, url: str, threads: int = 4, port: int | None = None) -> None:
        self._port = port or caller.egress
        self._url = url
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(threads)]
        self._lock = threading.Lock()
        self.answers: Counter[str] = Counter()
        """By body, or by status where it is not 200."""

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> dict[str, int]:
        return {answer: count for answer, count in self.answers.items() if not answer.startswith("v")}

    @property
    def total(self) -> int:
        return self.answers.total()

    def more(self, count: int) -> None:
        """Waits until that many more requests have been answered."""
        goal = self.total + count
        eventually(lambda: self.total >= goal, f"{count} more requests", every=0.005)

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        host = urllib.parse.urlsplit(self._url).netloc or "127.0.0.1"
        while not self._stopping.is_set():
            try:
                connection.request("GET", self._url, headers={"host": host})
                response = connection.getresponse()
                body = response.read().decode()
                answer = body if response.status == 200 else str(response.status)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
                connection.close()
            with self._lock:
                self.answers[answer] += 1
        connection.close()


@contextlib.contextmanager
def upstreams(*names: str) -> Iterator[list[Upstream]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Upstream(name)) for name in names]
