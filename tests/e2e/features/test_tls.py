"""TLS between proxies, seen from both ends. The certificates are made by the `openssl` program."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext, TlsCertificate
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyMessage

from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Document, Resource
from shopmesh.server.live_findings import LiveFindings
from shopmesh.xds.bootstrap import Options
from tests.e2e.xds.running import Greeter, Load, Mesh, Sidecar, Upstream
from tests.support.certificates import Authority, Client, Pair, move, plain_get
from tests.support.policies import ANYTHING
from tests.support.process import eventually, free_port
from tests.unit.xds import meshes

T = TypeVar("T")

PRODUCT = "http://product.local:5000/"
NAME = "product.local"


@pytest.fixture
def host_policy() -> HostPolicy:
    """Certificates in temporary folders are allowed."""
    return ANYTHING


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, which nobody trusts."""
    return Authority(tmp_path_factory.mktemp("certificates"), "stranger")


@pytest.fixture(scope="module")
def served(authority: Authority) -> Pair:
    return authority.issue(NAME)


def tls(certificate: Document, mode: str = "STRICT", **more: Any) -> Document:
    return {"mode": mode, "certificate": certificate, **more}


def product(certificate: Document, mode: str = "STRICT", port: int = 5000, **more: Any) -> Resource:
    return meshes.node(
        "product",
        listeners=[meshes.listener(port, tls=tls(certificate, mode, **more))],
        serviceDiscovery={"dns": {"hostname": NAME}},
    )


def trusting(*names: str, trust: Document) -> Document:
    """A validation, with subject alternative names if there are any."""
    return {"trust": trust, **({"subjectAlternativeNames": {"match": {"exact": list(names)}}} if names else {})}


def caller(**policy: Any) -> Resource:
    """The node `order`, whose default policy that is; without one it has none."""
    default = {"clientPolicy": {"tls": policy}} if policy else {}
    return meshes.node("order", backends=["product.local"], backendDefaults=default)


def shop(*more: Resource) -> list[Resource]:
    return [meshes.mesh(), caller(), meshes.service("product.local", node="product"), *more]


def answers(mesh: Mesh, order: Sidecar, *changes: Resource) -> int:
    """The status that a call of `order` gets after these changes have reached all proxies."""
    mesh.converge(mesh.put(*changes))
    return order.get(PRODUCT)[0]


def takes_tls(client: Client, port: int) -> bool:
    try:
        return client.get(port)[0] == 200
    except (OSError, ssl.SSLError):
        return False


@pytest.mark.feature(11)
def test_a_listener_takes_what_its_mode_says(
    mesh: Mesh, upstream: Upstream, authority: Authority, served: Pair
) -> None:
    """STRICT refuses plain text, PERMISSIVE takes both, DISABLED refuses TLS; a change of mode needs no restart."""
    mesh.put(*shop(product(served.document())))
    port = mesh.sidecar("product", upstream).ports[5000]
    client = Client(authority, NAME)
    seen = {}
    for mode in ("STRICT", "PERMISSIVE", "DISABLED"):
        mesh.converge(mesh.put(product(served.document(), mode)))
        expected = (mode != "STRICT", mode != "DISABLED")
        # The listener before drains for a moment after the change was acknowledged.
        eventually(lambda expected=expected: (plain_get(port) == 200, takes_tls(client, port)) == expected, mode)  # type: ignore[misc]  # mypy knows no lambda with a default
        seen[mode] = (plain_get(port), takes_tls(client, port))

    assert seen == {"STRICT": (None, True), "PERMISSIVE": (200, True), "DISABLED": (200, False)}


@pytest.mark.feature(11)
def test_an_intercepted_listener_takes_what_its_mode_says(mesh: Mesh, authority: Authority, served: Pair) -> None:
    """The same in the other shape, where a chain is found by the original port (503: there is no application)."""
    port = free_port()
    mesh.put(*shop(product(served.document(), port=port)))
    sidecar = mesh.sidecar("product", mode="intercepted", address=None, ingress_port=port)

    assert sidecar.node.ingress_port == port
    assert plain_get(port) is None
    assert Client(authority, NAME).get(port)[0] == 503


