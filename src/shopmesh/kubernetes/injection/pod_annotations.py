"""Reads the sidecar options of a pod from the annotations of AWS's injector, `appmesh.k8s.aws/…`.

Unsupported annotations give a warning, invalid ones an error; none is ignored silently.
https://aws.github.io/aws-app-mesh-controller-for-k8s/reference/injector/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shopmesh.appmesh import strict_json
from shopmesh.xds import names
from shopmesh.xds.bootstrap.variables import UNUSED, VARIABLES

PREFIX = "appmesh.k8s.aws/"
INJECT = f"{PREFIX}sidecarInjectorWebhook"
"""`enabled` or `disabled`, of a namespace (a label) and of a pod (an annotation)."""
MODE = "shopmesh.dev/sidecar-mode"
"""How the sidecar gets the traffic, of a pod or of a namespace."""
MODES = ("intercepted", "explicit")
LEVEL, CONCURRENCY = "ENVOY_LOG_LEVEL", "ENVOY_CONCURRENCY"
USER = 1337
"""The user whose traffic proxy-init does not redirect."""

T = TypeVar("T")
Mounts = tuple[tuple[str, str], ...]

_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNSUPPORTED = {
    "preview": "there is no preview channel",
    "xrayAgentConfigMount": "no X-Ray daemon is put beside the application; run one as a workload of its own",
}
_AT_BOOTSTRAP = {one.name for one in VARIABLES} - {"OTEL_RESOURCE_ATTRIBUTES"}


class InjectionError(ValueError):
    """A pod cannot get its sidecar; the message says what to do."""


@dataclass(frozen=True)
class SidecarOptions:
    """The options of a sidecar; None and empty mean the default. `ports` are those of the application."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] | None = None
    redirect_env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of proxy-init."""
    ingress_port: int = names.INGRESS_PORT
    egress_port: int = names.EGRESS_PORT
    uid: int = USER
    gid: int = USER
    env: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "warning"
    concurrency: int = 1
    secrets: Mounts = ()
    volumes: Mounts = ()
    sds: bool = False
    keeps_image: bool = False
    warnings: tuple[str, ...] = ()


def wants_sidecar(annotations: Mapping[str, str]) -> bool | None:
    """Whether the pod's annotation enables or disables its sidecar; None without the annotation."""
    match str(annotations.get(INJECT, "")).lower():
        case "enabled":
            return True
        case "disabled":
            return False
        case _:
            return None


def sidecar_mode(annotations: Mapping[str, str], default: str, whose: str = "the pod") -> str:
    """Returns what annotation `shopmesh.dev/sidecar-mode` says, or the default. Raises InjectionError."""
    mode = annotations.get(MODE) or default
    if mode not in MODES:
        raise InjectionError(f"annotation {MODE} of {whose} is {str(mode)[:200]!r}; it is {' or '.join(MODES)}")
    return mode


def sidecar_options(annotations: Mapping[str, str]) -> SidecarOptions:
    """Reads the options; raises InjectionError."""
    said = {key.removeprefix(PREFIX): str(value) for key, value in annotations.items() if key.startswith(PREFIX)}
    said.pop("sidecarInjectorWebhook", None)
    warnings = [
        f"{PREFIX}{name} is not honoured: {_UNSUPPORTED[name]}" for name in sorted(said) if name in _UNSUPPORTED
    ]
    known = {*_UNSUPPORTED, *_READERS}
    warnings += [f"{PREFIX}{name} is not known" for name in sorted(said) if name not in known]
    read: dict[str, Any] = {name: _read(name, said[name], reader) for name, reader in _READERS.items() if name in said}
    if read.get("appmeshCNI"):
        warnings.append(f"{PREFIX}appmeshCNI is not honoured: no network plugin redirects here, proxy-init does")
    env = {**read.get("sidecarEnv", {}), **read.get("sidecarEnvJson", {})}
    return SidecarOptions(
        requests=_resource_amounts(read, "Request"),
        limits=_resource_amounts(read, "Limit"),
        ports=read.get("ports"),
        redirect_env=_redirect_env(read, said),
        ingress_port=read.get("proxyIngressPort", names.INGRESS_PORT),
        egress_port=read.get("proxyEgressPort", names.EGRESS_PORT),
        uid=read.get("ignoredUID", USER),
        gid=read.get("ignoredGID", USER),
        env=env,
        log_level=_level(env),
        concurrency=_concurrency(env),
        secrets=read.get("secretMounts", ()),
        volumes=read.get("volumeMounts", ()),
        sds=read.get("sds", False),
        keeps_image=read.get("virtualGatewaySkipImageOverride", False),
        warnings=(*warnings, *_ignored_variables(env)),
    )


def _resource_amounts(read: Mapping[str, object], kind: str) -> dict[str, str]:
    return {what: str(read[f"{what}{kind}"]) for what in ("cpu", "memory") if f"{what}{kind}" in read}


