"""POST /shopmesh/v1/requests: several requests as one transaction, all or nothing."""

from __future__ import annotations

from typing import Any

from tests.contract.api.conftest import ApiServer
from tests.contract.api.raw import post, send
from tests.support.http_answers import Answer


def test_all_are_done_in_one_revision(api: ApiServer, client: Any, name: str) -> None:
    """Later requests see earlier ones, the answers come in order, and the store moves by one revision."""
    before = api.store.revision

    answer = post(
        api.port,
        ("CreateMesh", {"meshName": name}),
        ("CreateVirtualNode", {"meshName": name, "virtualNodeName": "n", "spec": {}}),
        ("DescribeVirtualNode", {"meshName": name, "virtualNodeName": "n"}),
    )

    assert 200 == answer.status
    assert before + 1 == answer.json["revision"] == int(answer.headers["x-shopmesh-revision"])
    assert ["mesh", "virtualNode", "virtualNode"] == [key for a in answer.json["answers"] for key in a]
    assert client.describe_virtual_node(meshName=name, virtualNodeName="n")


def test_first_failure_takes_all_back(api: ApiServer, client: Any, name: str) -> None:
    """The first failing request gives status, code and its index; nothing of the others is kept."""
    before = api.store.revision

    answer = post(
        api.port,
        ("CreateMesh", {"meshName": name}),
        ("DescribeMesh", {"meshName": "nowhere-at-all"}),
        ("CreateMesh", {"meshName": name}),
    )

    assert (404, "NotFoundException", 1) == (answer.status, answer.json["code"], answer.json["index"])
    assert before == api.store.revision
    assert name not in [mesh["meshName"] for mesh in client.list_meshes()["meshes"]]


def test_invalid_request_is_named_by_its_index(api: ApiServer, name: str) -> None:
    """Unknown operations and wrong parameters of one request are told as the API tells them, with its index."""
    unknown = post(api.port, ("CreateMesh", {"meshName": name}), ("CreateMess", {}))
    wrong = post(api.port, ("CreateMesh", {"meshName": ""}))

    assert (404, "UnknownOperationException", 1) == (unknown.status, unknown.json["code"], unknown.json["index"])
    assert "did you mean 'CreateMesh'?" in unknown.message
    assert (400, "BadRequestException", 0) == (wrong.status, wrong.json["code"], wrong.json["index"])


def test_dry_run_answers_and_keeps_nothing(api: ApiServer, client: Any, name: str) -> None:
    """A dry run gives the answers, or the error, that the real one would give."""
    before = api.store.revision

    fine = post(api.port, ("CreateMesh", {"meshName": name}), dry_run=True)
    wrong = post(api.port, ("CreateMesh", {"meshName": name}), ("CreateMesh", {"meshName": name}), dry_run=True)

    assert (200, name) == (fine.status, fine.json["answers"][0]["mesh"]["meshName"])
    assert (409, 1) == (wrong.status, wrong.json["index"])
    assert before == api.store.revision == fine.json["revision"]


def test_malformed_bodies_are_refused(api: ApiServer) -> None:
    """What is no list of requests is told so."""
    for body in ("{}", '{"requests": 1}', '{"requests": [], "dryRun": 1}', '{"requests": [], "more": 1}'):
        assert (400, "BadRequestException") == _brief(send(api.port, "POST", "/shopmesh/v1/requests", body))
    for request in ("1", "{}", '{"operation": 1}', '{"operation": "ListMeshes", "params": {}}'):
        answer = send(api.port, "POST", "/shopmesh/v1/requests", f'{{"requests": [{request}]}}')
        assert (400, 0) == (answer.status, answer.json["index"])


def test_number_of_requests_is_bounded(api: ApiServer) -> None:
    """Twenty thousand requests are taken, one more is not."""
    one = ("ListMeshes", {"limit": 1})

    assert [200, 400] == [post(api.port, *[one] * count, dry_run=True).status for count in (20_000, 20_001)]


def test_token_holds_within_and_across(api: ApiServer, name: str) -> None:
    """A clientToken repeated within one body, or in the next, gets its first answer."""
    create = ("CreateMesh", {"meshName": name, "clientToken": f"token-{name}"})

    first = post(api.port, create, create)
    again = post(api.port, create)

    assert first.json["answers"][0] == first.json["answers"][1] == again.json["answers"][0]
    assert first.json["revision"] == again.json["revision"]


def _brief(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


def test_several_requests_are_judged_by_what_they_leave(api: ApiServer, client: Any, name: str) -> None:
    """In any order; of two that do not fit the route's index is told, and what was there stays."""

    def listener(protocol: str) -> dict[str, Any]:
        return {"spec": {"listeners": [{"portMapping": {"port": 80, "protocol": protocol}}]}}

    def routed(kind: str) -> dict[str, Any]:
        targets = [{"virtualNode": "n", "weight": 1}]
        match = {} if kind == "tcpRoute" else {"match": {"prefix": "/"}}
        return {"spec": {kind: {**match, "action": {"weightedTargets": targets}}}}

    router = {"meshName": name, "virtualRouterName": "r"}
    route = {**router, "routeName": "t"}
    client.create_mesh(meshName=name)
    client.create_virtual_node(meshName=name, virtualNodeName="n", spec={})
    client.create_virtual_router(**router, **listener("http"))
    client.create_route(**route, **routed("httpRoute"))
    update_router = ("UpdateVirtualRouter", router | listener("http2"))

    unfit = post(api.port, update_router, ("UpdateRoute", route | routed("tcpRoute")))
    alone = post(api.port, update_router)
    fit = post(api.port, ("UpdateRoute", route | routed("http2Route")), update_router)

    assert (400, 1) == (unfit.status, unfit.json["index"])
    assert "spec.tcpRoute: virtual router r listens for http2; use http2Route" == unfit.message
    assert (400, 0) == (alone.status, alone.json["index"])
    assert "spec.listeners: route t.httpRoute: the new specification listens for http2" in alone.message
    assert (200, 2) == (fit.status, len(fit.json["answers"]))
    assert "http2Route" in client.describe_route(**route)["route"]["spec"]
