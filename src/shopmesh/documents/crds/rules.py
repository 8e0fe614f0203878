"""What a schema cannot say with types and bounds, as rules of the Common Expression Language.

Kubernetes evaluates them when an object is applied and shows the message
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ValidationRule(NamedTuple):
    """An `expression` about `self` that must hold, and the message where it does not."""

    expression: str
    message: str


def exactly_one(members: Iterable[str]) -> ValidationRule:
    """The model's tagged unions, and the choices that it leaves to the service."""
    names = sorted(members)
    given = ", ".join(f"has(self.{name})" for name in names)
    return ValidationRule(f"[{given}].filter(given, given).size() == 1", f"give exactly one of {_join(names)}")


def at_most_one(first: str, second: str) -> ValidationRule:
    return ValidationRule(f"!(has(self.{first}) && has(self.{second}))", f"give {first} or {second}, not both")


def at_least_one(members: Iterable[str]) -> ValidationRule:
    names = sorted(members)
    return ValidationRule(" || ".join(f"has(self.{name})" for name in names), f"give at least one of {_join(names)}")


def _join(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


_PREFIX = ValidationRule("!has(self.prefix) || self.prefix.startsWith('/')", "a prefix begins with /")

OF_SHAPES: Mapping[str, tuple[ValidationRule, ...]] = {
    "RouteSpec": (exactly_one(("httpRoute", "http2Route", "grpcRoute", "tcpRoute")),),
    "GatewayRouteSpec": (exactly_one(("httpRoute", "http2Route", "grpcRoute")),),
    "HttpRouteMatch": (exactly_one(("prefix", "path")), _PREFIX),
    "HttpPathMatch": (exactly_one(("exact", "regex")),),
    "HttpGatewayRouteMatch": (
        at_least_one(("prefix", "path", "hostname")),
        at_most_one("prefix", "path"),
        _PREFIX,
    ),
    "GrpcGatewayRouteMatch": (at_least_one(("serviceName", "hostname")),),
    "GatewayRouteHostnameMatch": (exactly_one(("exact", "suffix")),),
    "HttpGatewayRouteRewrite": (at_most_one("prefix", "path"), at_least_one(("prefix", "path", "hostname"))),
    "ServiceDiscovery": (at_most_one("dns", "awsCloudMap"),),
    "VirtualNodeSpec": (
        ValidationRule(
            "!has(self.listeners) || self.listeners.size() == 0 || has(self.serviceDiscovery)",
            "a node with listeners needs serviceDiscovery: give dns, awsCloudMap, or {} for neither",
        ),
    ),
    "HttpGatewayRoutePrefixRewrite": (exactly_one(("defaultPrefix", "value")),),
    "MatchRange": (ValidationRule("self.start < self.end", "a range holds nothing unless start is below end"),),
    "WeightedTargets": (
        ValidationRule("self.map(target, target.weight).sum() <= 100", "the weights are over 100 in total"),
    ),
}
"""By the shape of the model that they are about."""

MAY_BE_EMPTY = frozenset({"ServiceDiscovery"})
"""Tagged unions of which AWS's controller took an empty one."""

NAME_STAYS = (
    ValidationRule(
        "!has(oldSelf.awsName) || has(self.awsName)", "awsName cannot be taken back: it is the name in the mesh"
    ),
    ValidationRule(
        "!has(oldSelf.awsName) || !has(self.awsName) || self.awsName == oldSelf.awsName",
        "awsName cannot be changed: delete the object and create it under the new name",
    ),
)
"""Of every specification that has an `awsName`."""