def _redirect_env(read: Mapping[str, object], said: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables for what differs from the defaults of `proxy-init`."""
    found = {}
    for name, variable in (
        ("egressIgnoredIPs", "APPMESH_EGRESS_IGNORED_IP"),
        ("egressIgnoredPorts", "APPMESH_EGRESS_IGNORED_PORTS"),
        ("ignoredUID", "APPMESH_IGNORE_UID"),
        ("ignoredGID", "APPMESH_IGNORE_GID"),
        ("proxyIngressPort", "APPMESH_ENVOY_INGRESS_PORT"),
        ("proxyEgressPort", "APPMESH_ENVOY_EGRESS_PORT"),
    ):
        if name in said:
            found[variable] = re.sub(r"\s", "", said[name])
    if "ipv6" in read:
        found["APPMESH_ENABLE_IPV6"] = "1" if read["ipv6"] else "0"
    return found


def _ignored_variables(env: Mapping[str, str]) -> list[str]:
    """Warns of variables that App Mesh's agent read and stock Envoy does not."""
    warnings = []
    for name in sorted({*env} - {LEVEL, CONCURRENCY}):
        if name in _AT_BOOTSTRAP:
            warnings.append(
                f"{name} is read when a bootstrap is written, not by Envoy: set it for `shopmesh bootstrap`, "
                "and put what that writes into ConfigMap shopmesh-sidecar"
            )
        warnings += [f"{name} is not read: {one.why}" for one in UNUSED if one.covers(name)]
    return warnings


def _level(env: Mapping[str, str]) -> str:
    level = env.get(LEVEL, "warning")
    if level not in (known := ("trace", "debug", "info", "warning", "warn", "error", "critical", "off")):
        raise InjectionError(f"{LEVEL} is {level[:200]!r}; it must be one of {', '.join(known)}")
    return level


def _concurrency(env: Mapping[str, str]) -> int:
    try:
        return _threads(env.get(CONCURRENCY, "1"))
    except InjectionError as error:
        raise InjectionError(f"{CONCURRENCY} is {env[CONCURRENCY][:200]!r}; {error}") from None


def _read(name: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except InjectionError as error:
        raise InjectionError(f"annotation {PREFIX}{name} is {text[:200]!r}; {error}") from None


def _quantity(text: str) -> str:
    if not _QUANTITY.fullmatch(text):
        raise InjectionError("it must be an amount such as 100m, 1 or 64Mi")
    return text


_MOST_DIGITS = 10
"""The digits of the largest number in any annotation."""


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        # int() refuses more than 4,300 digits with an error of its own.
        if not (text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS and least <= int(text) <= most):
            raise InjectionError(f"it must be a number from {least} to {most}")
        return int(text)

    return read


_port = _number(1, 65535)
_user = _number(1, 2**31 - 1)
_threads = _number(1, 256)


def _ports(text: str) -> tuple[int, ...]:
    try:
        return tuple(_port(one.strip()) for one in text.split(",") if one.strip())
    except InjectionError:
        raise InjectionError("it must be a list of ports such as 5000,8080") from None


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(one.strip(), strict=False)) for one in text.split(",") if one.strip())
    except ValueError:
        raise InjectionError("it must be a list of addresses and networks such as 169.254.169.254,10.0.0.0/8") from None


def _switch(text: str) -> bool:
    if text.lower() not in ("enabled", "disabled"):
        raise InjectionError("it must be enabled or disabled")
    return text.lower() == "enabled"


def _mounts(text: str) -> Mounts:
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, _, path = (part.strip() for part in one.partition(":"))
        if not _NAME.fullmatch(name) or not path.startswith("/") or ":" in path:
            raise InjectionError("it must be a list of names and paths such as certificates:/etc/certificates")
        found.append((name, path))
    return tuple(found)


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = one.partition("=")
        if not equals or not _VARIABLE.fullmatch(name.strip()):
            raise InjectionError(
                "it must be a list such as NAME=value,OTHER=value; values with commas belong into sidecarEnvJson"
            )
        found[name.strip()] = value.strip()
    return found


def _json_pairs(text: str) -> dict[str, str]:
    try:
        read = strict_json.load(text)
        objects = read if isinstance(read, list) else [read]
        found = {name: value for one in objects for name, value in one.items()}
    except (ValueError, AttributeError):
        found = {"": ""}
    if not all(_VARIABLE.fullmatch(name) and isinstance(value, str) for name, value in found.items()):
        raise InjectionError('it must be JSON such as [{"NAME": "value", "OTHER": "value"}]')
    return found


_READERS: Mapping[str, Callable[[str], object]] = {
    "cpuRequest": _quantity,
    "memoryRequest": _quantity,
    "cpuLimit": _quantity,
    "memoryLimit": _quantity,
    "ports": _ports,
    "egressIgnoredIPs": _networks,
    "egressIgnoredPorts": _ports,
    "ignoredUID": _user,
    "ignoredGID": _user,
    "proxyIngressPort": _port,
    "proxyEgressPort": _port,
    "ipv6": _switch,
    "appmeshCNI": _switch,
    "secretMounts": _mounts,
    "volumeMounts": _mounts,
    "sds": _switch,
    "sidecarEnv": _pairs,
    "sidecarEnvJson": _json_pairs,
    "virtualGatewaySkipImageOverride": _switch,
}
