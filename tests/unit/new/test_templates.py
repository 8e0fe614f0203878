"""What templates make is what we have written: byte for byte where it can be, and in form everywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shopmesh.new import scaffold
from shopmesh.new.names import MAX_NAME_LENGTH, ServiceName, parse_version
from shopmesh.new.templates import Templates, format_collection
from shopmesh.new.yaml_edits import add_containers, add_version
from tests.support.process import BIN

ROOT = Path(__file__).resolve().parents[3]
CANARIES = {"customer": "1.5", "product": "2.0"}


def of(service: str, version: str = "1.0", language: str = "python", calls: tuple[str, ...] = ()) -> Templates:
    words = scaffold.template_words(ServiceName(service), parse_version(version), language, calls)
    return Templates(words | {"extended": f"{service.upper()}S"})


@pytest.mark.parametrize("service", CANARIES)
def test_a_service_of_ours_is_what_would_be_made(service: str) -> None:
    """Its mesh, containers, manifests and tests, the canary's as well: whoever changes one changes the template."""
    if not (ROOT / "services" / service).exists():
        pytest.skip(f"{service} was removed")
    first, later = of(service), of(service, CANARIES[service])
    made = first.render_folder("service") | first.render_folder("version") | later.render_folder("version")
    made |= {path: text for path, text in first.render_folder("python").items() if path.startswith("tests/")}
    made |= {path: text for path, text in later.render_folder("python-later").items() if path.startswith("tests/")}
    mesh, compose = f"mesh/{service}.yaml", f"compose/{service}.yaml"
    made[mesh] = add_version(
        mesh, made[mesh], later.render("parts/virtual-node.yaml.jinja"), later.render("parts/target.yaml.jinja")
    )
    made[compose] = add_containers(
        compose, made[compose], later.render("parts/version.yaml.jinja"), f"  {service}-2-net:\n"
    )
    # One line of a list, which is put there when the version comes.
    kustomization = f"k8s/base/{service}/kustomization.yaml"
    workload = f"{service}{parse_version(CANARIES[service]).suffix}"
    made[kustomization] = made[kustomization].replace("components:", f"  - {workload}.yaml\ncomponents:")

    assert {path: (ROOT / path).read_text() for path in made} == made


@pytest.mark.parametrize("calls", [(), ("product",), tuple(f"p{number}{'x' * 18}" for number in range(8))])
@pytest.mark.parametrize("name", ["b", "aardvark", "inventory", "z" * MAX_NAME_LENGTH])
def test_what_is_made_is_formatted(tmp_path: Path, name: str, calls: tuple[str, ...]) -> None:
    """By ruff's rules, however long the names are and however many are called."""
    first, later = of(name, calls=calls), of(name, "12.34", calls=calls)
    made = (
        first.render_folder("python")
        | later.render_folder("python-later")
        | of(name, language="node", calls=calls).render_folder("node")
    )
    made |= {"pyproject.toml": (ROOT / "pyproject.toml").read_text()}
    for path, text in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    # What is there decides which imports are the project's own.
    for path in ("services/chassis", "tests/support", "tests/contract/services/peers.py"):
        (tmp_path / path).symlink_to(ROOT / path)
    for command in (("format", "--diff"), ("check",)):
        ruff = [BIN / "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == done.returncode, done.stdout + done.stderr


def test_a_collection_breaks_where_ruff_breaks_it() -> None:
    """At 120 letters; then each item has a line."""
    assert f"a = [{'b' * 114}]" == format_collection(["b" * 114], "a = [", "]")
    assert f"    a = [\n        {'b' * 112},\n    ]" == format_collection(["b" * 112], "    a = [", "]")
