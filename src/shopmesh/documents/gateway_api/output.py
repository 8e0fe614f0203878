"""What is written, and what got lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

API_VERSION = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class ExportedObject:
    """One object, and what it does not say, a line each."""

    object: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`httproute-product`, with the namespace where it is not the default one."""
        metadata = self.object["metadata"]
        apart = "" if metadata["namespace"] == "default" else f"-{metadata['namespace']}"
        return f"{str(self.object['kind']).lower()}{apart}-{metadata['name']}"


@dataclass
class Warnings:
    """Gathers what is lost of one resource."""

    where: str
    lines: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        line = f"{self.where}: {what}"
        if line not in self.lines:
            self.lines.append(line)


@dataclass
class Names:
    """Names of objects that are taken already; two of one kind in one namespace must differ."""

    taken: set[tuple[str, str, str]] = field(default_factory=set)

    def free(self, kind: str, namespace: str, name: str) -> str:
        """`name`, or `name-2`, `name-3`, …"""
        name = name[:240].rstrip("-.")
        tried = name
        for number in range(2, len(self.taken) + 3):
            if (kind, namespace, tried) not in self.taken:
                break
            tried = f"{name}-{number}"
        self.taken.add((kind, namespace, tried))
        return tried


def exported_object(
    kind: str, namespace: str, name: str, spec: Mapping[str, Any], warnings: Sequence[str]
) -> ExportedObject:
    """An object of the Gateway API."""
    metadata = {"name": name, "namespace": namespace}
    return ExportedObject(
        {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}, tuple(warnings)
    )
