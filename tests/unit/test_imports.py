"""What another version of Python, or a dependency that is missing, would break first."""

from __future__ import annotations

import importlib
import pkgutil

import shopmesh


def test_every_module_can_be_imported() -> None:
    """Also those that a command imports only when it is called."""
    modules = [module.name for module in pkgutil.walk_packages(shopmesh.__path__, "shopmesh.")]
    for name in modules:
        importlib.import_module(name)

    assert len(modules) > 200
