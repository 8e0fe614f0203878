"""What documents may make Envoy do on its host is the operator's to say; whichever way a write comes, it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shopmesh.appmesh.errors import BadRequest
from shopmesh.appmesh.host_policy import STREAMS, STRICT, HostPolicy
from tests.unit.appmesh.conftest import World

DOT_FILE = "/home/user/.bashrc"
LUA = json.dumps(
    {
        "listener/*": {
            "filter_chains": [
                {
                    "filters": [
                        {
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                                "default_source_code": {"inline_string": "os.execute('id')"},
                            }
                        }
                    ]
                }
            ]
        }
    },
    separators=(",", ":"),
)
PAIR = {"certificateChain": "/etc/shadow", "privateKey": "/root/.ssh/id_rsa"}
TRUST = {"trust": {"file": {"certificateChain": "/etc/passwd"}}}
HTTP = {"portMapping": {"port": 80, "protocol": "http"}}


def log_to(path: str) -> dict[str, Any]:
    return {"logging": {"accessLog": {"file": {"path": path}}}}


def listening(**tls: Any) -> dict[str, Any]:
    return {"listeners": [{**HTTP, "tls": {"mode": "STRICT", **tls}}]}


def calling(**tls: Any) -> dict[str, Any]:
    return {"backends": [{"virtualService": {"virtualServiceName": "a.local", "clientPolicy": {"tls": tls}}}]}


SPECS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a node's access log": ("virtualNode", log_to(DOT_FILE), DOT_FILE, "--access-log-folder '/home/user/envoy'"),
    "a gateway's access log": (
        "virtualGateway",
        {"listeners": [HTTP], **log_to(DOT_FILE)},
        DOT_FILE,
        "--access-log-folder '/home/user/envoy'",
    ),
    "a listener's certificate": (
        "virtualNode",
        listening(certificate={"file": PAIR}),
        "/etc/shadow",
        "--certificate-folder '/etc/envoy'",
    ),
    "a listener's key": (
        "virtualNode",
        listening(certificate={"file": PAIR}),
        "/root/.ssh/id_rsa",
        "--certificate-folder '/root/.ssh/envoy'",
    ),
    "a listener's trust": (
        "virtualNode",
        listening(certificate={"sds": {"secretName": "own"}}, validation=TRUST),
        "spec.listeners[0].tls.validation.trust.file.certificateChain",
        "--certificate-folder '/etc/envoy'",
    ),
    "a gateway's certificate": (
        "virtualGateway",
        listening(certificate={"file": PAIR}),
        "/etc/shadow",
        "--certificate-folder '/etc/envoy'",
    ),
    "a backend's trust": (
        "virtualNode",
        calling(validation=TRUST),
        "spec.backends[0].virtualService.clientPolicy.tls.validation.trust.file.certificateChain",
        "--certificate-folder '/etc/envoy'",
    ),
    "a backend's own certificate": (
        "virtualNode",
        calling(validation={"trust": {"sds": {"secretName": "ca"}}}, certificate={"file": PAIR}),
        "/root/.ssh/id_rsa",
        "--certificate-folder '/root/.ssh/envoy'",
    ),
    "all backends' trust": (
        "virtualNode",
        {"backendDefaults": {"clientPolicy": {"tls": {"validation": TRUST}}}},
        "/etc/passwd",
        "--certificate-folder '/etc/envoy'",
    ),
}


@pytest.mark.parametrize(("kind", "spec", "named", "option"), SPECS.values(), ids=SPECS)
def test_a_file_on_envoys_host_is_refused(
    world: World, kind: str, spec: dict[str, Any], named: str, option: str
) -> None:
    """At a creation and at an update, with the field, the path and the option; nothing is written."""
    plain = {"listeners": [HTTP]} if kind == "virtualGateway" else {}
    world.make(kind, "there", plain)
    before = list(world.state)
    title = kind[0].upper() + kind[1:]

    for operation, name in ((f"Create{title}", "new"), (f"Update{title}", "there")):
        with pytest.raises(BadRequest) as refused:
            world.do(operation, meshName="m", **{f"{kind}Name": name}, spec=spec)
        assert named in refused.value.message
        assert option in refused.value.message
    assert before == list(world.state)


@pytest.mark.parametrize("piece", ["shopmesh.dev/patch", "shopmesh.dev/patch.2"])
def test_a_patch_is_refused(world: World, piece: str) -> None:
    """As a tag of a new node, and as one that is added; in pieces too. Other tags can be added."""
    world.make("virtualNode", "there")
    arn = world.do("DescribeVirtualNode", meshName="m", virtualNodeName="there")["virtualNode"]["metadata"]["arn"]
    tags = [{"key": "shopmesh.dev/patch", "value": LUA[:256]}]
    if piece.endswith(".2"):
        tags.append({"key": piece, "value": LUA[256:] or " "})

    with pytest.raises(BadRequest, match=r"shopmesh.dev/patch: .*--allow-patch"):
        world.do("CreateVirtualNode", meshName="m", virtualNodeName="n", spec={}, tags=tags)
    with pytest.raises(BadRequest, match=r"shopmesh.dev/patch: .*--allow-patch"):
        world.do("TagResource", resourceArn=arn, tags=tags)
    world.do("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "shop"}])


def test_logs_may_always_go_to_whoever_started_envoy(world: World) -> None:
    """The demo and App Mesh's own examples write to /dev/stdout."""
    for number, path in enumerate(STREAMS):
        world.make("virtualNode", f"n{number}", log_to(path))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/var/log/mesh/order.log", None),
        ("/var/log/mesh/a/b/c.log", None),
        ("/var/log/mesh", "is not in a folder"),
        ("/var/log/mesh-other/order.log", "is not in a folder"),
        ("/var/log/mesh/../../../root/.bashrc", "is not in its normal form"),
        ("/var/log/mesh/./order.log", "is not in its normal form"),
        ("/var/log//mesh/order.log", "is not in its normal form"),
        ("//var/log/mesh/order.log", "is not in its normal form"),
        ("/var/log/mesh/", "is not in its normal form"),
        ("var/log/mesh/order.log", "is not an absolute path"),
        ("~/order.log", "is not an absolute path"),
        ("", "is not an absolute path"),
        ("/var/log/mesh/order\n.log", "has a control character"),
        ("/var/log/mesh/\x00", "has a control character"),
        ("/dev/stdout/../../etc/passwd", "is not in its normal form"),
        ("/proc/self/mem", "is not in a folder"),
    ],
)
def test_paths_are_compared_as_texts_in_their_normal_form(path: str, reason: str | None) -> None:
    """Envoy may run on another machine: no link is followed, so nothing may lead out of the folder by its text."""
    policy = HostPolicy(access_log_folders=("/var/log/mesh/",), certificate_folders=("/var/log/mesh",))

    for problem in (policy.access_log_problem(path), policy.certificate_problem(path)):
        assert problem is None if reason is None else reason in str(problem)


