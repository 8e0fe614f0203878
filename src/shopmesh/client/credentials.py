"""Whose signature a request bears: the usual AWS chain, and a made-up key where there is none."""

from __future__ import annotations

from typing import cast

from botocore.credentials import CredentialResolver, Credentials
from botocore.session import Session


def default_credentials() -> Credentials:
    """The credentials of environment, profile or container; without any, dummies, which an open server accepts.

    An EC2 instance's own role is not asked for: no control plane of ours can know its keys, and where there is no
    instance the question takes seconds.
    """
    session = Session()
    chain = cast(CredentialResolver, session.get_component("credential_provider"))
    chain.remove("iam-role")
    return session.get_credentials() or Credentials("shopmesh", "shopmesh")
