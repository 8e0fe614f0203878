"""What an API server does, as our client sees it: the test server, and a real one where there is one, do the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kubernetes_asyncio.client import Configuration

from shopmesh.kubernetes.api import client as api_module
from shopmesh.kubernetes.api.client import (
    ApiServerUnreachableError,
    ConflictError,
    Event,
    GoneError,
    KubernetesStatusError,
    NotFoundError,
)
from shopmesh.kubernetes.api.resource_types import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    PODS,
    SERVICES,
    TOKEN_REVIEWS,
    VIRTUAL_ROUTERS,
    ResourceType,
)
from tests.contract.kubernetes.places import Place, place_in
from tests.contract.kubernetes.reflecting import speaking, until_async
from tests.support.kubernetes import Cluster
from tests.support.process import free_port

UNKNOWN = ResourceType("nowhere.example.com", "v1", "things", "Thing")


def version(found: dict[str, Any]) -> int:
    return int(found["metadata"]["resourceVersion"])


async def events(place: Place, since: dict[str, Any], number: int, **options: Any) -> list[Event]:
    """The next so many of the place's ConfigMaps, bookmarks left out."""
    found: list[Event] = []
    async with (
        asyncio.timeout(20),
        place.api.watch(CONFIG_MAPS, str(version(since)), 30, place.namespace, **options) as coming,
    ):
        async for one in coming:
            # A cluster puts a ConfigMap of its own into each namespace.
            if one.type != "BOOKMARK" and one.object["metadata"]["name"] != "kube-root-ca.crt":
                found.append(one)
            if len(found) == number:
                break
    return found


async def test_an_object_is_stamped(where: Cluster | None) -> None:
    """What is created has an identity, a time, a version and a generation, and not the status that was sent along."""
    async with place_in(where) as place:
        sent = place.router("product", status={"weights": "mine"})
        made = await place.api.create(VIRTUAL_ROUTERS, sent)
        metadata = made["metadata"]

        assert {"uid", "creationTimestamp", "resourceVersion", "managedFields"} <= metadata.keys()
        assert 1 == metadata["generation"]
        assert sent["spec"] == made["spec"]
        assert "status" not in made
        assert made == await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)


async def test_a_name_is_taken_once(where: Cluster | None) -> None:
    """A second object of that name is refused; who only has a prefix is given a name."""
    async with place_in(where) as place:
        await place.api.create(CONFIG_MAPS, place.config_map("one"))
        with pytest.raises(ConflictError, match='configmaps "one" already exists') as refused:
            await place.api.create(CONFIG_MAPS, place.config_map("one"))
        assert (409, "AlreadyExists") == (refused.value.status, refused.value.reason)

        metadata = {"generateName": "some-", "namespace": place.namespace}
        named = await place.api.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        assert named["metadata"]["name"].startswith("some-")
        assert len("some-") + 5 == len(named["metadata"]["name"])


async def test_names_that_are_none_are_refused(where: Cluster | None) -> None:
    """As is an object in a namespace that is not there."""
    async with place_in(where) as place:
        with pytest.raises(KubernetesStatusError, match=r"metadata\.name: Invalid value") as refused:
            await place.api.create(CONFIG_MAPS, place.config_map("No Name"))
        assert (422, "Invalid") == (refused.value.status, refused.value.reason)
        body = {**place.config_map("one"), "metadata": {"name": "one", "namespace": "not-there"}}
        with pytest.raises(NotFoundError, match='namespaces "not-there" not found'):
            await place.api.create(CONFIG_MAPS, body)


async def test_who_read_an_older_version_is_refused(where: Cluster | None) -> None:
    """Nobody overwrites what they have not seen, by replacing or by patching."""
    async with place_in(where) as place:
        first = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        second = await place.api.replace(VIRTUAL_ROUTERS, {**first, "spec": place.router("product", 90)["spec"]})
        with pytest.raises(ConflictError, match="the object has been modified; please apply your changes") as refused:
            await place.api.replace(VIRTUAL_ROUTERS, first)
        assert (409, "Conflict") == (refused.value.status, refused.value.reason)
        change = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"], "labels": {"a": "b"}}}
        with pytest.raises(ConflictError):
            await place.api.patch(VIRTUAL_ROUTERS, "product", change, place.namespace)

        assert second == await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)


