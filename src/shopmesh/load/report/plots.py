"""The plots of a report: shares, latency, rate and failures. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from shopmesh.load.engine.results import merge_latencies
from shopmesh.load.judgement.attribution import service_of
from shopmesh.load.judgement.weights import target_steps
from shopmesh.load.report.report import LoadReport
from shopmesh.load.report.series import Span, spans
from shopmesh.load.report.svg import Plot, Scale, between_decades, decades, linear, logarithmic, ticks
from shopmesh.load.report.text import format_milliseconds

COLOURS = 8
_PERCENTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999)
_LABELLED = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"))

RenderedPlot = tuple[str, str, Sequence[tuple[str, str]]]
"""A title, the SVG, and the legend: style and label of each line."""


def render(report: LoadReport) -> list[RenderedPlot]:
    """Renders all plots for which the report has data."""
    found = spans(report.record)
    if not found:
        return []
    styles = {version: f"s{place % COLOURS}" for place, version in enumerate(_versions_of_splits(report))}
    services = dict.fromkeys(service_of(version) for version in styles)
    plots = [_shares(report, found, service, styles) for service in services]
    if report.good:
        plots.append(_latency(report, styles or {"all": "s0"}))
    plots.append(_rate(report, found))
    if report.bad:
        plots.append(_failures(report, found))
    return plots


def _versions_of_splits(report: LoadReport) -> list[str]:
    """The versions of services that have, or should have, several."""
    meant = {v for setting in report.record.settings for members in setting.shares.values() for v in members}
    seen = {figures.version for figures in report.versions}
    services = {service_of(version) for version in seen}
    versions = sorted(seen | {version for version in meant if service_of(version) in services})
    numbers = Counter(service_of(version) for version in versions)
    return [version for version in versions if numbers[service_of(version)] > 1]


def _over_time(title: str, report: LoadReport, high: float, labels: Sequence[tuple[float, str]]) -> Plot:
    seconds = report.record.seconds
    plot = Plot(title, linear(0, seconds), linear(0, high))
    plot.axes([(value, f"{value:g}") for value in ticks(seconds)], labels, "seconds")
    return plot


def _marks(plot: Plot, report: LoadReport) -> None:
    for change in report.changes:
        shares = ", ".join(
            f"{version} {100 * share:.3g} %" for members in change.shares.values() for version, share in members.items()
        )
        plot.mark(change.at, f"{change.at:.2f} s: {change.what}: {shares}")


def _shares(report: LoadReport, found: Sequence[Span], service: str, styles: Mapping[str, str]) -> RenderedPlot:
    settings, seconds = report.record.settings, report.record.seconds
    mine = {version: style for version, style in styles.items() if service_of(version) == service}
    title = f"{service}: share of each version"
    plot = _over_time(title, report, 1.0, [(share / 100, f"{share} %") for share in (0, 25, 50, 75, 100)])
    _marks(plot, report)
    for version, style in mine.items():
        points = [(span.middle, share) for span in found if (share := span.share(version)) is not None]
        plot.band([(at, low) for at, (low, _, _) in points], [(at, high) for at, (_, _, high) in points], style)
        plot.line([(at, share) for at, (_, share, _) in points], style)
        for begin, end, target in target_steps(settings, version, seconds):
            if target is not None:
                plot.line([(begin, target), (end, target)], f"{style} target")
    legend = [(style, version) for version, style in mine.items()]
    extra = [("target", "as set")] if any(service in setting.shares for setting in settings) else []
    return title, plot.to_svg(), [*legend, ("band", "95 % interval"), *extra]


def _latency(report: LoadReport, styles: Mapping[str, str]) -> RenderedPlot:
    cells = report.record.results.outcomes
    curves: dict[str, list[tuple[float, float]]] = {}
    for name in styles:
        latencies = merge_latencies(cell for cell in cells if name == "all" or name in cell.outcome.versions)
        shares = [share for share in _PERCENTILES if latencies.count * (1 - share) >= 1] or [0.5]
        pairs = zip(shares, latencies.quantiles(shares), strict=True)
        curves[name] = [(share, value) for share, value in pairs if value is not None]
    values = [value for curve in curves.values() for _, value in curve] or [0.001]
    powers = decades(min(values), max(values))
    last = max([0.9, *(share for curve in curves.values() for share, _ in curve)])
    title = "Latency since a request was due"
    plot = Plot(title, _nines(last), logarithmic(powers[0], powers[-1]))
    labels = [(share, label) for share, label in _LABELLED if share <= last]
    ticks_between = between_decades(powers)
    # With few decades there is room for all labels.
    named = [*powers, *ticks_between] if len(powers) <= 3 else powers
    heights = [(value, f"{1000 * value:,g}" if value in named else "") for value in [*powers, *ticks_between]]
    plot.axes(labels, heights, "percentile of the requests", "milliseconds, logarithmic")
    for name, curve in curves.items():
        plot.line(curve, styles[name])
        for share, value in curve:
            plot.dot((share, value), styles[name], f"{name}: p{100 * share:g} {format_milliseconds(value)} ms")
    return title, plot.to_svg(), [(style, name) for name, style in styles.items()]


def _nines(last: float) -> Scale:
    """A scale of percentiles by their nines, from p50 on."""
    first, span = -math.log10(0.5), math.log10(0.5) - math.log10(1 - last)
    return lambda share: (-math.log10(1 - share) - first) / span


def _rate(report: LoadReport, found: Sequence[Span]) -> RenderedPlot:
    planned = [(span.middle, span.planned / span.seconds) for span in found]
    sent = [(span.middle, span.sent / span.seconds) for span in found]
    good = [(span.middle, span.good / span.seconds) for span in found]
    high = 1.1 * max(rate for _, rate in [*planned, *sent, (0.0, 1.0)])
    title = "Requests a second"
    plot = _over_time(title, report, high, [(value, f"{value:,g}") for value in ticks(high)])
    _marks(plot, report)
    plot.line(sent, "s0")
    plot.line(good, "s1")
    extra = [("s0", "sent"), ("s1", "succeeded")]
    if report.record.plan.segments:
        plot.line(planned, "target")
        extra.append(("target", "planned"))
    return title, plot.to_svg(), extra


def _failures(report: LoadReport, found: Sequence[Span]) -> RenderedPlot:
    kinds = list(report.failures)
    high = 1.1 * max(sum(span.failures.values()) / span.seconds for span in found) or 1.0
    title = "Failed requests a second"
    plot = _over_time(title, report, high, [(value, f"{value:,g}") for value in ticks(high)])
    _marks(plot, report)
    for span in found:
        levels = [0.0]
        for kind in kinds:
            levels.append(levels[-1] + span.failures.get(kind, 0) / span.seconds)
        for place, (low, top) in enumerate(pairwise(levels)):
            if top > low:
                said = f"{span.begin:.1f} s: {span.failures[kinds[place]]:,} {kinds[place]}"
                plot.bar(span.begin, span.end, low, top, f"s{place % COLOURS}", said)
    return title, plot.to_svg(), [(f"s{place % COLOURS}", kind) for place, kind in enumerate(kinds)]