@pytest.mark.feature(12)
def test_a_client_must_show_a_certificate(
    mesh: Mesh, upstream: Upstream, authority: Authority, stranger: Authority, served: Pair
) -> None:
    """One of the trusted authority and of a name that is asked for; none, a stranger's or another name is refused."""
    validation = trusting("order.local", "spiffe://shop/order", trust=authority.trust())
    mesh.put(*shop(product(served.document(), validation=validation)))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    trust = trusting(trust=authority.trust())
    shown = {
        "none": None,
        "right": authority.issue("order.local"),
        "right, by URI": authority.issue("spiffe://shop/order"),
        "of another name": authority.issue("customer.local"),
        "of a stranger": stranger.issue("order.local"),
    }
    seen = {
        what: answers(mesh, order, caller(validation=trust, **({"certificate": own.document()} if own else {})))
        for what, own in shown.items()
    }

    assert seen == {"none": 503, "right": 200, "right, by URI": 200, "of another name": 503, "of a stranger": 503}


@pytest.mark.feature(13)
def test_a_caller_checks_the_servers_certificate(
    mesh: Mesh, upstream: Upstream, authority: Authority, stranger: Authority, served: Pair
) -> None:
    """By its policy: the authority, and the name of discovery or those that it names. Without one, not at all."""
    mesh.put(*shop(product(served.document())))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    policies = {
        "no policy": {},
        "right": {"validation": trusting(trust=authority.trust())},
        "right name": {"validation": trusting("other.local", NAME, trust=authority.trust())},
        "wrong authority": {"validation": trusting(trust=stranger.trust())},
        "wrong name": {"validation": trusting("other.local", trust=authority.trust())},
    }
    seen = {what: answers(mesh, order, caller(**policy)) for what, policy in policies.items()}

    assert seen == {"no policy": 200, "right": 200, "right name": 200, "wrong authority": 503, "wrong name": 503}


@pytest.mark.feature(13)
def test_a_policy_is_enforced_or_follows_the_server(
    mesh: Mesh, upstream: Upstream, authority: Authority, served: Pair
) -> None:
    """To a server without TLS: enforced, for its ports, the caller does not connect; else it speaks plain text."""
    mesh.put(*shop(product(served.document(), "DISABLED")))
    mesh.sidecar("product", upstream)
    order = mesh.sidecar("order")
    validation = trusting(trust=authority.trust())
    policies: dict[str, dict[str, Any]] = {
        "enforced": {},
        "not enforced": {"enforce": False},
        "for this port": {"ports": [5000]},
        "for another port": {"ports": [6000]},
    }
    seen = {what: answers(mesh, order, caller(validation=validation, **policy)) for what, policy in policies.items()}
    assert seen == {"enforced": 503, "not enforced": 200, "for this port": 503, "for another port": 200}

    follows = caller(validation=validation, enforce=False)
    assert answers(mesh, order, follows, product(served.document(), "STRICT")) == 200


class Knocking:
    """New TLS connections one after another, for the length of a `with` block: which certificates were served."""

    def __init__(self, client: Client, port: int) -> None:
        self._client, self._port = client, port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._knock)
        self.seen: Counter[object] = Counter()

    def __enter__(self) -> Knocking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _knock(self) -> None:
        while not self._stopping.is_set():
            try:
                self.seen[self._client.get(self._port)] += 1
            except OSError as error:
                self.seen[repr(error)] += 1


@pytest.mark.feature(11, better="files are taken as they are replaced, where App Mesh wanted a restart")
@pytest.mark.feature(12, better="a client's certificate too is taken as its files are replaced")
def test_certificates_are_replaced_under_load(
    mesh: Mesh, upstream: Upstream, authority: Authority, tmp_path: Path
) -> None:
    """Both ends' files, several times: new connections have the new certificate, and no request fails."""
    server, own = Pair(tmp_path / "tls.crt", tmp_path / "tls.key"), Pair(tmp_path / "own.crt", tmp_path / "own.key")
    authority.issue(NAME).move_to(server)
    authority.issue("order.local").move_to(own)
    validation = trusting(trust=authority.trust())
    mesh.put(
        *shop(product(server.document(), validation=validation)),
        caller(validation=validation, certificate=own.document()),
    )
    port = mesh.sidecar("product", upstream).ports[5000]
    order = mesh.sidecar("order")
    client = Client(authority, NAME, authority.issue("test.local"))
    served = [(200, server.serial)]
    with Load(order, PRODUCT) as load, Knocking(client, port) as knocking:
        load.more(50)
        for _ in range(3):
            authority.issue("order.local").move_to(own)
            authority.issue(NAME).move_to(server)
            served.append((200, server.serial))
            eventually(lambda: knocking.seen[served[-1]] > 5, "the new certificate is served")
            load.more(50)

    assert load.failed == {}
    assert len(set(served)) == 4
    assert set(served) == set(knocking.seen)


