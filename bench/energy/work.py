"""What was computed in a stretch of time: sums over responses, and what an engine says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from bench.backend import Load
from bench.energy.records import Work
from bench.records import Request, Response
from kernels.normalisation import unspaced

Number = TypeVar("Number", int, float)

UNSPACED_SCRIPTS = frozenset(
    {
        *("Bali", "Bopo", "Hani", "Hans", "Hant", "Hira", "Java", "Jpan", "Kana", "Khmr", "Lana", "Laoo", "Mymr"),
        *("Tale", "Talu", "Tavt", "Thai", "Tibt", "Yiii"),
    }
)
"""ISO 15924 codes of the scripts that `kernels.normalisation.UNSPACED` names: written without spaces between words."""


class Ledger:
    """Adds up responses as they come. Read from another thread at any moment."""

    def __init__(self, language: str) -> None:
        self._counts_words = parts_words(language)
        self._requests = self._failed = self._truncated = self._empty = 0
        self._words = 0
        self._prompt: int | None = 0
        self._output: int | None = 0
        self._cached: int | None = 0
        self._steps: float | None = 0.0

    def add(self, request: Request, response: Response) -> None:
        """Takes in how one request ended."""
        self._requests += 1
        if response.status != "ok":
            self._failed += 1
            return
        self._truncated += response.finish == "length" and not request.exact
        if request.mode == "generate":
            self._empty += not response.text.strip()
            self._words += _words(response.text) if self._counts_words else 0
        self._prompt = _sum(self._prompt, response.prompt_tokens)
        self._output = _sum(self._output, response.output_tokens)
        self._cached = _sum(self._cached, response.cached_tokens)
        self._steps = _sum(self._steps, _context_steps(response))

    def work(self) -> Work:
        """The sums so far. A count that one response did not have is not known for all."""
        answered = self._requests > self._failed
        return Work(
            requests=self._requests,
            prompt_tokens=self._prompt if answered else None,
            output_tokens=self._output if answered else None,
            cached_tokens=self._cached if answered else None,
            words=self._words if answered and self._counts_words else None,
            truncated=self._truncated,
            empty=self._empty,
            failed=self._failed,
            context_steps=self._steps if answered else None,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What was done by one moment: what had ended, and what the engine said."""

    work: Work
    load: Load | None


def between(begin: Moment, end: Moment) -> Work:
    """The work from one moment to a later one; tokens by the engine's own count, where it has one.

    Its count has the tokens of requests that are still under way, which is what the energy was spent on.
    """
    done, before, load, earlier = end.work, begin.work, end.load, begin.load
    return Work(
        requests=done.requests - before.requests,
        prompt_tokens=_counted(load, earlier, "prompt_tokens", done.prompt_tokens, before.prompt_tokens),
        output_tokens=_counted(load, earlier, "output_tokens", done.output_tokens, before.output_tokens),
        cached_tokens=_minus(done.cached_tokens, before.cached_tokens),
        words=_minus(done.words, before.words),
        truncated=done.truncated - before.truncated,
        empty=done.empty - before.empty,
        failed=done.failed - before.failed,
        context_steps=_minus(done.context_steps, before.context_steps),
    )


def _counted(load: Load | None, earlier: Load | None, name: str, done: int | None, before: int | None) -> int | None:
    if load is not None and earlier is not None:
        late, early = getattr(load, name), getattr(earlier, name)
        if late is not None and early is not None:
            return int(late - early) if late >= early else None  # it began anew: nobody knows
    return _minus(done, before)


def _minus(done: Number | None, before: Number | None) -> Number | None:
    """The growth of a count. Before anything ended it is None, which is none of it."""
    return done if done is None or before is None else done - before


def _sum(total: Number | None, more: Number | None) -> Number | None:
    return None if total is None or more is None else total + more


def _context_steps(response: Response) -> float | None:
    """The tokens in reach, summed over the steps of an answer: what attention reads of the keys and values."""
    if response.prompt_tokens is None or response.output_tokens is None:
        return None
    return response.output_tokens * (response.prompt_tokens + response.output_tokens / 2)


def parts_words(language: str) -> bool:
    """Whether a language parts its words by spaces, by its script (ISO 15924)."""
    return language.partition("_")[2] not in UNSPACED_SCRIPTS


def _words(text: str) -> int:
    """Words between spaces that have a letter or digit; those of unspaced scripts in between count for nothing."""
    return sum(any(char.isalnum() and not unspaced(char) for char in word) for word in text.split())
