"""The manifests that `kubectl apply --filename` takes without a clone."""

from __future__ import annotations

import sys
from pathlib import Path

from release.programs import run

MANIFESTS = {"install.yaml": "k8s/overlays/local", "crds.yaml": "k8s/base/crds"}
"""The files of a release, with the folders that they are rendered from."""


def render_manifests(root: Path) -> dict[str, bytes]:
    """Each file as kustomize in this environment's kubectl renders its folder."""
    kubectl = Path(sys.executable).with_name("kubectl")
    return {
        name: run(kubectl, "kustomize", folder, folder=root, seconds=60).encode() for name, folder in MANIFESTS.items()
    }
