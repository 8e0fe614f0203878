"""TLS of listeners and of their callers (features 11, 12, 13)."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext

from shopmesh.appmesh.store import Document, Resource
from shopmesh.xds.snapshot import Snapshot
from tests.support.translated import message, proxy, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import listener, shop

PAIR = {"file": {"certificateChain": "/tls/tls.crt", "privateKey": "/tls/tls.key"}}
CA = {"file": {"certificateChain": "/tls/ca.pem"}}
ACM = {"acm": {"certificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/1"}}
ACM_CA = {"acm": {"certificateAuthorityArns": ["arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1"]}}
SDS = {"sds": {"secretName": "spiffe://shop/product"}}
INGRESS = "lds_ingress_127.0.0.1_41001"
EGRESS = "cds_egress_shop_product_http_5000"


def server(mode: str = "STRICT", certificate: Document = PAIR, protocol: str = "http", **more: Any) -> Resource:
    """The node `product` with one TLS listener."""
    tls = {"mode": mode, "certificate": certificate, **more}
    return meshes.node("product", listeners=[listener(protocol=protocol, tls=tls)])


def policy(trust: Document = CA, names: tuple[str, ...] = (), **more: Any) -> Document:
    validation: dict[str, Any] = {"trust": trust}
    if names:
        validation["subjectAlternativeNames"] = {"match": {"exact": list(names)}}
    return {"clientPolicy": {"tls": {"validation": validation, **more}}}


def caller(default: Document | None = None, **services: Document) -> Resource:
    """The node `order`, with a default policy and policies of the services `a`, `b`, both of which are `product`."""
    backends = [
        {"virtualService": {"virtualServiceName": f"{name}.local", **own}}
        for name, own in (services or {"a": {}}).items()
    ]
    spec = {**meshes.node("order").spec, "backends": backends, "backendDefaults": default or {}}
    return meshes.resource("virtualNode", "shop", "order", spec=spec)


def called(*resources: Resource) -> Snapshot:
    services = [meshes.service(name, node="product") for name in ("a.local", "b.local")]
    return translated([meshes.mesh(), *services, *resources])


def chains(found: Snapshot, name: str = INGRESS) -> list[tuple[str, bool]]:
    """Each filter chain's transport protocol to match, and whether it has TLS."""
    return [
        (one.filter_chain_match.transport_protocol, one.HasField("transport_socket"))
        for one in message(found, "listeners", name).filter_chains
    ]


def downstream(found: Snapshot) -> DownstreamTlsContext:
    context = DownstreamTlsContext()
    assert message(found, "listeners", INGRESS).filter_chains[0].transport_socket.typed_config.Unpack(context)
    return context


def upstream(found: Snapshot, cluster: str = EGRESS) -> UpstreamTlsContext | None:
    """None: plain text."""
    made = message(found, "clusters", cluster)
    if not made.HasField("transport_socket"):
        return None
    context = UpstreamTlsContext()
    assert made.transport_socket.typed_config.Unpack(context)
    return context


def names_checked(context: UpstreamTlsContext | None) -> list[tuple[str, str]]:
    assert context is not None
    checked = context.common_tls_context.combined_validation_context.default_validation_context
    return [(one.SanType.Name(one.san_type), one.matcher.exact) for one in checked.match_typed_subject_alt_names]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("STRICT", [("", True)]), ("PERMISSIVE", [("tls", True), ("raw_buffer", False)]), ("DISABLED", [("", False)])],
)
@pytest.mark.parametrize("mode_of_proxy", ["explicit", "intercepted"])
def test_a_listener_takes_what_its_mode_says(mode: str, expected: list[tuple[str, bool]], mode_of_proxy: Any) -> None:
    """STRICT TLS alone, PERMISSIVE both, DISABLED plain text, in both shapes of listener (11)."""
    found = translated([meshes.mesh(), server(mode)], proxy("product", mode_of_proxy))
    name = INGRESS if mode_of_proxy == "explicit" else "lds_ingress_0.0.0.0_15000"

    assert expected == chains(found, name)


def test_only_a_permissive_port_waits_for_the_first_bytes_and_not_for_long() -> None:
    """A client that is silent is taken to speak plain text; ports that need no guess are not inspected."""
    ports = {5000: "PERMISSIVE", 5001: "STRICT", 5002: "PERMISSIVE"}
    listeners = [listener(port, tls={"mode": mode, "certificate": PAIR}) for port, mode in ports.items()]
    found = translated([meshes.mesh(), meshes.node("product", listeners)], proxy("product", "intercepted"))
    made = message(found, "listeners", "lds_ingress_0.0.0.0_15000")

    _, inspector = made.listener_filters
    inspected = inspector.filter_disabled.not_match.or_match.rules
    assert [5000, 5002] == [rule.destination_port_range.start for rule in inspected]
    assert made.continue_on_listener_filters_timeout
    assert made.listener_filters_timeout.ToMilliseconds() <= 500