async def test_a_custom_object_is_replaced_by_version_only(where: Cluster | None) -> None:
    """Without one it is invalid; a ConfigMap may be overwritten unseen."""
    async with place_in(where) as place:
        await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        with pytest.raises(
            KubernetesStatusError, match=r"metadata\.resourceVersion: Invalid value: .*: must be specified"
        ):
            await place.api.replace(VIRTUAL_ROUTERS, place.router("product", 90))
        await place.api.create(CONFIG_MAPS, place.config_map("one"))
        replaced = await place.api.replace(CONFIG_MAPS, place.config_map("one", weight="90"))

        assert {"weight": "90"} == replaced["data"]


async def test_what_changes_nothing_is_no_write(where: Cluster | None) -> None:
    """The version stays, and no watch is told."""
    async with place_in(where) as place:
        first = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        again = await place.api.replace(VIRTUAL_ROUTERS, first)
        patched = await place.api.patch(VIRTUAL_ROUTERS, "product", {"spec": first["spec"]}, place.namespace)

        assert version(first) == version(again) == version(patched)


async def test_versions_are_of_one_counter(where: Cluster | None) -> None:
    """Of two writes the later has the greater version, whatever their types are: ours is the greatest of all seen."""
    async with place_in(where) as place:
        versions = []
        for index in range(3):
            versions.append(version(await place.api.create(CONFIG_MAPS, place.config_map(f"map-{index}"))))
            versions.append(version(await place.api.create(VIRTUAL_ROUTERS, place.router(f"router-{index}"))))

        assert sorted({*versions}) == versions


async def test_a_generation_counts_what_is_wanted(where: Cluster | None) -> None:
    """It goes up with the specification, not with labels or the status."""
    async with place_in(where) as place:
        found = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        found = await place.api.patch(VIRTUAL_ROUTERS, "product", {"metadata": {"labels": {"a": "b"}}}, place.namespace)
        status = {"status": {"weights": "product 100"}}
        found = await place.api.patch(VIRTUAL_ROUTERS, "product", status, place.namespace, "status")
        assert 1 == found["metadata"]["generation"]
        found = await place.api.replace(VIRTUAL_ROUTERS, {**found, "spec": place.router("product", 90)["spec"]})

        assert 2 == found["metadata"]["generation"]


async def test_the_status_is_written_apart(where: Cluster | None) -> None:
    """/status changes nothing else, and whatever else is written does not change the status."""
    async with place_in(where) as place:
        made = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        change = {
            "metadata": {"resourceVersion": made["metadata"]["resourceVersion"], "labels": {"a": "b"}},
            "spec": place.router("product", 1)["spec"],
            "status": {"weights": "product 100"},
        }
        found = await place.api.patch(VIRTUAL_ROUTERS, "product", change, place.namespace, "status")
        assert {"weights": "product 100"} == found["status"]
        assert made["spec"] == found["spec"]
        assert "labels" not in found["metadata"]

        found = await place.api.patch(VIRTUAL_ROUTERS, "product", {"status": {"weights": "no"}}, place.namespace)
        assert {"weights": "product 100"} == found["status"]
        found = await place.api.replace(VIRTUAL_ROUTERS, {**found, "status": {"weights": "no"}})
        assert {"weights": "product 100"} == found["status"]
        with pytest.raises(ConflictError):
            await place.api.patch(VIRTUAL_ROUTERS, "product", change, place.namespace, "status")


async def test_merge_patches_take_away_what_is_null(where: Cluster | None) -> None:
    """RFC 7386: mappings are merged, lists are replaced, null removes."""
    async with place_in(where) as place:
        await place.api.create(CONFIG_MAPS, place.config_map("one", {"a": "1", "b": "2"}, x="1", y="2"))
        change = {"metadata": {"labels": {"a": None, "c": "3"}}, "data": {"x": None}}
        found = await place.api.patch(CONFIG_MAPS, "one", change, place.namespace)

        assert ({"b": "2", "c": "3"}, {"y": "2"}) == (found["metadata"]["labels"], found["data"])


