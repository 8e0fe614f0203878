"""Objects as text: the one form of YAML and JSON that this project writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from shopmesh.output.printable import printable_lines


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # which of the two is decided here
    """Writes repeated values in full, not as YAML anchors (`&id001`)."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """Documents, one after another, which a terminal can show: what it cannot show is written as an escape."""
    objects = list(objects)
    text = str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
    if printable_lines(text) == text:
        return text
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=False))


def as_json(value: Any) -> str:
    """One value, with a line feed at its end, which a terminal can show."""
    return printable_lines(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"
