"""Files made to hang or crash their reader: each is refused with file and line, within bounds of steps and memory.

What ended the process or ran for hours is read in a child with limits of its own, so that a test fails and not its run.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shopmesh.documents import DocumentError, declared_resources, documents
from shopmesh.documents.text.placeholders import placeholder

PROCESSOR_SECONDS = 60
MEMORY = 2 << 30

HEAD = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {name: m}\n"


def mesh(name: str, properties: str) -> str:
    return f"  {name}:\n    Type: AWS::AppMesh::Mesh\n    Properties: {properties}\n"


def template(resources: str, before: str = "") -> str:
    return f"{before}Resources:\n{resources}"


def doubling_names() -> str:
    """26 meshes, each named by the next one's name twice."""
    names = [f"M{number}" for number in range(27)]
    made = [
        mesh(name, f'{{MeshName: !Sub "${{{after}.MeshName}}${{{after}.MeshName}}"}}')
        for name, after in pairwise(names)
    ]
    return template("".join([*made, mesh(names[-1], "{MeshName: x}")]))


def doubling_conditions() -> str:
    """24 conditions, each of the next one twice."""
    lines = [f"  C{n}: !And [{{Condition: C{n + 1}}}, {{Condition: C{n + 1}}}]\n" for n in range(24)]
    conditions = "".join([*lines, "  C24: !Equals [a, a]\n"])
    used = "  M:\n    Type: AWS::AppMesh::Mesh\n    Condition: C0\n    Properties: {MeshName: m}\n"
    return template(used, f"Conditions:\n{conditions}")


def chained_names(length: int) -> str:
    made = [mesh(f"M{n}", f'{{MeshName: !Sub "${{M{n + 1}.MeshName}}"}}') for n in range(length)]
    return template("".join([*made, mesh(f"M{length}", "{MeshName: x}")]))


def aliases(levels: int, of: str) -> str:
    lines = [f"a0: &a0 {of}"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merged_keys(levels: int) -> str:
    lines = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines)


def named(properties: str) -> str:
    return template(mesh("M", properties))


HOSTILE: dict[str, tuple[str, str, str]] = {
    "a flow sequence without end": ("a: " + "[" * 100_000, "line 1", "nested deeper than 64 levels"),
    "a flow mapping without end": (f"{HEAD}spec: " + "{a: " * 50_000, "line 4", "nested deeper than 64 levels"),
    "a block sequence without end": (HEAD + "spec:\n  " + "- " * 50_000, "line 5", "nested deeper than 64 levels"),
    "a depth in the second document": (f"{HEAD}---\na: {'[' * 9_999}", "document 2, line 5", "nested deeper"),
    "JSON without end": ('{"a":' * 100_000, "line 1", "nested too deeply"),
    "JSON of 70 levels": ('{\n"a": ' + "[" * 70 + "]" * 70 + "}", "line 2", "nested deeper than 64 levels"),
    "JSON of 70 levels in the second document": (
        '{"meshName": "m"}\n{\n"a": ' + "[" * 70 + "]" * 70 + "}",
        "document 2, line 3",
        "nested deeper than 64 levels",
    ),
    "names that double": (doubling_names(), "line", "produces a string of more than 65536 characters"),
    "conditions that double, and a name too long": (
        doubling_conditions().replace("MeshName: m", "MeshName: !Join ['', [m, !Join [x, [!Ref Nothing]]]]"),
        "line",
        "nothing here is named 'Nothing'",
    ),
    "names that lead far": (chained_names(2_000), "line", "52 levels deep"),
    "functions within functions": (
        named("{MeshName: " + "!Join ['', [" * 40 + "a" + "]]" * 40 + "}"),
        "line",
        "nested deeper than 64 levels",
    ),
    "a variable without end": (named('{MeshName: !Sub "${' + " " * 60_000 + '", Nonsense: 1}'), "line 4", "Nonsense"),
    "variables without end": (named('{MeshName: !Sub "' + "${" * 30_000 + '", Nonsense: 1}'), "line 4", "Nonsense"),
    "a text joined over and over": (
        named("{MeshName: !Join ['" + "x" * 60_000 + "', [a, b, c]]}"),
        "line 4",
        "produces a string of more than 65536 characters",
    ),
    "texts split and split": (
        named("{Tags: [" + ", ".join(["!Split [a, '" + "a" * 9_000 + "']"] * 200) + "]}"),
        "line 4",
        "more than 1000000 steps",
    ),
    "an alias bomb": (aliases(9, "[1,1,1,1,1,1,1,1,1,1]"), "line 1", "as aliases repeat them"),
    "merged keys that double": (merged_keys(30), "line 1", "as aliases repeat them"),
    "an alias of itself": ("a: &a [*a]", "line 1", "nested deeper than 64 levels"),
    "values without number": (HEAD + "spec: [" + "a," * 2_100_000 + "]", "line 4", "more than 2000000 values"),
    "documents without number": ("---\n" * 110_000, "document 100001, line 100001", "more than 100000 documents"),
    "JSON documents without number": ('{"kind": "A"}\n' * 110_000, "line 100001", "more than 100000 documents"),
    "placeholders without end": (
        f"{HEAD}spec: {{awsName: '{'{{' * 200_000}'}}\n---\na: 1\n",
        "document 2, line 6",
        "neither a manifest",
    ),
    "a number of thousands of digits": (f"{HEAD}spec: {{awsName: {'9' * 5_000}}}", "line 4", "beyond all bounds"),
    "a number in sixties without end": (f"{HEAD}spec: {{awsName: 1{':1' * 50_000}}}", "line 4", "beyond all bounds"),
    "a hexadecimal number without end": (f"{HEAD}spec: {{awsName: 0x{'f' * 50_000}}}", "line 4", "beyond all bounds"),
    "a float beyond range": (f"{HEAD}spec: {{awsName: 1.0e+400}}", "line 4", "beyond all bounds"),
    "no number at all": (f"{HEAD}spec: {{awsName: .nan}}", "line 4", "beyond all bounds"),
    "a key of thousands of digits": (f"{HEAD}spec: {{{'9' * 900}: a}}", "line 4", "beyond all bounds"),
    "a JSON number beyond range": ('{"meshName": "m",\n"spec": {"a": 1e400}}', "line 2", "beyond all bounds"),
    "a JSON number of many digits": (f'{{"meshName": "m",\n"a": {"9" * 5_000}}}', "line 2", "beyond all bounds"),
    "JSON's NaN": ('{"meshName": "m",\n"a": NaN}', "line 2", "beyond all bounds"),
    "a key twice in JSON that is no YAML": (
        f'{{"{"x" * 2_000}": 1, "meshName": "m", "meshName": "m"}}',
        "line 1",
        "'meshName' is given twice",
    ),
    "a set": (f"{HEAD}spec: !!set {{a, b}}", "line 4", "the tag !!set is not supported"),
    "a Python object": (f"{HEAD}spec: !!python/object:os.system {{}}", "line 4", "is not supported"),
    "binary": (f"{HEAD}spec: !!binary YQ==", "line 4", "the tag !!binary is not supported"),
    "a control character": (f"{HEAD}spec:\n  awsName: \x07", "line 5", "it holds the character U+0007"),
    "a NUL": ("\x00\x01\x02" * 10_000, "line 1", "it holds the character U+0000"),
    "directives without number": ("\n" + "%TAG !a! tag:a\n" * 30_000, "line 102", "more than 100 %TAG directives"),
    "a List of no list": ("apiVersion: v1\nkind: List\nitems: 5\n", "line 3, items", "must be a list, not 5"),
    "values that each take long to match": (
        "Parameters:\n  P:\n    Type: CommaDelimitedList\n    AllowedPattern: (a|a)*x|a*c\n    Default: "
        + ",".join(["a" * 19 + "c"] * 1_000)
        + "\n"
        + named("{MeshName: !Select [0, !Ref P]}"),
        "line 2, Parameters.P",
        "takes too long to check",
    ),
    "a pattern that matches for ever": (
        "Parameters:\n  P:\n    Default: " + "a" * 40 + "b\n    AllowedPattern: (a+)+\n" + named("{MeshName: !Ref P}"),
        "line 2, Parameters.P",
        "takes too long to check",
    ),
}


