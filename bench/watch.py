"""How long work is watched: whoever does it says what it is and how much, and then how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Standing:
    """What asking a model has come to, by what is on disk.

    `errors`, `output_tokens` (None where the backend counts none) and `cost` are this invocation's; `task`, `language`,
    `answered` and `asked` are of the place that the latest answer belongs to. `status` is the backend's own word.
    """

    errors: int = 0
    output_tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    task: str = ""
    language: str = ""
    answered: int = 0
    asked: int = 0
    status: str = ""


class Progress(Protocol):
    """Called with how much is done by now, what earlier invocations did included."""

    def __call__(self, done: int, standing: Standing | None = None) -> None:
        """`standing` is None where there is no more to say than the number."""


Watch = Callable[[str, int], AbstractContextManager[Progress]]
"""(title, total) -> a context in which the work is watched."""


def unwatched(title: str, total: int) -> AbstractContextManager[Progress]:
    """Nobody looks."""
    return contextlib.nullcontext(_ignored)


def _ignored(done: int, standing: Standing | None = None) -> None:
    pass
