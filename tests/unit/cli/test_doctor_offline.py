"""`shopmesh doctor -f`: documents held to what a mesh needs, with no control plane anywhere."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from shopmesh.cli import main

MESH = Path(__file__).parents[3] / "mesh"
LONGER = ("timeout: {perRequest: {value: 900, unit: ms}}", "timeout: {perRequest: {value: 2, unit: s}}")
"""A time-out of product's route that its listeners cut short."""


def doctor(*arguments: str, status: int = 0) -> Result:
    """Sockets are blocked here: what asks for a control plane fails."""
    result = CliRunner().invoke(main, ["doctor", *arguments])
    assert status == result.exit_code, result.output
    return result


def broken(tmp_path: Path, before: str, after: str) -> str:
    """Product's documents with one change."""
    text = (MESH / "product.yaml").read_text()
    assert before in text
    (tmp_path / "product.yaml").write_text(text.replace(before, after, 1))
    return str(tmp_path / "product.yaml")


def test_the_demos_mesh_has_nothing_wrong() -> None:
    """Not even with warnings counted."""
    assert "nothing is wrong" in doctor("-f", str(MESH), "--strict").stdout


def test_an_error_is_told_with_file_and_line(tmp_path: Path) -> None:
    """Why it hurts, what to do, where more is written; the exit status is 1."""
    listeners = "  listeners:\n    - portMapping:\n        port: 5000\n        protocol: http\n"
    said = doctor("-f", str(MESH / "mesh.yaml"), "-f", broken(tmp_path, listeners, ""), status=1).stdout

    assert "error SM110  route shopmesh/product-vr/product-r (" in said
    assert "product.yaml, document 3, line " in said
    assert "is a httpRoute to any port of product-vn, which listens on no port" in said
    assert "    why: " in said
    assert "    do:  " in said
    assert "    see: docs/doctor.md#sm110" in said
    assert "\x1b" not in said


def test_warnings_alone_count_when_they_are_to(tmp_path: Path) -> None:
    """Without --strict they are told, and the exit status is 0."""
    files = ("-f", str(MESH / "mesh.yaml"), "-f", broken(tmp_path, *LONGER))

    assert "2 warnings\n" in doctor(*files).stdout
    assert "warning SM116" in doctor(*files, "--strict", status=1).stdout


def test_json_is_for_programs(tmp_path: Path) -> None:
    """One object a finding."""
    files = ("-f", str(MESH / "mesh.yaml"), "-f", broken(tmp_path, *LONGER))
    finding, _ = json.loads(doctor(*files, "-o", "json").stdout)["findings"]

    assert ("SM116", "warning", "shopmesh") == (finding["code"], finding["severity"], finding["mesh"])
    assert {"code", "severity", "mesh", "kind", "path", "where", "what", "why", "fix", "docs"} == finding.keys()
    assert ["route", "shopmesh"] == [finding["kind"], finding["path"][0]]


def test_what_the_api_refuses_is_an_error_as_for_apply(tmp_path: Path) -> None:
    """Before anything else can be looked at."""
    result = doctor("-f", broken(tmp_path, "weight: 100", "weight: 101"), status=1)

    assert "error: " in result.stderr
    assert "101" in result.stderr
    assert "" == result.stdout


def test_apply_offline_tells_findings_as_well(tmp_path: Path) -> None:
    """They keep nothing from being valid."""
    files = ["-f", str(MESH / "mesh.yaml"), "-f", broken(tmp_path, *LONGER)]
    result = CliRunner().invoke(main, ["apply", "--offline", *files])

    assert 0 == result.exit_code
    assert "warning SM116: route shopmesh/product-vr/product-r (" in result.stderr


def test_parameters_need_documents() -> None:
    """A usage error."""
    assert "--parameter needs files: name them with -f FILE" in doctor("--parameter", "a=b", status=2).stderr