async def test_json_patches_are_steps(where: Cluster | None) -> None:
    """RFC 6902: they are done all or not at all; a test that fails refuses them."""
    async with place_in(where) as place:
        await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        path = VIRTUAL_ROUTERS.path(place.namespace, "product")
        weight = "/spec/routes/0/httpRoute/action/weightedTargets/0/weight"
        steps = [{"op": "test", "path": weight, "value": 100}, {"op": "replace", "path": weight, "value": 90}]
        kind = "application/json-patch+json"
        assert 200 == (await place.raw("PATCH", path, steps, kind)).status
        refused = await place.raw("PATCH", path, steps, kind)
        assert (422, "Invalid") == (refused.status, refused.body["reason"])
        found = await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)

        assert place.router("product", 90)["spec"] == found["spec"]


async def test_patches_of_an_unknown_form_are_refused(where: Cluster | None) -> None:
    """Custom objects have no strategic merge patch."""
    async with place_in(where) as place:
        await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        path = VIRTUAL_ROUTERS.path(place.namespace, "product")
        refused = await place.raw("PATCH", path, {}, "application/strategic-merge-patch+json")

        assert (415, "UnsupportedMediaType") == (refused.status, refused.body["reason"])


async def test_an_object_is_deleted_by_identity(where: Cluster | None) -> None:
    """Not the one that has taken its place; and only once."""
    async with place_in(where) as place:
        made = await place.api.create(CONFIG_MAPS, place.config_map("one"))
        with pytest.raises(ConflictError, match=r"the UID in the precondition \(another\) does not match") as refused:
            await place.api.delete(CONFIG_MAPS, "one", place.namespace, uid="another")
        assert "Conflict" == refused.value.reason
        await place.api.delete(CONFIG_MAPS, "one", place.namespace, uid=made["metadata"]["uid"])
        with pytest.raises(NotFoundError, match='configmaps "one" not found') as missed:
            await place.api.delete(CONFIG_MAPS, "one", place.namespace)

        assert (404, "NotFound") == (missed.value.status, missed.value.reason)


async def test_a_finalizer_holds_an_object(where: Cluster | None) -> None:
    """It is marked, told as a change, and gone when the last finalizer is taken away."""
    async with place_in(where) as place:
        body = place.config_map("one")
        body["metadata"]["finalizers"] = ["shopmesh.dev/held"]
        made = await place.api.create(CONFIG_MAPS, body)
        await place.api.delete(CONFIG_MAPS, "one", place.namespace)
        held = await place.api.get(CONFIG_MAPS, "one", place.namespace)
        assert "deletionTimestamp" in held["metadata"]
        await place.api.patch(CONFIG_MAPS, "one", {"metadata": {"finalizers": None}}, place.namespace)
        with pytest.raises(NotFoundError):
            await place.api.get(CONFIG_MAPS, "one", place.namespace)

        assert ["MODIFIED", "DELETED"] == [one.type for one in await events(place, made, 2)]


async def test_a_dry_run_leaves_nothing(where: Cluster | None) -> None:
    """The answer is as if it had been done, the refusals as well."""
    async with place_in(where) as place:
        made = await place.api.create(VIRTUAL_ROUTERS, place.router("product"), dry_run=True)
        assert "uid" in made["metadata"]
        with pytest.raises(NotFoundError):
            await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)
        kept = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        changed = {**kept, "spec": place.router("product", 90)["spec"]}
        answered = await place.api.replace(VIRTUAL_ROUTERS, changed, dry_run=True)
        await place.api.delete(VIRTUAL_ROUTERS, "product", place.namespace, dry_run=True)
        assert kept == await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)
        with pytest.raises(ConflictError):
            await place.api.create(VIRTUAL_ROUTERS, place.router("product"), dry_run=True)

        assert changed["spec"] == answered["spec"]
        assert kept == await place.api.get(VIRTUAL_ROUTERS, "product", place.namespace)


async def test_options_of_a_removal_are_read_from_one_place(where: Cluster | None) -> None:
    """Those in the query are not looked at where there is a body: what looks like a dry run is none."""
    async with place_in(where) as place:
        path = CONFIG_MAPS.path(place.namespace, "one")
        await place.api.create(CONFIG_MAPS, place.config_map("one"))
        await place.raw("DELETE", path, dryRun="All")
        await place.api.get(CONFIG_MAPS, "one", place.namespace)
        await place.raw("DELETE", path, {}, dryRun="All")
        with pytest.raises(NotFoundError):
            await place.api.get(CONFIG_MAPS, "one", place.namespace)


