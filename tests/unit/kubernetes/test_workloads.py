"""Sidecars for workloads in files: which kinds, which node, and what is passed through."""

from __future__ import annotations

from typing import Any

import pytest

from shopmesh.documents import DocumentError, as_yaml, documents
from shopmesh.kubernetes.injection.workloads import POD_TEMPLATES, InjectedDocuments, inject_documents

MESH: Any = {"kind": "Mesh", "metadata": {"name": "shop"}, "spec": {"namespaceSelector": {}}}


def node(name: str, **labels: str) -> dict[str, Any]:
    spec = {
        "awsName": f"{name}-vn",
        "podSelector": {"matchLabels": labels},
        "listeners": [{"portMapping": {"port": 7}}],
    }
    return {"kind": "VirtualNode", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def workload(kind: str, annotations: Any = None, **labels: str) -> dict[str, Any]:
    """A workload of that kind, whose pods have these labels."""
    metadata = {"labels": labels, "annotations": annotations or {}}
    found: dict[str, Any] = {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    for step in reversed(POD_TEMPLATES[kind]):
        found = {step: found}
    return {**found, "kind": kind, "metadata": {**found.get("metadata", {}), "name": "product"}}


def written(*given: Any, mode: str = "intercepted", mesh: str = "shopmesh") -> InjectedDocuments:
    return inject_documents(documents(as_yaml(given), "given.yaml"), mode, mesh)


def template(document: Any, kind: str) -> Any:
    for step in POD_TEMPLATES[kind]:
        document = document[step]
    return document


@pytest.mark.parametrize("kind", POD_TEMPLATES)
def test_every_kind_that_makes_pods(kind: str) -> None:
    """Its template has the sidecar, the rest is as it was, and so are all other documents."""
    service: Any = {"kind": "Service", "metadata": {"name": "product"}}
    found = written(service, MESH, node("product", app="product"), workload(kind, app="product"))
    pod = template(found.documents[3], kind)

    assert [service, MESH, node("product", app="product")] == found.documents[:3]
    assert ["proxy-init", "envoy"] == [one["name"] for one in pod["spec"]["initContainers"]]
    assert "7" == pod["spec"]["initContainers"][0]["env"][0]["value"]
    assert "product-vn" == pod["metadata"]["labels"]["shopmesh.dev/virtual-node"]
    assert "product" == found.documents[3]["metadata"]["name"]
    assert "labels" not in found.documents[3]["metadata"] or kind == "Pod"


def test_a_list_is_taken_apart() -> None:
    """Each object is a document of its own."""
    found = written({"kind": "List", "items": [MESH, node("product", app="product"), workload("Pod", app="product")]})

    assert ["Mesh", "VirtualNode", "Pod"] == [one["kind"] for one in found.documents]
    assert "initContainers" in found.documents[2]["spec"]


def test_a_label_is_enough() -> None:
    """The mesh is the one that is meant then, and that of a node whose mesh nobody gave."""
    ports = {"appmesh.k8s.aws/ports": "5000"}
    labelled = written(workload("Pod", ports, **{"shopmesh.dev/virtual-node": "product-vn"}), mesh="shop")
    meshless = written(node("product", app="product"), workload("Pod", app="product"), mesh="shop")

    for found in (labelled, meshless):
        (_, envoy) = found.documents[-1]["spec"]["initContainers"]
        assert {"name": "MESH", "value": "shop"} == envoy["env"][0]


def test_what_is_not_of_the_mesh_is_left_as_it_is_and_told() -> None:
    """No node that selects it and no label; or its own annotation."""
    off = {"appmesh.k8s.aws/sidecarInjectorWebhook": "disabled"}
    given = [MESH, node("product", app="product"), workload("Pod", app="other"), workload("Job", off, app="product")]
    found = written(*given)

    assert given == found.documents
    assert "Pod product: left as it is, no VirtualNode" in found.notes[0]
    assert "Job product: left as it is, its annotation says so" == found.notes[1]


def test_a_pod_of_two_nodes_is_refused_with_both_names_and_its_place() -> None:
    """Neither would be right."""
    with pytest.raises(DocumentError, match=r"given\.yaml, document 3, .*VirtualNode a, VirtualNode b select it"):
        written(node("a", app="product"), node("b", app="product"), workload("Deployment", app="product"))


def test_warnings_name_the_workload() -> None:
    """Several are written at once."""
    found = written(MESH, node("p", app="p"), workload("Pod", {"appmesh.k8s.aws/preview": "enabled"}, app="p"))

    assert ["Pod product: appmesh.k8s.aws/preview is not honoured: there is no preview channel"] == found.notes


@pytest.mark.parametrize(
    ("of_pod", "of_namespace", "option", "mode"),
    [
        (None, None, "intercepted", "intercepted"),
        (None, None, "explicit", "explicit"),
        (None, "explicit", "intercepted", "explicit"),
        ("intercepted", "explicit", "explicit", "intercepted"),
        ("explicit", None, "intercepted", "explicit"),
    ],
)
def test_how_a_sidecar_gets_the_traffic_is_chosen_by_annotation(
    of_pod: str | None, of_namespace: str | None, option: str, mode: str
) -> None:
    """The pod's own first, then its namespace's, then the option."""
    space: Any = {"kind": "Namespace", "metadata": {"name": "default"}}
    if of_namespace is not None:
        space["metadata"]["annotations"] = {"shopmesh.dev/sidecar-mode": of_namespace}
    own = None if of_pod is None else {"shopmesh.dev/sidecar-mode": of_pod}
    found = written(space, MESH, node("p", app="p"), workload("Deployment", own, app="p"), mode=option)
    pod = template(found.documents[-1], "Deployment")

    assert mode == pod["metadata"]["labels"]["shopmesh.dev/sidecar"]


@pytest.mark.parametrize("of", ["pod", "namespace"])
def test_an_unknown_way_is_refused_with_its_place(of: str) -> None:
    """It says whose annotation it is."""
    wrong = {"shopmesh.dev/sidecar-mode": "both"}
    space = {"kind": "Namespace", "metadata": {"name": "default", "annotations": wrong if of == "namespace" else {}}}
    own = wrong if of == "pod" else None
    with pytest.raises(DocumentError, match=f"document 4, .*sidecar-mode of (the )?{of}.* is 'both'; it is"):
        written(space, MESH, node("p", app="p"), workload("Deployment", own, app="p"))
