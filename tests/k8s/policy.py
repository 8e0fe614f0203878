"""What holds for every manifest, as rules over rendered objects; each tells the objects that break it.

    broken(objects) ─► ["probes: Deployment default/product: envoy has no livenessProbe", …]

A rule's name is what comes before the first colon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.k8s.rendering import Object, name_of

Rule = Callable[[list[Object]], Iterator[str]]

NODE = "shopmesh.dev/virtual-node"
ENVOY_USER, APPLICATION_USER, ROOT_USER = 1337, 10001, 0
STOPPING_SECONDS = 31
"""What an application takes at most after its preStop hook: DRAIN_SECONDS and STOP_SECONDS."""
CPU_OF_THE_DEMO, WORKLOADS_OF_THE_DEMO = Decimal(1), 5
"""For all pods together, in a mesh of so many workloads; with more of them it grows."""
COLLECTOR = "Deployment default/collector"
MASTER, SENDERS = "Deployment shopmesh-system/load", "Deployment shopmesh-system/load-worker"
TOOLS = (COLLECTOR, MASTER, SENDERS)
"""Beside the demo, in an overlay that asks for them."""
NAMED_NAMESPACES = ("default",)
"""Those of mesh/, which the initial mesh names: they need no label."""
TOKEN_READERS = {"Deployment shopmesh-system/control-plane", COLLECTOR}


def broken(objects: list[Object]) -> list[str]:
    """All violations of all rules."""
    return [f"{name}: {line}" for name, rule in RULES.items() for line in rule(objects)]


def deployments(objects: list[Object]) -> list[Object]:
    return _of("Deployment", objects)


def workloads(objects: list[Object]) -> list[Object]:
    return [one for one in deployments(objects) if NODE in one["metadata"].get("labels", {})]


def meshed(objects: list[Object]) -> list[Object]:
    """Workloads with a sidecar; without its component there are none."""
    return [one for one in workloads(objects) if "shopmesh.dev/sidecar" in template(one)["metadata"]["labels"]]


def template(one: Object) -> Any:
    return one["spec"]["template"]


def pod(one: Object) -> Any:
    return template(one)["spec"]


def init_containers(one: Object) -> list[Any]:
    return list(pod(one).get("initContainers", ()))


def containers(one: Object) -> list[Any]:
    return [*init_containers(one), *pod(one)["containers"]]


def stays(container: Any) -> bool:
    """Whether it runs as long as the pod: `proxy-init` alone does not."""
    return bool(container["name"] != "proxy-init")


def each(objects: list[Object]) -> Iterator[tuple[str, Object, Any]]:
    for one in deployments(objects):
        for container in containers(one):
            yield f"{name_of(one)}: {container['name']}", one, container


def probes(objects: list[Object]) -> Iterator[str]:
    for at, _, container in each(objects):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe") if stays(container) else ():
            # A command costs more than a question, so only who listens nowhere is looked at by one.
            ways = {"httpGet", "tcpSocket"} if container.get("ports") else {"exec"}
            if not container.get(probe, {}).keys() & ways:
                yield f"{at} has no {probe}"
    for one in meshed(objects):
        envoy = _envoy(one)
        for probe in ("startupProbe", "readinessProbe"):
            if {"path": "/ready", "port": "envoy-ready"} != envoy.get(probe, {}).get("httpGet"):
                yield f"{name_of(one)}: envoy's {probe} does not ask /ready"
        if {"name": "envoy-ready", "containerPort": 15021} not in envoy["ports"]:
            yield f"{name_of(one)}: envoy's readiness is not on 15021"
        # It says no while Envoy drains; a liveness probe there would end it in the middle of that.
        if "httpGet" in envoy.get("livenessProbe", {}):
            yield f"{name_of(one)}: envoy's livenessProbe asks for readiness"


def resources(objects: list[Object]) -> Iterator[str]:
    for at, _, container in each(objects):
        for kind in ("requests", "limits"):
            if {"cpu", "memory"} != container.get("resources", {}).get(kind, {}).keys():
                yield f"{at} has no {kind} of cpu and memory"


def budget_of_cpu(objects: list[Object]) -> Iterator[str]:
    """As the scheduler counts: sidecars and containers together, or an init container with the sidecars before it."""
    total = Decimal(0)
    for one in [one for one in deployments(objects) if name_of(one) not in TOOLS]:
        running = most = Decimal(0)
        for container in init_containers(one):
            asked = cpu(container)
            most = max(most, running + asked)
            running += asked if container.get("restartPolicy") == "Always" else 0
        total += one["spec"]["replicas"] * max(most, running + sum(map(cpu, pod(one)["containers"])))
    allowed = CPU_OF_THE_DEMO * max(len(workloads(objects)), WORKLOADS_OF_THE_DEMO) / WORKLOADS_OF_THE_DEMO
    if total > allowed:
        yield f"all pods together ask for {total} CPUs, more than {allowed}"


def cpu(container: Any) -> Decimal:
    asked = str(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
    return Decimal(asked[:-1]) / 1000 if asked.endswith("m") else Decimal(asked)


def images(objects: list[Object]) -> Iterator[str]:
    for at, _, container in each(objects):
        if not re.fullmatch(r"[a-z0-9./-]+:v?\d+(\.\d+)+", container["image"]):
            yield f"{at}'s image {container['image']} has no version as its tag"
        if container.get("imagePullPolicy") != "IfNotPresent":
            yield f"{at}'s image is pulled each time: images that were loaded by hand would not be found"


def users(objects: list[Object]) -> Iterator[str]:
    wanted = {"envoy": ENVOY_USER, "proxy-init": ROOT_USER}
    for at, one, container in each(objects):
        own = {**pod(one).get("securityContext", {}), **container.get("securityContext", {})}
        expected = wanted.get(container["name"], APPLICATION_USER)
        if own.get("runAsUser") != expected or own.get("runAsGroup") != expected:
            yield f"{at} runs as {own.get('runAsUser')}:{own.get('runAsGroup')}, not as {expected}"
        if own.get("runAsNonRoot") is not (expected != ROOT_USER):
            yield f"{at}: runAsNonRoot is {own.get('runAsNonRoot')}"


def rights(objects: list[Object]) -> Iterator[str]:
    for at, one, container in each(objects):
        own = container.get("securityContext", {})
        capabilities = own.get("capabilities", {})
        allowed = ["NET_ADMIN"] if container["name"] == "proxy-init" else []
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add", []) != allowed:
            yield f"{at} has the capabilities {capabilities}"
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{at} may gain rights"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{at} may write to its root file system"
        if {"type": "RuntimeDefault"} != pod(one).get("securityContext", {}).get("seccompProfile"):
            yield f"{at} may make any system call"
    for one in deployments(objects):
        shared = pod(one).keys() & {"hostNetwork", "hostPID", "hostIPC"}
        if shared or any("hostPath" in volume for volume in pod(one).get("volumes", ())):
            yield f"{name_of(one)} reaches into the node"


def tokens(objects: list[Object]) -> Iterator[str]:
    """Nobody gets a token of the API server but who needs it; a workload's own goes to its sidecar alone."""
    for one in deployments(objects):
        if pod(one).get("automountServiceAccountToken") is not (name_of(one) in TOKEN_READERS):
            yield f"{name_of(one)}: automountServiceAccountToken is {pod(one).get('automountServiceAccountToken')}"
        projected = [
            (volume["name"], source["serviceAccountToken"])
            for volume in pod(one).get("volumes", ())
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        ]
        for volume, token in projected:
            if token.get("audience") != "shopmesh" or token.get("expirationSeconds", 0) > 3600:
                yield f"{name_of(one)}: the token in {volume} is for {token.get('audience')}"
            for container in containers(one):
                mounted = [mount for mount in container.get("volumeMounts", ()) if mount["name"] == volume]
                if bool(mounted) is not (container["name"] == "envoy"):
                    yield f"{name_of(one)}: {container['name']} and the token in {volume}"
        if one in meshed(objects) and not projected:
            yield f"{name_of(one)}: its proxy has nothing to say who it is"


