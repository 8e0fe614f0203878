"""Default names, references, selectors and groups: as AWS's controller decided them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from shopmesh.appmesh.store import Key
from shopmesh.documents import (
    DeclaredResource,
    DocumentError,
    declared_resources,
    documents,
    manifests,
    not_for_kubernetes,
)
from shopmesh.documents.names import ObjectName, arn_name, default_name, object_name
from shopmesh.documents.selectors import selects

HEAD = "apiVersion: appmesh.k8s.aws/v1beta2\n"
MESH = f"{HEAD}kind: Mesh\nmetadata: {{name: m}}\n"


def manifest(kind: str, name: str, spec: dict[str, Any], namespace: str = "shop", **metadata: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, **metadata},
            "spec": spec,
        }
    )


def read(
    *texts: str, mesh: str | None = None, existing: tuple[DeclaredResource, ...] = ()
) -> dict[Key, DeclaredResource]:
    sources = [source for index, text in enumerate(texts) for source in documents(text, f"{index}.yaml")]
    return {resource.key: resource for resource in declared_resources(sources, mesh, existing)}


def service(name: str, **more: Any) -> str:
    return manifest("VirtualService", name, more.pop("spec", {}), **more)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("Mesh", "product"),
        ("VirtualNode", "product_shop"),
        ("VirtualRouter", "product_shop"),
        ("VirtualService", "product.shop"),
        ("VirtualGateway", "product_shop"),
        ("GatewayRoute", "product_shop"),
    ],
)
def test_a_name_that_is_not_spelled_has_a_default(kind: str, wanted: str) -> None:
    """Name and namespace, joined by an underscore, and by a dot for virtual services."""
    assert wanted == default_name(ObjectName(kind, "shop", "product"))


@pytest.mark.parametrize("kind", ["VirtualNode", "VirtualService"])
@pytest.mark.parametrize("name", ["a_b", "product.shop", "Product V2", "x" * 255, "-", "ä", "a/b", "a_b_c", "a."])
def test_every_api_name_makes_a_valid_object_name(kind: str, name: str) -> None:
    """At most 253 characters of what Kubernetes allows, and the same again for the same name."""
    found = object_name(kind, name)

    assert len(found.name) <= 253
    assert found.name.strip("abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
    assert found.name[0].isalnum()
    assert found.name[-1].isalnum()


@pytest.mark.parametrize(
    ("arn", "wanted"),
    [
        ("arn:aws:appmesh:eu-west-1:111122223333:mesh/other/virtualNode/a-vn", "a-vn"),
        ("arn:aws-cn:appmesh:::mesh/other@444455556666/virtualNode/a-vn", "a-vn"),
        ("arn:aws:appmesh:eu-west-1:111122223333:mesh/other/virtualRouter/a-vr", None),
        ("arn:aws:s3:::bucket", None),
        ("a-vn", None),
    ],
)
def test_an_arn_keeps_only_its_name(arn: str, wanted: str | None) -> None:
    """Region, account and mesh are ignored; another type is no name."""
    assert wanted == arn_name(arn, "virtualNode")


def test_where_reference_and_arn_are_given_the_arn_wins() -> None:
    """The reference still has to resolve."""
    arn = "arn:aws:appmesh:::mesh/x/virtualNode/by-arn"
    both = {"provider": {"virtualNode": {"virtualNodeRef": {"name": "n"}, "virtualNodeARN": arn}}}

    found = read(MESH, manifest("VirtualNode", "n", {}), service("s", spec=both))

    assert {"provider": {"virtualNode": {"virtualNodeName": "by-arn"}}} == found[
        Key("virtualService", ("m", "s.shop"))
    ].spec
    with pytest.raises(DocumentError, match="no VirtualNode 'n' in namespace 'shop'"):
        read(MESH, service("s", spec=both))


def test_a_reference_means_the_referrers_namespace_unless_it_says_another() -> None:
    """Two nodes of one name in two namespaces are told apart."""
    nodes = [manifest("VirtualNode", "n", {"awsName": f"{space}-vn"}, space) for space in ("shop", "bank")]
    refs = [{"name": "n"}, {"name": "n", "namespace": "bank"}, {"name": "n", "namespace": ""}]
    specs = [{"provider": {"virtualNode": {"virtualNodeRef": ref}}} for ref in refs]

    found = read(MESH, *nodes, *(service(f"s{i}", spec=spec) for i, spec in enumerate(specs)))

    named = [found[Key("virtualService", ("m", f"s{i}.shop"))].spec["provider"]["virtualNode"] for i in range(3)]
    assert ["shop-vn", "bank-vn", "shop-vn"] == [node["virtualNodeName"] for node in named]


def test_names_keep_their_dots() -> None:
    """A trailing dot is neither added nor removed, in names or in host names."""
    spec = {"awsName": "product.", "serviceDiscovery": {"dns": {"hostname": "product.shop.svc.cluster.local."}}}

    [_, node] = read(MESH, manifest("VirtualNode", "n", spec)).values()

    assert ("product.", {"serviceDiscovery": spec["serviceDiscovery"]}) == (node.key.name, node.spec)


def backend_names(found: dict[Key, DeclaredResource]) -> list[str]:
    """The backends of the node n, in their order."""
    spec = found[Key("virtualNode", ("m", "n_shop"))].spec
    return [backend["virtualService"]["virtualServiceName"] for backend in spec["backends"]]


def test_a_group_adds_each_of_its_services_once() -> None:
    """Not one that is a backend by reference already; one that is there by ARN comes again, as it did."""
    group = yaml.safe_dump(
        {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": "BackendGroup",
            "metadata": {"name": "g", "namespace": "groups"},
            "spec": {"virtualservices": [{"name": "a"}, {"name": "b"}, {"name": "c", "namespace": "bank"}]},
        }
    )
    backends = [
        {"virtualService": {"virtualServiceRef": {"name": "a"}}},
        {"virtualService": {"virtualServiceARN": "arn:aws:appmesh:::mesh/m/virtualService/b.shop"}},
    ]
    node = {"backends": backends, "backendGroups": [{"name": "g", "namespace": "groups"}]}

    found = read(
        MESH, group, service("a"), service("b"), service("c", namespace="bank"), manifest("VirtualNode", "n", node)
    )

    spec = found[Key("virtualNode", ("m", "n_shop"))].spec
    assert ["a.shop", "b.shop", "b.shop", "c.bank"] == [
        b["virtualService"]["virtualServiceName"] for b in spec["backends"]
    ]


def test_the_group_named_star_is_all_services_of_a_namespace() -> None:
    """Sorted, so that applying twice changes nothing."""
    node = {"backendGroups": [{"name": "*"}]}

    found = read(MESH, service("b"), service("a"), service("x", namespace="bank"), manifest("VirtualNode", "n", node))

    assert ["a.shop", "b.shop"] == backend_names(found)


def namespace(name: str, **labels: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def mesh(name: str, selector: dict[str, Any] | None) -> str:
    spec = {} if selector is None else {"namespaceSelector": selector}
    return f"{HEAD}{yaml.safe_dump({'kind': 'Mesh', 'metadata': {'name': name}, 'spec': spec})}"


def test_the_labels_of_its_namespace_decide_an_objects_mesh() -> None:
    """Where the Namespace is among the documents, exactly one Mesh must select it."""
    meshes = [mesh("m", {"matchLabels": {"mesh": "m"}}), mesh("n", {"matchLabels": {"mesh": "n"}}), mesh("o", None)]

    found = read(*meshes, namespace("shop", mesh="n"), manifest("VirtualNode", "a", {}))

    assert Key("virtualNode", ("n", "a_shop")) in found
    with pytest.raises(DocumentError, match=r"VirtualNode 'a' is unclear \(fitting: none\); namespace 'shop' must"):
        read(*meshes, namespace("shop", mesh="x"), manifest("VirtualNode", "a", {}))
    with pytest.raises(DocumentError, match="fitting: m, n"):
        read(mesh("m", {}), mesh("n", {}), namespace("shop"), manifest("VirtualNode", "a", {}))


def test_otherwise_the_mesh_is_the_one_asked_for_or_the_only_one() -> None:
    """`meshRef` says it in any case; a Mesh among the documents comes before those that exist."""
    node = manifest("VirtualNode", "a", {})
    there = DeclaredResource(Key("mesh", ("old",)), {})

    assert Key("virtualNode", ("old", "a_shop")) in read(node, existing=(there,))
    assert Key("virtualNode", ("m", "a_shop")) in read(MESH, node, existing=(there,))
    assert Key("virtualNode", ("asked", "a_shop")) in read(MESH, node, mesh="asked")
    by_ref = manifest("VirtualNode", "a", {"meshRef": {"name": "old"}})
    assert Key("virtualNode", ("old", "a_shop")) in read(MESH, by_ref, existing=(there,))


def test_a_mesh_without_a_selector_is_no_choice_where_labels_are_not_known() -> None:
    """An empty namespaceSelector takes every namespace, an absent one none: no label is needed to know it."""
    node = manifest("VirtualNode", "a", {})

    assert Key("virtualNode", ("m", "a_shop")) in read(mesh("m", {}), mesh("n", None), node)
    assert Key("virtualNode", ("m", "a_shop")) in read(mesh("m", {}), mesh("n", None), namespace("shop"), node)
    assert Key("virtualNode", ("n", "a_shop")) in read(mesh("n", None), node)
    with pytest.raises(DocumentError, match="fitting: m, n"):
        read(mesh("m", {}), mesh("n", {"matchLabels": {"mesh": "n"}}), node)


def test_references_do_not_leave_the_mesh() -> None:
    """What is referred to has to belong to the same mesh."""
    other = manifest("VirtualNode", "n", {"meshRef": {"name": "n"}})
    spec = {"meshRef": {"name": "m"}, "provider": {"virtualNode": {"virtualNodeRef": {"name": "n"}}}}

    with pytest.raises(DocumentError, match="VirtualNode 'n' belongs to mesh 'n', not to 'm'"):
        read(mesh("m", {}), mesh("n", {}), other, service("s", spec=spec))


def test_members_carry_the_owner_of_their_mesh() -> None:
    """`meshOwner` stands in the Mesh and is sent with its members, routes too."""
    owned = f"{HEAD}kind: Mesh\nmetadata: {{name: m}}\nspec: {{meshOwner: '111122223333'}}\n"

    found = read(owned, manifest("VirtualRouter", "r", {"routes": [{"name": "x"}]}))

    assert [None, "111122223333", "111122223333"] == [resource.owner for resource in found.values()]


def gateway(name: str, **selectors: Any) -> str:
    return manifest("VirtualGateway", name, {"listeners": [], **selectors})


def gateway_route(**labels: str) -> str:
    arn = "arn:aws:appmesh:::mesh/m/virtualService/s"
    spec = {"httpRoute": {"action": {"target": {"virtualService": {"virtualServiceARN": arn}}}}}
    return manifest("GatewayRoute", "r", spec, labels=labels)


def test_a_gateway_route_belongs_to_the_one_gateway_that_selects_it() -> None:
    """By its labels and its namespace's; a gateway without a namespace selector selects nothing."""
    gateways = [
        gateway("a", namespaceSelector={}, gatewayRouteSelector={"matchLabels": {"to": "a"}}),
        gateway("b", namespaceSelector={}, gatewayRouteSelector={"matchLabels": {"to": "b"}}),
        gateway("c", gatewayRouteSelector={"matchLabels": {"to": "b"}}),
    ]

    found = read(MESH, *gateways, gateway_route(to="b"))

    assert Key("gatewayRoute", ("m", "b_shop", "r_shop")) in found
    with pytest.raises(DocumentError, match=r"the gateway of GatewayRoute 'r' is unclear \(fitting: none\)"):
        read(MESH, *gateways, gateway_route(to="x"))
    with pytest.raises(DocumentError, match="fitting: a_shop, d_shop"):
        read(MESH, *gateways, gateway("d", namespaceSelector={}), gateway_route(to="a"))


