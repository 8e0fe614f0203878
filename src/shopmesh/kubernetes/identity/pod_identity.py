"""Decides which virtual node or gateway the Envoy of a pod may be the proxy of. No I/O.

    token ─► Pod ─stamp, else podSelector─► the object that declares what Envoy claims to be; in the pod's namespace

Of several objects that declare the same name, only the one in use has proxies. A virtual node or gateway may also
restrict its proxies to the pods of one service account (`shopmesh.dev/service-account`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shopmesh.appmesh.annotations import annotation_reader
from shopmesh.appmesh.annotations.service_account import SERVICE_ACCOUNT
from shopmesh.appmesh.kinds import in_words
from shopmesh.appmesh.store import Key, View
from shopmesh.documents.names import MANIFEST_KINDS, ObjectName
from shopmesh.kubernetes.controller.object_cache import PodRecord
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.identity import stamps
from shopmesh.kubernetes.identity.pods import Pod
from shopmesh.server.grpc.sessions import Status, StreamError
from shopmesh.xds.node import ProxyNode


class Declarations(Protocol):
    """The mesh as the objects of a cluster declare it; `owners` are the objects whose declarations are in use."""

    @property
    def owners(self) -> Mapping[Key, ObjectName]: ...

    @property
    def state(self) -> View: ...


class PodPrincipal:
    """A pod at the other end of a stream (`sessions.Principal`)."""

    def __init__(self, pod: Pod, record: PodRecord, declarations: Declarations, selectors: CachedSelectors) -> None:
        self._pod = pod
        self._record = record
        self._declarations = declarations
        self._selectors = selectors
        self._owner_admitted: ObjectName | None = None

    def denial(self, node: ProxyNode) -> StreamError | None:
        """Open streams are checked again only when another object has taken the name of their node."""
        owner = self._declarations.owners.get(node.identity.resource)
        if self._owner_admitted is not None and owner in (None, self._owner_admitted):
            return None
        problem = self._problem(node, owner)
        if problem is not None:
            return StreamError(f"{self._pod} may not ask for {node.id}: {problem}", Status.PERMISSION_DENIED)
        if (refusal := self._instance_refusal(node)) is not None:
            return refusal
        self._owner_admitted = owner
        return None

    def _problem(self, node: ProxyNode, owner: ObjectName | None) -> str | None:
        key, pod = node.identity.resource, self._pod
        if owner is None:
            return (
                f"no {MANIFEST_KINDS[key.kind]} in use declares it; create one with that awsName in namespace "
                f"{pod.namespace}, or see in its status why it is not used"
            )
        if owner.namespace != pod.namespace:
            return (
                f"the {owner.kind} that declares it is in namespace {owner.namespace}, and its proxies are pods of "
                "that namespace; run the pod there, or start its Envoy as a node of its own namespace"
            )
        problem = self._stamp_problem(owner, key)
        return problem if problem is not None else self._account_problem(owner, key)

    def _stamp_problem(self, owner: ObjectName, key: Key) -> str | None:
        stamp = self._record.stamp
        if stamp is None:
            return self._selector_problem(owner)
        if stamp.matches(owner, key):
            return None
        return (
            f"the pod was created with {stamp}, and {owner.kind} {owner.namespace}/{owner.name} declares this "
            f"{in_words(key.kind)}; start its Envoy as what the pod was created for, or recreate the pod "
            f"with {stamps.ANNOTATION}: {stamps.reference(owner)}"
        )

    def _selector_problem(self, owner: ObjectName) -> str | None:
        """For pods that were created without a stamp, by an earlier version."""
        selection = self._selectors.get().select(self._pod.namespace, self._record.labels)
        if selection.selected_by == (owner,):
            return None
        if len(selection.selected_by) != 1:
            return selection.problem
        (by,) = selection.selected_by
        return (
            f"the podSelector of {by.kind} {by.namespace}/{by.name} selects the pod; start its Envoy as that, or "
            "correct the podSelector"
        )

    def _account_problem(self, owner: ObjectName, key: Key) -> str | None:
        resource = self._declarations.state.get(key)
        if resource is None:
            return None
        account = annotation_reader.read(key.kind, resource.tags).values.get(SERVICE_ACCOUNT.name)
        if account is None or account == self._pod.account:
            return None
        return (
            f"the pod runs as service account {self._pod.account}, and {owner.kind} {owner.namespace}/{owner.name} "
            f"takes pods of service account {account} only; set serviceAccountName, or change its annotation "
            f"shopmesh.dev/{SERVICE_ACCOUNT.name}"
        )

    def _instance_refusal(self, node: ProxyNode) -> StreamError | None:
        """A pod may be no instance but itself; a bootstrap without an instance has the name of the node."""
        if node.instance in (self._pod.name, node.name):
            return None
        problem = (
            f"{self._pod} may not be instance {node.instance} of {node.id}; name the pod in its Envoy's bootstrap: "
            '--config-yaml {"node":{"metadata":{"instance":"$(POD_NAME)"}}}'
        )
        return StreamError(problem, Status.PERMISSION_DENIED)