@pytest.mark.feature(11)
def test_a_key_without_its_certificate_keeps_the_old_pair(
    mesh: Mesh, upstream: Upstream, authority: Authority, tmp_path: Path
) -> None:
    """Until the certificate comes as well."""
    pair, new = Pair(tmp_path / "tls.crt", tmp_path / "tls.key"), authority.issue(NAME)
    authority.issue(NAME).move_to(pair)
    before = pair.serial
    mesh.put(*shop(product(pair.document())))
    sidecar = mesh.sidecar("product", upstream)
    client = Client(authority, NAME)

    move(new.key, pair.key)
    sidecar.child.wait_for(lambda: "Failed to reload certificates" in sidecar.child.output, "the key was seen")
    assert client.get(sidecar.ports[5000]) == (200, before)

    move(new.chain, pair.chain)
    eventually(lambda: client.get(sidecar.ports[5000]) == (200, new.serial), "the new pair is served")


@pytest.mark.feature(11, better="a certificate that is not there is named, and taken as soon as it is")
def test_a_missing_certificate_is_named_and_taken_when_it_comes(
    mesh: Mesh, upstream: Upstream, authority: Authority, served: Pair, tmp_path: Path
) -> None:
    """In a folder that is missing too. The other listener works; others send to the proxy when it has all it needs."""
    folder = tmp_path / "later"
    pair = Pair(folder / "tls.crt", folder / "tls.key")
    listeners = [
        meshes.listener(5000, tls=tls(served.document())),
        meshes.listener(5001, tls=tls(pair.document())),
    ]
    mesh.put(*shop(meshes.node("product", listeners)))
    sidecar = mesh.sidecar("product", upstream, ports=(5000, 5001), wait=False)
    sidecar.child.wait_for(sidecar.is_ready, "it is ready")
    client = Client(authority, NAME)

    refused = eventually(lambda: mesh.statuses()["product-1"].refused, "the refusal is shown")
    assert refused.type == "secrets"
    assert str(pair.chain) in refused.message
    assert client.get(sidecar.ports[5000])[0] == 200
    assert not takes_tls(client, sidecar.ports[5001])
    assert plain_get(sidecar.ports[5001]) is None
    assert mesh.store.state.get(sidecar.node.identity.key) is None

    folder.mkdir()
    authority.issue(NAME).move_to(pair)
    eventually(lambda: takes_tls(client, sidecar.ports[5001]), "the certificate is served")
    eventually(lambda: mesh.statuses()["product-1"].in_sync, "the refusal is over")
    assert mesh.statuses()["product-1"].refused is None
    eventually(lambda: mesh.store.state.get(sidecar.node.identity.key), "it is declared")


