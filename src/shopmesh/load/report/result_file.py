"""Everything that a load leaves behind, as plain data that a JSON file holds whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shopmesh.appmesh import strict_json
from shopmesh.load.engine.latency import Latencies
from shopmesh.load.engine.plan import Plan, Segment
from shopmesh.load.engine.results import Bins, Outcome, Tally
from shopmesh.load.judgement.attribution import Attribution
from shopmesh.load.judgement.weights import Setting

FORMAT = "shopmesh load 1"


class RecordError(ValueError):
    """A file is no record of a load; the message says what is wrong."""


@dataclass(frozen=True)
class Record:
    """One load: what was asked for, what was counted, what the weights were.

    `due` requests were due in `seconds`; `cpu` is the share of one core that the client used; `about` is for readers:
    machine, versions, time, command.
    """

    urls: Sequence[str]
    plan: Plan
    tally: Tally
    due: int
    seconds: float
    cpu: float
    connections: int
    interrupted: bool = False
    settings: Sequence[Setting] = ()
    notes: Sequence[str] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def to_document(record: Record) -> dict[str, Any]:
    """The record as JSON has it; histograms are in HdrHistogram's own form."""
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
        "tally": tally_document(record.tally),
    }


def from_document(document: Any) -> Record:
    """The record of a document; raises RecordError for what is none."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecordError(f"is no report of `shopmesh load` (its format is not {FORMAT!r})")
    try:
        plan = document["plan"]
        return Record(
            urls=[str(url) for url in document["urls"]],
            plan=Plan(tuple(Segment(**segment) for segment in plan["segments"]), plan["poisson"], plan["seed"]),
            tally=tally_from(document["tally"]),
            due=int(document["due"]),
            seconds=float(document["seconds"]),
            cpu=float(document["cpu"]),
            connections=int(document["connections"]),
            interrupted=bool(document["interrupted"]),
            settings=[Setting(**setting) for setting in document["settings"]],
            notes=[str(note) for note in document["notes"]],
            about={str(name): str(value) for name, value in document["about"].items()},
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"is a damaged report of `shopmesh load`: {error!r}") from error


def parsed(text: str) -> Record:
    """The record of a file's text; raises RecordError."""
    try:
        document = strict_json.load(text)
    except strict_json.JsonError as error:
        raise RecordError(str(error)) from None
    return from_document(document)


def tally_document(tally: Tally) -> dict[str, Any]:
    """A tally as JSON has it; the workers of a distributed load send it to each other."""
    return {
        "cells": [
            {
                **asdict(cell.outcome),
                "count": cell.count,
                "latencies": None if cell.latencies is None else cell.latencies.encoded(),
            }
            for cell in tally.cells
        ],
        "bins": {
            "seconds": tally.bins.seconds,
            "longest": [round(took, 6) for took in tally.bins.longest],
            "counts": [{str(cell): count for cell, count in counts.items()} for counts in tally.bins.counts],
        },
        "lateness": tally.lateness.encoded(),
        "late": tally.late,
        "very_late": tally.very_late,
        "queued": tally.queued,
    }


def tally_from(document: Mapping[str, Any]) -> Tally:
    """Raises LookupError, TypeError or ValueError for what is no tally."""
    tally = Tally(Attribution())
    for found in document["cells"]:
        outcome = Outcome(found["status"], found["failure"], found["flags"], tuple(found["versions"]))
        cell = tally.cell(outcome)
        cell.count = int(found["count"])
        if found["latencies"] is not None:
            cell.latencies = Latencies.decoded(found["latencies"])
    counts = [{int(cell): int(count) for cell, count in one.items()} for one in document["bins"]["counts"]]
    longest = [float(took) for took in document["bins"]["longest"]]
    if len(counts) != len(longest):
        raise ValueError("counts and longest differ in length")
    tally.bins = Bins(float(document["bins"]["seconds"]), counts, longest)
    tally.lateness = Latencies.decoded(document["lateness"])
    tally.late, tally.very_late, tally.queued = (int(document[name]) for name in ("late", "very_late", "queued"))
    return tally