def order(objects: list[Object]) -> Iterator[str]:
    """proxy-init, then Envoy, which stays, then the application."""
    for one in workloads(objects):
        if ["application"] != [container["name"] for container in pod(one)["containers"]]:
            yield f"{name_of(one)} is not one application"
    for one in meshed(objects):
        explicit = template(one)["metadata"]["labels"]["shopmesh.dev/sidecar"] == "explicit"
        names = [container["name"] for container in init_containers(one)]
        if names != (["envoy"] if explicit else ["proxy-init", "envoy"]):
            yield f"{name_of(one)} starts {', '.join(names)} before its application"
        elif _envoy(one).get("restartPolicy") != "Always":
            yield f"{name_of(one)}: envoy is no native sidecar"


def sidecars(objects: list[Object]) -> Iterator[str]:
    """The same one beside every workload, and beside all of them or none."""
    inside, all_of_them = meshed(objects), workloads(objects)
    if inside and len(inside) != len(all_of_them):
        yield f"{len(inside)} of {len(all_of_them)} workloads have a sidecar"
    for one in inside:
        if init_containers(one) != init_containers(inside[0]) or _volumes(one) != _volumes(inside[0]):
            yield f"{name_of(one)} has another sidecar than {name_of(inside[0])}"


def identity(objects: list[Object]) -> Iterator[str]:
    """Who a proxy is comes from its pod; a variable is defined before the one that uses it, or it stays as it is."""
    for one in meshed(objects):
        envoy, defined = _envoy(one), set[str]()
        for variable in envoy["env"]:
            if missing := set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) - defined:
                yield f"{name_of(one)}: {variable['name']} uses {missing} before it is defined"
            defined.add(variable["name"])
        arguments = envoy.get("args", [])
        if missing := set(re.findall(r"\$\((\w+)\)", " ".join(arguments))) - defined:
            yield f"{name_of(one)}: envoy's arguments use {missing}"
        said = dict(zip(arguments[3::2], arguments[4::2], strict=False))
        if said.get("--service-node") != "mesh/$(MESH)/virtualNode/$(VIRTUAL_NODE)":
            yield f"{name_of(one)}: envoy is {said.get('--service-node')}"
        if '"instance":"$(POD_NAME)"' not in said.get("--config-yaml", ""):
            yield f"{name_of(one)}: envoy's instance is not its pod"
        if template(one)["metadata"]["labels"].get(NODE) != one["metadata"]["labels"][NODE]:
            yield f"{name_of(one)}: the pods' virtual node is not the Deployment's"


