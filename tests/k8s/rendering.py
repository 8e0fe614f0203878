"""What kustomize makes of the folders in k8s/, as objects."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.process import BIN

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = sorted(folder.name for folder in (K8S / "overlays").iterdir())
STACK = ("k8s/base/crds", "k8s/base/control-plane", "mesh", "k8s/base")
COMBINATIONS = (
    (),
    ("hardening",),
    ("sidecar",),
    ("sidecar", "hardening"),
    ("sidecar", "observability"),
    ("sidecar", "observability", "hardening"),
    ("sidecar-explicit",),
    ("sidecar-explicit", "observability"),
    ("sidecar-explicit", "hardening", "observability"),
    ("load",),
    ("sidecar", "load", "hardening"),
    ("registry",),
    ("sidecar", "load", "registry"),
    ("sidecar-explicit", "observability", "registry"),
)

Object = dict[str, Any]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def kustomize(folder: Path) -> str:
    """The rendered text, by the kustomize in kubectl, with its restrictions as they are."""
    done = subprocess.run([BIN / "kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    return done.stdout


@functools.cache
def _text(folder: Path) -> str:
    return kustomize(folder)


def objects(folder: Path) -> list[Object]:
    """Anew for each caller, who may change them."""
    return [one for one in yaml.load_all(_text(folder), _Loader) if one]  # a safe loader


def overlay(name: str) -> list[Object]:
    return objects(K8S / "overlays" / name)


def combination(folder: Path, components: Sequence[str], stack: Iterable[str] = STACK) -> list[Object]:
    """An overlay of one's own, written into that folder: the whole stack, with these components."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / one, folder) for one in stack],
        "components": [os.path.relpath(K8S / "components" / one, folder) for one in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return list(yaml.load_all(kustomize(folder), _Loader))  # a safe loader


def name_of(one: Object) -> str:
    """`Deployment default/product`."""
    metadata = one["metadata"]
    return f"{one['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
