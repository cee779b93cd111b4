"""Drives a model over a plan and writes the run file as the answers come; a run that was stopped goes on from there."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.models.base import Model, ModelStopped
from bench.records import BenchError, Request, Response
from bench.runfile import RunFile

GROUP_ROWS = 256
GROUP_SECONDS = 0.05

Progress = Callable[[int], None]
"""Called with the number of answers that are on disk now, those of earlier invocations included."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How driving a model over a plan ended.

    `asked` counts this invocation's requests; `stopped` is why the backend gave up, if it did.
    """

    planned: int
    asked: int
    answered: int
    errors: int
    first_error: str
    stopped: str


def execute(model: Model, requests: Sequence[Request], run: RunFile, progress: Progress) -> Outcome:
    """Asks what the run file has no answer to. Raises `BenchError` where answers cannot be kept."""
    done = run.answered()
    pending = [request for request in requests if request.id not in done]
    earlier = len(requests) - len(pending)
    errors, first_error, stopped = 0, "", ""
    progress(earlier)
    with Recorder(run, lambda committed: progress(earlier + committed)) as recorder:
        unanswered = {request.id for request in pending}
        try:
            for response in model.respond(pending):
                if response.request not in unanswered:
                    raise BenchError(
                        f"{model.name} answered a request twice, or one it was not asked: {response.request}"
                    )
                unanswered.discard(response.request)
                if response.status == "error":
                    errors += 1
                    first_error = first_error or response.reason
                recorder.put(response)
        except ModelStopped as reason:
            stopped = str(reason)
    return Outcome(len(requests), len(pending), len(requests) - len(unanswered) - errors, errors, first_error, stopped)


class Recorder:
    """Commits responses from a thread of its own, so that none waits longer than `GROUP_SECONDS` for the next one.

    The thread is the only one that touches the run file while the recorder is open. A failure to write is raised by the
    next `put` or on leaving.
    """

    def __init__(self, run: RunFile, committed: Progress) -> None:
        self._run = run
        self._committed = committed
        self._queue: queue.Queue[Response | None] = queue.Queue(maxsize=4 * GROUP_ROWS)
        self._failure: BenchError | None = None
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def put(self, response: Response) -> None:
        """Hands over a response. Raises `BenchError` where an earlier one could not be written."""
        if self._failure:
            raise self._failure
        self._queue.put(response)

    def _work(self) -> None:
        count, open_ = 0, True
        while open_:
            first = self._queue.get()
            group = [] if first is None else [first]
            open_ = first is not None
            due = time.monotonic() + GROUP_SECONDS
            while open_ and len(group) < GROUP_ROWS and (left := due - time.monotonic()) > 0:
                try:
                    response = self._queue.get(timeout=left)
                except queue.Empty:
                    break
                if response is None:
                    open_ = False
                else:
                    group.append(response)
            if group and not self._failure:
                try:
                    self._run.record(group)
                except BenchError as failure:
                    self._failure = failure  # the queue is still emptied, so that `put` never waits for ever
                else:
                    count += len(group)
                    self._committed(count)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._failure and kind is None:
            raise self._failure
