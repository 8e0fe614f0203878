"""What the command line has for Kubernetes."""

from __future__ import annotations

import click

from shopmesh.cli.output import echo_document


@click.command(
    epilog="""\b
Examples:
  shopmesh crds | kubectl apply -f -
  shopmesh crds > k8s/base/crds/definitions.yaml

\b
They are made from App Mesh's published model: manifests that were written for AWS's controller apply unchanged.
"""
)
def crds() -> None:
    """Write the definitions of Mesh, VirtualNode and all the others, for `kubectl apply`."""
    from shopmesh.documents import as_yaml
    from shopmesh.documents.crds import definitions

    echo_document(as_yaml(definitions()))
