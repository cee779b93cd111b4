"""The cells of an upload, held against those that its own answers and scores make.

Where the board has no data to score answers anew, the cells still have to follow from the scores. What made them
(`bench.summary`) makes them again, from samples that have a name and a passage, and neither question nor gold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import get_args

import tasks
from bench import summary
from bench.energy.cells import FIELDS as ENERGY
from bench.records import Cell, Finish, Outcome, Response, Status
from bench.runfile import RunFile
from bench.runfile_records import Answer, Place
from bench.scoring import Answered
from leaderboard.checks import name_of
from leaderboard.collect import key
from leaderboard.desk.rescoring import declared
from leaderboard.desk.structure import Refused
from tasks import Sample

WIDEST_SPREAD = 0.5
"""No standard deviation of shares is larger: half of them 0 and half of them 1."""
STATUSES, FINISHES, OUTCOMES = get_args(Status), get_args(Finish), get_args(Outcome)
"""The words of a run for what became of an answer."""
OF_GOLD = frozenset({"signature", "chance", "normalised", "position_bias"})
"""What follows from references and options, which no run file keeps; `leaderboard.checks` looks at the first three."""
OF_ENERGY = frozenset({*ENERGY, "energy_setup", "energy_windows", "energy_provenance"})
"""What follows from windows and premiums; `bench.energy.cells` makes it anew."""
COMPARED = tuple(each.name for each in fields(Cell) if each.name not in OF_GOLD | OF_ENERGY | {"reasons"})
"""The fields of a cell that its answers and scores give."""
_OPTIONS = ("",)  # how many there are decides about chance alone, which is not compared


def check(run: RunFile) -> None:
    """Raises `Refused` for the first cell that its answers and scores do not make."""
    currency = run.manifest().get("price", {}).get("currency", "")
    made = {key(cell): cell for place in run.places() for cell in _cells(run, place, currency)}
    for cell in run.cells():
        found = made.get(key(cell))
        if found is None:
            raise Refused("forged_scores", f"{name_of(cell)} has no answers; `python -m bench rescore FILE` mends it")
        _compare(cell, found)


def _cells(run: RunFile, place: Place, currency: str) -> Iterator[Cell]:
    """What the answers and scores of a place make. Raises `Refused` where no run writes such."""
    task, variety = declared(place)
    answers = run.answers(place)
    if not answers:
        return
    repeats = {answer.repeat for answer in answers}
    if repeats != set(range(len(repeats))):
        raise Refused("picked_items", f"{task.name} {place.language} leaves out repeats; run again")
    answered = [_answered(place, answer) for answer in answers]
    for one in answered:
        _known("status", one.response.status, STATUSES)
        _known("finish", one.response.finish, FINISHES)
    scores = run.scores(place)
    for score in scores:
        _known("outcome", score.outcome, OUTCOMES)
    model = run.identity().model
    group = summary.Group(model, task, variety, place.mode, place.prompt_language, place.shots, answered, currency)
    yield from summary.cells(group, scores)


def _answered(place: Place, answer: Answer) -> Answered:
    """An answer to a sample of which only its name and its passage are known."""
    task, language, variety, item = answer.sample.split("/", 3)
    name, _, version = task.partition("@")
    sample = Sample(name, version, language, variety, item, "", {}, _OPTIONS, cluster=answer.facts.cluster)
    response = answer.response or Response(answer.request, "error", reason=summary.NOT_ANSWERED)
    return Answered(sample, place.mode, response, answer.repeat, answer.cost)


def _known(what: str, said: str, among: Sequence[str]) -> None:
    if said not in among:
        known = ", ".join(filter(None, among))
        raise Refused("wrong_structure", f"an answer has the {what} {said[:60]!r}, and a run writes {known}; run again")


def _compare(cell: Cell, made: Cell) -> None:
    for name in COMPARED:
        said, right = getattr(cell, name), getattr(made, name)
        if not _same(said, right):
            raise _forged(cell, name, said, "nothing" if right is None else right)
    bias, task = cell.position_bias, tasks.get(cell.task)
    if bias is not None:
        if task.kind != "choice" or cell.mode == "loglikelihood" or not cell.headline:
            raise _forged(cell, "position_bias", bias, "nothing")
        if not 0 <= bias <= WIDEST_SPREAD:
            raise _forged(cell, "position_bias", bias, f"0 to {WIDEST_SPREAD}")


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