def refused(text: str) -> str:
    """What is said about a text in a child process that may compute for a minute."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_read, args=(text, sender))
    child.start()
    sender.close()
    try:
        said = receiver.recv() if receiver.poll(10 * PROCESSOR_SECONDS) else "no answer"
    except EOFError:
        said = "no answer"
    child.join()
    return f"{said} (exit code {child.exitcode})" if child.exitcode else str(said)


def _read(text: str, sender: Any) -> None:
    from shopmesh.cli.files import template_parameters as parameters

    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        declared_resources(documents(text, "bad.yaml"), options=parameters((), "us-east-1"))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
    else:
        sender.send("nothing")


@pytest.mark.parametrize(("text", "place", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_with_its_place(text: str, place: str, reason: str) -> None:
    """A short sentence that names file, line and reason, however large the file is."""
    said = refused(text)

    assert said.startswith("DocumentError: bad.yaml, document ")
    assert place in said
    assert reason in said
    assert len(said) < 500


def test_conditions_and_names_that_many_ask_for_are_evaluated_once() -> None:
    """Two dozen conditions, each of the next one twice, take as many steps as there are conditions."""
    found = declared_resources(documents(doubling_conditions(), "good.yaml"))

    assert ["m"] == [resource.key.name for resource in found]


def test_a_placeholder_is_found_wherever_it_stands() -> None:
    """The first of a text, of either kind, on one line."""
    assert "{{ .a }}" == placeholder("x {{ .a }} ${b}")
    assert "${b}" == placeholder("x ${b} {{ .a }}")
    assert "{% if %}" == placeholder("\n{% if %}")
    assert placeholder("{{ a\n}}") is None
    assert placeholder("${}") is None


WORDS = st.sampled_from(
    [
        *("", "A", "${A}", "AWS::AppMesh::Mesh", "Condition", "Conditions", "Default", "Fn::And", "Fn::If", "Fn::Join"),
        *("Fn::Sub", "MeshName", "Parameters", "Properties", "Ref", "Resources", "Type", "items", "kind", "List"),
        *("meshName", "spec"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text() | VALUES.map(json.dumps))
@example('{"Resources": {"A": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Ref": "A"}}}}}')
def test_whatever_a_file_holds_it_is_read_or_refused_with_its_name(text: str) -> None:
    """Nothing but a DocumentError, which begins with the file."""
    said = _refusal(text)

    assert said is None or said.startswith("any.yaml, ")


def _refusal(text: str) -> str | None:
    try:
        declared_resources(documents(text, "any.yaml"), "m")
    except DocumentError as error:
        return str(error)
    return None