def stops(objects: list[Object]) -> Iterator[str]:
    """Whoever is going away goes on serving until everybody knows, and has the time to."""
    for at, one, container in each(objects):
        if container in pod(one)["containers"]:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            grace = pod(one).get("terminationGracePeriodSeconds", 30)
            # Nobody sends anything to those that send.
            if pause < 3 and name_of(one) not in (MASTER, SENDERS):
                yield f"{at} stops at once"
            if one in workloads(objects) and grace < pause + STOPPING_SECONDS:
                yield f"{at} has {grace} s to stop and needs {pause + STOPPING_SECONDS}"
    for one in meshed(objects):
        hook = _envoy(one).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
        if hook[:2] != ["bash", "-c"] or "POST /healthcheck/fail" not in hook[-1]:
            yield f"{name_of(one)}: envoy keeps its callers' connections when it is to stop"


def rollouts(objects: list[Object]) -> Iterator[str]:
    for one in deployments(objects):
        rolling = one["spec"].get("strategy", {}).get("rollingUpdate", {})
        # Two masters would share the workers.
        expected = {} if name_of(one) == MASTER else {"maxUnavailable": 0, "maxSurge": 1}
        if rolling != expected:
            yield f"{name_of(one)} is replaced by {rolling}"
        if one["spec"].get("replicas", 1) < 2 and name_of(one) not in (COLLECTOR, MASTER):
            yield f"{name_of(one)} has one replica: one that fails is all"


