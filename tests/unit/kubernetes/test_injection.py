"""What a pod is like with its sidecar: App Mesh's annotations, gateways, and what is told or refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shopmesh.appmesh.resolved import unvalidated_ports
from shopmesh.appmesh.store import Key
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.injection.pod_annotations import InjectionError, wants_sidecar
from shopmesh.kubernetes.injection.pod_injection import inject, patch

PRODUCT = Key("virtualNode", ("shop", "product-vn"))
WAY_IN = Key("virtualGateway", ("shop", "way-in"))


def pod(**annotations: str) -> dict[str, Any]:
    """One as a user writes it, with these annotations of `appmesh.k8s.aws/`."""
    return {
        "metadata": {
            "labels": {"app": "product"},
            "annotations": {f"appmesh.k8s.aws/{name}": value for name, value in annotations.items()},
        },
        "spec": {
            "initContainers": [{"name": "migrate", "image": "migrate"}],
            "containers": [{"name": "app", "image": "app", "ports": [{"containerPort": 5000}]}],
            "volumes": [{"name": "certificates", "emptyDir": {}}],
        },
    }


def containers(found: dict[str, Any]) -> dict[str, Any]:
    spec = found["spec"]
    return {one["name"]: one for one in (*spec.get("initContainers", ()), *spec["containers"])}


def env(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def argument(container: dict[str, Any], option: str) -> str:
    return str(container["args"][container["args"].index(option) + 1])


def injected(**annotations: str) -> dict[str, Any]:
    return inject(pod(**annotations), PRODUCT).pod


def test_the_sidecar_is_before_everything_else() -> None:
    """What redirects, Envoy, then the pod's own: its init containers are in the mesh as well."""
    found = injected()["spec"]

    assert ["proxy-init", "envoy", "migrate"] == [one["name"] for one in found["initContainers"]]
    assert [None, "Always", None] == [one.get("restartPolicy") for one in found["initContainers"]]
    assert ["shopmesh-sidecar", "shopmesh-identity", "certificates"] == [one["name"] for one in found["volumes"]]


def test_the_pod_that_came_is_left_as_it_was() -> None:
    """Whoever gave it may go on with it."""
    given = pod()
    inject(given, PRODUCT)

    assert pod() == given


def test_twice_is_once() -> None:
    """A pod that has its sidecar is not given another, nor a changed one."""
    once = injected()

    assert once == inject(once, PRODUCT).pod


def test_a_pod_without_a_name_or_labels_can_have_one() -> None:
    """As an API server shows pods that a ReplicaSet makes."""
    bare = {"metadata": {"generateName": "product-"}, "spec": {"containers": [{"name": "app"}]}}
    found = inject(bare, PRODUCT, (5000,)).pod

    assert {"shopmesh.dev/virtual-node": "product-vn", "shopmesh.dev/sidecar": "intercepted"} == (
        found["metadata"]["labels"]
    )


def test_its_label_says_which_node_it_is() -> None:
    """Where it is a label's value; else the sidecar is told. A label of another value stays, and that is told."""
    long = Key("virtualNode", ("shop", "n" * 64))
    other = pod()
    other["metadata"]["labels"]["shopmesh.dev/virtual-node"] = "order-vn"
    told = inject(other, PRODUCT)

    field = {"fieldRef": {"fieldPath": "metadata.labels['shopmesh.dev/virtual-node']"}}
    assert field == env(containers(injected())["envoy"])["VIRTUAL_NODE"]
    assert "n" * 64 == env(containers(inject(pod(), long).pod)["envoy"])["VIRTUAL_NODE"]
    assert "product-vn" == env(containers(told.pod)["envoy"])["VIRTUAL_NODE"]
    assert "order-vn" == told.pod["metadata"]["labels"]["shopmesh.dev/virtual-node"]
    assert "label shopmesh.dev/virtual-node is 'order-vn', but 'product-vn' selects the pod" in told.warnings[0]
    assert "shop" == env(containers(injected())["envoy"])["MESH"]


