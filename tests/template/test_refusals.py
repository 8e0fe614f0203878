"""What cannot be made or removed: one line that says what to do, and not a byte is changed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.support.clones import Clone, refused

SERVICES = "there are customer, order, product"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("new in-ventory", "'in-ventory' is not a name for a service: take at most 20 lower-case letters and digits"),
        ("new class", "'class' is a reserved word of Python"),
        ("new product", "services/product already exists"),
        ("new chassis", "services/chassis already exists"),
        ("new version", "services/version.py already exists"),
        ("new mesh", "mesh/mesh.yaml already exists"),
        ("new parts", "'parts' is the name of something else already"),
        ("new crds", "k8s/base/crds already exists"),
        ("new grafana", "'grafana' is already the name of a container in compose"),
        ("new inventory --calls stock", f"there is no service 'stock' to call; {SERVICES}"),
        ("new stock --canary 2.0", f"there is no service 'stock'; {SERVICES}"),
        ("new product --canary 2.0", "product 2.0 already exists: services/product/v2_0.py"),
        ("new product --canary 1.9", "product 1.9 would be older than the existing product 2.0"),
        ("new product --canary two", "'two' is not a version"),
        ("remove stock", f"there is no service 'stock'; {SERVICES}"),
        ("remove product", "virtual node order-vn (mesh/order.yaml) needs product.default.svc.cluster.local"),
        (
            "remove product customer",
            "needs customer.default.svc.cluster.local: remove it as well, or remove the reference",
        ),
        ("remove product --canary 3.0", "there is no product 3.0: no services/product/v3_0.py"),
        ("remove product --canary 1.0", "product 1.0 is the base of later versions"),
    ],
)
def test_a_refusal_is_one_line(clone: Clone, command: str, said: str) -> None:
    """With the name as it was given, and what there is instead."""
    assert said in clone.refused(*command.split())
    assert "" == clone.changed()


def test_changes_that_are_not_committed_are_named(clone: Clone) -> None:
    """Unless the user says that they may be there."""
    (clone.root / "draft.txt").write_text("mine\n")

    assert "there are uncommitted changes (draft.txt): commit them" in clone.refused("new", "inventory")
    assert "+ services/inventory/app.py" in clone.shopmesh("new", "inventory", "--allow-dirty")
    clone.shopmesh("remove", "inventory")
    assert "A\tdraft.txt\n" == clone.changed()
    clone.back()


def test_two_versions_do_not_share_a_workload(clone: Clone) -> None:
    """2.1 and 21.0 would both be product-v21."""
    clone.shopmesh("new", "product", "--canary", "2.1")

    assert "product 21.0 would have the workload product-v21, as 2.1 has" in clone.refused(
        *("new", "product", "--canary", "21.0")
    )
    clone.back()


def test_a_version_that_gets_requests_stays(clone: Clone) -> None:
    """As the manifest says it, which is what the next mesh starts with."""
    manifest = clone.root / "mesh" / "product.yaml"
    manifest.write_text(manifest.read_text().replace("weight: 0", "weight: 50"))
    clone.commit()

    assert "product-v2 has the weight 50 in mesh/product.yaml" in clone.refused("remove", "product", "--canary", "2.0")
    clone.back()


def test_what_a_later_version_would_extend_has_to_be_there(clone: Clone) -> None:
    """The file is named, with the form that it should have, and one that has it."""
    code = clone.root / "services" / "product" / "app.py"
    code.write_text(code.read_text().replace("return serve(PRODUCTS, VERSION, config)", "return Flask(NAME)"))
    clone.commit()

    line = clone.refused("new", "product", "--canary", "3.0")
    assert "services/product/app.py has no `return serve(…, VERSION, config)`" in line
    clone.back()


@pytest.mark.parametrize("command", ["new inventory", "new product --canary 3.0", "remove order"])
def test_a_failure_halfway_changes_nothing(clone: Clone, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A disk that is full when half of the files are at their places."""
    move = Path.rename
    moves: list[Path] = []

    def rename(self: Path, target: Path) -> Path:
        moves.append(self)
        if len(moves) == 6:
            raise OSError(28, "No space left on device", str(target))
        return move(self, target)

    monkeypatch.setattr(Path, "rename", rename)

    assert "No space left on device" in clone.refused(*command.split())
    assert len(moves) > 6
    assert "" == clone.changed()


def test_elsewhere_is_no_clone(tmp_path: Path, clone: Clone) -> None:
    """A folder with something else in it, and one whose changes nothing could show or take back."""
    with contextlib.chdir(tmp_path):
        assert f"{tmp_path} is not a clone of shopmesh, services/chassis is missing" in refused("new", "inventory")
    (clone.root / ".git").rename(tmp_path / "git")
    try:
        with contextlib.chdir(clone.root):
            assert "is not in a git repository" in refused("new", "inventory")
    finally:
        (tmp_path / "git").rename(clone.root / ".git")
    assert "" == clone.changed()
