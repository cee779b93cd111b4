"""Drives a model over a plan and writes the run file as the answers come; a run that was stopped goes on from there."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.models.base import Model, ModelStopped
from bench.records import BenchError, Request, Response
from bench.runfile import RunFile
from bench.watch import Progress

GROUP_ROWS = 256
GROUP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """How driving a model over a plan ended.

    `asked` counts this invocation's requests; `stopped` is why the backend gave up, if it did; `left_out` maps tasks
    that the model cannot be asked to the reason.
    """

    planned: int
    asked: int
    answered: int
    errors: int
    first_error: str
    stopped: str
    left_out: Mapping[str, str] = field(default_factory=dict)


def execute(model: Model, requests: Sequence[Request], run: RunFile, progress: Progress) -> Outcome:
    """Asks what the run file has no answer to; `progress` hears of answers when they are on disk.

    Raises `BenchError` where answers cannot be kept.
    """
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

    The thread is the only one that touches the run file while the recorder is open. It ends at the first failure, which
    the next `put` raises, or leaving does.
    """

    def __init__(self, run: RunFile, committed: Progress) -> None:
        self._run = run
        self._committed = committed
        self._queue: queue.Queue[Response | None] = queue.Queue(maxsize=4 * GROUP_ROWS)
        self._pool = ThreadPoolExecutor(1, "recorder")

    def put(self, response: Response | None) -> None:
        """Hands over a response, or None as the last. Raises what kept an earlier one from being written."""
        while not self._work.done():
            with contextlib.suppress(queue.Full):
                self._queue.put(response, timeout=1)
                return
        self._work.result()

    def _record(self) -> None:
        count = 0
        for group in iter(self._group, []):
            self._run.record(group)
            count += len(group)
            self._committed(count)

    def _group(self) -> list[Response]:
        """The responses of the next `GROUP_SECONDS`, the time counted from the first; none at the end."""
        group: list[Response] = []
        due: float | None = None
        while len(group) < GROUP_ROWS:
            wait = None if due is None else due - time.monotonic()
            if wait is not None and wait <= 0:
                break
            try:
                response = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if response is None:
                self._queue.put(None)  # for the next call, which finds nothing before it
                break
            due = due or time.monotonic() + GROUP_SECONDS
            group.append(response)
        return group

    def __enter__(self) -> Self:
        self._work = self._pool.submit(self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._pool, contextlib.suppress(*() if kind is None else (BenchError,)):
            self.put(None)
            self._work.result()  # where something else ended the run, that is what the user should hear of