async def test_a_list_in_pages_is_of_one_moment(where: Cluster | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes between two pages is not in it, and comes with a watch from the list's version."""
    async with place_in(where) as place:
        for index in range(5):
            await place.api.create(VIRTUAL_ROUTERS, place.router(f"router-{index}"))
        path = VIRTUAL_ROUTERS.path(place.namespace)
        first = (await place.raw("GET", path, limit="2")).body
        await place.api.delete(VIRTUAL_ROUTERS, "router-4", place.namespace)
        await place.api.create(VIRTUAL_ROUTERS, place.router("router-5"))
        second = (await place.raw("GET", path, limit="9", **{"continue": first["metadata"]["continue"]})).body

        names = [one["metadata"]["name"] for one in [*first["items"], *second["items"]]]
        assert [f"router-{index}" for index in range(5)] == names
        assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
        assert 3 == first["metadata"]["remainingItemCount"]
        assert not second["metadata"].get("continue")
        assert "VirtualRouterList" == first["kind"]

        monkeypatch.setattr(api_module, "PAGE_SIZE", 2)
        listed = await place.api.list(VIRTUAL_ROUTERS, place.namespace)
        assert [*names[:4], "router-5"] == [one["metadata"]["name"] for one in listed.objects]


async def test_lists_say_what_their_items_are(where: Cluster | None) -> None:
    """Items of built-in types leave it out; our client puts it back, so that an object is the same from everywhere."""
    async with place_in(where) as place:
        made = await place.api.create(CONFIG_MAPS, place.config_map("one"))
        raw = (await place.raw("GET", CONFIG_MAPS.path(place.namespace), fieldSelector="metadata.name=one")).body
        listed = await place.api.list(CONFIG_MAPS, place.namespace)
        (seen,) = await events(place, {"metadata": {"resourceVersion": str(version(made) - 1)}}, 1)

        assert "kind" not in raw["items"][0]
        assert made in listed.objects
        assert made == seen.object


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=a", "one"),
        ("app!=a", "two three"),
        ("app in (a, b)", "one two"),
        ("app notin (a)", "two three"),
        ("app", "one two"),
        ("!app", "three"),
        ("app in (a,b),tier=x", "two"),
    ],
)
async def test_selectors_choose(where: Cluster | None, selector: str, names: str) -> None:
    """By equality and by sets."""
    async with place_in(where) as place:
        for name, labels in (("one", {"app": "a"}), ("two", {"app": "b", "tier": "x"}), ("three", {"tier": "x"})):
            await place.api.create(CONFIG_MAPS, place.config_map(name, labels))
        found = await place.api.list(CONFIG_MAPS, place.namespace, selector)
        ours = {"one", "two", "three"}  # a cluster puts some of its own into each namespace

        assert {*names.split()} == {one["metadata"]["name"] for one in found.objects} & ours


async def test_metadata_can_be_had_alone(where: Cluster | None) -> None:
    """In lists and in watches."""
    async with place_in(where) as place:
        made = await place.api.create(CONFIG_MAPS, place.config_map("one", {"a": "b"}, large="data"))
        expected = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]}
        listed = await place.api.list(CONFIG_MAPS, place.namespace, only_metadata=True)
        before = {"metadata": {"resourceVersion": str(version(made) - 1)}}
        (seen,) = await events(place, before, 1, only_metadata=True)

        assert expected in listed.objects
        assert expected == seen.object


async def test_a_watch_tells_what_happened_since(where: Cluster | None) -> None:
    """In order, each with the object; a removal with the version of the removal."""
    async with place_in(where) as place:
        listed = await place.api.list(CONFIG_MAPS, place.namespace)
        made = await place.api.create(CONFIG_MAPS, place.config_map("one"))
        changed = await place.api.patch(CONFIG_MAPS, "one", {"data": {"a": "b"}}, place.namespace)
        await place.api.delete(CONFIG_MAPS, "one", place.namespace)
        since = {"metadata": {"resourceVersion": listed.resource_version}}
        seen = await events(place, since, 3)

        assert [("ADDED", made), ("MODIFIED", changed)] == seen[:2]
        assert "DELETED" == seen[2].type
        assert changed["data"] == seen[2].object["data"]
        assert version(changed) < version(seen[2].object)


