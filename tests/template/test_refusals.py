"""What cannot be made or removed: one line that says what to do, and not a byte is changed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from shopmesh.cli import main
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
        ("new product --way-in --calls customer", "services/product already exists"),
    ],
)
def test_a_refusal_is_one_line(clone: Clone, command: str, said: str) -> None:
    """With the name as it was given, and what there is instead."""
    assert said in clone.refused(*command.split())
    assert "" == clone.changed()


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("compose.yaml", "new inventory"),
        ("mesh/product.yaml", "new product --canary 3.0"),
        ("k8s/base/order/order.yaml", "new product --way-in"),
        ("services/order/notes.txt", "remove order"),
    ],
)
def test_uncommitted_changes_of_files_that_it_changes_are_named(clone: Clone, path: str, command: str) -> None:
    """Unless the user says that they may be there."""
    with (clone.root / path).open("a") as file:
        file.write("# mine\n")

    line = clone.refused(*command.split())
    assert f"files that this would change have uncommitted changes ({path}): commit them" in line
    assert clone.shopmesh(*command.split(), "--allow-dirty")
    clone.back()


def test_other_uncommitted_files_do_not_matter(clone: Clone) -> None:
    """The tutorial writes documents and reports into the clone; they stay as they are."""
    (clone.root / "customer-r.json").write_text("{}\n")
    with (clone.root / "README.md").open("a") as file:
        file.write("mine\n")

    with contextlib.chdir(clone.root):
        done = CliRunner().invoke(main, ["new", "inventory"])
    assert 0 == done.exit_code, done.output
    assert "mine" == (clone.root / "README.md").read_text().splitlines()[-1]
    assert "{}\n" == (clone.root / "customer-r.json").read_text()
    clone.git("clean", "--force", "--quiet", "-d")
    clone.back()


def test_a_wrong_name_is_said_before_changes_are_looked_for(clone: Clone) -> None:
    """What is wrong with the command is not hidden by the state of the clone."""
    with (clone.root / "compose.yaml").open("a") as file:
        file.write("# mine\n")

    assert "'class' is a reserved word of Python" in clone.refused("new", "class")
    assert "services/product already exists" in clone.refused("new", "product")
    assert "there is no service 'stock'" in clone.refused("remove", "stock")
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
