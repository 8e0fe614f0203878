"""The record of a load, and its complete JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shopmesh.appmesh import strict_json
from shopmesh.load.engine.latency import LatencyHistogram
from shopmesh.load.engine.plan import LoadPlan, Segment
from shopmesh.load.engine.results import LoadResults, Outcome, TimeBins
from shopmesh.load.judgement.attribution import Attribution
from shopmesh.load.judgement.weights import WeightSetting

FORMAT = "shopmesh load 1"


class ResultFileError(ValueError):
    """Not a valid record of a load; the message says why."""


@dataclass(frozen=True)
class LoadRecord:
    """One load: its plan, its results and the weights.

    `due` requests were due in `seconds`; `cpu` is the share of one core that the client used; `about` describes the
    machine, versions, time and command for readers.
    """

    urls: Sequence[str]
    plan: LoadPlan
    results: LoadResults
    due: int
    seconds: float
    cpu: float
    connections: int
    interrupted: bool = False
    settings: Sequence[WeightSetting] = ()
    notes: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def to_document(record: LoadRecord) -> dict[str, Any]:
    """The JSON form of a record; histograms are in HdrHistogram's compressed form."""
    return {
        "format": FORMAT,
        "about": dict(record.about),
        "urls": list(record.urls),
        "plan": asdict(record.plan),
        "due": record.due,
        "seconds": record.seconds,
        "cpu": record.cpu,
        "connections": record.connections,
        "interrupted": record.interrupted,
        "settings": [asdict(setting) for setting in record.settings],
        "notes": list(record.notes),
        "tally": results_to_document(record.results),
    }


def from_document(document: Any) -> LoadRecord:
    """Parses a record; raises ResultFileError."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultFileError(f"is not a report of `shopmesh load` (its format is not {FORMAT!r})")
    try:
        plan = document["plan"]
        return LoadRecord(
            urls=[str(url) for url in document["urls"]],
            plan=LoadPlan(tuple(Segment(**segment) for segment in plan["segments"]), plan["poisson"], plan["seed"]),
            results=results_from_document(document["tally"]),
            due=int(document["due"]),
            seconds=float(document["seconds"]),
            cpu=float(document["cpu"]),
            connections=int(document["connections"]),
            interrupted=bool(document["interrupted"]),
            settings=[WeightSetting(**setting) for setting in document["settings"]],
            notes=[str(note) for note in document["notes"]],
            about={str(name): str(value) for name, value in document["about"].items()},
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ResultFileError(f"is a damaged report of `shopmesh load`: {error!r}") from error


def parse(text: str) -> LoadRecord:
    """Parses a file's text; raises ResultFileError."""
    try:
        document = strict_json.load(text)
    except strict_json.JsonError as error:
        raise ResultFileError(str(error)) from None
    return from_document(document)


def results_to_document(results: LoadResults) -> dict[str, Any]:
    """The JSON form of results; the workers of a distributed load send it to their master."""
    return {
        "cells": [
            {
                **asdict(cell.outcome),
                "count": cell.count,
                "latencies": None if cell.latencies is None else cell.latencies.encode(),
            }
            for cell in results.outcomes
        ],
        "bins": {
            "seconds": results.bins.seconds,
            "longest": [round(took, 6) for took in results.bins.longest],
            "counts": [{str(cell): count for cell, count in counts.items()} for counts in results.bins.counts],
        },
        "lateness": results.lateness.encode(),
        "late": results.late,
        "very_late": results.very_late,
        "queued": results.queued,
    }


def results_from_document(document: Mapping[str, Any]) -> LoadResults:
    """Parses results; raises LookupError, TypeError or ValueError for an invalid document."""
    results = LoadResults(Attribution())
    for found in document["cells"]:
        outcome = Outcome(found["status"], found["failure"], found["flags"], tuple(found["versions"]))
        cell = results.stats_of(outcome)
        cell.count = int(found["count"])
        if found["latencies"] is not None:
            cell.latencies = LatencyHistogram.decode(found["latencies"])
    counts = [{int(cell): int(count) for cell, count in one.items()} for one in document["bins"]["counts"]]
    longest = [float(took) for took in document["bins"]["longest"]]
    if len(counts) != len(longest):
        raise ValueError("counts and longest differ in length")
    results.bins = TimeBins(float(document["bins"]["seconds"]), counts, longest)
    results.lateness = LatencyHistogram.decode(document["lateness"])
    results.late, results.very_late, results.queued = (int(document[name]) for name in ("late", "very_late", "queued"))
    return results
