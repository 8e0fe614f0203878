"""A control plane as its users start it, with the console."""

from __future__ import annotations

from tests.contract.control_plane.conftest import client, control_plane, shared_control_plane

__all__ = ["client", "control_plane", "shared_control_plane"]