def test_the_object_is_written_into_the_pod() -> None:
    """Whose proxy it is, by an annotation that fits every name; one that its author wrote there does not count."""
    gateway = {"metadata": {}, "spec": {"containers": [{"name": "envoy"}]}}
    lying = pod()
    lying["metadata"]["annotations"]["shopmesh.dev/proxy-of"] = "virtualnode/order"
    found = inject(lying, PRODUCT, owner=ObjectName("VirtualNode", "shop", "product"))
    way_in = inject(gateway, WAY_IN, owner=ObjectName("VirtualGateway", "shop", "way-in")).pod

    assert "virtualnode/product" == found.pod["metadata"]["annotations"]["shopmesh.dev/proxy-of"]
    assert "was 'virtualnode/order'" in found.warnings[0]
    assert {"shopmesh.dev/proxy-of": "virtualgateway/way-in"} == way_in["metadata"]["annotations"]
    assert "shopmesh.dev/proxy-of" not in injected()["metadata"]["annotations"]


def test_the_ports_are_the_annotations_or_the_nodes_or_the_containers() -> None:
    """In that order."""
    node = {
        "spec": {"listeners": [{"portMapping": {"port": 7000, "protocol": "http"}}, {"portMapping": {"port": 7001}}]}
    }

    def redirected(found: dict[str, Any]) -> Any:
        return env(containers(found)["proxy-init"])["APPMESH_APP_PORTS"]

    assert "5000" == redirected(injected())
    assert "7000,7001" == redirected(inject(pod(), PRODUCT, unvalidated_ports(node["spec"])).pod)
    assert "8000,8001" == redirected(inject(pod(ports="8000, 8001"), PRODUCT, unvalidated_ports(node["spec"])).pod)


def test_what_only_calls_others_has_no_ports() -> None:
    """A node without listeners is that of a Job: nothing comes in, and what goes out is redirected."""
    job = pod()
    del job["spec"]["containers"][0]["ports"]
    found = containers(inject(job, PRODUCT, unvalidated_ports({})).pod)

    assert "" == env(found["proxy-init"])["APPMESH_APP_PORTS"]
    assert "envoy" in found


@pytest.mark.parametrize(
    ("name", "value", "kind", "amount"),
    [
        ("cpuRequest", "100m", ("requests", "cpu"), "100m"),
        ("memoryRequest", "64Mi", ("requests", "memory"), "64Mi"),
        ("cpuLimit", "2", ("limits", "cpu"), "2"),
        ("memoryLimit", "1Gi", ("limits", "memory"), "1Gi"),
    ],
)
def test_resources_are_as_annotated(name: str, value: str, kind: tuple[str, str], amount: str) -> None:
    """One by one: the others stay as they are by default."""
    expected = copy.deepcopy(containers(injected())["envoy"]["resources"])
    expected[kind[0]][kind[1]] = amount

    assert expected == containers(injected(**{name: value}))["envoy"]["resources"]


@pytest.mark.parametrize(
    ("name", "value", "variable", "told"),
    [
        ("egressIgnoredIPs", "169.254.169.254, 10.0.0.0/8", "APPMESH_EGRESS_IGNORED_IP", "169.254.169.254,10.0.0.0/8"),
        ("egressIgnoredPorts", "22,5432", "APPMESH_EGRESS_IGNORED_PORTS", "22,5432"),
        ("ignoredUID", "2000", "APPMESH_IGNORE_UID", "2000"),
        ("ignoredGID", "2001", "APPMESH_IGNORE_GID", "2001"),
        ("proxyIngressPort", "16000", "APPMESH_ENVOY_INGRESS_PORT", "16000"),
        ("proxyEgressPort", "16001", "APPMESH_ENVOY_EGRESS_PORT", "16001"),
        ("ipv6", "disabled", "APPMESH_ENABLE_IPV6", "0"),
        ("ipv6", "enabled", "APPMESH_ENABLE_IPV6", "1"),
    ],
)
def test_the_redirect_is_as_annotated(name: str, value: str, variable: str, told: str) -> None:
    """Under the names that proxy-init reads; what nobody asks for is left to it."""
    assert told == env(containers(injected(**{name: value}))["proxy-init"])[variable]
    assert variable not in env(containers(injected())["proxy-init"])


def test_envoy_is_what_is_not_redirected() -> None:
    """It runs as the user and group that are ignored, and opens the ports that traffic is sent to."""
    found = containers(
        injected(ignoredUID="2000", ignoredGID="2001", proxyIngressPort="16000", proxyEgressPort="16001")
    )
    envoy = found["envoy"]
    usual = containers(injected())["envoy"]

    assert (2000, 2001) == (envoy["securityContext"]["runAsUser"], envoy["securityContext"]["runAsGroup"])
    assert (1337, 1337) == (usual["securityContext"]["runAsUser"], usual["securityContext"]["runAsGroup"])
    assert {"instance": "$(POD_NAME)", "ingress_port": 16000, "egress_port": 16001} == (
        json.loads(argument(envoy, "--config-yaml"))["node"]["metadata"]
    )


