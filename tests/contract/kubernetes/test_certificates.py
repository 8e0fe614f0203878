"""The control plane's certificates: kept where they must be, renewed while it runs, told to whom it concerns."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, SECRETS
from shopmesh.kubernetes.identity import certificates, sidecar_config_maps
from shopmesh.kubernetes.identity.certificate_authority import DAYS, CertificateAuthority
from shopmesh.kubernetes.identity.certificates import CA_NAME, CREDENTIALS_NAME, Certificates, api_credentials
from shopmesh.kubernetes.identity.sidecar_config_maps import ROOT, ensure_sidecar_config, publish_root, publishing
from shopmesh.kubernetes.injection import webhook
from shopmesh.kubernetes.injection.sidecar import config_map_data
from shopmesh.server.config import ConfigError
from shopmesh.server.grpc.grpc_carrier import GrpcCarrier
from tests.contract.kubernetes.reflecting import speaking, until
from tests.support.kubernetes import Cluster
from tests.support.system_objects import SYSTEM, secret

HOSTS = ("control-plane.shopmesh-system.svc", "127.0.0.1")
DAY = 86_400.0
NO_CHECK_TIME = 0x200000
"""Of OpenSSL; Python has no name for it."""


@pytest.fixture(autouse=True)
def namespaces(cluster: Cluster) -> None:
    for name in (SYSTEM, "shop"):
        cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def serial(port: int, bundle: bytes) -> str:
    """Of the certificate that a server shows to a client that trusts `bundle`, and checks its name."""

    def connect() -> str:
        context = ssl.create_default_context(cadata=bundle.decode())
        context.set_alpn_protocols(["h2"])
        # The test's clock is not the machine's.
        context.verify_flags |= NO_CHECK_TIME
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with plain, context.wrap_socket(plain, server_hostname=HOSTS[0]) as tls:
            return str((tls.getpeercert() or {})["serialNumber"])

    return await asyncio.to_thread(connect)


async def test_the_authority_survives_restarts(cluster: Cluster) -> None:
    """Made once, by whoever comes first, and the same for all replicas and every start."""
    async with speaking(cluster.configuration()) as server:
        first = await Certificates.load(server, SYSTEM, HOSTS)
        again = await Certificates.load(server, SYSTEM, HOSTS)

    assert first.authority.secret_data() == again.authority.secret_data()
    assert first.key_pair.chain != again.key_pair.chain
    assert 1 == len(cluster.asked_for("post", SECRETS))


async def test_two_replicas_that_make_it_at_once_have_one(cluster: Cluster) -> None:
    """Whoever is late takes the other's."""
    other = CertificateAuthority.create("the other's", 1_800_000_000.0)
    data = other.secret_data()

    def meanwhile(asked: Any) -> None:
        if asked.what == "post" and asked.kind == "secrets":
            cluster.before(None)
            cluster.put(secret(CA_NAME, ca_crt=data["ca.crt"], ca_key=data["ca.key"]))

    cluster.before(meanwhile)
    async with speaking(cluster.configuration()) as server:
        mine = await Certificates.load(server, SYSTEM, HOSTS)

    assert data == mine.authority.secret_data()


async def test_a_secret_that_holds_no_authority_is_said(cluster: Cluster) -> None:
    """It is nobody's to overwrite: what proxies trust may be in there."""
    cluster.put(secret(CA_NAME, ca_crt=b"x", ca_key=b"y"))
    async with speaking(cluster.configuration()) as server:
        with pytest.raises(ConfigError, match=f"Secret {SYSTEM}/{CA_NAME} holds no certificates and key"):
            await Certificates.load(server, SYSTEM, HOSTS)


async def test_certificates_are_renewed_while_streams_are_served(cluster: Cluster) -> None:
    """When two thirds of its time are over, gRPC and everything else show another; nobody restarts anything."""
    clock = Clock()
    async with speaking(cluster.configuration()) as server:
        pairs = await Certificates.load(server, SYSTEM, HOSTS, clock)
        xds = GrpcCarrier({})
        port = xds.bind_port("127.0.0.1", 0, pairs)
        await xds.start()
        webhook = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=pairs.tls_context())
        ports = (port, webhook.sockets[0].getsockname()[1])
        bundle = pairs.authority.bundle
        seen = []
        for later in (0.0, DAYS / 3 * DAY, DAYS / 3 * DAY + 1):
            clock.now += later
            await pairs.refresh()
            seen.append([await serial(one, bundle) for one in ports])
        webhook.close()
        await xds.stop()

    assert seen[0] == seen[1]
    assert seen[1] != seen[2]
    assert all(of_xds == of_webhook for of_xds, of_webhook in seen)


