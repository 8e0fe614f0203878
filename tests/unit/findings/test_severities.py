"""A finding is an error if requests fail because of it, now or as soon as they come; else it is a warning."""

from __future__ import annotations

import re

import pytest

from shopmesh.appmesh.catalogue import TYPES, FindingType

FAILING = re.compile(
    r"answer(ed)? \d\d\d|\bfails?\b|do(es)? not (reach|connect)|cannot (answer|be made)|refuses|nothing listens"
    r"|go to the other (service|backend)"
)
"""What a reason says where requests fail, or reach something that they were not sent to."""

WARNINGS = {
    "SM101": "only where the egress filter lets nothing out, for which there is SM105",
    "SM210": "not before the certificate expires",
    "SM249": "the application does not call it, unless the backend was removed by mistake",
    "SM304": "not before the clocks differ by five minutes",
    "SM307": "not where applications call through the forward proxy",
}
"""Those of which the reason speaks of failures that may never come, and why."""

ERRORS_OF_OTHER_KINDS = {"SM201", "SM202", "SM213", "SM222", "SM240", "SM250", "SM301", "SM302"}
"""No request fails for certain, but the mesh is not what it was asked to be, and does not become so by itself."""


@pytest.mark.parametrize("one", TYPES.values(), ids=TYPES)
def test_the_severity_follows_the_consequence(one: FindingType) -> None:
    """Whoever adds a type writes what it costs, and that decides."""
    fails = bool(FAILING.search(one.why)) and one.code not in WARNINGS

    assert ("error" if fails or one.code in ERRORS_OF_OTHER_KINDS else "warning") == one.severity, one.why
