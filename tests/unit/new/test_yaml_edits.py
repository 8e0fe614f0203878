"""Versions put into the files of a service, and taken out."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shopmesh.new.errors import ScaffoldError
from shopmesh.new.yaml_edits import add_containers, add_version, remove_containers, remove_version

ROOT = Path(__file__).resolve().parents[3]
NODE = """\
kind: VirtualNode
metadata:
  name: shop-v2
"""
TARGET = "- virtualNodeRef:\n    name: shop-v2\n  weight: 0\n"
MESH = """\
# A comment of its owner.
kind: VirtualNode
metadata:
  name: shop   # and another
---
kind: VirtualRouter
metadata:
  name: shop
spec:
  routes:
    - name: header
      httpRoute:
        match: {prefix: /, headers: [{name: x}]}
        action:
          weightedTargets:
          - virtualNodeRef:
              name: shop
            weight: 7
        timeout: {}
    - name: rest
      httpRoute:
        action:
          weightedTargets:
            - virtualNodeRef:
                name: shop
              weight: 100
---
kind: VirtualService
metadata: {name: shop}
"""


def test_a_version_is_a_node_after_the_others_and_a_target_of_each_route() -> None:
    """However a route is indented; comments stay, and so does everything else when it goes again."""
    made = add_version("mesh/shop.yaml", MESH, NODE, TARGET)
    router = yaml.safe_load(made.split("---\n")[2])
    targets = [route["httpRoute"]["action"]["weightedTargets"] for route in router["spec"]["routes"]]

    assert ["VirtualNode", "VirtualNode", "VirtualRouter", "VirtualService"] == [
        document["kind"] for document in yaml.safe_load_all(made)
    ]
    assert [[("shop", 7), ("shop-v2", 0)], [("shop", 100), ("shop-v2", 0)]] == [
        [(target["virtualNodeRef"]["name"], target["weight"]) for target in one] for one in targets
    ]
    assert MESH == remove_version("mesh/shop.yaml", made, "shop-v2")


def test_a_version_with_a_weight_stays() -> None:
    """Its users would be lost."""
    made = add_version("mesh/shop.yaml", MESH, NODE, TARGET).replace("weight: 0", "weight: 5")

    with pytest.raises(ScaffoldError, match=r"shop-v2 has the weight 5 in mesh/shop\.yaml"):
        remove_version("mesh/shop.yaml", made, "shop-v2")


@pytest.mark.parametrize(
    "text",
    [
        MESH.replace("weightedTargets:\n            -", "weightedTargets: # all\n            -"),
        MESH.replace(
            "            - virtualNodeRef:\n                name: shop", "            - {virtualNodeRef: {name: shop}}"
        ),
        MESH.replace("kind: VirtualRouter", "kind: VirtualThing"),
        MESH.replace("kind: VirtualNode", "kind: VirtualThing"),
        "a: [",
    ],
)
def test_a_file_of_another_form_is_refused(text: str) -> None:
    """Rather than half understood: what would be written says exactly the change, or nothing is."""
    with pytest.raises(ScaffoldError, match=r"mesh/shop\.yaml"):
        add_version("mesh/shop.yaml", text, NODE, TARGET)


@pytest.mark.demo
@pytest.mark.parametrize("service", ["product", "order"])
def test_containers_come_before_the_second_replicas_and_go(service: str) -> None:
    """Of the committed files, with replicas and without."""
    path = f"compose/{service}.yaml"
    text = (ROOT / path).read_text()
    containers = "  new-net:\n    image: a\n  new-sidecar:\n    image: b\n  new:\n    image: c\n"
    made = add_containers(path, text, containers, f"  {service}-2-net:\n")

    names = list(yaml.safe_load(made)["services"])
    later = [name for name in names if name.startswith(f"{service}-2")]
    assert ["new-net", "new-sidecar", "new", *later] == names[-3 - len(later) :]
    assert text == remove_containers(path, made, "new")


@pytest.mark.demo
def test_the_committed_canaries_can_be_taken_out() -> None:
    """What was written by hand has the form of what is made."""
    for service, workload in (("product", "product-v2"), ("customer", "customer-v15")):
        mesh, compose = f"mesh/{service}.yaml", f"compose/{service}.yaml"

        assert workload not in remove_version(mesh, (ROOT / mesh).read_text(), workload)
        assert workload not in remove_containers(compose, (ROOT / compose).read_text(), workload)
