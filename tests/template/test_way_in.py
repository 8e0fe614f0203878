"""Another service becomes the way in by one command, and everything in the clone agrees and follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.local.conftest import starting
from tests.support.clones import Clone

pytestmark = pytest.mark.demo
QUIET = ("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.mark.timeout(300)
def test_a_new_service_is_in_front_without_an_option(clone: Clone, tmp_path: Path) -> None:
    """`shopmesh up` serves it on --port, the tests of the repository agree, and every overlay renders."""
    said = clone.shopmesh("new", "storefront", "--way-in")

    assert "  shopmesh up\n" in said
    clone.tool(*QUIET, "tests/unit/repository/test_way_in.py", "tests/unit/repository/test_compose.py")
    for overlay in ("local", "explicit", "eks", "gateway-api"):
        clone.tool("kubectl", "kustomize", f"k8s/overlays/{overlay}")
    with starting(tmp_path, "--workload", "storefront", project=clone.root) as up:
        up.wait()
        assert '{"Service":"Storefront","Version":1.0}\n' == up.get()
    clone.back()


def test_it_goes_to_a_service_that_exists_and_back(clone: Clone) -> None:
    """Without another file than those that say so; said again, it changes nothing."""
    clone.shopmesh("new", "product", "--way-in")

    moved = clone.changed()
    assert "M\tmesh/product.yaml\n" in moved
    assert "A\t" not in moved
    assert "product is the way in already: nothing was changed" in clone.shopmesh("new", "product", "--way-in")
    assert moved == clone.changed()
    clone.shopmesh("new", "order", "--way-in")
    assert "" == clone.changed()


def test_a_mesh_whose_way_in_was_removed_has_none(clone: Clone) -> None:
    """Nothing leads to a service that is gone, and the tests of the repository agree."""
    clone.shopmesh("new", "storefront", "--way-in")
    clone.shopmesh("remove", "storefront")

    assert '      SHOPMESH_WAY_IN: ""\n' in (clone.root / "compose.yaml").read_text()
    clone.tool(*QUIET, "tests/unit/repository/test_way_in.py", "-k", "every_place or nothing_else")
    clone.shopmesh("new", "order", "--way-in")
    assert "" == clone.changed()


def test_a_canary_of_the_way_in_is_said_to_get_no_request(clone: Clone) -> None:
    """When it is made; one of a service that another calls has no such line."""
    order = clone.shopmesh("new", "order", "--canary", "1.1")
    product = clone.shopmesh("new", "product", "--canary", "3.0")

    assert (
        "order-v11-vn will get no request: the Envoy of a caller chooses the version, and nothing in the mesh " in order
    )
    assert "will get no request" not in product
    clone.back()


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        (
            "mesh/product.yaml",
            "metadata:\n  name: product\n  namespace: default\n  annotations:\n"
            "    shopmesh.dev/panic-threshold: 0%\n    shopmesh.dev/retry-budget: 20% min 10\n",
            "metadata: {name: product, namespace: default}\n",
            "mesh/product.yaml does not have the form of the template: make this change by hand",
        ),
        (
            "compose.yaml",
            "SHOPMESH_WAY_IN",
            "WAY_IN",
            "compose.yaml does not set SHOPMESH_WAY_IN: set it to http://product.default.svc.cluster.local:5000",
        ),
    ],
)
def test_a_file_of_another_form_is_named_and_nothing_is_changed(
    clone: Clone, path: str, before: str, after: str, said: str
) -> None:
    """Rather than written wrongly."""
    text = (clone.root / path).read_text()
    assert before in text
    (clone.root / path).write_text(text.replace(before, after, 1))
    clone.commit()

    assert said in clone.refused("new", "product", "--way-in")
    clone.back()
