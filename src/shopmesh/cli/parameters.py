"""Types of options: durations, shares and NAME=VALUE pairs."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from shopmesh.appmesh.texts import parse_seconds


class DurationType(click.ParamType[Any]):
    """`300ms`, `60s`, `5m`, `1h`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).replace(" ", "")
        seconds = parse_seconds(f"{text}s" if text[-1:].isdigit() else text)
        if not seconds:
            self.fail(f"{value!r} is not a duration: write 300ms, 60s, 5m or 1h", param, ctx)
        return float(seconds)


class ShareType(click.ParamType[Any]):
    """`1%` or `0.01`, as a share from 0 to 1."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text, share = str(value), -1.0
        with contextlib.suppress(ValueError):
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not a share: write 1% or 0.01", param, ctx)
        return share


class NameValueType(click.ParamType[Any]):
    """`NAME=VALUE`."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, sign, rest = str(value).partition("=")
        if not (name and sign and rest):
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name.strip(), rest.strip()