async def test_another_authority_is_taken_over(cluster: Cluster) -> None:
    """A Secret that somebody exchanged counts without a restart, and those who trust it are told anew."""
    async with speaking(cluster.configuration()) as server:
        pairs = await Certificates.load(server, SYSTEM, HOSTS)
        told: list[bytes] = []

        async def teller() -> None:
            told.append(pairs.authority.bundle)

        await pairs.on_change(teller)
        data = CertificateAuthority.create("another", 1_800_000_000.0).secret_data()
        cluster.put(secret(CA_NAME, ca_crt=data["ca.crt"], ca_key=data["ca.key"]))
        await pairs.refresh()

    assert data == pairs.authority.secret_data()
    assert data["ca.crt"] == told[-1] != told[0]


async def test_what_cannot_be_read_leaves_all_as_it_is(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """An API server that is gone, or nonsense in the Secret; one that was deleted is kept again, the same."""
    async with speaking(cluster.configuration()) as server:
        pairs = await Certificates.load(server, SYSTEM, HOSTS)
        before = (pairs.authority.secret_data(), pairs.key_pair)
        cluster.stop()
        await pairs.refresh()
        cluster.start()
        cluster.put(secret(CA_NAME, ca_crt=b"x", ca_key=b"y"))
        await pairs.refresh()
        cluster.remove(SECRETS, CA_NAME, SYSTEM)
        await pairs.refresh()

        assert before == (pairs.authority.secret_data(), pairs.key_pair)
        assert before[0] == (await Certificates.load(server, SYSTEM, HOSTS)).authority.secret_data()
    assert 2 == len([text for text in caplog.messages if "keeping the current certificates" in text])


async def test_the_looks_go_on_by_themselves(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as the control plane runs."""
    monkeypatch.setattr(certificates, "REFRESH_SECONDS", 0.01)
    async with speaking(cluster.configuration()) as server:
        pairs = await Certificates.load(server, SYSTEM, HOSTS)
        looked = asyncio.Event()

        async def teller() -> None:
            if len(cluster.asked_for("get", SECRETS)) > 5:
                looked.set()

        await pairs.on_change(teller)
        async with asyncio.timeout(15), pairs.auto_renewing():
            await looked.wait()


async def test_proxies_of_all_namespaces_are_told_whom_to_trust(cluster: Cluster) -> None:
    """Once; a second time nothing is written, what others changed is put right, and a namespace that fails is said."""
    authority = CertificateAuthority.create("one", 1_800_000_000.0)
    async with speaking(cluster.configuration()) as server:
        wrong = await publish_root(server, authority, {"default", "shop", "gone"})
        written = len(cluster.asked_for("post", CONFIG_MAPS))
        await publish_root(server, authority, {"default", "shop"})
        assert written == len(cluster.asked_for("post", CONFIG_MAPS))
        assert [] == cluster.asked_for("patch", CONFIG_MAPS)

        cluster.put({**cluster.get(CONFIG_MAPS, ROOT, "shop"), "data": {"ca.crt": "x", "more": "y"}})
        await publish_root(server, authority, {"default", "shop"})
    assert [f"ConfigMap gone/{ROOT}"] == [problem.partition(":")[0] for problem in wrong]
    assert authority.public_bundle() == cluster.get(CONFIG_MAPS, ROOT, "default")["data"]
    assert {**authority.public_bundle(), "more": "y"} == cluster.get(CONFIG_MAPS, ROOT, "shop")["data"]


async def test_what_is_published_goes_with_the_control_plane(cluster: Cluster) -> None:
    """Its namespace owns both ConfigMaps, also one of an earlier version, and beside owners that others have named."""
    authority = CertificateAuthority.create("one", 1_800_000_000.0)
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": SYSTEM, "uid": "now"}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}
    async with speaking(cluster.configuration()) as server:
        await publish_root(server, authority, {"default"})
        metadata = {"name": ROOT, "namespace": "shop", "ownerReferences": [{**owner, "uid": "before"}, other]}
        cluster.put({**cluster.get(CONFIG_MAPS, ROOT, "default"), "metadata": metadata})
        for _ in range(2):
            await publish_root(server, authority, {"default", "shop", "kube-system"}, owner)
        await ensure_sidecar_config(server, {"sidecar.json": "{}"}, ["default"], owner)

    for namespace, name, owners in (
        ("default", ROOT, [owner]),
        ("shop", ROOT, [other, owner]),
        ("kube-system", ROOT, [owner]),
        ("default", "shopmesh-sidecar", [owner]),
    ):
        assert owners == cluster.get(CONFIG_MAPS, name, namespace)["metadata"]["ownerReferences"]
    assert 2 == len(cluster.asked_for("patch", CONFIG_MAPS))


async def test_a_namespace_that_comes_is_told_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first pods wait for it; and so does another authority reach all of them."""
    monkeypatch.setattr(sidecar_config_maps, "POLL_SECONDS", 0.01)
    meshed, authority = {"default"}, CertificateAuthority.create("one", 1_800_000_000.0)

    def trusted(namespace: str) -> str:
        found = [one for one in cluster.objects(CONFIG_MAPS, namespace) if one["metadata"]["name"] == ROOT]
        return found[0]["data"]["ca.crt"] if found else ""

    async with speaking(cluster.configuration()) as server, publishing(server, lambda: authority, lambda: {*meshed}):
        await until(lambda: trusted("default") == authority.bundle.decode(), "default is told")
        assert "" == trusted("shop")
        meshed.add("shop")
        await until(lambda: trusted("shop") == authority.bundle.decode(), "shop is told")
        authority = CertificateAuthority.create("two", 1_800_000_000.0)
        await until(lambda: trusted("shop") == authority.bundle.decode(), "another authority is told")


async def test_what_could_not_be_published_is_tried_again_soon(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After an outage, or in a namespace that is refused at first; the log says it once."""
    monkeypatch.setattr(sidecar_config_maps, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(sidecar_config_maps, "RETRY_SECONDS", 0.02)
    authority = CertificateAuthority.create("one", 1_800_000_000.0)
    async with speaking(cluster.configuration()) as server, publishing(server, lambda: authority, lambda: {"default"}):
        cluster.refuse(403, CONFIG_MAPS)
        await until(lambda: len(cluster.asked_for("get", CONFIG_MAPS)) > 3, "several attempts")
        cluster.refuse(None)
        await until(lambda: cluster.objects(CONFIG_MAPS, "default"), "the ConfigMap")

    assert 1 >= len([one for one in caplog.records if "sidecars cannot start" in one.getMessage()])


async def test_what_injected_sidecars_start_with_is_made_where_nobody_has(cluster: Cluster) -> None:
    """It is the component's file; one that a user brought is left alone, and made once is made."""
    committed = (Path(__file__).parents[3] / "k8s" / "components" / "sidecar" / "sidecar.json").read_text()
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shopmesh-sidecar", "namespace": "shop"}}
    cluster.put({**own, "data": {"sidecar.json": "{}"}})
    data = config_map_data("control-plane.shopmesh-system.svc.cluster.local", 18000)
    labels = {"appmesh.k8s.aws/sidecarInjectorWebhook": "enabled"}
    assert {"shop"} == webhook.injected_namespaces({"shop": labels, "default": {}})
    async with speaking(cluster.configuration()) as server:
        wrong = await ensure_sidecar_config(server, data, ["default", "gone", "shop"])
        await ensure_sidecar_config(server, data, ["default"])

    assert [problem.partition(":")[0] for problem in wrong] == ["ConfigMap gone/shopmesh-sidecar"]
    assert {"sidecar.json": "{}"} == cluster.get(CONFIG_MAPS, "shopmesh-sidecar", "shop")["data"]
    assert committed == cluster.get(CONFIG_MAPS, "shopmesh-sidecar", "default")["data"]["sidecar.json"]
    assert 2 == len(cluster.asked_for("post", CONFIG_MAPS))


async def test_the_keys_for_the_api_are_made_once(cluster: Cluster) -> None:
    """All replicas and every start have the same; nobody's own are overwritten."""
    async with speaking(cluster.configuration()) as server:
        made = await api_credentials(server, SYSTEM)
        assert made == await api_credentials(server, SYSTEM)

        cluster.put(secret(CREDENTIALS_NAME, credentials=b"[a]\naws_access_key_id = K\naws_secret_access_key = S\n"))
        assert {"K": "S"} == await api_credentials(server, SYSTEM)
        for data, why in ((b"nonsense", "entry credentials, is not a credentials file"), (None, "has no entry")):
            cluster.put(secret(CREDENTIALS_NAME, **({"credentials": data} if data is not None else {})))
            with pytest.raises(ConfigError, match=why):
                await api_credentials(server, SYSTEM)
    ((key, value),) = made.items()
    assert key.startswith("SHOPMESH")
    assert len(value) >= 40
