"""Answers of an API server that holds objects of an attacker."""

from __future__ import annotations

import json

from shopmesh.kubernetes.api.client import MAX_DEPTH, decode


def test_one_object_that_is_nested_too_deeply_hides_no_other() -> None:
    """API servers take thousands of levels; a list has the objects of all tenants, and would be lost as a whole."""
    deep = '{"metadata": {"name": "deep"}, "more": ' + "[" * 9000 + "1" + "]" * 9000 + "}"
    good = '{"metadata": {"name": "good"}, "spec": {"text": "[[\\"{{"}}'
    found = decode(f'{{"items": [{deep}, {good}, {deep}]}}'.encode())

    assert ["deep", "good", "deep"] == [one["metadata"]["name"] for one in found["items"]]
    assert json.loads(good) == found["items"][1]
    levels, value = 0, found["items"][0]["more"]
    while value is not None:
        levels, (value,) = levels + 1, value
    assert levels < MAX_DEPTH