@pytest.mark.feature(11, better="a wrong path leaves the former certificate at work until its files are there")
@pytest.mark.feature(13, better="a wrong path leaves the former policy at work until its files are there")
def test_a_wrong_path_breaks_nothing_that_works(
    mesh: Mesh, upstream: Upstream, authority: Authority, served: Pair, tmp_path: Path
) -> None:
    """Of a listener's certificate and of a caller's trust: both go on as they were, and both proxies are named."""
    later, trust = Pair(tmp_path / "later.crt", tmp_path / "later.key"), tmp_path / "later.pem"
    mesh.put(*shop(product(served.document())), caller(validation=trusting(trust=authority.trust())))
    port = mesh.sidecar("product", upstream).ports[5000]
    order = mesh.sidecar("order")
    client = Client(authority, NAME)
    with Load(order, PRODUCT) as load, Knocking(client, port) as knocking:
        load.more(20)
        mesh.put(
            product(later.document()),
            caller(validation=trusting(trust={"file": {"certificateChain": str(trust)}})),
        )
        for instance, path in (("product-1", later.chain), ("order-1", trust)):
            refused = eventually(lambda name=instance: mesh.statuses()[name].refused, f"{instance} refuses")  # type: ignore[misc]  # mypy knows no lambda with a default
            assert str(path) in refused.message
        load.more(100)
        assert order.get(PRODUCT) == (200, "v1")
        assert set(knocking.seen) == {(200, served.serial)}

        authority.issue(NAME).move_to(later)
        move(authority.certificate, trust)
        eventually(lambda: knocking.seen[(200, later.serial)] > 5, "the new certificate is served")
        eventually(lambda: all(one.in_sync for one in mesh.statuses().values()), "both have what they should")
        load.more(20)

    assert load.failed == {}
    assert set(knocking.seen) == {(200, served.serial), (200, later.serial)}


@pytest.mark.feature(11, better="a certificate that expires soon is told before it does")
def test_a_certificate_that_expires_soon_is_told(
    mesh: Mesh, upstream: Upstream, authority: Authority, tmp_path: Path
) -> None:
    """By the proxy's own report; another one in its place ends it."""
    pair = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    authority.issue(NAME, days=3).move_to(pair)
    mesh.put(*shop(product(pair.document())))
    mesh.sidecar("product", upstream)

    async def told() -> list[str]:
        days = mesh.figures.certificate_days()
        live = LiveFindings(mesh.store.state, mesh.host_policy)
        found = await live.collect(mesh.proxies.statuses(), (), days)
        return [one.what for one in found if one.where.startswith("proxy product-1")]

    eventually(lambda: any("in 2 days" in one for one in mesh.run(told())), "it is told")
    authority.issue(NAME, days=30).move_to(pair)
    eventually(lambda: mesh.run(told()) == [], "it is over")


async def _now(read: Callable[[], T]) -> T:
    """On the loop of the control plane."""
    return read()


@pytest.mark.feature(11, better="a certificate in ACM is told at once, with what to do")
def test_a_listener_with_a_certificate_in_acm_stays_shut(mesh: Mesh, upstream: Upstream, served: Pair) -> None:
    """Neither plain text nor TLS, whatever the mode; with files in its place it opens."""
    acm = {"acm": {"certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/1"}}
    mesh.put(*shop(product(acm, "PERMISSIVE")))
    sidecar = mesh.sidecar("product", upstream, wait=False)
    sidecar.child.wait_for(sidecar.is_ready, "it is ready")

    assert plain_get(sidecar.ports[5000]) is None
    (finding,) = mesh.run(_now(mesh.proxies.findings))
    assert "ACM" in finding.what

    mesh.converge(mesh.put(product(served.document(), "PERMISSIVE")))
    eventually(lambda: plain_get(sidecar.ports[5000]) == 200, "the listener is open")


@contextmanager
def sds(path: Path, secrets: dict[str, Secret]) -> Iterator[None]:
    """What SPIRE's agent is to Envoy: Envoy's secret discovery service on a Unix socket."""

    def stream(requests: Iterator[bytes], _: object) -> Iterator[bytes]:
        for data in requests:
            request = DiscoveryRequest.FromString(data)
            if request.response_nonce:
                continue
            resources = [AnyMessage() for _ in request.resource_names]
            for wrapped, name in zip(resources, request.resource_names, strict=True):
                wrapped.Pack(secrets[name])
            answer = DiscoveryResponse(version_info="1", nonce="1", type_url=request.type_url, resources=resources)
            yield answer.SerializeToString()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    service = "envoy.service.secret.v3.SecretDiscoveryService"
    handler = grpc.stream_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"StreamSecrets": handler}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


