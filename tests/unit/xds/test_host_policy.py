"""What is stored already and not allowed is left out of what Envoy gets; all else is as it was."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.appmesh.catalogue.translation import CERTIFICATE_NOT_ALLOWED
from shopmesh.appmesh.host_policy import STRICT, HostPolicy
from shopmesh.appmesh.store import Resource
from shopmesh.xds.snapshot import Snapshot
from tests.support.policies import ANYTHING
from tests.support.translated import message, proxy, tagged, translated
from tests.unit.xds import meshes
from tests.unit.xds.meshes import listener, shop

LOG = "/home/user/.bashrc"
PAIR = {"file": {"certificateChain": "/etc/shadow", "privateKey": "/etc/key"}}
TRUST = {"trust": {"file": {"certificateChain": "/etc/passwd"}}, "subjectAlternativeNames": {"match": {"exact": ["a"]}}}
PRODUCT = "cds_egress_shop_product_http_5000"


def order(**more: Any) -> Resource:
    return meshes.node("order", backends=["product.local", "customer.local"], **more)


def with_log() -> Resource:
    return order(logging={"accessLog": {"file": {"path": LOG}}})


def with_patch() -> Resource:
    return tagged(order(), patch='{"cluster/*": {"connect_timeout": "9s"}}')


def with_trust() -> Resource:
    return order(backendDefaults={"clientPolicy": {"tls": {"validation": TRUST}}})


def everything(found: Snapshot) -> bytes:
    return b"".join(one.encoded for kind in found.collections.values() for one in kind.resources.values())


@pytest.mark.parametrize("make", [with_log, with_patch], ids=["a log", "a patch"])
def test_a_log_or_a_patch_is_left_out(make: object) -> None:
    """The proxy has exactly what it would have without it."""
    stored = [*shop(), make()]  # type: ignore[operator]  # a function of this module

    assert translated([*shop(), order()]) == translated(stored, host_policy=STRICT)
    assert translated([*shop(), order()]) != translated(stored, host_policy=ANYTHING)


def test_without_its_certificate_nothing_listens() -> None:
    """Plain text never takes its place; the other listener is as it was, and no file is named."""
    listeners = [listener(5000, tls={"mode": "STRICT", "certificate": PAIR}), listener(5001)]
    found = translated([meshes.mesh(), meshes.node("product", listeners)], proxy("product", "intercepted"), STRICT)

    assert b"/etc/shadow" not in everything(found)
    assert {} == dict(found["secrets"].resources)
    assert ["cds_ingress_shop_product_http_5001"] == [name for name in found["clusters"].resources if "ingress" in name]
    [finding] = found.findings
    assert CERTIFICATE_NOT_ALLOWED is finding.type
    assert "'/etc/shadow' is not in a folder that the control plane allows" in finding.what
    assert "--certificate-folder '/etc/envoy'" in finding.what


def test_callers_that_may_not_read_their_trust_do_not_connect() -> None:
    """Its cluster has no endpoint; the caller's other backends, which have the same policy, have none either."""
    found = translated([*shop(), with_trust()], host_policy=STRICT)

    assert b"/etc/passwd" not in everything(found)
    assert message(found, "clusters", PRODUCT).type == 0
    assert not message(found, "clusters", PRODUCT).load_assignment.endpoints
    assert any(
        one.type is CERTIFICATE_NOT_ALLOWED and "--certificate-folder '/etc/envoy'" in one.what
        for one in found.findings
    )


def test_what_is_allowed_is_given() -> None:
    """Each by its own option."""
    assert LOG.encode() in everything(
        translated([*shop(), with_log()], host_policy=HostPolicy(access_log_folders=("/home/user",)))
    )
    assert b"/etc/passwd" in everything(
        translated([*shop(), with_trust()], host_policy=HostPolicy(certificate_folders=("/etc",)))
    )
    assert 9 == (
        message(
            translated([*shop(), with_patch()], host_policy=HostPolicy(allow_patches=True)), "clusters", PRODUCT
        ).connect_timeout.seconds
    )
