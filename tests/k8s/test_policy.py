"""The manifests keep every rule of `policy`, and for each rule a manifest that breaks it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.k8s import policy
from tests.k8s.policy import broken, containers, meshed, pod, template, workloads
from tests.k8s.rendering import COMBINATIONS, OVERLAYS, STACK, Object, combination, name_of, overlay

Mutation = Callable[[list[Object]], object]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_keeps_every_rule(name: str) -> None:
    """What policy.py says of probes, rights, tokens, order, stops, rollouts and the rest."""
    assert [] == broken(overlay(name))


@pytest.mark.parametrize("components", COMBINATIONS, ids=lambda names: "+".join(names) or "none")
def test_a_combination_keeps_every_rule(tmp_path: Path, components: tuple[str, ...]) -> None:
    """Whatever components an overlay of one's own chooses."""
    assert [] == broken(combination(tmp_path, components))


def named(name: str, found: list[Object]) -> Any:
    return next(one for one in found if name_of(one) == name)


def product(found: list[Object]) -> Any:
    return named("Deployment default/product", found)


def control_plane(found: list[Object]) -> Any:
    return named("Deployment shopmesh-system/control-plane", found)


def of(name: str, one: Object) -> Any:
    return next(container for container in containers(one) if container["name"] == name)


def envoy(found: list[Object]) -> Any:
    return of("envoy", product(found))


def application(found: list[Object]) -> Any:
    return of("application", product(found))


def rule(found: list[Object], resource: str) -> Any:
    roles = [one for one in found if one["kind"] in ("Role", "ClusterRole")]
    return next(
        rule for role in roles for rule in role["rules"] if resource in rule["resources"] and "get" in rule["verbs"]
    )


def hook(found: list[Object]) -> Any:
    return named("MutatingWebhookConfiguration /shopmesh", found)["webhooks"][0]


def without(place: Any, key: str) -> object:
    """Leaves a key out; fails when there is none, for then the mutant would be no mutant."""
    return place.pop(key)


def every_envoy(found: list[Object], change: Callable[[Any], object]) -> None:
    """The same change beside every workload, so that they still agree."""
    for one in meshed(found):
        change(of("envoy", one))


def drop(found: list[Object], prefix: str) -> None:
    """Leaves out every object whose name begins so; at least one does."""
    out = [one for one in found if name_of(one).startswith(prefix)]
    assert out, prefix
    for one in out:
        found.remove(one)


