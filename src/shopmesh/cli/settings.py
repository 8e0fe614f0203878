"""The options before the command, passed to it as click's context object."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopmesh import defaults

if TYPE_CHECKING:
    from shopmesh.client import Client


def color_setting() -> bool | None:
    """False where NO_COLOR is set (https://no-color.org), else None: a terminal decides."""
    return False if os.environ.get("NO_COLOR") else None


@dataclass(frozen=True)
class Settings:
    """Which control plane and which mesh; `mesh` is None when the user named none."""

    endpoint_url: str
    region: str
    mesh: str | None = None
    color: bool | None = field(default_factory=color_setting)

    def client(self, timeout: float = defaults.CLIENT_SECONDS) -> Client:
        """A client of that control plane, which waits so many seconds for a response; sends no request yet."""
        from shopmesh.local.access import open_client

        return open_client(Path.cwd(), self.endpoint_url, self.region, timeout)

    def require_mesh(self, client: Client) -> str:
        """The name of the mesh: of --mesh, or of the only mesh; raises `click.ClickException` otherwise."""
        from shopmesh.client import list_meshes

        found = list_meshes(client)
        if self.mesh is not None:
            if self.mesh not in found:
                there = ", ".join(found) or "none"
                raise click.ClickException(f"no mesh {self.mesh!r} (there: {there}); correct --mesh")
            return self.mesh
        if not found:
            raise click.ClickException("no mesh yet: load one with `shopmesh apply -f mesh/`")
        if len(found) > 1:
            raise click.ClickException(f"several meshes ({', '.join(found)}): choose one with --mesh")
        return found[0]
