"""A store over an API server, for as long as a test takes."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator

from shopmesh.appmesh.context import Context
from shopmesh.kubernetes.api.client import ApiServer
from shopmesh.kubernetes.store import KubernetesStore
from tests.contract.api.conftest import REGION
from tests.support.inputs import ACCOUNT
from tests.support.kubernetes import Cluster


@contextlib.asynccontextmanager
async def stored(cluster: Cluster) -> AsyncIterator[KubernetesStore]:
    """One that follows the API server already."""
    api = ApiServer(cluster.configuration())
    store = KubernetesStore(api, lambda: Context(ACCOUNT, REGION, time.time(), lambda: str(uuid.uuid4())))
    try:
        async with store.watching():
            yield store
    finally:
        await api.close()
