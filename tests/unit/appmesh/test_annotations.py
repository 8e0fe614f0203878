"""The vocabulary of `shopmesh.dev/…`: what it says, and what the API answers to what says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopmesh.appmesh.annotations import ANNOTATIONS, PREFIX
from shopmesh.appmesh.annotations.annotation_reader import read
from shopmesh.appmesh.annotations.faults import Abort, Delay
from shopmesh.appmesh.annotations.mirror import Mirror
from shopmesh.appmesh.annotations.rate_limit import RateLimit
from shopmesh.appmesh.annotations.retry_budget import RetryBudget
from shopmesh.appmesh.annotations.tag_chunks import join_all, split_text
from shopmesh.appmesh.errors import BadRequest, NotFound, ResourceInUse
from tests.support.specs import ARN, HTTP, route
from tests.unit.appmesh.conftest import World

SERVICE = f"{ARN}/virtualService/s"


def value(word: str, text: str) -> object:
    [kind, *_] = ANNOTATIONS[word].kinds
    found = read(kind, ((PREFIX + word, text),))
    assert () == found.problems
    return found.values[word]


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("mirror", "product-v2-vn 10%", Mirror("product-v2-vn", 100_000)),
        ("mirror", "Product V2 0.0001%", Mirror("Product V2", 1)),
        ("mirror", "product-v2-vn", Mirror("product-v2-vn", 1_000_000)),
        ("fault-delay", "2s 5%", Delay(2000, 50_000)),
        ("fault-delay", "250ms", Delay(250, 1_000_000)),
        ("fault-abort", "503 100%", Abort(503, 1_000_000)),
        ("request-headers-add", "X-Team=shop||x-a= b=c ", (("x-team", "shop"), ("x-a", "b=c"))),
        ("response-headers-add", "x-share=100%", (("x-share", "100%"),)),
        ("response-headers-remove", "X-Powered-By || x-b", ("x-powered-by", "x-b")),
        ("rate-limit", "100/s burst 200", RateLimit(100, 1, 200)),
        ("rate-limit", "6/min", RateLimit(6, 60, 6)),
        ("panic-threshold", "0%", 0),
        ("panic-threshold", "100%", 100),
        ("retry-budget", "20%", RetryBudget(20, 3)),
        ("retry-budget", "0% min 12", RetryBudget(0, 12)),
    ],
)
def test_what_a_text_says(word: str, text: str, expected: object) -> None:
    """Each form of each word."""
    assert expected == value(word, text)


@pytest.mark.parametrize("word", ANNOTATIONS)
def test_every_example_can_be_read(word: str) -> None:
    """What an error message and the documentation advise is taken."""
    assert value(word, ANNOTATIONS[word].example) is not None


@pytest.mark.parametrize(
    ("word", "text", "said"),
    [
        ("mirror", "10%", "'10%': it does not name a virtual node; for example product-v2-vn 10%"),
        ("mirror", "n 0%", "0% is out of range"),
        ("mirror", "n 101%", "101% is out of range"),
        ("mirror", "n 10% more", "a share is a percentage at the end"),
        ("fault-delay", "2 5%", "'2' is not a duration from 1ms to 1h"),
        ("fault-delay", "2h", "'2h' is not a duration"),
        ("fault-delay", "0.5ms", "'0.5ms' is not a duration"),
        ("fault-abort", "99", "'99' is not an HTTP status from 200 to 599"),
        ("request-headers-add", "x-team", "'x-team' has no ="),
        ("request-headers-add", "host=a", "host is reserved for the mesh"),
        ("request-headers-add", ":path=/a", "':path' is not a header name"),
        ("request-headers-add", "x-a=1||X-A=2", "x-a is set twice"),
        ("request-headers-add", "x-a=é", "a character that is not allowed in a header"),
        ("response-headers-remove", "", "'' is not a header name"),
        ("response-headers-remove", "server", "Envoy sets the server header after routing"),
        ("rate-limit", "100", "it is not a rate"),
        ("rate-limit", "0/s", "it is not a rate"),
        ("mirrro", "n", "unknown annotation for a virtual service; did you mean 'shopmesh.dev/mirror'?"),
        ("rate-limit.2", "/s", "shopmesh.dev/rate-limit.2 exists, but the first part is missing"),
    ],
)
def test_what_says_nothing_is_refused(world: World, word: str, text: str, said: str) -> None:
    """With the name of the tag, its value and an example; TagResource and a create call alike."""
    tags = [{"key": PREFIX + word, "value": text}]
    with pytest.raises(BadRequest, match=rf"^shopmesh\.dev/{word.removesuffix('.2')}: ") as refused:
        world.do("CreateVirtualService", meshName="m", virtualServiceName="s", spec={}, tags=tags)
    assert said in refused.value.message
    world.make("virtualService", "s")

    with pytest.raises(BadRequest) as again:
        world.do("TagResource", resourceArn=SERVICE, tags=tags)

    assert refused.value.message == again.value.message
    assert [] == world.do("ListTagsForResource", resourceArn=SERVICE)["tags"]


@pytest.mark.parametrize("text", ["", "Product", "a b", "-a", "a-", "x" * 254, "system:serviceaccount:shop:product"])
def test_a_service_account_is_a_name_of_kubernetes(text: str) -> None:
    """Nothing else could ever be one, and a node with a wrong one would have no proxies."""
    [problem] = read("virtualNode", ((f"{PREFIX}service-account", text),)).problems

    assert "is not a service account's name" in problem.message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("mesh", "it applies to a route or a virtual service, not to a mesh"),
        (
            "virtualRouter",
            "to annotate one of its routes, write shopmesh.dev/<name of the route>.mirror in the manifest",
        ),
    ],
)
def test_an_annotation_has_its_kinds(kind: str, said: str) -> None:
    """On a resource of another kind it would do nothing, so it is refused."""
    [problem] = read(kind, ((f"{PREFIX}mirror", "n"),)).problems

    assert said in problem.message


def test_other_tags_are_left_alone(world: World) -> None:
    """Whatever is not in our name is the user's, on any kind."""
    world.do("TagResource", resourceArn=ARN, tags=[{"key": "shopmesh.devil", "value": "x"}])

    assert read("mesh", (("shopmesh.devil", "x"),)).problems == ()


