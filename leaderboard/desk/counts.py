"""What the cells of an upload count and add up, held against its own answers and scores.

Where the board has no data to score answers anew, a cell's value still has to follow from its scores (`checks.py`).
This is the rest of a cell: counts of answers, tokens, costs, and what it says of its task.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any, get_args

import numpy as np

import kernels
import tasks
from bench.records import Cell, Finish, Outcome, Score, Status
from bench.runfile import RunFile
from bench.runfile_records import Answer
from bench.summary import NOT_ANSWERED
from leaderboard.checks import name_of
from leaderboard.desk.structure import Refused

WIDEST_SPREAD = 0.5
"""No standard deviation of shares is larger: half of them 0 and half of them 1."""
STATUSES, FINISHES, OUTCOMES = get_args(Status), get_args(Finish), get_args(Outcome)
"""The words of a run for what became of an answer."""
COUNTED = ("truncated", "unparsed", "empty", "refused", "unfinished", "unasked", "output_tokens", "reasoning_tokens")


def check(run: RunFile) -> None:
    """Raises `Refused` for the first cell that counts otherwise than its answers and scores do."""
    cells: dict[tuple[object, ...], list[Cell]] = {}
    for cell in run.cells():
        cells.setdefault(_way(cell), []).append(cell)
    for place in run.places():
        found = cells.get(astuple(replace(place, id=0))[1:], [])
        answers = run.answers(place)
        _check_words(answers)
        scores: dict[str, dict[str, Score]] = {}
        for score in run.scores(place):
            _known("outcome", score.outcome, OUTCOMES)
            scores.setdefault(score.metric, {})[score.request] = score
        for cell in found:
            _check(cell, answers, scores.get(cell.metric, {}))


def _check_words(answers: Iterable[Answer]) -> None:
    for answer in answers:
        if answer.response is not None:
            _known("status", answer.response.status, STATUSES)
            _known("finish", answer.response.finish, FINISHES)


def _known(what: str, said: str, among: Sequence[str]) -> None:
    if said not in among:
        known = ", ".join(filter(None, among))
        raise Refused("wrong_structure", f"an answer has the {what} {said[:60]!r}, and a run writes {known}; run again")


def _way(cell: Cell) -> tuple[object, ...]:
    asked = f"{cell.task}@{cell.task_version}", cell.language, cell.variety
    return (*asked, cell.mode, cell.prompt_language, cell.shots)


def _check(cell: Cell, answers: Sequence[Answer], scores: Mapping[str, Score]) -> None:
    task = tasks.get(cell.task)
    right: dict[str, Any] = {"vertical": task.vertical, "area": task.area, **_counts(answers, scores)}
    repeats = {answer.repeat for answer in answers} or {0}
    if repeats != set(range(len(repeats))):
        raise Refused("picked_items", f"{name_of(cell)} leaves out repeats; run again")
    right["repeats"] = len(repeats)
    right |= _costs(cell, answers, scores)
    if task.kind != "rules":
        right |= {"violations": None, "violation_bound": None}
    if task.kind != "choice" or cell.mode == "loglikelihood" or not cell.headline:
        right["position_bias"] = None
    right["repeat_deviation"] = _deviation(cell, answers, scores, right["repeats"])
    for name, made in right.items():
        said = getattr(cell, name)
        if not _same(said, made):
            raise _forged(cell, name, said, "nothing" if made is None else made)
    if cell.position_bias is not None and not 0 <= cell.position_bias <= WIDEST_SPREAD:
        raise _forged(cell, "position_bias", cell.position_bias, f"0 to {WIDEST_SPREAD}")


def _counts(answers: Iterable[Answer], scores: Mapping[str, Score]) -> dict[str, int | None]:
    outcomes = Counter(score.outcome for score in scores.values())
    responses = [answer.response for answer in answers]
    counted = [said for said in responses if said is not None and said.request in scores]
    numbers = (
        sum(said.finish == "length" for said in counted),
        *(outcomes[name] for name in ("unparsed", "empty", "refused", "truncated")),
        sum(said is None or said.reason == NOT_ANSWERED for said in responses),
        _total(said.output_tokens for said in counted),
        _total(said.reasoning_tokens for said in counted),
    )
    return dict(zip(COUNTED, numbers, strict=True))


def _deviation(cell: Cell, answers: Iterable[Answer], scores: Mapping[str, Score], repeats: int) -> float | None:
    """The standard deviation (n - 1) of the values of single repeats; None unless all repeats have the same items."""
    metric = kernels.metric(cell.metric)
    rows: dict[int, list[tuple[int, ...]]] = {}
    for answer in answers:
        if answer.request in scores:
            rows.setdefault(answer.repeat, []).append(scores[answer.request].statistics)
    if repeats == 1 or len(rows) < repeats or len({len(found) for found in rows.values()}) > 1:
        return None
    sums = np.array([np.sum(found, axis=0, dtype=np.int64) for found in rows.values()])
    values = metric.from_statistics(sums)
    return float(np.std(np.minimum(values, metric.best) if metric.higher_is_better else values, ddof=1))


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum; None where one is not known, or there are none."""
    told = list(counts)
    known = [count for count in told if count is not None]
    return sum(known) if known and len(known) == len(told) else None


def _costs(cell: Cell, answers: Iterable[Answer], scores: Mapping[str, Score]) -> dict[str, object]:
    """The cost of the answers, where the cell says one; it may leave it out, for the price may have been unknown."""
    if cell.cost is None:
        return {"currency": "", "cost_per_correct": None}
    told = [answer.cost for answer in answers if answer.response is not None and answer.response.status == "ok"]
    known = [cost for cost in told if cost is not None]
    if not known or len(known) < len(told):
        return {"cost": None}
    cost = math.fsum(known)
    correct = sum(score.statistics[0] for score in scores.values()) if kernels.metric(cell.metric).binary else 0
    return {"cost": cost, "cost_per_correct": cost / correct if correct else None}


def _same(said: object, made: object) -> bool:
    if isinstance(said, int | float) and isinstance(made, int | float):
        return math.isclose(said, made, rel_tol=1e-6, abs_tol=1e-9)
    return said == made


def _forged(cell: Cell, name: str, said: object, right: object) -> Refused:
    return Refused(
        "forged_scores",
        f"{name} of {name_of(cell)} is {str(said)[:60]}, its answers give {right}; "
        "`python -m bench rescore FILE` mends it",
    )
