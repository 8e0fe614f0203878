"""Documents as people really have them: an error names file, document, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.cli.conftest import ControlPlane, Run

HEAD = "apiVersion: appmesh.k8s.aws/v1beta2\n"
NODE = HEAD + "kind: VirtualNode\nmetadata: {name: a}\n"
MESH = HEAD + "kind: Mesh\nmetadata: {name: m}\n"

BAD = {
    "a tab": (f"{MESH}spec:\n\tawsName: m\n", "line 5: this is not YAML", "indented with a tab"),
    "broken YAML": (f"{MESH}spec: {{awsName: m\n", "line 5: this is not YAML", "expected"),
    "an unknown field": (
        f"{MESH}---\n{NODE}spec:\n  listeners:\n  - portMapping: {{port: 80, protocl: http}}\n",
        "document 2, line 10, spec.listeners[0].portMapping.protocl",
        "did you mean 'protocol'?",
    ),
    "a wrong number": (
        f"{MESH}---\n{NODE}spec:\n  listeners:\n  - portMapping:\n      protocol: http\n      port: 70000\n",
        "document 2, line 12, spec.listeners[0].portMapping.port",
        "70000",
    ),
    "a dangling reference": (
        f"{MESH}---\n{NODE}spec:\n  backends:\n  - virtualService:\n      virtualServiceRef: {{name: gone}}\n",
        "document 2, line 11, spec.backends[0].virtualService.virtualServiceRef",
        "there is no VirtualService 'gone' in namespace 'default'",
    ),
    "a reference left out": (
        f"{MESH}---\n{HEAD}kind: VirtualService\nmetadata: {{name: s}}\nspec:\n  provider:\n    virtualNode: {{}}\n",
        "document 2, line 10, spec.provider.virtualNode",
        "write virtualNodeRef",
    ),
    "a foreign ARN": (
        f"{MESH}---\n{HEAD}kind: VirtualService\nmetadata: {{name: s}}\n"
        "spec: {provider: {virtualNode: {virtualNodeARN: 'arn:aws:s3:::bucket'}}}\n",
        "document 2, line 8, spec.provider.virtualNode.virtualNodeARN",
        "is not of the form arn:aws:appmesh:",
    ),
    "a field with another name in the API": (
        f"{MESH}---\n{NODE}spec:\n  listeners:\n  - portMapping: {{port: 80, protocol: http}}\n    tls:\n"
        "      mode: STRICT\n      certificate:\n        acm:\n          certificateARN: 5\n",
        "document 2, line 15, spec.listeners[0].tls.certificate.acm.certificateARN",
        "expected a string",
    ),
    "an old version": ("apiVersion: appmesh.k8s.aws/v1beta1\nkind: Mesh\n", "line 1, apiVersion", "v1beta2"),
    "an unknown kind": (f"{HEAD}kind: VirtualNod\n", "line 2, kind", "'VirtualNod' is not one of"),
    "no name": (f"{HEAD}kind: Mesh\nspec: {{}}\n", "metadata.name", "is missing"),
    "no mesh": (NODE, "document 1, line 1", "name it with --mesh, or apply its Mesh"),
    "a key twice": (f"{MESH}spec: {{}}\nkind: Mesh\n", "line 5", "'kind' is given twice"),
    "twice the same": (f"{MESH}---\n{MESH}", "document 2, line 7, metadata.name", "is already declared in"),
    "a placeholder": (f"{MESH}spec:\n  awsName: {{{{ .Values.mesh }}}}\n", "line 5", "render the template"),
    "a placeholder some lines before the error": (
        f"{MESH}spec:\n{{{{- if .Values.filter }}}}\n  egressFilter: {{type: DROP_ALL}}\n{{{{- end }}}}\n",
        "line 6: this is not YAML",
        "Line 5 holds a template's placeholder",
    ),
    "a quoted placeholder": (
        f"{MESH}---\n{NODE}spec:\n  awsName: '{{{{ .Values.node }}}}'\n",
        "document 2, line 9, spec.awsName",
        "{{ .Values.node }} is a placeholder",
    ),
    "a placeholder of envsubst": (
        f"{MESH}---\n{NODE}spec:\n  serviceDiscovery:\n    dns: {{hostname: '${{HOST}}.local'}}\n",
        "document 2, line 10, spec.serviceDiscovery.dns.hostname",
        "${HOST} is a placeholder that was not filled in",
    ),
    "a placeholder in JSON": (
        '{\n\t"meshName": "m",\n\t"virtualNodeName": "${NODE}",\n\t"spec": {}\n}',
        "line 3, virtualNodeName",
        "render the template first",
    ),
    "a key twice in JSON": ('{"meshName": "m",\n"meshName": "n"}', "line 2", "'meshName' is given twice"),
    "a document without end": ("a: " + "[" * 70 + "]" * 70, "line 1", "nested deeper than 64 levels"),
    "JSON without end": ("[" * 100_000, "document 1", "nested too deeply"),
    "a short form outside a template": (f"{MESH}spec: {{awsName: !Ref Mesh}}\n", "line 4", "no Resources"),
    "a number for a name": (f"{HEAD}kind: Mesh\nmetadata: {{name: m}}\nspec: {{awsName: 1.0}}\n", "line 4", "quotes"),
    "a list": ("- 1\n", "document 1, line 1", "a document must be a mapping"),
    "no document of ours": ("a: 1\n", "document 1, line 1", "neither a manifest"),
    "unknown JSON": ('{"meshName": "m", "virtualNode": 1}', "line 1, virtualNode", "unknown field for mesh"),
    "an alias bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f]\n",
        "document 1",
        "more than 2000000 values",
    ),
}


@pytest.mark.parametrize(("text", "place", "reason"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_with_its_place(
    shopmesh: Run, control_plane: ControlPlane, tmp_path: Path, text: str, place: str, reason: str
) -> None:
    """One line on standard error with file, document, line, field and what to do; nothing is applied."""
    file = tmp_path / "bad.yaml"
    file.write_text(text)

    result = shopmesh("apply", "-f", str(file), status=1)

    assert "" == result.stdout
    assert result.stderr.startswith(f"error: {file}, document ")
    assert place in result.stderr
    assert reason in result.stderr
    assert 0 == control_plane.writes


def test_windows_line_ends_and_a_byte_order_mark_are_read(shopmesh: Run, tmp_path: Path) -> None:
    """Files from Windows editors apply as they are."""
    file = tmp_path / "mesh.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + MESH.replace("\n", "\r\n").encode())

    assert "created mesh m\n" == shopmesh("apply", "-f", str(file)).stdout


def test_texts_that_only_look_like_placeholders_are_kept(shopmesh: Run) -> None:
    """A log format and a regular expression may hold braces and dollars of their own; so may comments."""
    log = "{accessLog: {file: {path: /dev/stdout, format: {text: '{{ \"${a}\": %PROTOCOL% }}'}}}}"
    text = f"# rendered from {{{{ .Values.mesh }}}}\n{MESH}---\n{NODE}spec: {{logging: {log}}}\n"

    shopmesh("apply", "-f", "-", stdin=text)

    assert '{{ "${a}": %PROTOCOL% }}' in shopmesh("get", "vn", "-o", "yaml").stdout


def test_a_file_that_is_not_text_is_refused(shopmesh: Run, tmp_path: Path) -> None:
    """Latin-1 or binary content is told with its line."""
    file = tmp_path / "mesh.yaml"
    file.write_bytes(MESH.encode() + b"# \xe9t\xe9\n")

    assert f"error: {file}, line 4: this is not UTF-8 text; save the file as UTF-8\n" == (
        shopmesh("apply", "-f", str(file), status=1).stderr
    )


def test_a_missing_file_is_one_line(shopmesh: Run, tmp_path: Path) -> None:
    """The path and the reason, no traceback."""
    file = tmp_path / "gone.yaml"

    assert f"error: {file}: No such file or directory\n" == shopmesh("apply", "-f", str(file), status=1).stderr


def test_a_folder_without_documents_is_told(shopmesh: Run, tmp_path: Path) -> None:
    """An empty folder is most likely the wrong one."""
    assert "contains no .yaml, .yml, .json file" in shopmesh("apply", "-f", str(tmp_path), status=1).stderr
