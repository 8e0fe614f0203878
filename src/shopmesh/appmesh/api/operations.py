"""The one way in for documents: an operation of either API version over a transaction.

    (version, operation, parameters) ──► clientToken seen before? ──► verbs, or preview and then verbs ──► answer

Pure: what it reads and writes is the transaction, and time and ids come in the context.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shopmesh.appmesh.api import preview, verbs
from shopmesh.appmesh.api.model import PREVIEW, Operation
from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import Conflict
from shopmesh.appmesh.store import IdempotencyRecord, Transaction

# The model's text allows 36 characters, its shape any string; a token of any length must not fill the store.
LONGEST_TOKEN = 256


def handle(
    operation: Operation, parameters: Mapping[str, Any], transaction: Transaction, context: Context
) -> verbs.Output:
    """The answer of a validated request, by output member; raises an ApiError.

    With a `clientToken`, the same request is done once: repeated, it gets its first answer again and changes nothing.
    The same token with another request is a Conflict.
    """
    given = dict(parameters)
    token = given.pop("clientToken", None)
    if not token or not operation.writes:
        return _perform(operation, given, transaction, context)
    identity, request = _identity(token), _digest(operation, given)
    answered = transaction.find_record(identity)
    if answered is None:
        answer = _perform(operation, given, transaction, context)
        transaction.record_token(identity, IdempotencyRecord(request, json.dumps(answer)))
        return answer
    if answered.request != request:
        raise Conflict(f"clientToken: {quote(token)} was used for another request; use a new one")
    first: verbs.Output = json.loads(answered.answer)
    return first


def _perform(
    operation: Operation, parameters: Mapping[str, Any], transaction: Transaction, context: Context
) -> verbs.Output:
    door = preview.perform if operation.version == PREVIEW else verbs.perform
    return door(operation, parameters, transaction, context)


def _identity(token: str) -> str:
    return token if len(token) <= LONGEST_TOKEN else hashlib.sha256(token.encode()).hexdigest()


def _digest(operation: Operation, parameters: Mapping[str, Any]) -> str:
    request = json.dumps([operation.version, operation.name, parameters], sort_keys=True)
    return hashlib.sha256(request.encode()).hexdigest()
