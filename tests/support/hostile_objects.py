"""Objects of a cluster as an attacker in one namespace would write them, from a seed.

Each is a valid object with a few fields replaced, added or taken away: types, numbers, depths, names and texts that no
rule foresaw. It is more than an API server would let through: what is read must not depend on who checked it before.
Meshes are not among them: they belong to whoever runs the cluster.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

Json = Any
NAMESPACE = "evil"
API_VERSION = "appmesh.k8s.aws/v1beta2"

_META = {"uid": "u", "generation": 1, "resourceVersion": "1", "creationTimestamp": "2026-11-01T00:00:00Z"}


def _nested(levels: int) -> Json:
    value: Json = 1
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


_VALUES: tuple[Json, ...] = (
    *(None, True, False, 0, -1, 1, 70_000, 2**31, 2**63, 10**299, 10**400, -(10**400), 0.5, 1e308),
    *(float("inf"), float("-inf"), float("nan")),
    *(
        "",
        " ",
        "-",
        "x",
        "0",
        "x" * 300,
        "x" * 70_000,
        "a/b",
        "../..",
        "*",
        "\x00",
        "\n",
        "\x1b[31m",
        "\ud800",
        "é" * 200,
    ),
    *("9" * 5000, "1e400", "10.0.0.1", "127.0.0.1", "999.0.0.1", "::1", "default", "shopmesh", "order-vn"),
    *([], {}, [None], [[]], [1], [{}], {"": None}, {"a": []}, {"name": None}, {"name": 5}, {"name": "order"}),
    *({"matchLabels": []}, {"matchLabels": {"a": 1}}, {"matchExpressions": [None]}, {"matchExpressions": 5}),
    *(_nested(70), _nested(300), [0] * 2000),
)

_NUMBERS = ("1e400", "-1e400", "9" * 5000, "NaN", "Infinity", "1e308", "-1", "0.5", "null", "true", '""', "[]", "{}")
_PATCHES = (
    '{"cluster/x": {"lb_policy": %s}}',
    '{"cluster/*": {"outlier_detection": {"consecutive_5xx": %s}}}',
    '{"listener/*": {"per_connection_buffer_limit_bytes": %s}}',
    '{"routes/*": {"virtual_hosts": [{"retry_policy": {"num_retries": %s}}]}}',
    '{"cluster/*": {"common_lb_config": {"healthy_panic_threshold": {"value": %s}}}}',
    '{"cluster/*": {"connect_timeout": %s}}',
    '{"listener/*": {"metadata": {"filter_metadata": {"a": %s}}}}',
)
_KEPT = (
    '{"version": %s}',
    '{"tags": {"a": %s}}',
    '{"tags": %s}',
    '{"digest": %s}',
    '{"routes": {"r": {"version": %s}}}',
    '{"routes": {"r": {"canary": {"x": %s}}}}',
    '{"routes": {"r": {"canary": %s}}}',
    '{"routes": {"r": %s}}',
    '{"canary": %s}',
    '{"derivedFrom": %s}',
    '{"routes": {"r": {"canary": {"service": "s", "plan": {"to": "a", "steps": [%s]}, "owner": "o", "lease": %s,'
    ' "stable": [%s], "since": %s, "stage": %s, "phase": "running", "paused": false, "reason": "",'
    ' "route": ["u", %s], "history": [%s]}}}}',
)
_WORDS = ("mirror", "fault-delay", "fault-abort", "request-headers-add", "response-headers-remove", "rate-limit", "no")


def _annotation(rng: random.Random) -> tuple[str, Json]:
    number = rng.choice(_NUMBERS)
    match rng.randrange(6):
        case 0:
            form = rng.choice(_KEPT)
            return "appmesh.shopmesh.dev/kept", form % ((number,) * form.count("%s"))
        case 1:
            return "shopmesh.dev/patch", rng.choice(_PATCHES) % number
        case 2:
            name = rng.choice(("appmesh.shopmesh.dev/kept", "shopmesh.dev/patch", "shopmesh.dev/r.mirror"))
            return name, rng.choice(("[" * 20_000, '{"a":' * 9000, "{", "\x00", '{"a":1,"a":2}', '"\\ud800"'))
        case 3:
            word = rng.choice(_WORDS)
            texts = ("", "9" * 5000, "x 1e400%", "2s 101%", "503 -1%", "a=b" * 999, "1/s burst 0")
            return f"shopmesh.dev/{word}", rng.choice(texts)
        case 4:
            return f"shopmesh.dev/{rng.choice(_WORDS)}.{rng.choice(('2', '0', 'x' * 999))}", "x"
    return rng.choice(("shopmesh.dev/patch", "shopmesh.dev/", "appmesh.shopmesh.dev/kept")), rng.choice(_VALUES)


def _port(number: int = 5000) -> Json:
    return {"portMapping": {"port": number, "protocol": "http"}}


def _target(kind: str, node: str = "n0") -> Json:
    reference = {f"{kind}Ref": {"name": node}}
    return {"virtualServiceRef": {"name": "s0"}} if kind == "virtualService" else {**reference, "weight": 1}


_ROUTE = {"match": {"prefix": "/"}, "action": {"weightedTargets": [_target("virtualNode")]}}
_SPECS: dict[str, Json] = {
    "VirtualNode": {
        "awsName": "evil-vn",
        "podSelector": {"matchLabels": {"app": "x"}},
        "listeners": [
            {
                **_port(),
                "healthCheck": {
                    "protocol": "http",
                    "path": "/",
                    "healthyThreshold": 2,
                    "unhealthyThreshold": 2,
                    "intervalMillis": 5000,
                    "timeoutMillis": 2000,
                },
                "timeout": {"http": {"perRequest": {"value": 1, "unit": "s"}}},
                "connectionPool": {"http": {"maxConnections": 5}},
            }
        ],
        "serviceDiscovery": {"dns": {"hostname": "s.evil.svc.cluster.local"}},
        "backends": [{"virtualService": _target("virtualService")}],
        "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
    },
    "VirtualRouter": {"listeners": [_port()], "routes": [{"name": "r", "priority": 1, "httpRoute": _ROUTE}]},
    "VirtualService": {"awsName": "s.evil", "provider": {"virtualRouter": {"virtualRouterRef": {"name": "r0"}}}},
    "VirtualGateway": {
        "namespaceSelector": {"matchLabels": {"gateway": "x"}},
        "podSelector": {"matchLabels": {"app": "g"}},
        "listeners": [_port(8088)],
    },
    "GatewayRoute": {
        "httpRoute": {
            "match": {"prefix": "/"},
            "action": {"target": {"virtualService": _target("virtualService")}},
        }
    },
    "BackendGroup": {"virtualservices": [{"name": "s0", "namespace": NAMESPACE}]},
}


def references() -> Iterator[Json]:
    """What the objects refer to; these are good."""
    yield {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"mesh": "shopmesh", "gateway": "g0"}},
    }
    for kind, name in (
        ("VirtualNode", "n0"),
        ("VirtualRouter", "r0"),
        ("VirtualService", "s0"),
        ("VirtualGateway", "g0"),
    ):
        spec = copy.deepcopy(_SPECS[kind])
        spec.pop("backends", None)
        if kind == "VirtualGateway":
            spec["namespaceSelector"] = {"matchLabels": {"gateway": "g0"}}
        metadata = {"name": name, "namespace": NAMESPACE}
        yield {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata,
            "spec": {**spec, "awsName": f"{name}-evil"},
        }


def _valid(rng: random.Random, number: int) -> Json:
    kind = rng.choice([*_SPECS, *_SPECS, "Service", "EndpointSlice", "Pod", "Namespace"])
    metadata: Json = {**_META, "name": f"x{number}", "namespace": NAMESPACE, "labels": {"app": "x"}}
    if kind in _SPECS:
        spec = copy.deepcopy(_SPECS[kind])
        if "awsName" in spec:
            spec["awsName"] += rng.choice(("", f"-{number}"))
        annotations = {"a": "b", **dict(_annotation(rng) for _ in range(rng.randrange(3)))}
        whole: Json = {"apiVersion": API_VERSION, "kind": kind, "metadata": {**metadata, "annotations": annotations}}
        return {**whole, "spec": spec, "status": {"conditions": [{"type": f"{kind}Active", "status": "True"}]}}
    if kind == "EndpointSlice":
        endpoint = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "p"}}
        labels = {"kubernetes.io/service-name": "s"}
        slice_: Json = {"addressType": "IPv4", "endpoints": [endpoint], "ports": [{"name": "", "port": 5000}]}
        return {"apiVersion": "discovery.k8s.io/v1", "kind": kind, "metadata": {**metadata, "labels": labels}, **slice_}
    spec = {"ports": [{"name": "", "port": 5000}]} if kind == "Service" else {}
    if kind == "Service":
        metadata["name"] = "s"
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def _places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield (*path, step)
        yield from _places(item, (*path, step))


_SAFE = {("kind",), ("apiVersion",), ("metadata", "name"), ("metadata", "namespace"), ("metadata",)}
"""Without these nobody could tell which object it is: no API server sends such a one."""


def _damage(rng: random.Random, found: Json) -> None:
    *above, last = rng.choice([path for path in _places(found) if path not in _SAFE])
    inner = found
    for step in above:
        inner = inner[step]
    match rng.randrange(8):
        case 0:
            del inner[last]
        case 1 if isinstance(inner, dict):
            added = ("", "x", "awsName", "meshRef", "virtualGatewayRef", "backendGroups", "routes", "tcpRoute")
            inner[rng.choice(added)] = copy.deepcopy(rng.choice(_VALUES))
        case _:
            inner[last] = copy.deepcopy(rng.choice(_VALUES))


def hostile_objects(seed: int, count: int) -> Iterator[Json]:
    """So many objects, always the same ones for a seed."""
    rng = random.Random(seed)
    for number in range(count):
        found = _valid(rng, number)
        for _ in range(rng.randrange(4)):
            _damage(rng, found)
        yield found


def shown(found: Json) -> str:
    """An object in a message, short."""
    return json.dumps(found, default=str)[:2000]
