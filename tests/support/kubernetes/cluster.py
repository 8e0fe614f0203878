"""A cluster as tests see it: its objects, what it was asked, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from kubernetes_asyncio.client import Configuration

from shopmesh.kubernetes.api.resource_types import NAMESPACES, PODS, ResourceType
from tests.support.kubernetes.kinds import kind_at, kind_of
from tests.support.kubernetes.reviews import Bound, Tokens
from tests.support.kubernetes.serving import Asked, Serving
from tests.support.kubernetes.storage import Object, Storage

EVERYTHING = "https://kubernetes.default.svc"


class Cluster:
    """Use `cluster`. All methods may be called from the test's thread."""

    def __init__(self, token: str | None) -> None:
        self.port = 0
        self.token = token
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubernetes", daemon=True)
        self._storage = Storage(self._wake)
        self._tokens = Tokens(self._storage)
        self._serving = Serving(self._storage, self._tokens, token)
        self._runner: web.AppRunner | None = None

    # how to reach it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configuration(self) -> Configuration:
        """For an `ApiServer`."""
        found = Configuration(host=self.url)
        if self.token is not None:
            found.api_key = {"BearerToken": f"Bearer {self.token}"}
        return found

    def kubeconfig(self, folder: Path) -> Path:
        """Writes a kubeconfig for programs, into that folder."""
        user = {"token": self.token} if self.token is not None else {}
        found = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(found))
        return path

    # its objects

    @property
    def revision(self) -> int:
        """The newest resourceVersion."""
        return self._storage.revision

    def put(self, manifest: Mapping[str, Any]) -> Object:
        """Creates an object or replaces it, whatever its resourceVersion; with its status, where it has one.

        Its namespace is made when it is missing, and is `default` when it names none.
        """
        kind = kind_of(manifest["apiVersion"], manifest["kind"])
        metadata = {**manifest["metadata"]}
        if kind.type.namespaced:
            namespace = metadata.setdefault("namespace", "default")
            if ("", namespace) not in self._storage.objects[NAMESPACES]:
                self._storage.create(kind_at(NAMESPACES), {"metadata": {"name": namespace}})
        body = {**manifest, "metadata": metadata}
        key = (metadata.get("namespace", ""), metadata["name"])
        with self._storage.lock:
            if key in self._storage.objects.get(kind.type, {}):
                metadata.pop("resourceVersion", None)
                found = self._storage.update(kind, key, lambda _: body, patching=True)
            else:
                found = self._storage.create(kind, body)
            if kind.status and "status" in manifest:
                found = self._storage.update(
                    kind, key, lambda _: {**body, "metadata": {}}, subresource="status", patching=True
                )
        return found

    def remove(self, kind: ResourceType, name: str, namespace: str = "default") -> None:
        self._storage.delete(kind_at(kind), (namespace if kind.namespaced else "", name))

    def get(self, kind: ResourceType, name: str, namespace: str = "default") -> Object:
        return self._storage.get(kind, (namespace if kind.namespaced else "", name))

    def objects(self, kind: ResourceType, namespace: str | None = None) -> list[Object]:
        return self._storage.all(kind, namespace, lambda _: True)[1]

    def token_of(
        self, pod: str, namespace: str = "default", audience: str = EVERYTHING, account: str = "default"
    ) -> str:
        """A token that TokenReview knows, as it is projected into that pod."""
        uid = self.get(PODS, pod, namespace)["metadata"]["uid"]
        return self._tokens.issue(Bound(namespace, account, pod, uid, (audience,)))

    def revoke(self, token: str) -> None:
        self._tokens.revoke(token)

    # what it was asked

    @property
    def asked(self) -> list[Asked]:
        """Every request since the start, oldest first."""
        return list(self._serving.asked)

    def asked_for(self, what: str, kind: ResourceType) -> list[Asked]:
        """`list`, `watch`, `get`, `post`, `put`, `patch` or `delete` of that type."""
        return [one for one in self.asked if (one.what, one.kind) == (what, kind.plural)]

    @property
    def bookmarked(self) -> int:
        """The resourceVersion of the last bookmark that went out."""
        return self._serving.bookmarked

    @property
    def watches(self) -> int:
        """How many are open."""
        return len(self._serving.watches)

    # what can go wrong

    def disconnect(self) -> None:
        """Breaks all watches in the middle, as a proxy or a network does."""
        self._in_loop(self._abort)

    def end_watches(self) -> None:
        """Ends all watches properly, as after their time."""

        def end() -> None:
            for one in self._serving.watches:
                one.ending = True
            self._serving.wake()

        self._in_loop(end)

    def bookmark(self) -> None:
        """Tells all watches how far they are."""

        def mark() -> None:
            for one in self._serving.watches:
                one.bookmark = True
            self._serving.wake()

        self._in_loop(mark)

    def expire(self, in_stream: bool = True) -> None:
        """Forgets what happened until now, and unfinished lists. Watches from before it are told 410 `Expired`: in the
        stream, as API servers with a watch cache do (open ones too), or as the status of the answer."""
        self._serving.expired_in_stream = in_stream
        self.forget_pages()
        if not in_stream:
            self.disconnect()
        self._storage.forget()

    def forget(self) -> None:
        """Forgets what happened until now; whoever has seen all of it goes on."""
        self._storage.forget(bump=False)

    def forget_pages(self) -> None:
        """No list that was begun can be gone on with."""
        self._serving.forget_pages()

    def watch_seconds(self, most: float | None) -> None:
        """Ends watches after that time, whatever is asked for."""
        self._serving.most_seconds = most

    def hold_events(self, *kinds: ResourceType) -> None:
        """Reports no changes of these types from now on, over connections that stay open; without any, all again."""
        self._serving.held = {kind.plural for kind in kinds}
        self._in_loop(self._serving.wake)

    def refuse(self, status: int | None, kind: ResourceType | None = None) -> None:
        """Answers 403, 429, 500, 503 or 504 from now on, to all or about one type; None ends it. Breaks watches."""
        self._serving.refusing = None if status is None else (status, kind.plural if kind is not None else None)
        if status is not None:
            self.disconnect()

    def admit(self, token: str | None) -> None:
        """From now on only those who bring that bearer token; all with None."""
        self.token = self._serving.token = token

    def uninstall(self, *kinds: ResourceType) -> None:
        """From now on there are no such types."""
        self._serving.missing |= {*kinds}
        self.disconnect()

    def install(self, *kinds: ResourceType) -> None:
        self._serving.missing -= {*kinds}

    def delay(self, seconds: float) -> None:
        """Lets every request wait so long."""
        self._serving.delay = seconds

    def delay_answers(self, seconds: float) -> None:
        """Does what it is asked at once, and answers so long afterwards."""
        self._serving.delay_after = seconds

    def before(self, called: Callable[[Asked], None] | None) -> None:
        """Calls that with each request, before it is answered, in the server's thread."""
        self._serving.before = called

    def meanwhile(self, work: Callable[[], Any]) -> None:
        """Does that once, when the next request has come and is not answered yet."""

        def once(_: Asked) -> None:
            self._serving.before = None
            work()

        self._serving.before = once

    def stop(self) -> None:
        """Is gone: nobody listens, and all connections are broken. What it holds stays."""
        self._in_loop(self._abort)
        self._run(self._closed())

    def start(self) -> None:
        """Comes back, on the same port."""
        self._run(self._served())

    # its thread

    def begin(self) -> None:
        self._thread.start()
        self.start()

    def close(self) -> None:
        self.stop()
        self._run(_ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _served(self) -> None:
        self._runner = web.AppRunner(self._serving.application(), shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=512)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _closed(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _abort(self) -> None:
        for one in self._serving.watches:
            one.ending = True
            one.wake.set()
            if one.transport is not None:
                one.transport.abort()

    def _wake(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._serving.wake)

    def _in_loop(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        self._run(run())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


async def _ended() -> None:
    """All that still runs in this loop, such as answers that are delayed."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def cluster(token: str | None = None) -> Iterator[Cluster]:
    """One with the namespaces `default` and `kube-system`; with `token`, who does not bring it gets 401."""
    found = Cluster(token)
    found.begin()
    try:
        yield found
    finally:
        found.close()