async def test_a_watch_by_selector_tells_who_comes_and_goes(where: Cluster | None) -> None:
    """An object that is selected no longer is deleted for that watch, one that is selected now is added."""
    async with place_in(where) as place:
        made = await place.api.create(CONFIG_MAPS, place.config_map("one", {"app": "a"}))
        await place.api.patch(CONFIG_MAPS, "one", {"metadata": {"labels": {"app": "b"}}}, place.namespace)
        await place.api.patch(CONFIG_MAPS, "one", {"metadata": {"labels": {"app": "a"}}}, place.namespace)

        assert ["DELETED", "ADDED"] == [one.type for one in await events(place, made, 2, selector="app=a")]


async def test_a_watch_ends_after_its_time(where: Cluster | None) -> None:
    """That is no error."""
    async with place_in(where) as place:
        listed = await place.api.list(VIRTUAL_ROUTERS, place.namespace)
        async with (
            asyncio.timeout(20),
            place.api.watch(VIRTUAL_ROUTERS, listed.resource_version, 1, place.namespace) as coming,
        ):
            assert [] == [one async for one in coming if one.type != "BOOKMARK"]


@pytest.mark.parametrize("in_stream", [True, False])
async def test_a_watch_from_long_ago_is_gone(cluster: Cluster, in_stream: bool) -> None:
    """410, however it is told (a real API server may be so new that it has forgotten nothing)."""
    async with place_in(cluster) as place:
        cluster.expire(in_stream)
        with pytest.raises(GoneError, match="too old resource version: 1 ") as gone:
            await events(place, {"metadata": {"resourceVersion": "1"}}, 1)

        assert (410, "Expired") == (gone.value.status, gone.value.reason)


async def test_what_is_not_there_is_not_found(where: Cluster | None) -> None:
    """An object, and a type that nobody has defined, for which there is no Status either."""
    async with place_in(where) as place:
        with pytest.raises(NotFoundError, match=r'virtualrouters\.appmesh\.k8s\.aws "none" not found') as missed:
            await place.api.get(VIRTUAL_ROUTERS, "none", place.namespace)
        assert "NotFound" == missed.value.reason
        with pytest.raises(NotFoundError, match="404 page not found"):
            await place.api.list(UNKNOWN)
        with pytest.raises(NotFoundError, match="404 page not found"):
            async with place.api.watch(UNKNOWN, "1", 10):
                pass


async def test_our_schemas_are_kept(where: Cluster | None) -> None:
    """Nonsense is refused with the field's name; fields that nobody knows are dropped."""
    async with place_in(where) as place:
        body = place.router("product")
        body["spec"]["listeners"][0]["portMapping"]["port"] = 70000
        with pytest.raises(KubernetesStatusError, match=r"spec\.listeners.*port") as refused:
            await place.api.create(VIRTUAL_ROUTERS, body)
        assert (422, "Invalid") == (refused.value.status, refused.value.reason)
        body = place.router("product")
        body["spec"]["unheard"] = "of"
        made = await place.api.create(VIRTUAL_ROUTERS, body)

        assert "unheard" not in made["spec"]


