"""One proxy's delta xDS stream as state machines without sockets. Start reading at `delta_stream`.

    delta_stream        all types together: what may be sent now, and in which order
    subscription        one type: the next response
    subscription_state  one type: what the client asked for, was sent, acknowledged and refused
    responses           responses, serialised once and shared by streams
    nack_reason         why the client refused a response, without what the response contained

The rules of the protocol (https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol#incremental-xds), those
that Envoy 1.40 adds by its behaviour, and the fields of `SubscriptionState` that hold to them:

Subscriptions
    A client subscribes by name (`subscribed`), or to all resources by a first request without names (`wildcard`).
    The first request of a type (`requested`) may list what the client has from an earlier stream; that counts as sent
    and acknowledged. Where it lists nothing, an answer is due even if there is nothing to send (`_first_answer_due`),
    and one to a wildcard is complete: else a client would start with half of its configuration.

Must answer
    A name is answered whenever the client subscribes to it, even if the client has that version (`must_answer`): the
    client may have lost it. So is every endpoint of a new stream that subscribes to endpoints before clusters: its
    clusters warm and wait for them. A name that does not exist is answered once with its removal; its version in `sent`
    is then ABSENT. Endpoints are the exception: a `placeholder`, an empty assignment, is sent instead, for a removal
    would leave the cluster warming. A name that is unsubscribed while the wildcard is on is answered as well, because
    the client cannot know whether the wildcard includes it.

Sent and acknowledged
    `sent` holds the version of each name that the client has once it has taken all of `_in_flight`, `acked` what it has
    for certain. Answers come in the order of the responses, so the answer to one acknowledges all before it.
    `fully_sent` is the collection of which nothing is left to send; each request of the client resets it.
    As long as nothing was refused or unsubscribed, `acked` is taken over from the response that was acknowledged, and
    the mapping is shared by all streams in the same position; afterwards it is kept name by name
    (`_acked_one_by_one`), until nothing is in flight or uncertain.

NACK
    A NACK does not say which resources are bad, and a client may have taken the good ones. So the names of a refused
    response go into `_bisect_queue` in two halves, which are sent again, until a response with one name is refused.
    That name and version are `nacked`: it is not sent again before its content changes or `retry` is called. Until the
    halves are answered, the client may have either version of each name (`_maybe_acked`; UNSURE if it may be one of
    several), so none of them counts as acknowledged. `nack_message` is the client's text while anything is refused.

Secrets
    Each secret has a response of its own (`one_per_response`), so that a NACK names the secret. Envoy ignores a secret
    that equals the last one it was sent, though it failed to load it. A secret that the client may have failed to load
    (`suspect`: after a NACK, or on a new stream) is therefore sent first in other bytes (`XdsResource.variant`).
    `retry` sends refused secrets again, because their files may exist by now.

Make before break
    clusters, endpoints, secrets ──► ACK of the clusters ──► listeners, routes ──► ACK of both ──► removals

    1. A route or listener is sent when the client has acknowledged every cluster that it names. If a cluster was
       refused for good, a client that has a former version of the route keeps it, and one that has none gets the rest.
    2. Endpoints and secrets wait for nothing: clusters warm until they come, and Envoy acknowledges no clusters while
       one of them warms.
    3. A cluster that changed warms until its endpoints come anew, so they are sent again after it, though unchanged
       (`resend`, https://github.com/envoyproxy/go-control-plane/issues/1001). Secrets are not, for Envoy subscribes to
       a secret anew once nothing uses it any more.
    4. Where a secret is refused, Envoy replaces a working cluster or listener by the one that waits for that secret. So
       a cluster or listener that the client has is not changed to other secrets before these are acknowledged; the
       warm-up clusters of a snapshot, which carry no traffic, make the client load them.
    5. Removals come last, once listeners and routes are acknowledged and nothing refers to the resource any more:
       listeners first, after their ACK clusters and routes, after the ACK of the clusters endpoints and secrets.
    6. Between the first clusters of a client and its first request for listeners nothing about clusters is sent, unless
       it refused some: Envoy would wait for ever for a cluster that is replaced meanwhile by one of another discovery
       type.

Bounds
    Unanswered responses of one type (`MOST_IN_FLIGHT`), names (`MOST_NAMES`), characters of names (`size`,
    `MOST_CHARACTERS`), unknown types (`MOST_OTHER_TYPES`). A client that asks for more gets a `LimitError`.
"""
