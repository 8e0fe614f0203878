"""What options take beside text and numbers: durations, shares, pairs."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class Seconds(click.ParamType[Any]):
    """`300ms`, `60s`, `5m`, `1h`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", str(value))
        if not match or not float(match[1]):
            self.fail(f"{value!r} is no duration: write 300ms, 60s, 5m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Share(click.ParamType[Any]):
    """`1%` or `0.01`, as a share from 0 to 1."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text, share = str(value), -1.0
        with contextlib.suppress(ValueError):
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is no share: write 1% or 0.01", param, ctx)
        return share


class Pair(click.ParamType[Any]):
    """`NAME=VALUE`."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, sign, rest = str(value).partition("=")
        if not (name and sign and rest):
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name.strip(), rest.strip()
