"""Amazon Resource Names: `arn:aws:appmesh:<region>:<account>:mesh/<m>/virtualRouter/<r>/route/<n>`.

Another account's view of a shared mesh names its owner as well, `mesh/<m>@<owner>/…`. The owner tells whose mesh it
is and is no part of its name; here all meshes are of one account.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsappmesh.html
https://docs.aws.amazon.com/app-mesh/latest/userguide/sharing.html
"""

from __future__ import annotations

import re

from shopmesh.appmesh.api.validation import quote
from shopmesh.appmesh.context import Context
from shopmesh.appmesh.errors import BadRequest, NotFound
from shopmesh.appmesh.kinds import KINDS
from shopmesh.appmesh.store import Key

_OWNER = re.compile(r"@[0-9]{12}")


def split_owner(mesh: str) -> tuple[str, str | None]:
    """The name of a mesh, and the account in `NAME@ACCOUNT` where there is one."""
    found = _OWNER.search(mesh, len(mesh) - 13) if len(mesh) > 13 else None
    return (mesh, None) if found is None else (mesh[: found.start()], found[0][1:])


def without_owner(mesh: str) -> str:
    """The name of a mesh that may be written with its owner."""
    return split_owner(mesh)[0]


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
    return Key(kind.name, (without_owner(path[0]), *path[1:]))
