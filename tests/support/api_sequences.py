"""Sequences of requests that Hypothesis makes up, and a small model of the rules in memory that says each answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from botocore import xform_name
from botocore.exceptions import ClientError
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

Path = tuple[str, ...]
Identity = tuple[str, Path]

PARENTS = {"route": "virtualRouter", "gatewayRoute": "virtualGateway"}
TOP = ("virtualNode", "virtualRouter", "virtualService", "virtualGateway")
KINDS = (*TOP, *PARENTS)
NAMES = ("a", "b", "c")
HTTP = {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}

identities = st.one_of(
    st.tuples(st.sampled_from(TOP), st.tuples(st.sampled_from(NAMES))),
    st.tuples(st.sampled_from(tuple(PARENTS)), st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))),
)
tags = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("1", "2")), max_size=3)


@dataclass
class Entry:
    spec: dict[str, Any]
    version: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    uid: str = ""


@dataclass
class Rules:
    """What App Mesh promises, as simply as it can be said."""

    entries: dict[Identity, Entry] = field(default_factory=dict)

    def refusal_of_write(self, identity: Identity, spec: dict[str, Any], creates: bool) -> str | None:
        kind, path = identity
        if kind in PARENTS and (PARENTS[kind], path[:1]) not in self.entries:
            return "NotFoundException"
        if creates == (identity in self.entries):
            return "ConflictException" if creates else "NotFoundException"
        if any(reference not in self.entries for reference in references(kind, spec)):
            return "NotFoundException"
        return None

    def refusal_of_delete(self, identity: Identity) -> str | None:
        kind, path = identity
        if identity not in self.entries:
            return "NotFoundException"
        below = any(PARENTS.get(k) == kind and p[:1] == path for k, p in self.entries)
        used = any(identity in references(k, e.spec) for (k, _), e in self.entries.items())
        return "ResourceInUseException" if below or used else None


def references(kind: str, spec: dict[str, Any]) -> list[Identity]:
    if kind == "route":
        targets = spec["httpRoute"]["action"]["weightedTargets"]
        return [("virtualNode", (target["virtualNode"],)) for target in targets]
    if kind == "gatewayRoute":
        service = spec["httpRoute"]["action"]["target"]["virtualService"]
        return [("virtualService", (service["virtualServiceName"],))]
    return [(p, (value[f"{p}Name"],)) for p, value in spec.get("provider", {}).items()]


@st.composite
def specs(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    if kind == "route":
        nodes = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        weighted = [{"virtualNode": node, "weight": draw(st.integers(1, 33))} for node in nodes]
        return {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": weighted}}}
    if kind == "gatewayRoute":
        target = {"virtualService": {"virtualServiceName": name}}
        return {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}}
    if kind == "virtualService":
        provider = draw(st.sampled_from((None, "virtualNode", "virtualRouter")))
        return {"provider": {provider: {f"{provider}Name": name}}} if provider else {}
    return HTTP if kind in ("virtualGateway", "virtualRouter") or draw(st.booleans()) else {}


class Machine(RuleBasedStateMachine):
    """Each run has a mesh of its own."""

    client: Any
    counter: Any

    def __init__(self) -> None:
        super().__init__()
        self.mesh = f"sequence-{next(self.counter)}"
        self.client.create_mesh(meshName=self.mesh)
        self.model = Rules()
        self.tokens: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}

    @initialize()
    def begin_with_a_router_and_nodes(self) -> None:
        """Lists have several pages, and routes something to lead to, from the first step on."""
        for name in NAMES:
            self.create_plain("virtualNode", name)
        self.create_plain("virtualRouter", "a")

    @rule(identity=identities, data=st.data(), given=tags)
    def create(self, identity: Identity, data: st.DataObject, given: dict[str, str]) -> None:
        kind = identity[0]
        spec = data.draw(specs(kind))
        wanted = self.model.refusal_of_write(identity, spec, creates=True)
        sent = [{"key": key, "value": value} for key, value in given.items()]
        answer = self.send("Create", identity, wanted, spec=spec, tags=sent)
        if answer:
            assert 1 == answer["metadata"]["version"]
            self.model.entries[identity] = Entry(spec, 1, given, answer["metadata"]["uid"])

    @rule(identity=identities, data=st.data())
    def update(self, identity: Identity, data: st.DataObject) -> None:
        spec = data.draw(specs(identity[0]))
        wanted = self.model.refusal_of_write(identity, spec, creates=False)
        if self.send("Update", identity, wanted, spec=spec):
            entry = self.model.entries[identity]
            entry.spec, entry.version = spec, entry.version + 1

    @rule(identity=identities)
    def delete(self, identity: Identity) -> None:
        answer = self.send("Delete", identity, self.model.refusal_of_delete(identity), token=False)
        if answer:
            assert "DELETED" == answer["status"]["status"]
            del self.model.entries[identity]

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same request with the same token gets the first answer; the invariants see that nothing changed."""
        token = data.draw(st.sampled_from(sorted(self.tokens)))
        operation, parameters, first = self.tokens[token]
        assert first == self.call(operation, parameters)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), identity=identities)
    def reuse(self, data: st.DataObject, identity: Identity) -> None:
        """The same token with another request is refused, whatever the request would have got."""
        token = data.draw(st.sampled_from(sorted(self.tokens)))
        parameters = self.parameters(identity) | {"spec": data.draw(specs(identity[0])), "clientToken": token}
        if (f"Create{title(identity[0])}", parameters) != self.tokens[token][:2]:
            assert "ConflictException" == self.code(f"Create{title(identity[0])}", parameters)

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), given=tags, gone=st.lists(st.sampled_from(NAMES), max_size=2))
    def tag(self, data: st.DataObject, given: dict[str, str], gone: list[str]) -> None:
        identity = data.draw(st.sampled_from(sorted(self.model.entries)))
        arn = self.describe(identity)["metadata"]["arn"]
        self.client.tag_resource(resourceArn=arn, tags=[{"key": k, "value": v} for k, v in given.items()])
        self.client.untag_resource(resourceArn=arn, tagKeys=gone)
        entry = self.model.entries[identity]
        entry.tags = {k: v for k, v in {**entry.tags, **given}.items() if k not in gone}
        listed = self.client.list_tags_for_resource(resourceArn=arn)["tags"]
        assert entry.tags == {tag["key"]: tag["value"] for tag in listed}

    @rule(kind=st.sampled_from(TOP), limit=st.integers(1, 2), data=st.data())
    def page_while_things_change(self, kind: str, limit: int, data: st.DataObject) -> None:
        """What is there all the time is listed exactly once, in order, though entries come and go between pages."""
        stable = {path[0] for k, path in self.model.entries if k == kind}
        listed: list[str] = []
        token: dict[str, str] = {}
        for _ in range(10):
            page = self.call(f"List{title(kind)}s", {"meshName": self.mesh, "limit": limit, **token})
            listed += [entry[f"{kind}Name"] for entry in page[f"{kind}s"]]
            assert len(page[f"{kind}s"]) <= limit
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
            victim = data.draw(st.sampled_from(NAMES))
            if (kind, (victim,)) in self.model.entries:
                self.delete((kind, (victim,)))
                if (kind, (victim,)) not in self.model.entries:
                    stable.discard(victim)
            elif kind == "virtualNode":
                self.create_plain(kind, victim)
        assert sorted(set(listed)) == listed
        assert stable <= set(listed)

    def create_plain(self, kind: str, name: str) -> None:
        identity = (kind, (name,))
        answer = self.send("Create", identity, None, spec={})
        assert answer is not None
        self.model.entries[identity] = Entry({}, 1, {}, answer["metadata"]["uid"])

    @invariant()
    def everything_is_there(self) -> None:
        for kind in TOP:
            page = self.call(f"List{title(kind)}s", {"meshName": self.mesh})
            expected = sorted(path[0] for k, path in self.model.entries if k == kind)
            assert expected == [entry[f"{kind}Name"] for entry in page[f"{kind}s"]]
        for identity, entry in self.model.entries.items():
            described = self.describe(identity)
            metadata = described["metadata"]
            assert (entry.spec, entry.version, entry.uid) == (
                described["spec"],
                metadata["version"],
                metadata["uid"],
            )

    def teardown(self) -> None:
        """Whatever was made can be taken down again, users first, and then the mesh."""
        while self.model.entries:
            free = [i for i in self.model.entries if self.model.refusal_of_delete(i) is None]
            assert free, "the rules leave something that nobody can delete"
            for identity in free:
                self.delete(identity)
        self.client.delete_mesh(meshName=self.mesh)

    def send(
        self, verb: str, identity: Identity, refusal: str | None, token: bool = True, **more: Any
    ) -> dict[str, Any] | None:
        operation = verb + title(identity[0])
        parameters = self.parameters(identity) | more
        if token:
            parameters["clientToken"] = f"{self.mesh}-{next(self.counter)}"
        if refusal is not None:
            assert refusal == self.code(operation, parameters)
            return None
        answer = self.call(operation, parameters)
        if token:
            self.tokens[parameters["clientToken"]] = (operation, parameters, answer)
        data: dict[str, Any] = answer[identity[0]]
        return data

    def describe(self, identity: Identity) -> dict[str, Any]:
        data: dict[str, Any] = self.call(f"Describe{title(identity[0])}", self.parameters(identity))[identity[0]]
        return data

    def parameters(self, identity: Identity) -> dict[str, Any]:
        kind, path = identity
        lineage = (PARENTS[kind], kind) if kind in PARENTS else (kind,)
        names = {f"{k}Name": name for k, name in zip(lineage, path, strict=True)}
        return {"meshName": self.mesh, **names}

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return answer

    def code(self, operation: str, parameters: dict[str, Any]) -> str:
        try:
            self.call(operation, parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "no error"


def title(kind: str) -> str:
    return kind[0].upper() + kind[1:]