def test_a_listener_of_files_has_secrets_that_name_them() -> None:
    """The control plane sends paths and the folder to watch, by SDS over ADS; it has no key (11)."""
    found = translated([meshes.mesh(), server()], proxy("product"))

    (config,) = downstream(found).common_tls_context.tls_certificate_sds_secret_configs
    assert config.sds_config.HasField("ads")
    made = secret(found, config.name)
    assert made.tls_certificate.certificate_chain.filename == "/tls/tls.crt"
    assert made.tls_certificate.private_key.filename == "/tls/tls.key"
    assert made.tls_certificate.watched_directory.path == "/tls"


@pytest.mark.parametrize("kind", ["virtualNode", "virtualGateway"])
def test_each_secret_has_a_warm_up_cluster(kind: str) -> None:
    """By a cluster without endpoints that names it alone; its figures are nobody's."""
    tls = {"mode": "STRICT", "certificate": PAIR}
    own = meshes.gateway("product", listener(tls=tls), backendDefaults=policy())
    called = [meshes.gateway_route("product", "all", "a.local"), meshes.service("a.local", node="order")]
    resources = [server(validation={"trust": CA})] if kind == "virtualNode" else [own, *called, meshes.node("order")]
    found = translated([meshes.mesh(), *resources], proxy("product", kind=kind))

    assert {"certificate:/tls/tls.crt:/tls/tls.key", "trust:/tls/ca.pem"} == set(found["secrets"].resources)
    for name in found["secrets"].resources:
        context = upstream(found, f"secret-warm-up:{name}")
        assert context is not None
        assert name in str(context)
        assert not message(found, "clusters", f"secret-warm-up:{name}").load_assignment.endpoints


def secret(found: Snapshot, name: str) -> Secret:
    made: Secret = message(found, "secrets", name)
    return made


def test_files_in_two_folders_are_watched_one_by_one() -> None:
    """Envoy watches one folder a certificate; without one it watches each file."""
    pair = {"file": {"certificateChain": "/tls/tls.crt", "privateKey": "/keys/tls.key"}}
    found = translated([meshes.mesh(), server(certificate=pair)], proxy("product"))

    assert not secret(found, "certificate:/tls/tls.crt:/keys/tls.key").tls_certificate.HasField("watched_directory")


def test_clients_must_show_a_certificate_of_the_names_that_are_asked_for() -> None:
    """From the trust's authorities; DNS names, URIs and addresses are told apart (12)."""
    names = ("order.local", "spiffe://shop/order", "10.0.0.1")
    validation = {"trust": CA, "subjectAlternativeNames": {"match": {"exact": list(names)}}}
    context = downstream(translated([meshes.mesh(), server(validation=validation)], proxy("product")))

    assert context.require_client_certificate.value
    both = context.common_tls_context.combined_validation_context
    assert both.validation_context_sds_secret_config.name == "trust:/tls/ca.pem"
    checked = both.default_validation_context.match_typed_subject_alt_names
    kinds = [(one.SanType.Name(one.san_type), one.matcher.exact) for one in checked]
    assert kinds == list(zip(("DNS", "URI", "IP_ADDRESS"), names, strict=True))


def test_secrets_of_the_hosts_own_sds_are_not_ours_to_send() -> None:
    """They come by name from the Unix socket of the bootstrap's cluster (11, 12)."""
    found = translated([meshes.mesh(), server(certificate=SDS, validation={"trust": SDS})], proxy("product"))

    (config,) = downstream(found).common_tls_context.tls_certificate_sds_secret_configs
    (service,) = config.sds_config.api_config_source.grpc_services
    assert config.name == "spiffe://shop/product"
    assert service.envoy_grpc.cluster_name == "static_cluster_sds_unix_socket"
    # Else a host without its agent would hold up all clusters for ever.
    assert config.sds_config.initial_fetch_timeout.seconds > 0
    assert {} == found["secrets"].resources


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE"])
def test_a_listener_whose_certificate_is_in_acm_stays_shut(mode: str) -> None:
    """Plain text in its place would show what was meant to be secret; the finding says what to do (11)."""
    found = translated([meshes.mesh(), server(mode, ACM)], proxy("product"))

    assert INGRESS not in found["listeners"].resources
    (finding,) = found.findings
    assert "ACM" in finding.what
    assert "tls.certificate.file" in finding.type.fix


def test_without_a_policy_the_server_decides() -> None:
    """A caller speaks TLS to STRICT and PERMISSIVE, and takes any certificate, as in App Mesh (13)."""
    seen = {mode: upstream(called(server(mode), caller())) for mode in ("STRICT", "PERMISSIVE", "DISABLED")}

    assert {mode for mode, context in seen.items() if context is not None} == {"STRICT", "PERMISSIVE"}
    assert not any(
        context.common_tls_context.HasField("combined_validation_context")
        for context in seen.values()
        if context is not None
    )


def test_a_policy_has_the_servers_certificate_checked() -> None:
    """By its trust, and by the name under which the server is discovered (13)."""
    context = upstream(called(server(), caller(policy(certificate=PAIR))))

    assert names_checked(context) == [("DNS", "product.local")]
    assert context is not None
    assert context.sni == "product.local"
    (own,) = context.common_tls_context.tls_certificate_sds_secret_configs
    assert own.name == "certificate:/tls/tls.crt:/tls/tls.key"


