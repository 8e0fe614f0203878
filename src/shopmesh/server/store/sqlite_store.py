"""The durable store: a change is on the disk before its request is answered.

    submit(work) ─► queue ─► writer task ─┬─ runs each work over one Transaction, in the loop
                                          ├─ SqliteFile.commit, in the one worker thread (group commit)
                                          └─ applies to `state`, calls the listeners, wakes the callers

The loop never waits for the disk, and while it writes, what is queued gathers for the next commit. An unexpected error
fails the one work that it came from. Should the writer end all the same, `failure` says so and nothing waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from shopmesh.appmesh.store import Change, IdempotencyRecord, State, Transaction
from shopmesh.server.store.author import UNKNOWN, Author
from shopmesh.server.store.client_tokens import ClientTokens
from shopmesh.server.store.sqlite_file import Contents, SqliteFile
from shopmesh.server.store.store import Commit, Loss, StoreError, notify

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_QUEUE = 1024
LARGEST_BATCH = 128


@dataclass(slots=True)
class _Job(Generic[T]):
    steps: Callable[[Transaction], Iterator[T]]
    done: asyncio.Future[list[T]]
    author: Author

    def resolve(self, result: list[T] | None, failure: Exception | None) -> None:
        """Passes the outcome to the caller, unless it has been cancelled."""
        if self.done.done():
            return
        if failure is not None:
            self.done.set_exception(failure)
        else:
            self.done.set_result(result or [])


class _DurableCommit(NamedTuple):
    """A commit that is on the disk and not yet in memory."""

    revision: int
    changes: tuple[Change, ...]
    tokens: Mapping[str, IdempotencyRecord]
    forgotten: list[str]
    author: Author


class SqliteStore:
    """The `Store` of a laptop and of Compose. Use `open`; belongs to the event loop that opened it."""

    def __init__(self, file: SqliteFile | None, thread: ThreadPoolExecutor | None, contents: Contents) -> None:
        self.state = State(contents.resources, contents.tokens)
        self.revision = contents.revision
        self.failure: str | None = None
        self._file = file
        self._thread = thread
        self._tokens = ClientTokens(self.state.client_tokens)
        self._listeners: list[Callable[[Commit], None]] = []
        self._queue: asyncio.Queue[_Job[Any] | None] = asyncio.Queue(LONGEST_QUEUE)
        self._closing = False
        self._running: list[_Job[Any]] = []
        self._writer = asyncio.create_task(self._write(), name="store writer")
        self._writer.add_done_callback(self._on_writer_end)

    @classmethod
    async def open(cls, path: Path | None) -> SqliteStore:
        """The store in a file, which is created if missing; None keeps it in memory. Raises StoreError."""
        if path is None:
            return cls(None, None, Contents(0, (), {}))
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        loop = asyncio.get_running_loop()
        try:
            disk = await loop.run_in_executor(thread, SqliteFile, path)
            try:
                contents = await loop.run_in_executor(thread, disk.load)
            except StoreError:
                await loop.run_in_executor(thread, disk.close)
                raise
        except StoreError:
            thread.shutdown(wait=False)
            raise
        for loss in disk.losses():
            log.error("the store %s %s", *loss)
        return cls(disk, thread, contents)

    async def submit(self, work: Callable[[Transaction], T], author: Author = UNKNOWN) -> T:
        """Returns the result of `work`, once its changes are durable and applied as those of `author`.

        `work` must be pure and quick, since it runs in the event loop. Its exceptions are raised here alone, and then
        none of its changes is written. Raises StoreError when the disk fails: nothing is applied then. Waits while the
        queue is full.
        """
        [result] = await self.submit_in_steps(lambda transaction: iter([work(transaction)]), author)
        return result

    async def submit_in_steps(self, steps: Callable[[Transaction], Iterator[T]], author: Author = UNKNOWN) -> list[T]:
        """As `submit`, for long work: returns all that it yields, once all of it is durable and applied.

        Each step must be quick; between two steps the event loop does other work, but no other change is written.
        """
        if self._closing:
            raise StoreError("the store is closed; the control plane is stopping")
        self._require_writer()
        done: asyncio.Future[list[T]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Job(steps, done, author))
        # The writer may have ended while this waited for space in its queue.
        self._require_writer()
        return await done

    def losses(self) -> Sequence[Loss]:
        """The losses of the file, until an operator removes the notes about them."""
        return self._file.losses() if self._file is not None else ()

    def subscribe(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` in the event loop after each commit that changed a resource, before its callers continue."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Writes what is queued and closes the file. May be called twice."""
        if not self._closing:
            self._closing = True
            if not self._writer.done():
                await self._queue.put(None)
        await asyncio.wait([self._writer])
        if self._thread is not None and self._file is not None:
            disk, self._file = self._file, None
            await asyncio.get_running_loop().run_in_executor(self._thread, disk.close)
            self._thread.shutdown(wait=True)

    async def _write(self) -> None:
        stopping = False
        while not stopping:
            batch = [await self._queue.get()]
            while len(batch) < LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            self._running = [job for job in batch if job is not None]
            stopping = len(self._running) < len(batch)
            # A commit has one author.
            for _, jobs in groupby(self._running, key=lambda job: job.author):
                await self._run(list(jobs))
            self._running = []
        self._fail_queued(StoreError("the store is closed; the control plane is stopping"))

    async def _run(self, jobs: list[_Job[Any]]) -> None:
        """Runs jobs of one author as one commit.

        After an unexpected error each runs in its own commit, so that only one of them fails.
        """
        transaction = Transaction(self.state, self.state.client_tokens)
        outcomes = [(job, *await self._attempt(job, transaction)) for job in jobs if not job.done.done()]
        try:
            durable = await self._make_durable(transaction, jobs[0].author)
        except StoreError as error:
            # Later work may have failed because of what was not written, so the failure of the disk is the answer.
            outcomes = [(job, None, StoreError(*error.args)) for job, _, _ in outcomes]
            log.error("%s", error)
        except Exception as error:
            if len(outcomes) > 1:
                for job, _, _ in outcomes:
                    await self._run([job])
                return
            outcomes = [(job, None, error) for job, _, _ in outcomes]
            log.error("a write failed for an unexpected reason; nothing of it was changed", exc_info=error)
        else:
            self._apply(durable)
        for job, result, failure in outcomes:
            job.resolve(result, failure)

    async def _attempt(self, job: _Job[T], transaction: Transaction) -> tuple[list[T] | None, Exception | None]:
        """The outcome of one job; only a job that does not fail writes to `transaction`."""
        nested = transaction.begin_nested()
        try:
            result = await self._attempt_in_steps(job, nested)
        except Exception as error:
            return None, error
        transaction.merge(nested)
        return result, None

    async def _attempt_in_steps(self, job: _Job[T], nested: Transaction) -> list[T]:
        results: list[T] = []
        for result in job.steps(nested):
            results.append(result)
            # Neither a long batch nor a long job may block ADS. Nothing else is written meanwhile.
            await asyncio.sleep(0)
            if job.done.cancelled():
                raise StoreError("the client that asked for this change has disconnected")
        return results

    async def _make_durable(self, transaction: Transaction, author: Author) -> _DurableCommit:
        """Writes to the disk; raises StoreError or another exception, and then nothing was written."""
        changes, tokens = transaction.changes, transaction.client_tokens
        revision = self.revision + 1 if changes else self.revision
        forgotten = self._tokens.to_forget(tokens)
        if self._file is not None and (changes or tokens):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._file.commit, revision, changes, tokens, forgotten)
        return _DurableCommit(revision, changes, tokens, forgotten, author)

    def _apply(self, durable: _DurableCommit) -> None:
        """Applies what is on the disk to memory. An error here would leave the two different, and ends the writer."""
        self._tokens.remember(durable.tokens, durable.forgotten)
        self.state.apply(durable.changes)
        if durable.changes:
            self.revision = durable.revision
            commit = Commit(durable.revision, time.time(), durable.changes, durable.author)
            notify(self._listeners, commit, f"revision {durable.revision}")

    def _on_writer_end(self, writer: asyncio.Task[None]) -> None:
        """Fails all waiting work if the writer ends, other than by `close`."""
        error = None if writer.cancelled() else writer.exception()
        if error is None and self._closing:
            return
        self.failure = f"the store's writer has ended ({error!r}): nothing can be written; restart the control plane"
        log.critical("%s", self.failure, exc_info=error)
        failure = StoreError(self.failure)
        for job in self._running:
            job.resolve(None, failure)
        self._fail_queued(failure)

    def _fail_queued(self, failure: StoreError) -> None:
        while not self._queue.empty():
            if (job := self._queue.get_nowait()) is not None:
                job.resolve(None, failure)

    def _require_writer(self) -> None:
        if self.failure is not None:
            raise StoreError(self.failure)
