"""What every backend promises, and nothing about any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.records import Mode, Request, Response
from tasks.records import Sample

Training = Callable[[str, str, str], Sequence[Sample]]
"""(task name, language, variety) -> the samples of its training split, empty where there is none."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    `modes` are the answer modes it has for multiple choice, the preferred first; every backend can generate. `raw`: it
    reads the sample's own input instead of a prompt. `choices`: it can answer multiple choice at all.
    """

    modes: tuple[Mode, ...] = ("generate",)
    raw: bool = False
    choices: bool = True


class Model(Protocol):
    """One model behind one backend.

    `name` is `provider:model` as the user wrote it. `revision` names the exact weights or program (a commit or content
    hash); `template` is the chat template's hash, or "none". `decoding` says how answers are drawn ("greedy").
    """

    name: str
    revision: str
    template: str
    decoding: str
    capabilities: Capabilities

    def check(self, requests: Iterable[Request]) -> None:
        """Raises `UsageError` where the whole plan is one that the model cannot answer as asked. Called once, first."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request, in any order, each with a status. Raises `ModelStopped` when going on is useless."""

    def close(self) -> None:
        """Frees what the model holds: processes, memory."""


class ModelStopped(Exception):
    """The backend gave up (the command is not there, say). The message is one line; answers so far stay recorded."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set for any backend; each takes what it understands.

    `batch` is requests at a time (None: the backend's own choice), `timeout` the seconds one batch may take.
    """

    training: Training
    batch: int | None = None
    timeout: float = 600.0