@pytest.mark.parametrize(
    ("discovery", "name"),
    [
        ({"dns": {"hostname": "product.local."}}, "product.local"),
        ({"awsCloudMap": {"serviceName": "product", "namespaceName": "apps.local"}}, "product.apps.local"),
    ],
)
def test_the_expected_name_is_that_of_discovery(discovery: Document, name: str) -> None:
    """The DNS name without its last dot, or service and namespace of Cloud Map (13)."""
    spec = {**server().spec, "serviceDiscovery": discovery}
    found = called(meshes.resource("virtualNode", "shop", "product", spec=spec), caller(policy()))

    assert names_checked(upstream(found)) == [("DNS", name)]


def test_a_policy_may_name_others_instead() -> None:
    """Any one of them will do (13)."""
    found = called(server(), caller(policy(names=("a.local", "spiffe://shop/p"))))

    assert names_checked(upstream(found)) == [("DNS", "a.local"), ("URI", "spiffe://shop/p")]


@pytest.mark.parametrize(
    ("enforce", "mode", "tls"),
    [
        (None, "DISABLED", True),
        (True, "DISABLED", True),
        (False, "DISABLED", False),
        (False, "PERMISSIVE", True),
        (False, "STRICT", True),
    ],
)
def test_a_policy_that_is_not_enforced_follows_the_server(enforce: bool | None, mode: str, tls: bool) -> None:
    """Enforced, which is the default, the caller speaks TLS or not at all; else as the listener does (13)."""
    own = policy() if enforce is None else policy(enforce=enforce)
    context = upstream(called(server(mode), caller(own)))

    assert tls == (context is not None)
    assert not tls or names_checked(context) == [("DNS", "product.local")]


@pytest.mark.parametrize(("ports", "covered"), [([], True), ([5000, 6000], True), ([6000], False)])
def test_a_policy_holds_for_its_ports(ports: list[int], covered: bool) -> None:
    """On others the server decides; no ports are all ports (13)."""
    assert covered == (upstream(called(server("DISABLED"), caller(policy(ports=ports)))) is not None)


def test_a_backends_own_policy_goes_before_the_default() -> None:
    """And the default holds for backends without one (13)."""
    own, default = policy(names=("own.local",)), policy(names=("default.local",))

    assert names_checked(upstream(called(server(), caller(default, a=own)))) == [("DNS", "own.local")]
    assert names_checked(upstream(called(server(), caller(default, a={})))) == [("DNS", "default.local")]


def test_backends_of_different_policies_that_lead_to_one_target() -> None:
    """Envoy knows one cluster a target: the policy that enforces TLS is taken, and it is said (13)."""
    lax, strict = policy(enforce=False), policy(names=("strict.local",))
    found = called(server("DISABLED"), caller(a=lax, b=strict))

    assert names_checked(upstream(found)) == [("DNS", "strict.local")]
    assert ["has backends with different client policies that lead to product, port 5000"] == [
        one.what for one in found.findings
    ]
    assert () == called(server(), caller(a=strict, b=strict)).findings


def test_of_policies_that_insist_alike_the_first_backends_is_taken() -> None:
    """Whatever the others are (13)."""
    first, second = (policy(names=(name,), enforce=False) for name in ("first.local", "second.local"))

    assert names_checked(upstream(called(server(), caller(a=first, b=second)))) == [("DNS", "first.local")]


@pytest.mark.parametrize(
    ("own", "discovered"), [(policy(trust=ACM_CA), True), (policy(), False)], ids=["trust in ACM", "no name to check"]
)
def test_a_caller_that_cannot_check_the_server_does_not_connect(own: Document, discovered: bool) -> None:
    """Its cluster has no endpoints, and the finding says why (13)."""
    spec = {**server().spec, **({} if discovered else {"serviceDiscovery": {}})}
    found = called(
        meshes.resource("virtualNode", "shop", "product", spec=spec),
        meshes.instance("product", "i", "10.0.0.1"),
        caller(own),
    )
    made = message(found, "clusters", EGRESS)

    assert (made.type, len(made.load_assignment.endpoints)) == (Cluster.STATIC, 0)
    assert ["503" in one.type.why for one in found.findings] == [True]


@pytest.mark.parametrize(("protocol", "alpn"), [("http", ["http/1.1"]), ("http2", ["h2"]), ("grpc", ["h2"])])
def test_callers_offer_the_protocol_of_the_cluster(protocol: str, alpn: list[str]) -> None:
    """A server that reads it would answer in another one otherwise."""
    found = called(server(protocol=protocol), caller(policy()))
    context = upstream(found, f"cds_egress_shop_product_{protocol}_5000")

    assert context is not None
    assert alpn == list(context.common_tls_context.alpn_protocols)


def test_a_mesh_without_tls_has_nothing_of_it() -> None:
    """No secrets, no transport sockets, and one cluster for all callers."""
    found = translated(shop())

    assert {} == found["secrets"].resources
    assert not any(b"transport_socket" in one.encoded for one in found["clusters"].resources.values())