@pytest.mark.parametrize(
    ("selector", "labels", "wanted"),
    [
        (None, {}, False),
        ({}, {"a": "1"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": "1"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": "1"}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"}, False),
    ],
)
def test_selectors_select_as_in_kubernetes(selector: Any, labels: dict[str, str], wanted: bool) -> None:
    """Absent selects nothing, empty everything; labels and expressions must all hold."""
    assert wanted == selects(selector, labels)


def test_a_selector_longer_than_a_tag_is_kept_whole() -> None:
    """A tag holds 256 characters; a longer selector goes on in further tags and comes back."""
    selector = {"matchLabels": {f"label-{number}": "x" * 60 for number in range(9)}}

    found = read(MESH, manifest("VirtualNode", "n", {"podSelector": selector}))

    node = found[Key("virtualNode", ("m", "n_shop"))]
    assert all(len(value) <= 256 for value in node.tags.values())
    assert selector == manifests(found.values())[1]["spec"]["podSelector"]


def test_annotations_of_ours_are_tags() -> None:
    """`shopmesh.dev/…` annotations survive the API; all others belong to whoever wrote them."""
    annotations = {"shopmesh.dev/mirror": "a-vn", "kubectl.kubernetes.io/last": "x"}

    found = read(MESH, manifest("VirtualNode", "n", {}, annotations=annotations))

    assert {"shopmesh.dev/mirror": "a-vn"} == manifests(found.values())[1]["metadata"]["annotations"]


ROUTER = {"routes": [{"name": name, "httpRoute": {"match": {"prefix": f"/{name}"}}} for name in ("all", "a.b", "Ä x")]}


def test_annotations_of_routes_stand_in_their_router() -> None:
    """`shopmesh.dev/<route>.<word>` is a tag of the route, whatever its name, and comes back."""
    annotations = {
        "shopmesh.dev/all.mirror": "a-vn 10%",
        "shopmesh.dev/a.b.fault-abort": "503",
        "shopmesh.dev/Ä x.request-headers-add": "x-long=" + "a" * 300,
    }

    found = read(MESH, manifest("VirtualRouter", "r", ROUTER, annotations=annotations))

    tags = {resource.key.name: dict(resource.tags) for resource in found.values() if resource.key.kind == "route"}
    assert {"shopmesh.dev/mirror": "a-vn 10%"} == tags["all"]
    assert {"shopmesh.dev/fault-abort": "503"} == tags["a.b"]
    assert {"shopmesh.dev/request-headers-add", "shopmesh.dev/request-headers-add.2"} == tags["Ä x"].keys()
    assert annotations == manifests(found.values())[1]["metadata"]["annotations"]
    told = (
        "route Ä x: 'shopmesh.dev/Ä x.request-headers-add' is not a valid annotation name in Kubernetes, "
        "which will refuse it"
    )
    assert [told] == list(not_for_kubernetes(found.values()))


def test_an_annotation_of_a_route_that_is_not_there_is_told() -> None:
    """With its line, and the route that was meant."""
    with pytest.raises(DocumentError, match=r"al\.mirror: the router has no route 'al'; did you mean 'all'"):
        read(MESH, manifest("VirtualRouter", "r", ROUTER, annotations={"shopmesh.dev/al.mirror": "a-vn"}))


def test_a_tag_that_somebody_damaged_does_no_harm() -> None:
    """The object's name is guessed again."""
    node = DeclaredResource(Key("virtualNode", ("m", "a-vn")), {}, {"appmesh.k8s.aws/name": "{"})

    assert "a-vn" == manifests([node])[0]["metadata"]["name"]


def test_two_resources_never_become_one_object() -> None:
    """`a.b` and `a.b.svc.cluster.local` would both be object a of namespace b; the second gets another name."""
    names = ("a.b", "a.b.svc.cluster.local")
    both = [DeclaredResource(Key("virtualService", ("m", name)), {}) for name in names]

    objects = manifests(both)

    assert 2 == len({o["metadata"]["name"] for o in objects})
    assert list(names) == [o["spec"]["awsName"] for o in objects]
