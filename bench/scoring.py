"""Responses -> scores. Pure functions; the arithmetic is `kernels`'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import kernels
from bench.extraction import choice
from bench.records import Mode, Outcome, Response, Score
from bench.text import one_line
from kernels.choices import choose
from tasks.records import Sample, Task

RIGHT, WRONG = (1, 1), (0, 1)


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample, the mode in which it was asked, and the response."""

    sample: Sample
    mode: Mode
    response: Response


def score(task: Task, answered: Sequence[Answered]) -> list[Score]:
    """The scores of the answers with status `ok` to one task: every metric of every answer."""
    usable = [one for one in answered if one.response.status == "ok"]
    if task.kind == "choice":
        return [_choice(one, likeliest) for one, likeliest in zip(usable, _likeliest(usable), strict=True)]
    texts = [one_line(one.response.text).strip() for one in usable]
    references = streams([one.sample for one in usable])
    scores = []
    for name in task.metrics:
        if usable:
            for one, text, row in zip(
                usable, texts, kernels.metric(name).statistics(texts, references).tolist(), strict=True
            ):
                outcome = "scored" if text else _silent(one.response)
                scores.append(Score(one.response.request, name, outcome, tuple(row)))
    return scores


def streams(samples: Sequence[Sample]) -> list[list[str | None]]:
    """The samples' references as sacreBLEU's streams: None where a sample has fewer than another."""
    width = max((len(sample.references) for sample in samples), default=0)
    return [
        [one_line(sample.references[place]) if place < len(sample.references) else None for sample in samples]
        for place in range(width)
    ]


def _choice(one: Answered, likeliest: int | None) -> Score:
    outcome: Outcome = "scored"
    if one.mode == "generate":
        chosen = choice(one.response.text, one.sample.options)
        if chosen is None:
            outcome = "unparsed" if one.response.text.strip() else _silent(one.response)
    else:
        chosen = likeliest
        if chosen is None:
            outcome = "unparsed"
    return Score(one.response.request, "accuracy", outcome, RIGHT if chosen == one.sample.answer else WRONG)


def _likeliest(answered: Sequence[Answered]) -> list[int | None]:
    """Each answer's most likely option; None where they say nothing: too few, not a number, or all impossible."""
    told = [
        one.response.loglikelihoods if len(one.response.loglikelihoods) == len(one.sample.options) else ()
        for one in answered
    ]
    offsets = np.cumsum([0, *map(len, told)])
    chosen = choose(np.array([value for values in told for value in values], dtype=np.float64), offsets)
    return [None if option < 0 else option for option in chosen.tolist()]


def _silent(response: Response) -> Outcome:
    return "refused" if response.finish == "filter" else "empty"


def chance(task: Task, samples: Iterable[Sample]) -> float:
    """What blind choice scores: the task's word for it, else the mean of 1 / options, and 0 for a text."""
    if task.chance is not None:
        return task.chance
    if task.kind == "generation":
        return 0.0
    shares = [1 / len(sample.options) for sample in samples]
    return sum(shares) / len(shares)