@pytest.mark.parametrize(
    ("path", "advised"),
    [
        ("/home/me/order.log", "'/home/me/envoy'"),
        ("/root/order.log", "'/root/envoy'"),
        ("/var/log/order.log", "'/var/log/envoy'"),
        ("/order.log", "'/envoy'"),
        ("/logs/order.log", "'/logs'"),
        ("/var/log/mesh/order.log", "'/var/log/mesh'"),
    ],
)
def test_nobody_is_advised_to_allow_a_home_folder_or_one_of_the_system(path: str, advised: str) -> None:
    """All files at any depth below an allowed folder are allowed."""
    problem = str(STRICT.access_log_problem(path))

    assert problem.endswith(f"--access-log-folder {advised}")


def test_a_folder_of_one_kind_allows_nothing_of_the_other() -> None:
    """Where logs are written nobody has certificates read from, and the other way round."""
    logs, certificates = HostPolicy(access_log_folders=("/a",)), HostPolicy(certificate_folders=("/a",))

    assert logs.certificate_problem("/a/b") is not None
    assert certificates.access_log_problem("/a/b") is not None
    assert STRICT.certificate_problem("/dev/stdout") is not None


@pytest.mark.parametrize("folder", ["logs", "/var/../etc", "/var//log", "", "/a\n"])
def test_a_folder_that_is_no_normal_path_is_refused(folder: str) -> None:
    """An operator who mistypes is told, instead of allowing something else."""
    with pytest.raises(ValueError, match="--certificate-folder"):
        HostPolicy(certificate_folders=(folder,))


def test_the_options_of_a_policy_say_the_same_again() -> None:
    """`shopmesh up` starts a control plane with them."""
    policy = HostPolicy(True, ("/a", "/b"), ("/c",))

    assert (
        "--allow-patch",
        "--access-log-folder",
        "/a",
        "--access-log-folder",
        "/b",
        "--certificate-folder",
        "/c",
    ) == (policy.arguments)
    assert () == STRICT.arguments