def test_half_a_text_cannot_be_taken_away(world: World) -> None:
    """The first piece stays while others go on from it; without the others it must still say something."""
    header = "x-long=" + "a" * 300
    tags = [{"key": key, "value": text} for key, text in split_text(f"{PREFIX}request-headers-add", header).items()]
    world.do("CreateVirtualService", meshName="m", virtualServiceName="s", spec={}, tags=tags)

    with pytest.raises(BadRequest, match="first part is missing"):
        world.do("UntagResource", resourceArn=SERVICE, tagKeys=[f"{PREFIX}request-headers-add"])

    world.do("UntagResource", resourceArn=SERVICE, tagKeys=[tag["key"] for tag in tags])
    assert [] == world.do("ListTagsForResource", resourceArn=SERVICE)["tags"]


def test_a_mirror_must_exist_and_stay(world: World) -> None:
    """A node that is mirrored to must be there, and cannot be deleted while it is."""
    world.make("virtualNode", "n", HTTP)
    world.make("virtualRouter", "r", HTTP)
    world.make("route", "q", route("n"), virtualRouterName="r")
    arn = f"{ARN}/virtualRouter/r/route/q"
    mirror = [{"key": f"{PREFIX}mirror", "value": "copy 10%"}]
    with pytest.raises(NotFound, match=r"shopmesh\.dev/mirror: virtual node copy does not exist in mesh m"):
        world.do("TagResource", resourceArn=arn, tags=mirror)
    world.make("virtualNode", "copy", HTTP)

    world.do("TagResource", resourceArn=arn, tags=mirror)

    with pytest.raises(ResourceInUse, match="virtual node copy is used by route r/q"):
        world.do("DeleteVirtualNode", meshName="m", virtualNodeName="copy")
    world.do("UntagResource", resourceArn=arn, tagKeys=[f"{PREFIX}mirror"])
    world.do("DeleteVirtualNode", meshName="m", virtualNodeName="copy")


def patched(merge: str, target: str = "cluster/a") -> list[str]:
    text = f'{{"{target}": {merge}}}'
    return [problem.message for problem in read("virtualNode", ((f"{PREFIX}patch", text),)).problems]


@pytest.mark.parametrize(
    "merge",
    [
        '{"connectTimeout": "0.2s", "lb_policy": "LEAST_REQUEST"}',
        '{"connect_timeout": null, "circuit_breakers": {"thresholds": [{"max_requests": 5}]}}',
        '{"metadata": {"filter_metadata": {"envoy.lb": {"canary": [true, {"x": null}]}}}}',
        '{"typed_extension_protocol_options": {"a": {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3'
        '.HttpProtocolOptions", "common_http_protocol_options": {"idle_timeout": "5s"}}}}',
    ],
)
def test_a_patch_may_say_all_that_its_message_has(merge: str) -> None:
    """In both spellings of the names, with null for what shall go, and messages that say what they are."""
    assert [] == patched(merge)


