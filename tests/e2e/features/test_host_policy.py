"""A store from before, on real Envoys: what the operator does not allow reaches none of them, and all else works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Resource
from shopmesh.server.live_findings import LiveFindings
from tests.e2e.xds.running import Mesh, Sidecar, Upstream
from tests.support.certificates import Authority
from tests.support.policies import ANYTHING
from tests.support.process import eventually
from tests.support.translated import tagged
from tests.unit.xds import meshes

PRODUCT = "http://product.local:5000/"
SECURE = "http://secure.local:5000/"


def stored(folder: Path) -> list[Resource]:
    """As an earlier version wrote it, which asked nobody: a log, certificates, and a patch that answers with a file."""
    (folder / "secret").write_text("a secret")
    authority = Authority(folder)
    answer = {"status": 200, "body": {"filename": str(folder / "secret")}}
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": answer}]}
    order = meshes.node(
        "order",
        [],
        ["product.local", "secure.local"],
        logging={"accessLog": {"file": {"path": str(folder / "order.log")}}},
    )
    tls = {"mode": "STRICT", "certificate": authority.issue("secure.local").document()}
    return [
        meshes.mesh(),
        tagged(order, patch=json.dumps({"routes/*": {"virtual_hosts": [host]}})),
        meshes.node("product"),
        meshes.node("secure", [meshes.listener(5000, tls=tls)]),
        meshes.service("product.local", node="product"),
        meshes.service("secure.local", node="secure"),
    ]


@contextmanager
def running(policy: HostPolicy, folder: Path, upstream: Upstream) -> Iterator[tuple[Mesh, Sidecar, Sidecar]]:
    """The proxies of `order`, which calls, and of `secure`."""
    with Mesh(policy) as mesh:
        mesh.put(*stored(folder))
        mesh.sidecar("product", upstream)
        yield mesh, mesh.sidecar("order"), mesh.sidecar("secure", upstream, wait=False)


@pytest.mark.feature(26, better="which files a document may name on the host of a proxy is up to the operator")
def test_what_is_not_allowed_reaches_no_envoy(upstream: Upstream, tmp_path: Path) -> None:
    """No file is written or read, what is in plain text works, what was to be TLS does not, and `doctor` says why."""
    with running(STRICT, tmp_path, upstream) as (mesh, order, secure):
        eventually(lambda: order.get(PRODUCT) == (200, "v1"), "the rest works")
        eventually(secure.is_ready, "the proxy without its listener is ready")

        assert 503 == order.get(SECURE)[0]
        assert not (tmp_path / "order.log").exists()
        for one in (order, secure):
            assert str(tmp_path) not in json.dumps(one.config())
        found = mesh.run(LiveFindings(mesh.store.state, mesh.host_policy).collect(mesh.proxies.statuses()))
        options = sorted(one.what[one.what.index("--") :].split()[0] for one in found if one.code in ("SM259", "SM260"))
        assert ["--access-log-folder", "--allow-patch", "--certificate-folder", "--certificate-folder"] == options
        assert all(one.refused is None for one in mesh.statuses().values())


def test_with_the_options_it_works_as_it_is_written(upstream: Upstream, tmp_path: Path) -> None:
    """The patch answers with the file, the log is written, the certificate is served."""
    with running(ANYTHING, tmp_path, upstream) as (mesh, order, secure):
        eventually(lambda: order.get(PRODUCT) == (200, "a secret"), "the patch answers")
        eventually(lambda: (tmp_path / "order.log").read_text(), "the log is written")
        eventually(lambda: str(tmp_path) in json.dumps(secure.config()), "the certificate is named")
        assert [] == [
            one
            for one in mesh.run(LiveFindings(mesh.store.state, mesh.host_policy).collect(mesh.proxies.statuses()))
            if one.code in ("SM259", "SM260")
        ]