def disruptions(objects: list[Object]) -> Iterator[str]:
    budgets = _of("PodDisruptionBudget", objects)
    for one in deployments(objects):
        found = [
            budget
            for budget in budgets
            if budget["metadata"]["namespace"] == one["metadata"]["namespace"]
            and _selects(budget["spec"]["selector"], template(one)["metadata"]["labels"])
        ]
        if one["spec"].get("replicas", 1) > 1 and [1] != [budget["spec"].get("maxUnavailable") for budget in found]:
            yield f"{name_of(one)} may be drained away at once, or never"


def spread(objects: list[Object]) -> Iterator[str]:
    for one in [one for one in deployments(objects) if one["spec"].get("replicas", 1) > 1]:
        rules = pod(one).get("topologySpreadConstraints", [])
        if {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} != {rule["topologyKey"] for rule in rules}:
            yield f"{name_of(one)} may stand on one node"
        for rule in rules:
            if not _selects(rule["labelSelector"], template(one)["metadata"]["labels"]):
                yield f"{name_of(one)} is spread by the labels of others"
            if rule["whenUnsatisfiable"] != "ScheduleAnyway":
                yield f"{name_of(one)} does not start on one node"
            keys = set(rule.get("matchLabelKeys", ()))
            if "pod-template-hash" not in keys or (one in workloads(objects) and NODE not in keys):
                yield f"{name_of(one)} is spread together with others"


def services(objects: list[Object]) -> Iterator[str]:
    """Each selects the pods of one Deployment, by ports that these have."""
    for service in _of("Service", objects):
        found = [
            one
            for one in deployments(objects)
            if one["metadata"]["namespace"] == service["metadata"]["namespace"]
            and service["spec"]["selector"].items() <= template(one)["metadata"]["labels"].items()
        ]
        if len(found) != 1:
            yield f"{name_of(service)} selects {[name_of(one) for one in found]}"
            continue
        there = {port["name"] for container in containers(found[0]) for port in container.get("ports", ())}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in there:
                yield f"{name_of(service)}: its pods have no port {port['targetPort']}"


def networks(objects: list[Object]) -> Iterator[str]:
    """The control plane always, and workloads where the component is: who is not named is not let in."""
    policies = _of("NetworkPolicy", objects)
    hardened = any(one["metadata"]["namespace"] == "default" for one in policies)
    for one in deployments(objects):
        if one["metadata"]["namespace"] == "default" and (not hardened or one not in workloads(objects)):
            continue
        kinds = {
            kind
            for policy in policies
            if policy["metadata"]["namespace"] == one["metadata"]["namespace"]
            and _selects(policy["spec"]["podSelector"], template(one)["metadata"]["labels"])
            for kind in policy["spec"]["policyTypes"]
        }
        if not ({"Ingress", "Egress"} if one in workloads(objects) else {"Ingress"}) <= kinds:
            yield f"{name_of(one)} is open to everybody"
    for policy in policies:
        labels = policy["spec"]["podSelector"]
        inside = [one for one in deployments(objects) if _selects(labels, template(one)["metadata"]["labels"])]
        if policy["metadata"]["namespace"] == "default" and not labels:
            yield f"{name_of(policy)} shuts off the pods of others"
        if not inside:
            yield f"{name_of(policy)} is about no pod"
        for way in policy["spec"].get("ingress", ()) if hardened else ():
            if {"port": "xds"} in way.get("ports", ()) and not all(_labelled(one) for one in way.get("from", [{}])):
                yield f"{name_of(policy)} lets any namespace ask for configurations"