MUTANTS: list[tuple[str, str, Mutation]] = [
    ("probes", "an application without readiness", lambda f: without(application(f), "readinessProbe")),
    ("probes", "an Envoy without liveness", lambda f: every_envoy(f, lambda e: e.pop("livenessProbe"))),
    ("probes", "an Envoy that starts when it likes", lambda f: every_envoy(f, lambda e: e.pop("startupProbe"))),
    ("probes", "a control plane without liveness", lambda f: containers(control_plane(f))[0].pop("livenessProbe")),
    (
        "probes",
        "an Envoy that dies when it drains",
        lambda f: envoy(f).update(livenessProbe={"httpGet": {}}),
    ),
    ("probes", "readiness on another port", lambda f: envoy(f)["ports"][0].update(containerPort=9901)),
    ("resources", "no limit of memory", lambda f: application(f)["resources"]["limits"].pop("memory")),
    ("resources", "no requests of proxy-init", lambda f: of("proxy-init", product(f))["resources"].pop("requests")),
    ("CPU", "an application that asks for much", lambda f: application(f)["resources"]["requests"].update(cpu="3")),
    ("CPU", "more replicas than fit", lambda f: product(f)["spec"].update(replicas=200)),
    ("images", "no tag", lambda f: application(f).update(image="shopmesh/product")),
    ("images", "the newest", lambda f: application(f).update(image="shopmesh/product:latest")),
    ("images", "pulled each time", lambda f: envoy(f).update(imagePullPolicy="Always")),
    (
        "users",
        "an Envoy that is redirected",
        lambda f: envoy(f)["securityContext"].update(runAsUser=101),
    ),
    ("users", "an application as root", lambda f: pod(product(f))["securityContext"].update(runAsUser=0)),
    ("users", "root allowed", lambda f: pod(product(f))["securityContext"].pop("runAsNonRoot")),
    ("rights", "NET_ADMIN in Envoy", lambda f: envoy(f)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    ("rights", "all capabilities", lambda f: application(f)["securityContext"].pop("capabilities")),
    ("rights", "more rights", lambda f: application(f)["securityContext"].update(allowPrivilegeEscalation=True)),
    ("rights", "a root to write to", lambda f: application(f)["securityContext"].pop("readOnlyRootFilesystem")),
    ("rights", "any system call", lambda f: pod(product(f))["securityContext"].pop("seccompProfile")),
    ("rights", "the node's network", lambda f: pod(product(f)).update(hostNetwork=True)),
    ("rights", "the node's files", lambda f: pod(product(f))["volumes"].append({"name": "x", "hostPath": {}})),
    ("tokens", "a token for every container", lambda f: without(pod(product(f)), "automountServiceAccountToken")),
    ("tokens", "a control plane without one", lambda f: without(pod(control_plane(f)), "automountServiceAccountToken")),
    (
        "tokens",
        "the proxy's token in the application",
        lambda f: application(f).update(volumeMounts=[{"name": "shopmesh-identity", "mountPath": "/x"}]),
    ),
    (
        "tokens",
        "a token for the API server",
        lambda f: pod(product(f))["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"].pop("audience"),
    ),
    ("tokens", "no identity", lambda f: [pod(one).pop("volumes") for one in meshed(f)]),
    ("order", "Envoy before the redirect", lambda f: pod(product(f))["initContainers"].reverse()),
    ("order", "an Envoy that is waited for", lambda f: every_envoy(f, lambda e: e.pop("restartPolicy"))),
    (
        "order",
        "an Envoy beside the application",
        lambda f: pod(product(f))["containers"].append(pod(product(f))["initContainers"].pop()),
    ),
    ("sidecars", "one of its own", lambda f: envoy(f)["args"].append("--component-log-level")),
    ("sidecars", "none", lambda f: without(template(product(f))["metadata"]["labels"], "shopmesh.dev/sidecar")),
    ("identity", "a variable too late", lambda f: every_envoy(f, lambda e: e["env"].reverse())),
    (
        "identity",
        "somebody else",
        lambda f: every_envoy(f, lambda e: e["args"].__setitem__(4, "mesh/shopmesh/virtualNode/order-vn")),
    ),
    ("identity", "an instance for all", lambda f: every_envoy(f, lambda e: e["args"].__setitem__(8, "{}"))),
    (
        "identity",
        "pods of another node",
        lambda f: template(product(f))["metadata"]["labels"].update({policy.NODE: "order-vn"}),
    ),
    ("stops", "at once", lambda f: without(application(f), "lifecycle")),
    ("stops", "killed in the middle", lambda f: pod(product(f)).update(terminationGracePeriodSeconds=10)),
    ("stops", "callers' connections kept", lambda f: every_envoy(f, lambda e: e.pop("lifecycle"))),
    ("rollouts", "the old before the new", lambda f: product(f)["spec"]["strategy"].pop("rollingUpdate")),
    ("rollouts", "all at once", lambda f: control_plane(f)["spec"].update(strategy={"type": "Recreate"})),
    ("rollouts", "one replica", lambda f: product(f)["spec"].update(replicas=1)),
    ("disruptions", "no budget", lambda f: drop(f, "PodDisruptionBudget default/product")),
    (
        "disruptions",
        "a node that can never be drained",
        lambda f: named("PodDisruptionBudget default/order", f)["spec"].update(maxUnavailable=0),
    ),
    ("spread", "on one node", lambda f: without(pod(product(f)), "topologySpreadConstraints")),
    (
        "spread",
        "as if all were one workload",
        lambda f: without(pod(product(f))["topologySpreadConstraints"][0], "matchLabelKeys"),
    ),
    (
        "spread",
        "not at all on one node",
        lambda f: pod(product(f))["topologySpreadConstraints"][0].update(whenUnsatisfiable="DoNotSchedule"),
    ),
    (
        "services",
        "both versions",
        lambda f: named("Service default/product", f)["spec"]["selector"].pop("app.kubernetes.io/version"),
    ),
    (
        "services",
        "a port that is not there",
        lambda f: named("Service default/product", f)["spec"]["ports"][0].update(targetPort="web"),
    ),
    ("networks", "an open control plane", lambda f: drop(f, "NetworkPolicy shopmesh-system/")),
    (
        "networks",
        "others shut off",
        lambda f: named("NetworkPolicy default/workloads", f)["spec"].update(podSelector={}),
    ),
    (
        "networks",
        "xDS for every namespace",
        lambda f: named("NetworkPolicy shopmesh-system/control-plane", f)["spec"]["ingress"][0]["from"][1].update(
            namespaceSelector={}
        ),
    ),
    ("networks", "free to call anybody", lambda f: drop(f, "NetworkPolicy default/workloads")),
    (
        "namespaces",
        "anything beside the control plane",
        lambda f: named("Namespace /shopmesh-system", f)["metadata"].pop("labels"),
    ),
    (
        "namespaces",
        "a label that stays behind",
        lambda f: f.append({"kind": "Namespace", "metadata": {"name": "default", "labels": {"mesh": "shopmesh"}}}),
    ),
    (
        "namespaces",
        "outside the mesh",
        lambda f: named("Deployment default/product", f)["metadata"].update(namespace="elsewhere"),
    ),
    ("access", "everything", lambda f: rule(f, "pods").update(verbs=["*"])),
    ("access", "any Secret", lambda f: without(rule(f, "secrets"), "resourceNames")),
    ("access", "any webhook", lambda f: without(rule(f, "mutatingwebhookconfigurations"), "resourceNames")),
    ("webhook", "every namespace", lambda f: without(hook(f), "namespaceSelector")),
    ("webhook", "pods that have their sidecar", lambda f: without(hook(f), "objectSelector")),
    ("webhook", "no sidecar when it is away", lambda f: hook(f).update(failurePolicy="Ignore")),
    ("webhook", "nobody there", lambda f: hook(f)["clientConfig"]["service"].update(port=8443)),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], list[Object]]:
    """The local overlay with its hardening, anew for each call."""
    folder = tmp_path_factory.mktemp("whole")
    text = repr(combination(folder, ("sidecar", "hardening"), STACK[1:]))

    def anew() -> list[Object]:
        found: list[Object] = eval(text)  # noqa: S307  # the repr of plain objects, a fast deep copy
        return found

    return anew


@pytest.mark.parametrize(("name", "what", "mutate"), MUTANTS, ids=[f"{one[0]}: {one[1]}" for one in MUTANTS])
def test_a_mutant_is_told(whole: Callable[[], list[Object]], name: str, what: str, mutate: Mutation) -> None:
    """By the rule that it breaks."""
    found = whole()
    mutate(found)

    assert [line for line in broken(found) if line.startswith(f"{name}: ")], what


def test_every_rule_has_a_mutant() -> None:
    """A rule that nothing breaks may look at nothing."""
    assert policy.RULES.keys() == {name for name, _, _ in MUTANTS}


def test_the_workloads_of_the_webinar_are_there() -> None:
    """Rules about all workloads hold trivially for none."""
    assert {"order", "product", "product-v2", "customer", "customer-v15"} <= {
        one["metadata"]["name"] for one in workloads(overlay("local"))
    }
