"""One provider's batch API, asked with care: what may be repeated is, and what costs money is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bench.backend import ModelStopped
from bench.services import attempts, wire
from bench.services.batch_notes import Note, Notes
from bench.services.batch_protocols import BatchProtocol, Result, State, identity
from bench.services.endpoint import Call, Endpoint, Reply, Unusable

Read = TypeVar("Read")

REPEATS = 5
"""How often a call is made whose reply cannot be read, and a batch that was not made."""
LOOKS = 3
"""How often the service is asked for a batch before it is taken as not made."""
SKEW = 3600.0
"""Seconds by which a provider's clock may differ from ours."""
GROWTH = 1.5
SLOWEST = 12


class Pace:
    """Waits `poll` seconds at first, and longer each time, up to `SLOWEST` times as long."""

    def __init__(self, poll: float) -> None:
        self.poll = self._interval = poll

    def reset(self) -> None:
        """Something went on: the next wait is short."""
        self._interval = self.poll

    def wait(self) -> None:
        """Sleeps."""
        time.sleep(self._interval)
        self._interval = min(self._interval * GROWTH, SLOWEST * self.poll)


class BatchService:
    """The batches of one account. Every method raises `ModelStopped` where the service cannot or will not."""

    def __init__(self, endpoint: Endpoint, once: Endpoint, protocol: BatchProtocol, notes: Notes, pace: Pace) -> None:
        """`once` is the same service with one attempt a call: what makes a batch must not be repeated blindly."""
        self._endpoint = endpoint
        self._once = once
        self._protocol = protocol
        self._notes = notes
        self._pace = pace

    def hand_in(self, lines: Sequence[bytes], path: str, digest: str) -> tuple[str, State]:
        """(label, state) of a new batch. Its note stands before it is made, and has its id right after."""
        upload = self._protocol.upload(lines)
        uploaded = self._json(upload, identity) if upload else ""
        label, note = self._notes.begin(digest, len(lines))
        made = self._make(self._protocol.create(lines, path, uploaded, label), label, note)
        self._notes.made(label, made.id)
        self._pace.reset()
        return label, made

    def _make(self, call: Call, label: str, note: Note) -> State:
        """Makes a batch, once: where it is not clear whether it was made, the service is asked before the next try."""
        why = ""
        for _ in range(REPEATS):
            try:
                reply = self._once.fetch(call)
                if good(reply):
                    return self._protocol.state(wire.decoded(reply.body))
            except (ModelStopped, Unusable) as error:
                why = str(error)
            else:
                failure = failure_of(reply)
                if failure.kind in {"refused", "hopeless"}:
                    self._notes.drop(label)
                    raise ModelStopped(f"the service takes no batch: {_why(failure, reply)}")
                why = str(failure)
            made = self._looked_for(label, note)
            if len(made) == 1:
                return made[0]
            if made:
                break  # the next invocation looks into each of them
        raise ModelStopped(f"it is not clear whether a batch was made: {why}")

    def _looked_for(self, label: str, note: Note) -> list[State]:
        """The batches that `_lookup` finds, with time for the service to make it."""
        self._pace.reset()
        for _ in range(LOOKS):
            self._pace.wait()
            if made := self.lookup(label, note):
                return made
        return []

    def lookup(self, label: str, note: Note) -> list[State]:
        """The batches at the provider that may be the one of a note without an id."""
        known, after, found = {other.id for other in self._notes.all().values()}, "", []
        while True:
            states, more = self._json(self._protocol.list(after), self._listed)
            recent = [state for state in states if state.created >= note.at - SKEW]
            if self._protocol.labels:
                found += [state for state in states if state.label == label]
            else:
                found += [state for state in recent if state.total == note.count and state.id not in known]
            if not more or not recent:
                return found
            after = states[-1].id

    def state(self, batch_id: str) -> State:
        """How a batch stands."""
        call = self._protocol.get(batch_id)
        reply = self._endpoint.fetch(call)
        if reply.status == 404:
            raise ModelStopped(
                f"the service does not know batch {batch_id}, which this run has paid; use the key of the account that "
                "made it, or another run file"
            )
        return self._json(call, self._protocol.state, reply)

    def results(self, state: State) -> dict[str, Result]:
        """All results of a batch by request. Files that are missing or cut off are fetched again, a few times."""
        results: dict[str, Result] = {}
        for _ in range(REPEATS):
            broken = False
            for path in state.paths:
                reply = self._endpoint.fetch(Call(path))
                if reply.status in {404, 410}:
                    broken = True
                    continue
                self._check(reply)
                for line in filter(bytes.strip, reply.body.split(b"\n")):
                    try:
                        result = self._protocol.result(wire.decoded(line))
                    except Unusable:
                        broken = True
                        continue
                    earlier = results.get(result.id)
                    if earlier is None or not (earlier.reply and good(earlier.reply)):
                        results[result.id] = result
            if not state.paths or (not broken and len(results) >= state.done):
                break
            time.sleep(self._pace.poll)
        return results

    def _listed(self, page: Mapping[str, Any]) -> tuple[list[State], bool]:
        """(batches, whether there are more) of a page. Raises `Unusable`."""
        listed = page.get("data")
        if not isinstance(listed, list):
            raise Unusable("no_list")
        return [self._protocol.state(wire.table(batch)) for batch in listed], bool(page.get("has_more"))

    def _json(self, call: Call, read: Callable[[Mapping[str, Any]], Read], reply: Reply | None = None) -> Read:
        """What is read from the JSON of a call that may be repeated. Raises `ModelStopped`."""
        why = ""
        for _ in range(REPEATS):
            reply = reply or self._endpoint.fetch(call)
            self._check(reply)
            try:
                return read(wire.decoded(reply.body))
            except Unusable as error:
                why, reply = str(error), None
            time.sleep(self._pace.poll)
        raise ModelStopped(f"the batch API gave no usable reply: {why}")

    def _check(self, reply: Reply) -> None:
        if not good(reply):
            raise ModelStopped(f"the batch API refuses: {_why(failure_of(reply), reply)}")


def good(reply: Reply) -> bool:
    """Whether a reply is a success."""
    return 200 <= reply.status < 300


def failure_of(reply: Reply) -> attempts.Failure:
    """What a reply means that is no success."""
    failure = attempts.of_status(reply.status, reply.headers, reply.body, time.time())
    # A refused key may stand in the message, and only the endpoint knows it.
    return replace(failure, detail="" if failure.kind == "hopeless" else attempts.cut(failure.detail))


def _why(failure: attempts.Failure, reply: Reply) -> str:
    return attempts.hopeless(failure, reply.status) if failure.kind == "hopeless" else str(failure)