def namespaces(objects: list[Object]) -> Iterator[str]:
    """Only namespaces that go with the control plane: labels of others would stay when it is taken away."""
    found = {
        one["metadata"]["name"]: one["metadata"].get("labels", {}) for one in objects if one["kind"] == "Namespace"
    }
    for name, labels in found.items():
        if name != "shopmesh-system":
            yield f"Namespace {name} is not the control plane's"
        elif labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {name} does not enforce Pod Security"
    for one in meshed(objects):
        if one["metadata"]["namespace"] not in NAMED_NAMESPACES:
            yield f"{name_of(one)} is in no namespace that the Mesh names"


def access(objects: list[Object]) -> Iterator[str]:
    """No wildcard, and no Secret or Lease of others can be read; what may be made may not be narrowed by name."""
    for role in [one for one in objects if one["kind"] in ("Role", "ClusterRole")]:
        for rule in role["rules"]:
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            named = set(rule["resources"]) & {
                *("secrets", "leases", "configmaps", "mutatingwebhookconfigurations"),
            }
            if "*" in words or words & {"escalate", "bind", "impersonate", "deletecollection"}:
                yield f"{name_of(role)} allows too much: {rule}"
            if named and rule["verbs"] != ["create"] and not rule.get("resourceNames"):
                yield f"{name_of(role)} allows {rule['verbs']} of any {named}"
            if role["kind"] == "ClusterRole" and "secrets" in named:
                yield f"{name_of(role)} reaches the Secrets of all namespaces"


def webhook(objects: list[Object]) -> Iterator[str]:
    """Asked for pods of namespaces that want it, and never for those that have their sidecar already."""
    for one in _of("MutatingWebhookConfiguration", objects):
        for hook in one["webhooks"]:
            opted = {"matchLabels": {"appmesh.k8s.aws/sidecarInjectorWebhook": "enabled"}}
            if hook.get("namespaceSelector") != opted:
                yield f"{name_of(one)} is asked by namespaces that did not ask for it"
            for workload in meshed(objects):
                if _selects(hook.get("objectSelector", {}), template(workload)["metadata"]["labels"]):
                    yield f"{name_of(one)} is asked for the pods of {name_of(workload)}"
            if hook.get("failurePolicy") != "Fail" or not hook.get("timeoutSeconds", 10) <= 10:
                yield f"{name_of(one)} lets pods start without their sidecar"
            to = hook["clientConfig"]["service"]
            ports = {
                port["port"]
                for service in objects
                if name_of(service) == f"Service {to['namespace']}/{to['name']}"
                for port in service["spec"]["ports"]
            }
            if to.get("port", 443) not in ports:
                yield f"{name_of(one)} asks {to}, where nobody is"


def _of(kind: str, objects: list[Object]) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def _envoy(one: Object) -> Any:
    return next((each for each in init_containers(one) if each["name"] == "envoy"), {"env": [], "ports": []})


def _volumes(one: Object) -> list[Any]:
    return [volume for volume in pod(one).get("volumes", ()) if volume["name"].startswith("shopmesh-")]


def _labelled(peer: Any) -> bool:
    """Whether it is a namespace that somebody put into the mesh, or that the Mesh names."""
    named = [{"kubernetes.io/metadata.name": name} for name in NAMED_NAMESPACES]
    return bool(peer.get("namespaceSelector", {}).get("matchLabels") in [{"mesh": "shopmesh"}, *named])


def _selects(selector: Any, labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        {
            "Exists": rule["key"] in labels,
            "DoesNotExist": rule["key"] not in labels,
            "In": labels.get(rule["key"]) in rule.get("values", ()),
        }[rule["operator"]]
        for rule in selector.get("matchExpressions", ())
    )


RULES: dict[str, Rule] = {
    "probes": probes,
    "resources": resources,
    "CPU": budget_of_cpu,
    "images": images,
    "users": users,
    "rights": rights,
    "tokens": tokens,
    "order": order,
    "sidecars": sidecars,
    "identity": identity,
    "stops": stops,
    "rollouts": rollouts,
    "disruptions": disruptions,
    "spread": spread,
    "services": services,
    "networks": networks,
    "namespaces": namespaces,
    "access": access,
    "webhook": webhook,
}
