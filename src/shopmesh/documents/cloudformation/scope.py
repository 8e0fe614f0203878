"""What a template's functions can name: parameters, pseudo parameters, mappings, conditions and resources."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopmesh.appmesh.api.validation import hint, quote
from shopmesh.appmesh.kinds import KINDS
from shopmesh.documents.cli_json import NAMES
from shopmesh.documents.cloudformation.parameters import Matches, Value, full_match, parameter
from shopmesh.documents.cloudformation.problems import EvaluationLimitError, Problems
from shopmesh.documents.cloudformation.properties import property_name
from shopmesh.documents.text.sources import FieldPath, Source

TYPES = {f"AWS::AppMesh::{kind.title}": kind.name for kind in KINDS.values()}
"""A resource type of CloudFormation → the kind."""

NO_VALUE = object()
"""What `AWS::NoValue` stands for: the property is not there."""

MOST_STEPS = 1_000_000
"""Parts of a template that are evaluated; a text of 100 characters that a function makes counts as another."""

DEEPEST = 52
"""Parts within parts and names by names; a template of App Mesh's resources has some 20. Each takes some 16 of
Python's 1,000 frames."""

LONGEST_TEXT = 65_536
"""Characters of a text that a function makes; names twice as long as each other soon have billions."""

_FOREIGN = "which is not App Mesh's and is not created here"


@dataclass
class Scope:
    """One template with its parameters' values.

    `used` gathers which of the user's values it asked for; `values` (of parameters), `stack_values`, `conditions` and
    `names` (by resource and property) are what was evaluated already, since each may be asked for by many.
    """

    source: Source
    user_values: Mapping[str, str]
    parameters: Mapping[str, Any]
    pseudo: Mapping[str, str]
    matches: Matches = full_match
    problems: Problems = field(default_factory=Problems)
    used: set[str] = field(default_factory=set)
    values: dict[str, Value] = field(default_factory=dict)
    stack_values: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, bool] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    _asking: list[str] = field(default_factory=list)
    _sections: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _steps: int = 0
    _depth: int = 0

    def section(self, name: str) -> Mapping[str, Any]:
        """`Mappings`, `Conditions` or `Resources`; empty when there is none."""
        if name not in self._sections:
            self._sections[name] = self._section(name)
        return self._sections[name]

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self.source.value.get(name) or {}
        if not isinstance(found, dict):
            raise self.source.error((name,), f"must be a mapping of names, not {quote(found)}")
        return {str(key): value for key, value in found.items()}

    def type_of(self, logical_id: str) -> str:
        """A resource's type; raises `DocumentError` when it has none."""
        resource = self.section("Resources")[logical_id]
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if not isinstance(kind, str):
            raise self.source.error(("Resources", logical_id), "has no Type")
        return kind

    def properties(self, logical_id: str) -> Mapping[str, Any]:
        """A resource's properties, as they are written."""
        found = self.section("Resources")[logical_id].get("Properties") or {}
        if not isinstance(found, dict):
            raise self.source.error(("Resources", logical_id, "Properties"), f"must be a mapping, not {quote(found)}")
        return found

    def reference(self, name: str, path: FieldPath) -> Any:
        """The value of `Ref` for what is not a resource, or comes from outside the template; None for a resource."""
        if self.is_given(name):
            self.used.add(name)
        if name in self.parameters:
            return self._parameter(name)
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        resources = self.section("Resources")
        if name in resources:
            if (kind := self.type_of(name)) in TYPES:
                return None
            return self.user_value(name, path, f"{name} is a {kind}, {_FOREIGN}")
        known = {*self.parameters, *self.pseudo, *resources}
        raise self.source.error(path, f"nothing here is named {quote(name)}; {hint(name, known)}")

    def _parameter(self, name: str) -> Any:
        """The value of a parameter; only of those that something evaluated reads is one required."""
        work = functools.partial(parameter, self.source, name, self.parameters[name], self.user_values, self.matches)
        return self.problems.once(self.values, name, work)

    def is_ours(self, name: str, path: FieldPath) -> bool:
        """Whether a resource is one of App Mesh; raises `DocumentError` when there is no such resource."""
        resources = self.section("Resources")
        if name not in resources:
            raise self.source.error(path, f"there is no resource {quote(name)}; {hint(name, resources)}")
        return self.type_of(name) in TYPES

    def foreign_attribute(self, name: str, attribute: str, path: FieldPath) -> str:
        """What `Fn::GetAtt` gives of a resource that is not App Mesh's, from outside."""
        return self.user_value(f"{name}.{attribute}", path, f"{name} is a {self.type_of(name)}, {_FOREIGN}")

    def is_given(self, name: str) -> bool:
        """Whether the user gave a value of that name."""
        return name in self.user_values

    def user_value(self, name: str, path: FieldPath, why: str) -> str:
        """A value that only a stack knows, if it was given; a missing one is reported where it is used first."""

        def user_value() -> str:
            if name not in self.user_values:
                raise self.source.error(path, f"{why}; give the value by --parameter '{name}=VALUE'")
            return self.user_values[name]

        self.used.add(name)
        found: str = self.problems.once(self.stack_values, name, user_value)
        return found

    def own_name(self, logical_id: str) -> tuple[str, Any]:
        """The property that names a resource, and what it says; CloudFormation makes up a name where it says none."""
        name = property_name(NAMES[TYPES[self.type_of(logical_id)]][-1])
        return name, self.properties(logical_id).get(name, f"{self.pseudo['AWS::StackName']}-{logical_id}")

    def count_steps(self, steps: int, path: FieldPath) -> None:
        """Refuses a template that takes too many steps."""
        self._steps += steps
        if self._steps > MOST_STEPS:
            message = f"the template takes more than {MOST_STEPS} steps to evaluate; simplify it"
            raise EvaluationLimitError([self.source.error(path, message)])

    @contextlib.contextmanager
    def limit_depth(self, path: FieldPath) -> Iterator[None]:
        """Counts the parts that are being evaluated within each other, and refuses too many."""
        if self._depth >= DEEPEST:
            message = f"the template's parts and names lead {DEEPEST} levels deep; simplify it"
            raise EvaluationLimitError([self.source.error(path, message)])
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    @contextlib.contextmanager
    def refuse_cycle(self, what: str, path: FieldPath) -> Iterator[None]:
        """Refuses what is defined by itself."""
        if what in self._asking:
            raise self.source.error(path, f"{what} is defined by itself: {' → '.join([*self._asking, what])}")
        self._asking.append(what)
        try:
            yield
        finally:
            self._asking.pop()
