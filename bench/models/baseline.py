"""Floors: what answering without understanding scores. Deterministic, instant, and never ranked."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from bench.backend import Capabilities, Model, Settings, Training
from bench.prices import Price
from bench.records import Request, Response, UsageError
from bench.text import LETTERS
from tasks.records import Sample
from tasks.suggest import did_you_mean

NO_TRAINING = "no_training_split"

T = TypeVar("T", bound=Hashable)

Answer = Callable[[Request, Training], str | None]
"""The answer to a request, or None where it takes a training split and there is none."""


def load(name: str, settings: Settings) -> Model:
    """`random`, `copy` or `majority`. Raises `UsageError`."""
    if name not in BASELINES:
        known = ", ".join(f"baseline:{known}" for known in BASELINES)
        raise UsageError(f"unknown baseline {name!r}{did_you_mean(name, BASELINES)}; there are {known}")
    return Baseline(name, BASELINES[name], settings.training)


class Baseline:
    """A rule in the place of a model."""

    template = "none"
    decoding = "deterministic"
    capabilities = Capabilities(modes=("generate",), raw=True, computes=False)
    price: Price | None = None

    def __init__(self, name: str, answer: Answer, training: Training) -> None:
        self.name = f"baseline:{name}"
        self.revision = f"{name}-1"
        self._answer = answer
        self._training = training

    def check(self, requests: Iterable[Request]) -> None:
        """Any plan will do: what takes a training split is skipped where there is none."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """One answer a request, in order."""
        for request in requests:
            text = self._answer(request, self._training)
            if text is None:
                yield Response(request.id, "skipped", reason=NO_TRAINING)
            else:
                yield Response(request.id, "ok", text, finish="stop")

    def status(self) -> str:
        """Nothing to tell."""
        return ""

    def close(self) -> None:
        """Holds nothing."""


def _examples(request: Request, training: Training) -> Sequence[Sample]:
    return training(request.task, request.language, request.variety)


def _random(request: Request, training: Training) -> str | None:
    """Any option; for a text, the answer to any training question."""
    pool: Sequence[str] = LETTERS[: len(request.options)]
    if not request.options:
        pool = [sample.references[0] for sample in _examples(request, training)]
    if not pool:
        return None
    # Drawn from the sample's identity, so that a resumed run answers as an uninterrupted one.
    draw = int.from_bytes(hashlib.sha256(request.sample.encode()).digest()[:8], "big")
    return pool[draw % len(pool)]


def _copy(request: Request, _: Training) -> str:
    """The input itself; of options, the one that is spelled most like it."""
    if not request.options:
        return request.input
    text = request.input.casefold()
    likeness = [
        difflib.SequenceMatcher(None, text, option.casefold(), autojunk=False).ratio() for option in request.options
    ]
    return LETTERS[likeness.index(max(likeness))]


def _majority(request: Request, training: Training) -> str | None:
    """The commonest answer of the training split; of equally common ones the first. Never looks at the gold."""
    examples = _examples(request, training)
    if not examples:
        return None
    if not request.options:
        return _commonest(sample.references[0] for sample in examples)
    if examples[0].answers:  # several labels may be right
        return ", ".join(LETTERS[place] for place in _commonest(sample.answers for sample in examples))
    places = [sample.answer for sample in examples if sample.answer is not None]
    return LETTERS[(_commonest(places) + request.rotation) % len(request.options)]


def _commonest(values: Iterable[T]) -> T:
    return Counter(values).most_common(1)[0][0]


BASELINES: dict[str, Answer] = {"random": _random, "copy": _copy, "majority": _majority}