@pytest.mark.parametrize(
    ("merge", "said"),
    [
        (
            '{"connect_timeot": "1s"}',
            "cluster/a.connect_timeot: envoy.config.cluster.v3.Cluster has no such field; did",
        ),
        ('{"connect_timeout": 5}', "cluster/a.connect_timeout is 5: "),
        ('{"connect_timeout": "1s", "connectTimeout": "2s"}', "cluster/a.connectTimeout is set twice"),
        ('{"type": "EDX"}', "cluster/a.type is 'EDX': Invalid enum value EDX"),
        ('{"type": "EDS", "cluster_type": {"name": "x"}}', "has both type and cluster_type"),
        (
            '{"circuit_breakers": {"thresholds": [{"max_requests": -1}]}}',
            ".circuit_breakers.thresholds[0].max_requests",
        ),
        ('{"health_checks": {}}', "cluster/a.health_checks is {}, expected a list"),
        ('{"health_checks": [null]}', "cluster/a.health_checks[0] is None, expected an object"),
        ('{"typed_extension_protocol_options": {"x": {}}}', '.typed_extension_protocol_options["x"] needs "@type"'),
        (
            '{"transport_socket": {"typed_config": {"@type": "a/envoy.no.Such"}}}',
            "@type: there is no message 'envoy.no.Such'",
        ),
        ('{"transport_socket": {"typed_config": {"@type": "a/os.Path"}}}', "@type: there is no message 'os.Path'"),
        ('{"name": "b"}', "cluster/a.name: names cannot be changed"),
        ('{"lb_policy": NaN}', "NaN is not a JSON number"),
        ('{"lb_policy": 1, "lb_policy": 2}', "an object has the key 'lb_policy' twice"),
        ('{"lb_policy": 1e400}', "the number 1e400 is beyond the range of a float"),
        ('{"lb_policy": ' + "1" * 5000 + "}", "11111111111111111111… has more than 300 digits"),
        ('{"lb_policy": 1e308}', "cluster/a.lb_policy is 1e+308: Value out of range"),
        ('{"lb_policy": []}', "cluster/a.lb_policy is []: "),
        ('{"per_connection_buffer_limit_bytes": 4294967296}', "_bytes is 4294967296: Value out of range"),
        ('{"connect_timeout": "99999999999999s"}', "cluster/a.connect_timeout is '99999999999999s': "),
        ('{"alt_stat_name": "\\ud800"}', "cluster/a.alt_stat_name is '\\ud800': "),
        (
            '{"common_lb_config": {"healthy_panic_threshold": {"value": "NaN"}}}',
            "cluster/a.common_lb_config.healthy_panic_threshold.value is 'NaN', expected a number",
        ),
        (
            '{"transport_socket": {"typed_config": {"@type": "a/envoy.config.cluster.v3.cluster_pb2.Cluster"}}}',
            "@type: there is no message 'envoy.config.cluster.v3.cluster_pb2.Cluster'",
        ),
        (
            '{"transport_socket": {"typed_config": {"@type": "a/envoy.' + "a." * 3000 + 'Cluster"}}}',
            "@type: there is no message 'envoy.a.a.",
        ),
        ("[]", "cluster/a is [], expected an object"),
        ("{", "it is not JSON"),
        ("[" * 5000 + "]" * 5000, "it is nested deeper than 100 levels"),
        ('["' + "[" * 200 + '"]', "expected an object"),
    ],
)
def test_a_patch_is_held_to_its_message(merge: str, said: str) -> None:
    """An unknown name or a wrong type is told with its path."""
    [problem] = patched(merge)

    assert said in problem


def test_a_patch_names_a_resource_of_three_kinds() -> None:
    """What else there is cannot be patched."""
    [problem] = patched("{}", "endpoints/a")

    assert "'endpoints/a' must be one of cluster/<name>, listener/<name>, routes/<name>" in problem


TAGS = st.dictionaries(
    st.sampled_from(["a", "a.2", "a.3", "a.2.2", "b", "b.2"]), st.sampled_from(["", "x", "x" * 255, "x" * 256])
)


@given(TAGS)
def test_texts_and_pieces_are_inverse(tags: Mapping[str, str]) -> None:
    """However somebody cut a text, putting it together and cutting it again gives the same tags."""
    again = {name: piece for tag, text in join_all(tags).items() for name, piece in split_text(tag, text).items()}

    assert tags == again


@pytest.mark.parametrize(
    ("word", "text", "said"),
    [
        ("panic-threshold", "101%", "it is not a whole percentage from 0% to 100%; for example 0%"),
        ("panic-threshold", "0", "it is not a whole percentage"),
        ("retry-budget", "min 3", "it is not a whole percentage of the requests in flight"),
        ("retry-budget", "20% min 1000000000000", "it is not a whole percentage of the requests in flight"),
    ],
)
def test_what_callers_of_a_node_cannot_follow_is_refused(word: str, text: str, said: str) -> None:
    """A share is a whole number in percent, and no number is larger than Envoy reads."""
    [problem] = read("virtualNode", ((PREFIX + word, text),)).problems

    assert said in problem.message
