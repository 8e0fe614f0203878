"""Objects as text: the one form of YAML and JSON that this project writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # which of the two is decided here
    """Writes what stands there twice twice: `&id001` is of use to nobody who reads a manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """Documents, one after another."""
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def as_json(value: Any) -> str:
    """One value, with a line feed at its end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