def test_secrets_and_volumes_are_mounted() -> None:
    """A secret becomes a volume, a volume is the pod's own; the application gets neither."""
    found = injected(secretMounts="tls:/etc/tls, ca:/etc/ca", volumeMounts="certificates:/certificates")
    mounts = {one["name"]: one["mountPath"] for one in containers(found)["envoy"]["volumeMounts"]}

    assert {"tls": "/etc/tls", "ca": "/etc/ca", "certificates": "/certificates"}.items() <= mounts.items()
    assert {"name": "tls", "secret": {"secretName": "tls"}} in found["spec"]["volumes"]
    assert 1 == [one["name"] for one in found["spec"]["volumes"]].count("certificates")
    assert "volumeMounts" not in containers(found)["app"]


def test_variables_go_to_envoy() -> None:
    """Both spellings; what App Mesh's agent made options of is an option, and ours are not overwritten."""
    json_env = '[{"DD_TAGS": "a,b", "MESH": "other"}, {"ENVOY_CONCURRENCY": "4"}]'
    envoy = containers(injected(sidecarEnv="DD_ENV=prod, ENVOY_LOG_LEVEL=debug", sidecarEnvJson=json_env))["envoy"]

    assert ("prod", "a,b", "shop") == tuple(env(envoy)[name] for name in ("DD_ENV", "DD_TAGS", "MESH"))
    assert ("debug", "4") == (argument(envoy, "--log-level"), argument(envoy, "--concurrency"))
    names = [one["name"] for one in envoy["env"]]
    assert len(names) == len(set(names))


def test_secrets_may_come_from_the_machines_agent() -> None:
    """SPIRE's socket is mounted, and Envoy has the cluster by which secrets are asked for."""
    found = injected(sds="enabled")
    (cluster,) = json.loads(argument(containers(found)["envoy"], "--config-yaml"))["static_resources"]["clusters"]

    assert "static_cluster_sds_unix_socket" == cluster["name"]
    assert "/run/spire/sockets/agent.sock" in json.dumps(cluster)
    assert {"name": "sds-socket", "hostPath": {"path": "/run/spire/sockets", "type": "Directory"}} in (
        found["spec"]["volumes"]
    )
    assert injected() == {**injected(sds="disabled"), "metadata": injected()["metadata"]}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("preview", "enabled", "no preview channel"),
        ("xrayAgentConfigMount", "xray:/etc/xray", "no X-Ray daemon"),
        ("appmeshCNI", "enabled", "proxy-init does"),
        ("colour", "blue", "is not known"),
        ("sidecarEnv", "ENABLE_ENVOY_XRAY_TRACING=1", "set it for `shopmesh bootstrap`"),
        ("sidecarEnv", "APPNET_X=1", "no agent beside Envoy"),
    ],
)
def test_what_is_not_honoured_is_told(name: str, value: str, why: str) -> None:
    """Never in silence, and never instead of a sidecar."""
    found = inject(pod(**{name: value}), PRODUCT)

    assert [why] == [why for warning in found.warnings if why in warning]
    assert "proxy-init" in containers(found.pod)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpuRequest", "much"),
        ("memoryLimit", "1 Gi"),
        ("ports", "http"),
        ("ports", "0"),
        ("egressIgnoredIPs", "example.com"),
        ("egressIgnoredPorts", "70000"),
        ("ignoredUID", "0"),
        ("ignoredGID", "root"),
        ("proxyIngressPort", "-1"),
        pytest.param("proxyIngressPort", "9" * 5000, id="a port of 5,000 digits"),
        ("ipv6", "yes"),
        ("secretMounts", "tls"),
        ("secretMounts", "tls:etc"),
        ("volumeMounts", "missing:/missing"),
        ("sidecarEnv", "DD_ENV"),
        ("sidecarEnvJson", "{"),
        ("sidecarEnvJson", '[{"A": 1}]'),
        ("sidecarEnv", "ENVOY_CONCURRENCY=many"),
        ("sidecarEnv", "ENVOY_LOG_LEVEL=loud"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, value: str) -> None:
    """With the annotation's name, its value and how it is written, before anything runs otherwise than meant."""
    with pytest.raises(InjectionError) as refused:
        injected(**{name: value})

    assert value.partition("=")[2] in str(refused.value)
    assert name in str(refused.value) or value.partition("=")[0] in str(refused.value)


