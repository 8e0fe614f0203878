"""Which workloads the manifests promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.documents import DocumentError
from shopmesh.local.errors import StartError
from shopmesh.local.mesh.from_manifests import (
    Workload,
    application_module,
    gateways_of,
    read_manifests,
    select,
    way_in_of,
    workloads_of,
)
from shopmesh.local.mesh.resources import without_nodes

PROJECT = Path(__file__).parents[3]
NODE = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: %(name)s, namespace: default}
spec:
  awsName: %(name)s-vn
  podSelector: {matchLabels: {app.kubernetes.io/name: product, app.kubernetes.io/version: "%(version)s"}}
  listeners: [{portMapping: {port: 5000, protocol: http}}]
  serviceDiscovery: {dns: {hostname: %(name)s.default.svc.cluster.local}}
---
"""
MESH = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: shopmesh}
spec: {namespaceSelector: {matchLabels: {mesh: shopmesh}}}
---
"""


GATEWAY = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: %(name)s, namespace: default}
spec:
  podSelector: {matchLabels: %(labels)s}
  listeners: [{portMapping: {port: 8081, protocol: http}}]
---
"""


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "all.yaml").write_text(text)
    return tmp_path / "mesh"


@pytest.mark.demo
def test_the_demos_mesh_promises_five_workloads() -> None:
    """Services and versions are those of the webinar, first versions first."""
    demo = [w for w in workloads_of(read_manifests(PROJECT / "mesh")) if w.service in ("order", "product", "customer")]
    promises = [(w.node, w.service_version, w.ports) for w in demo]

    assert promises == [
        ("customer-vn", "customer/1.0", (5000,)),
        ("customer-v15-vn", "customer/1.5", (5000,)),
        ("order-vn", "order/1.0", (5000,)),
        ("product-vn", "product/1.0", (5000,)),
        ("product-v2-vn", "product/2.0", (5000,)),
    ]


def test_a_gateway_with_labels_runs_here(tmp_path: Path) -> None:
    """As workloads do, by its labels; one without them is somebody else's to run."""
    gateways = [GATEWAY % {"name": "shop", "labels": "{app.kubernetes.io/name: shop-gw}"}]
    gateways.append(GATEWAY % {"name": "elsewhere", "labels": "{}"})

    (found,) = gateways_of(read_manifests(folder(tmp_path, MESH + "".join(gateways))))
    assert ("shopmesh", "shop_default", "shop-gw", (8081,), "shop_default-1") == (
        found.mesh,
        found.node,
        found.service,
        found.ports,
        found.name,
    )
    assert [] == select([found], [], ["shop-gw"])


def test_versions_are_sorted_as_numbers(tmp_path: Path) -> None:
    """1.10 comes after 1.9, whatever the order of the documents, and words come after numbers, of whatever length."""
    long = "9" * 5000
    nodes = "".join(NODE % {"name": f"n{i}", "version": v} for i, v in enumerate(["1.10", long, "1.9", "1.0"]))

    versions = [w.version for w in workloads_of(read_manifests(folder(tmp_path, MESH + nodes)))]
    assert ["1.0", "1.9", "1.10", long] == versions


@pytest.mark.parametrize(("text", "count"), [("", 0), (MESH + MESH.replace("name: shopmesh", "name: other"), 2)])
def test_not_exactly_one_mesh_is_refused(tmp_path: Path, text: str, count: int) -> None:
    """The message says how many there are."""
    with pytest.raises((StartError, DocumentError), match=f"hold {count} meshes|matches several|mesh"):
        workloads_of(
            read_manifests(folder(tmp_path, text + (NODE % {"name": "n", "version": "1.0"} if text else "# empty\n")))
        )


def test_no_manifests_is_one_clear_line(tmp_path: Path) -> None:
    """In a folder without mesh/ the message says where to run."""
    with pytest.raises(StartError, match=r"no manifests in .*/mesh/: run shopmesh in the folder of the project"):
        read_manifests(tmp_path / "mesh")


def test_a_broken_manifest_is_named_with_its_line(tmp_path: Path) -> None:
    """What cannot be read is told by file and line."""
    with pytest.raises(DocumentError, match=r"mesh/all\.yaml, document \d+, line \d+"):
        read_manifests(folder(tmp_path, MESH + "kind: [\n"))


@pytest.mark.demo
def test_workloads_are_chosen_by_node_or_service() -> None:
    """`only` and `without` take both names, and an unknown one is refused with what there is."""
    workloads = workloads_of(read_manifests(PROJECT / "mesh"))

    assert [w.node for w in select(workloads, ["product"], [])] == ["product-vn", "product-v2-vn"]
    assert [w.node for w in select(workloads, ["product"], ["product-v2-vn"])] == ["product-vn"]
    assert len(select(workloads, [], ["order"])) == len(workloads) - 1
    with pytest.raises(StartError, match="'produkt' is not a workload of the manifests; there are customer-vn, "):
        select(workloads, [], ["produkt"])


@pytest.mark.demo
def test_a_version_is_code() -> None:
    """A version with a module of its own is that module, the first one is `app`, and an unknown service is refused."""
    assert application_module(Workload("m", "n", "product", "2.0", (1,)), PROJECT) == "services.product.v2_0"
    assert application_module(Workload("m", "n", "product", "1.0", (1,)), PROJECT) == "services.product.app"
    with pytest.raises(StartError, match=r"runs the service 'stock', but there is no .*services/stock/app\.py"):
        application_module(Workload("m", "n", "stock", "1.0", (1,)), PROJECT)


@pytest.mark.demo
def test_the_mesh_before_its_canaries_has_no_trace_of_them() -> None:
    """Without two virtual nodes, no route names them, and everything else is as it was."""
    resources = read_manifests(PROJECT / "mesh")
    before = without_nodes(resources, {"product-v2-vn", "customer-v15-vn"})

    assert len(before) == len(resources) - 2
    assert "v2" not in str([resource.spec for resource in before])
    assert "v15" not in str([resource.spec for resource in before])
    assert "product-v2-vn" in str([resource.spec for resource in resources])


def labelled(name: str, value: str = '"true"') -> str:
    """The manifest of a node, with the label of the way in."""
    node = NODE.replace("app.kubernetes.io/name: product", "app.kubernetes.io/name: %(name)s")
    return node.replace("namespace: default}", f"namespace: default, labels: {{shopmesh.dev/way-in: {value}}}}}") % {
        "name": name,
        "version": "1.0",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (labelled("storefront"), "storefront"),
        (labelled("storefront", '"false"') + labelled("cart", "yes"), "order"),
        (NODE % {"name": "product", "version": "1.0"}, "order"),
    ],
)
def test_the_label_says_which_service_is_the_way_in(tmp_path: Path, text: str, expected: str) -> None:
    """Only with the value "true"; where no node has it, it is order, as in the webinar."""
    assert expected == way_in_of(read_manifests(folder(tmp_path, MESH + text)))


def test_two_ways_in_are_refused(tmp_path: Path) -> None:
    """With both names."""
    manifests = read_manifests(folder(tmp_path, MESH + labelled("storefront") + labelled("cart")))

    with pytest.raises(StartError, match=r"cart and storefront both have the label shopmesh\.dev/way-in in mesh/"):
        way_in_of(manifests)
