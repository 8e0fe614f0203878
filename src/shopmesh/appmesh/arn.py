"""Amazon Resource Names: `arn:aws:appmesh:<region>:<account>:mesh/<m>/virtualRouter/<r>/route/<n>`.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsappmesh.html
"""

from __future__ import annotations

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, NotFound
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key


def write(key: Key, context: Context) -> str:
    parts = zip(KINDS[key.kind].lineage, key.path, strict=True)
    resource = "/".join(f"{kind}/{name}" for kind, name in parts)
    return f"arn:aws:appmesh:{context.region}:{context.account}:{resource}"


def read(text: str, context: Context) -> Key:
    """The key that an ARN names; BadRequest if it is none, NotFound if it is another account's or region's."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "appmesh":
        raise BadRequest(f"resourceArn: {quote(text)} is not an ARN of App Mesh")
    words = parts[5].split("/")
    lineage, path = tuple(words[::2]), tuple(words[1::2])
    kind = KINDS.get(lineage[-1])
    if kind is None or kind.lineage != lineage or len(path) != len(lineage) or not all(path):
        raise BadRequest(f"resourceArn: {quote(parts[5])} is not a resource of App Mesh; see its metadata.arn")
    if (parts[3], parts[4]) != (context.region, context.account):
        raise NotFound(f"resourceArn: {quote(text)} is not of account {context.account} in {context.region}")
    return Key(kind.name, path)