@pytest.mark.feature(11)
@pytest.mark.feature(12)
@pytest.mark.feature(13)
def test_certificates_come_from_the_sds_of_the_host(
    mesh: Mesh, upstream: Upstream, authority: Authority, tmp_path: Path
) -> None:
    """Of both ends, by the Unix socket of the bootstrap; files and keys are then nowhere named."""

    def by_name(name: str) -> Document:
        return {"sds": {"secretName": name}}

    def pair(name: str) -> Secret:
        files = authority.issue(name)
        chain, key = (DataSource(inline_bytes=file.read_bytes()) for file in files)
        return Secret(name=name, tls_certificate=TlsCertificate(certificate_chain=chain, private_key=key))

    bundle = CertificateValidationContext(trusted_ca=DataSource(inline_bytes=authority.certificate.read_bytes()))
    secrets = {
        "spiffe://shop": Secret(name="spiffe://shop", validation_context=bundle),
        **{name: pair(name) for name in ("spiffe://shop/product", "spiffe://shop/order")},
    }
    both = {"trust": by_name("spiffe://shop")}
    mesh.put(
        *shop(
            product(by_name("spiffe://shop/product"), validation=trusting("spiffe://shop/order", trust=both["trust"]))
        ),
        caller(
            validation=trusting("spiffe://shop/product", trust=both["trust"]),
            certificate=by_name("spiffe://shop/order"),
        ),
    )
    socket_path = tmp_path / "agent.sock"
    with sds(socket_path, secrets):
        options = Options(sds_socket=str(socket_path))
        mesh.sidecar("product", upstream, options=options)
        order = mesh.sidecar("order", options=options)

        eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the call is answered")
        wrong = caller(validation=trusting("spiffe://shop/other", trust=both["trust"]))
        assert answers(mesh, order, wrong) == 503


@pytest.mark.feature(
    11, better="clients of a PERMISSIVE port whose server speaks first wait half a second, not for ever"
)
def test_tcp_with_tls(mesh: Mesh, authority: Authority, served: Pair) -> None:
    """STRICT and PERMISSIVE, before an application that speaks first: no client waits for the other for ever."""

    def db(mode: str) -> Resource:
        return meshes.node("db", [meshes.listener(6000, "tcp", tls=tls(served.document(), mode))])

    mesh.put(
        meshes.mesh(),
        db("STRICT"),
        meshes.node("order", backends=["db.local"], backendDefaults=_policy(authority)),
        meshes.service("db.local", node="db"),
    )
    with Greeter("hello") as greeter:
        port = mesh.sidecar("db", greeter, ports=(6000,)).ports[6000]
        order = mesh.sidecar("order", services=("db.local:6000",))
        client = Client(authority, NAME)
        assert client.first_line(port) == "hello"
        assert _first_line(order.services["db.local:6000"]) == "hello"

        mesh.converge(mesh.put(db("PERMISSIVE")))

        eventually(lambda: _first_line(port) == "hello", "plain text is taken")
        assert client.first_line(port) == "hello"


def _policy(authority: Authority) -> Document:
    return {"clientPolicy": {"tls": {"validation": trusting(NAME, trust=authority.trust())}}}


def _first_line(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as lines:
        return lines.readline().decode().strip()


@pytest.mark.feature(11)
@pytest.mark.feature(13)
@pytest.mark.feature(22)
def test_a_gateway_speaks_tls_on_both_sides(
    mesh: Mesh, upstream: Upstream, authority: Authority, stranger: Authority, served: Pair
) -> None:
    """Its listener's mode and certificate, and its policy for all backends, as a node's."""

    def gateway(trust: Authority) -> Resource:
        edge = tls(authority.issue("shop.example").document())
        own = meshes.gateway("gw", meshes.listener(8080, tls=edge))
        default = {"clientPolicy": {"tls": {"validation": trusting(trust=trust.trust())}}}
        return meshes.resource("virtualGateway", "shop", "gw", spec={**own.spec, "backendDefaults": default})

    mesh.put(*shop(product(served.document())), gateway(authority), meshes.gateway_route("gw", "all", "product.local"))
    mesh.sidecar("product", upstream)
    port = mesh.sidecar("gw", kind="virtualGateway", ports=(8080,)).ports[8080]
    client = Client(authority, "shop.example")

    assert plain_get(port) is None
    assert client.get(port)[0] == 200
    mesh.converge(mesh.put(gateway(stranger)))
    eventually(lambda: client.get(port)[0] == 503, "the backend's certificate is not trusted any more")
