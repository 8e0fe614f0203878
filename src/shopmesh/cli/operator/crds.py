"""`shopmesh crds`: the CustomResourceDefinitions of App Mesh."""

from __future__ import annotations

import click

from shopmesh.cli.output import echo_document


@click.command(
    epilog="""\b
Examples:
  shopmesh crds | kubectl apply -f -
  shopmesh crds > k8s/base/crds/definitions.yaml

The definitions are generated from App Mesh's published API model, so manifests that were written for AWS's controller
apply unchanged.
"""
)
def crds() -> None:
    """Print the CustomResourceDefinitions of Mesh, VirtualNode and the other kinds, for `kubectl apply`."""
    from shopmesh.documents import as_yaml
    from shopmesh.documents.crds import definitions

    echo_document(as_yaml(definitions()))
