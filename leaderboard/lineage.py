"""The family of a model on the board, and what each specialisation gained: the lift of a child over its base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.cards.facts import Level
from bench.cards.family import Member, tree
from leaderboard import common_ways, paired
from leaderboard.board import Board, ModelName
from leaderboard.paired import Difference
from leaderboard.records import Model

TASKS_EACH, OTHERS, TASKS_OF_OTHER = 4, 3, 1
"""How many tasks show the lift over the base, how many steps above and below theirs, and in how many tasks each."""
RELATIVES = 50
"""So many members of a family are listed."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A member of a family, `depth` steps below its root; `model` is None for a base that is not on the board.

    `name` is what results or children call it, `remarks` what is odd about its place, `self` marks the page's model.
    """

    model: ModelName | None
    name: str
    level: Level | None
    depth: int
    remarks: tuple[str, ...]
    self: bool


@dataclass(frozen=True, slots=True)
class Lift:
    """What a child scores more than its base in one way of a task, over the languages that both have."""

    base: ModelName
    child: ModelName
    task: str
    version: str
    title: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    invalid: str
    difference: Difference


OWN, ABOVE, BELOW = "own", "above", "below"


class Step(NamedTuple):
    """From a model to one that was made from it, and where that lies: the step to the page's model, above or below."""

    base: ModelName
    child: ModelName
    place: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """A model's family from the root down, and the lifts of the steps that lead to it, the last first, and from it.

    `unmeasured` are steps between two models of the board that were never asked the same task in the same way; `left`
    is how many relatives, and `left_lifts` how many steps or tasks, are not shown.
    """

    relatives: tuple[Relative, ...]
    left: int
    lifts: tuple[Lift, ...]
    unmeasured: tuple[tuple[ModelName, ModelName], ...]
    left_lifts: int


def of_model(board: Board, found: Model) -> Lineage:
    """The family of one model; a lone one has itself for a family. Models without a stated base are not guessed at."""
    models = [model for model in board.models() if not model.baseline]
    known = {(model.name, repr(model.facts)): ModelName.of(model) for model in reversed(models)}
    rows: list[tuple[Member, Member | None, int]] = []
    for root in tree((model.name, model.facts) for model in models):
        own = list(_flat(root, None, 0))
        if any(_is(member, found) for member, _, _ in own):
            rows = own
            break
    relatives = [
        Relative(
            model=known.get((member.name, repr(member.facts))),
            name=member.name,
            level=member.facts.level if member.facts else None,
            depth=depth,
            remarks=member.remarks,
            self=_is(member, found),
        )
        for member, _, depth in rows
    ]
    lifts, unmeasured, left = _lifts(board, _steps(rows, found, known))
    shown = _near(relatives)
    return Lineage(tuple(shown), len(relatives) - len(shown), tuple(lifts), tuple(unmeasured), left)


def _is(member: Member, found: Model) -> bool:
    return member.name == found.name and member.facts == found.facts


def _flat(member: Member, parent: Member | None, depth: int) -> Iterator[tuple[Member, Member | None, int]]:
    yield member, parent, depth
    for child in member.children:
        yield from _flat(child, member, depth + 1)


def _steps(
    rows: Iterable[tuple[Member, Member | None, int]], found: Model, known: Mapping[tuple[str, str], ModelName]
) -> list[Step]:
    """The steps between models of the board on the way down to one, the last first, and those from it."""
    above: list[tuple[Member, Member | None, int]] = []
    below: list[Step] = []
    done = False
    for row in rows:
        member, parent, depth = row
        if not done:
            above = [*above[:depth], row]
            done = _is(member, found)
        elif parent is not None and _is(parent, found):
            below.append(Step(_named(parent, known), _named(member, known), BELOW))
    up = [
        Step(_named(parent, known), _named(member, known), OWN if _is(member, found) else ABOVE)
        for member, parent, _ in reversed(above)
        if parent is not None and parent.facts is not None and member.facts is not None
    ]
    return up + below


def _named(member: Member, known: Mapping[tuple[str, str], ModelName]) -> ModelName:
    return known[member.name, repr(member.facts)]


def _near(relatives: Sequence[Relative]) -> list[Relative]:
    """Of a large family the way down to the model, its children and as many of the others as there is room for."""
    if len(relatives) <= RELATIVES:
        return list(relatives)
    at = next(place for place, one in enumerate(relatives) if one.self)
    kept, depth = {at}, relatives[at].depth
    for place in range(at - 1, -1, -1):
        if relatives[place].depth < depth:
            depth = relatives[place].depth
            kept.add(place)
    for place in [*range(at + 1, len(relatives)), *range(at)]:
        if len(kept) >= RELATIVES:
            break
        kept.add(place)
    return [relatives[place] for place in sorted(kept)]


def _lifts(board: Board, steps: Iterable[Step]) -> tuple[list[Lift], list[tuple[ModelName, ModelName]], int]:
    facts = board.task_facts()
    made: list[Lift] = []
    unmeasured, left, others = [], 0, Counter[str]()
    for base, child, place in steps:
        ways = list(common_ways.common(board.sheets(), [board.number(base.slug), board.number(child.slug)]))
        if not ways:
            unmeasured.append((base, child))
            continue
        others[place] += 1
        most = TASKS_EACH if place == OWN else TASKS_OF_OTHER if others[place] <= OTHERS else 0
        left += max(0, len(ways) - most)
        for way in ways[:most]:
            sides = [paired.side(board, one.slug, way) for one in (base, child)]
            macro = paired.versus(board, way, sides[0], sides[1], by_language=False).macro
            task = facts[way.task, way.version]
            how = (way.metric, way.mode, way.prompt_language, way.shots)
            invalid = board.why_invalid(way.task, way.version)
            made.append(Lift(base, child, task.name, task.version, task.title, *how, invalid, macro))
    judged = paired.adjusted([lift.difference for lift in made], [lift.metric for lift in made])
    return [replace(lift, difference=one) for lift, one in zip(made, judged, strict=True)], unmeasured, left
