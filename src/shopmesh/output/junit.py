"""Results as JUnit XML, which the pages of most pipelines show: one test suite, a test case for each check. Pure.

There is no published standard; the attributes are those that Jenkins and GitLab read.
https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from shopmesh.output.printable import printable

_MOST_TEXT = 2000
# XML 1.0 has no form for these, escaped or not; `printable` has replaced the controls.
_NOT_XML = re.compile("[\ufffe\uffff]")


class CaseResult(NamedTuple):
    """One test case: `failures` say in sentences why it does not hold, `seconds` is how long it took.

    `output` are lines that pages show beside it.
    """

    name: str
    failures: Sequence[str] = ()
    seconds: float = 0.0
    output: Sequence[str] = ()


def render_junit(suite: str, results: Sequence[CaseResult], seconds: float) -> str:
    """The document, with an XML declaration; texts of others are made printable and cut."""
    root = ElementTree.Element("testsuites")
    failed = sum(bool(result.failures) for result in results)
    element = ElementTree.SubElement(
        root,
        "testsuite",
        name=_text(suite),
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{seconds:.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            element, "testcase", classname=_text(suite), name=_text(result.name), time=f"{result.seconds:.3f}"
        )
        for failure in result.failures:
            ElementTree.SubElement(case, "failure", message=_text(failure))
        if result.output:
            ElementTree.SubElement(case, "system-out").text = "\n".join(map(_text, result.output))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", printable(text))[:_MOST_TEXT]
