"""What templates make is what we have written: byte for byte where it can be, and in form everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopmesh.new.names import parse_version
from shopmesh.new.templates import format_collection
from shopmesh.new.yaml_edits import add_containers, add_version
from tests.support.templates import templates

ROOT = Path(__file__).resolve().parents[3]
CANARIES = {"customer": "1.5", "product": "2.0"}


@pytest.mark.parametrize("service", CANARIES)
def test_a_service_of_ours_is_what_would_be_made(service: str) -> None:
    """Its mesh, containers, manifests and tests, the canary's as well: whoever changes one changes the template."""
    if not (ROOT / "services" / service).exists():
        pytest.skip(f"{service} was removed")
    first, later = templates(service), templates(service, CANARIES[service])
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


def test_a_collection_breaks_where_ruff_breaks_it() -> None:
    """At 120 letters; then each item has a line."""
    assert f"a = [{'b' * 114}]" == format_collection(["b" * 114], "a = [", "]")
    assert f"    a = [\n        {'b' * 112},\n    ]" == format_collection(["b" * 112], "    a = [", "]")
