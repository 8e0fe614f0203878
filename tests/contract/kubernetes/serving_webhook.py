"""A running webhook, and how an API server asks it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

from shopmesh.kubernetes import control_plane
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.api.resource_types import MUTATING_WEBHOOKS
from shopmesh.kubernetes.controller.selection import CachedSelectors
from shopmesh.kubernetes.identity.certificates import Certificates
from shopmesh.kubernetes.injection import webhook
from shopmesh.server.config import Config
from tests.support.kubernetes import Cluster
from tests.support.system_objects import SYSTEM

Ask = Callable[..., tuple[int, Any]]


@contextlib.asynccontextmanager
async def served_by(
    cluster: Cluster, server: ApiServer, known: Any, current: CachedSelectors
) -> AsyncIterator[tuple[Ask, Certificates]]:
    """The webhook, and how an API server asks it: by the caBundle of its configuration."""
    certificates = await Certificates.load(server, SYSTEM, ["control-plane.shopmesh-system.svc", "127.0.0.1"])
    config = Config(api_hosts=control_plane.ClusterConfig("one", SYSTEM).api_hosts, in_cluster=True)
    running = webhook.serving(server, known, current, certificates, config, 0)
    async with asyncio.timeout(30), running as port:

        def ask(body: Any, **more: str) -> tuple[int, Any]:
            bundle = cluster.get(MUTATING_WEBHOOKS, webhook.NAME)["webhooks"][0]["clientConfig"]["caBundle"]
            context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            url, headers = f"https://127.0.0.1:{port}{webhook.PATH}", {"content-type": "application/json", **more}
            asked = urllib.request.Request(url, data, headers, method="POST")
            try:
                with urllib.request.urlopen(asked, timeout=10, context=context) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        yield ask, certificates