def gateway(**annotations: str) -> dict[str, Any]:
    made = pod(**annotations)
    made["spec"]["containers"] = [
        {
            "name": "envoy",
            "image": "aws-appmesh-envoy:v1.29",
            "ports": [{"containerPort": 8088}],
            "env": [{"name": "A", "value": "b"}],
        }
    ]
    del made["spec"]["initContainers"]
    return made


def test_the_container_of_a_gateway_becomes_stock_envoy() -> None:
    """It keeps its ports and variables; nothing is redirected, and no second Envoy is there."""
    found = inject(gateway(), WAY_IN).pod
    envoy = containers(found)["envoy"]

    assert "initContainers" not in found["spec"]
    assert "envoyproxy/envoy:v1.40.0" == envoy["image"]
    assert "mesh/$(MESH)/virtualGateway/$(VIRTUAL_GATEWAY)" == argument(envoy, "--service-node")
    assert [8088, 15021] == [port["containerPort"] for port in envoy["ports"]]
    assert ("b", "shop") == (env(envoy)["A"], env(envoy)["MESH"])
    assert "way-in" == found["metadata"]["labels"]["shopmesh.dev/virtual-gateway"]
    assert found == inject(found, WAY_IN).pod


def test_a_gateway_may_keep_its_image() -> None:
    """`virtualGatewaySkipImageOverride`."""
    found = inject(gateway(virtualGatewaySkipImageOverride="enabled"), WAY_IN).pod

    assert "aws-appmesh-envoy:v1.29" == containers(found)["envoy"]["image"]


def test_a_pod_that_would_harm_or_do_nothing_is_refused() -> None:
    """The machine's own network, a gateway without its container, an Envoy that is there already, unknown ports."""
    own, twice, silent = pod(), pod(), pod()
    own["spec"]["hostNetwork"] = True
    twice["spec"]["containers"].append({"name": "envoy"})
    del silent["spec"]["containers"][0]["ports"]

    for given, key, why in (
        (own, PRODUCT, "hostNetwork"),
        (pod(), WAY_IN, "a container named envoy"),
        (twice, PRODUCT, "has a container envoy"),
        (silent, PRODUCT, "which ports"),
    ):
        with pytest.raises(InjectionError, match=why):
            inject(given, key)


def test_an_explicit_sidecar_takes_the_applications_one_port() -> None:
    """Nothing is redirected: no container has a right. Of two ports the application could be told one."""
    found = inject(pod(), PRODUCT, mode="explicit").pod

    assert ["envoy", "migrate"] == [one["name"] for one in found["spec"]["initContainers"]]
    assert ("5080", "http://127.0.0.1:15001") == tuple(env(containers(found)["app"])[n] for n in ("PORT", "HTTP_PROXY"))
    with pytest.raises(InjectionError, match="takes one port"):
        inject(pod(ports="5000,5001"), PRODUCT, mode="explicit")


def test_an_explicit_sidecar_of_a_job_has_no_port() -> None:
    """It only calls others: by HTTP_PROXY, and its Envoy binds nothing for it."""
    job = pod()
    del job["spec"]["containers"][0]["ports"]
    found = inject(job, PRODUCT, (), mode="explicit").pod
    (envoy, *_) = found["spec"]["initContainers"]
    given = env(containers(found)["app"])
    metadata = json.loads(envoy["args"][envoy["args"].index("--config-yaml") + 1])["node"]["metadata"]

    assert ("http://127.0.0.1:15001", "PORT" in given) == (given["HTTP_PROXY"], False)
    assert {"instance": "$(POD_NAME)", "mode": "explicit", "egress_port": 15001} == {
        name: value for name, value in metadata.items() if value
    }


def test_the_pods_own_switch() -> None:
    """As App Mesh's injector read it."""
    annotations = [
        pod(sidecarInjectorWebhook=value)["metadata"]["annotations"] for value in ("enabled", "Disabled", "x")
    ]

    assert [True, False, None] == [wants_sidecar(one) for one in annotations]
    assert wants_sidecar({}) is None


def test_a_patch_makes_one_pod_of_the_other() -> None:
    """Applied by its rules, and empty where nothing changes."""
    before, after = pod(), injected()
    made = copy.deepcopy(before)
    for operation in patch(before, after):
        section, field = operation["path"].strip("/").split("/")
        assert "add" == operation["op"]
        made[section][field] = operation["value"]

    assert after == made
    assert [] == patch(after, after)
