"""Why objects of the cluster are not used, or only parts or an earlier version of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from shopmesh.appmesh import host_policy
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.host_policy import HostPolicy
from shopmesh.appmesh.store import Key, View
from shopmesh.documents.names import ObjectName
from shopmesh.kubernetes.controller.desired_state import DesiredState
from shopmesh.kubernetes.controller.object_writer import Write
from shopmesh.kubernetes.controller.problem_log import ProblemLog

log = logging.getLogger(__name__)


class ObjectProblems:
    """The problems of all objects, from those of the resources that they declare."""

    def __init__(self, desired: DesiredState) -> None:
        self.current: dict[ObjectName, str] = {}
        self.rejected: dict[Key, str] = {}
        """The resources that the rules do not allow."""
        self._desired = desired
        self._forbidden: dict[Key, str] = {}
        self._unusable: Mapping[ObjectName, str] = {}
        self._warnings: dict[ObjectName, str] = {}
        self._log = ProblemLog()

    def record_outcome(self, key: Key, problem: str | None) -> None:
        """What reconciling a resource has given; None where the mesh has it now as it is declared."""
        if problem is None:
            self.rejected.pop(key, None)
        else:
            self.rejected[key] = problem

    def check_policy(self, keys: Iterable[Key], view: View, policy: HostPolicy | None) -> None:
        """Records which parts of these resources the host policy forbids, which the translation leaves out."""
        for key in keys:
            self._forbidden.pop(key, None)
            resource = view.get(key)
            if policy is not None and resource is not None:
                found = host_policy.problems(policy, resource.spec, [name for name, _ in resource.tags])
                if text := "; ".join(f"{problem.field}: {problem.message}" for problem in found):
                    self._forbidden[key] = text

    def update(self, of_endpoints: Mapping[ObjectName, str]) -> set[ObjectName]:
        """Recomputes `current`; returns the objects whose problem or warning has changed."""
        owners, warnings = self._desired.owners, dict(self._desired.warnings)
        rejected = {owners[key]: problem for key, problem in self.rejected.items() if key in owners}
        self._unusable = {**of_endpoints, **rejected, **self._desired.problems}
        forbidden = {owners[key]: problem for key, problem in self._forbidden.items() if key in owners}
        problems = {**forbidden, **self._unusable}
        self._log.update(problems)
        for key, problem in self.rejected.items():
            if key not in owners:
                log.info("%s %s is kept although its object was deleted: %s", key.kind, "/".join(key.path), problem)
        changed = _changed_keys(self.current, problems) | _changed_keys(self._warnings, warnings)
        self.current, self._warnings = problems, warnings
        return changed

    def require_used(self, writes: Iterable[Write]) -> None:
        """Raises Conflict for objects that were written but cannot be used, instead of reporting success."""
        for one in writes:
            if one.verb != "delete" and (problem := self._unusable.get(one.name)) is not None:
                name = f"{one.name.kind} {one.name.namespace}/{one.name.name}"
                raise Conflict(f"{name} was written, and cannot be used as it is: {problem}")


def _changed_keys(before: Mapping[ObjectName, str], after: Mapping[ObjectName, str]) -> set[ObjectName]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}