async def test_our_rules_are_kept(cluster: Cluster) -> None:
    """Those that compare fields (API servers before 1.25 have none), by their own messages."""
    async with place_in(cluster) as place:
        body = place.router("product")
        targets = body["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
        targets.append({"virtualNodeRef": {"name": "other"}, "weight": 1})
        with pytest.raises(KubernetesStatusError, match="the weights are over 100 in total"):
            await place.api.create(VIRTUAL_ROUTERS, body)
        made = await place.api.create(VIRTUAL_ROUTERS, place.router("product"))
        named = await place.api.replace(VIRTUAL_ROUTERS, {**made, "spec": {**made["spec"], "awsName": "product"}})
        with pytest.raises(KubernetesStatusError, match="awsName cannot be changed"):
            await place.api.replace(VIRTUAL_ROUTERS, {**named, "spec": {**named["spec"], "awsName": "other"}})


async def test_a_token_names_its_pod(where: Cluster | None) -> None:
    """A projected token is reviewed for an audience, and is good while its pod is there."""
    async with place_in(where) as place:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place.named("shop")}
        await place.raw("POST", f"/api/v1/namespaces/{place.namespace}/serviceaccounts", account)
        pod = await place.api.create(PODS, _pod(place))
        bound = {"kind": "Pod", "apiVersion": "v1", "name": "one", "uid": pod["metadata"]["uid"]}
        spec = {"audiences": ["shopmesh"], "expirationSeconds": 3600, "boundObjectRef": bound}
        path = f"/api/v1/namespaces/{place.namespace}/serviceaccounts/shop/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token = (await place.raw("POST", path, request)).body["status"]["token"]

        async def reviewed(audience: str, given: str = token) -> dict[str, Any]:
            body = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": given, "audiences": [audience]},
            }
            status: dict[str, Any] = (await place.api.create(TOKEN_REVIEWS, body))["status"]
            return status

        good = await reviewed("shopmesh")
        assert good["authenticated"]
        assert ["shopmesh"] == good["audiences"]
        assert f"system:serviceaccount:{place.namespace}:shop" == good["user"]["username"]
        extra = good["user"]["extra"]
        assert ["one"] == extra["authentication.kubernetes.io/pod-name"]
        assert [pod["metadata"]["uid"]] == extra["authentication.kubernetes.io/pod-uid"]
        for status in (await reviewed("another"), await reviewed("shopmesh", "nonsense")):
            assert not status.get("authenticated")
            assert status["error"]

        await place.raw("DELETE", PODS.path(place.namespace, "one"), {"gracePeriodSeconds": 0})

        async def invalid() -> bool:
            return not (await reviewed("shopmesh")).get("authenticated")

        await until_async(invalid, "a token that is no longer good")


def _pod(place: Place) -> dict[str, Any]:
    spec = {"serviceAccountName": "shop", "containers": [{"name": "one", "image": "example.com/none"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": place.named("one"), "spec": spec}


async def test_who_brings_no_good_token_is_told_so(where: Cluster | None) -> None:
    """401, on whatever is asked."""
    async with place_in(where) as place:
        stranger = Configuration(host=place.configuration.host)
        stranger.ssl_ca_cert = place.configuration.ssl_ca_cert
        stranger.api_key = {"BearerToken": "Bearer nonsense"}
        if where is not None:
            where.admit("secret")
        async with speaking(stranger) as api:
            with pytest.raises(KubernetesStatusError, match="Unauthorized") as refused:
                await api.list(SERVICES)
        if where is not None:
            where.admit(None)

        assert (401, "Unauthorized") == (refused.value.status, refused.value.reason)


async def test_leases_take_their_holders_turns(where: Cluster | None) -> None:
    """Microseconds are kept; the version decides who of two writers was first."""
    async with place_in(where) as place:
        spec = {
            "holderIdentity": "one",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.123456Z",
            "renewTime": "2026-01-01T00:00:00.123456Z",
            "leaseTransitions": 0,
        }
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": place.named("l"), "spec": spec}
        made = await place.api.create(LEASES, body)
        assert spec == made["spec"]
        await place.api.replace(LEASES, {**made, "spec": {**spec, "holderIdentity": "two"}})
        with pytest.raises(ConflictError):
            await place.api.replace(LEASES, {**made, "spec": {**spec, "holderIdentity": "three"}})


async def test_namespaces_carry_their_name_as_a_label(cluster: Cluster) -> None:
    """Selectors of namespaces can name one (API servers before 1.21 do not write it)."""
    async with place_in(cluster) as place:
        selector = f"kubernetes.io/metadata.name={place.namespace}"
        found = await place.api.list(NAMESPACES, selector=selector)

        assert [place.namespace] == [one["metadata"]["name"] for one in found.objects]


async def test_nobody_there_is_told_in_words() -> None:
    """Where it was looked for, and what came of it."""
    url = f"http://127.0.0.1:{free_port()}"
    async with speaking(Configuration(host=url)) as api:
        with pytest.raises(ApiServerUnreachableError, match=f"GET /api/v1/services at {url}: Cannot connect"):
            await api.list(SERVICES)
