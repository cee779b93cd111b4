"""The tasks: what is asked, from which data, and how every model and every language stands in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

import tasks
from leaderboard import board_pages, examples, facets, lookup
from leaderboard.asking import Asked, Part
from leaderboard.board import Board
from leaderboard.board_pages import BoardRow, Tab
from leaderboard.facets import Chip, Facet
from leaderboard.grid import WIDTH_95, Sheet
from leaderboard.naming import by_name, named
from leaderboard.pages import LanguageName
from leaderboard.records import Mean, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import INVALID, NO_INTERVAL, NO_NUMBERS, SELF_TEST, group_of, rank_ends
from tasks import UnknownTask

TASKS, MODELS, LANGUAGES = 100, 50, 75
"""Rows on one page of each table."""
FACETS = ("area", "vertical", "licence")
NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task in the list, with how many models have numbers in it and what was found wrong with it."""

    task: TaskFacts
    models: int
    invalid: str


@dataclass(frozen=True, slots=True)
class TaskList:
    """The tasks that have cells, benchmarks first."""

    snapshot: str
    facets: tuple[Facet, ...]
    chips: tuple[Chip, ...]
    benchmarks: tuple[TaskLine, ...]
    self_test: tuple[TaskLine, ...]
    part: Part


@dataclass(frozen=True, slots=True)
class Origin:
    """How the text came about in so many languages of a task."""

    origin: str
    languages: int


@dataclass(frozen=True, slots=True)
class BestModel:
    """A language of a task: the model with the highest mean there, and the ranks that it may have among `models`.

    `normalised` with its interval `low` to `high` is None with a `reason` where no ranked model has a number that
    counts, `not_run` where none was asked; `others` are the ones that may also be first.
    """

    language: LanguageName
    origin: str
    model: str
    name: str
    normalised: float | None
    low: float | None
    high: float | None
    items: int
    first: int | None
    last: int | None
    others: int
    models: int
    reason: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A model's standing in a task, and what its mean leaves out."""

    row: BoardRow
    mean: Mean | None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One task in one of its versions.

    `signatures` say how the metric was computed, as the first results have them. `flawed` counts the languages whose
    text is, and `why_flawed` says how.
    """

    snapshot: str
    task: TaskFacts
    versions: tuple[str, ...]
    invalid: str
    suites: tuple[str, ...]
    origins: tuple[Origin, ...]
    signatures: tuple[str, ...]
    examples: examples.Examples
    tabs: tuple[Tab, ...]
    models: tuple[TaskRow, ...]
    floors: tuple[TaskRow, ...]
    models_part: Part
    languages: tuple[BestModel, ...]
    languages_part: Part
    flawed: int
    why_flawed: tuple[str, ...]


def task_list(board: Board, asked: Asked) -> TaskList:
    """The list of tasks. Raises `Wrong`."""
    every = facets.board_tasks(board)
    picked = {name: asked.choices(name, {_trait(task, name) for task in every}) for name in FACETS}

    def passes(task: TaskFacts, but: str = "") -> bool:
        return all(name == but or not picked[name] or _trait(task, name) in picked[name] for name in FACETS)

    numbers = Counter(
        task for sheet in board.sheets() for task in [(sheet.way.task, sheet.way.version)] for _ in sheet.models
    )
    kept, part = asked.part([task for task in every if passes(task)], TASKS)
    lines = [TaskLine(one, numbers[one.name, one.version], board.why_invalid(one.name, one.version)) for one in kept]
    made = []
    for name in FACETS:
        counted = Counter(_trait(task, name) for task in every if passes(task, name))
        made.append(facets.facet_of(name, counted, picked[name]))
    return TaskList(
        board.name,
        tuple(made),
        facets.chips(asked, FACETS),
        tuple(line for line in lines if not line.task.floor),
        tuple(line for line in lines if line.task.floor),
        part,
    )


def _trait(task: TaskFacts, facet: str) -> str:
    value = {"area": task.area, "vertical": task.vertical, "licence": task.licence}[facet]
    return value or facets.NONE


def task(board: Board, asked: Asked, name: str) -> TaskPage:
    """One task. Raises `Missing` and `Wrong`."""
    versions = {each.version: each for each in lookup.task(board, name)}
    facts = versions[asked.choice("version", versions, next(iter(versions)))]
    place = facts.name, facts.version
    found = board_pages.over(board, frozenset({place}))
    sheets = [sheet for sheet in board.sheets() if (sheet.way.task, sheet.way.version) == place]
    wanted = asked.choice("group", {board_pages.name_of(group) for group in found})
    group = next((one for one in found if board_pages.name_of(one) == wanted), None) or board_pages.default(found)
    traits = facets.traits(board)
    means = {
        (mean.model, mean.metric, mean.mode, mean.prompt_language, mean.shots): mean
        for mean in board.means(task=facts.name)
        if mean.version == facts.version
    }
    rows = [
        TaskRow(
            BoardRow(own, one, ()),
            means.get((own.model.slug, each.metric, each.mode, each.prompt_language, each.shots)),
        )
        for each, standings in found.items()
        for one in sorted(standings, key=lambda one: board_pages.by_cells(one, "rank"))
        for own in [traits[one.model]]
    ]
    models, models_part = asked.part([row for row in rows if _is_model(row)], MODELS)
    sheet = next((one for one in sheets if group_of(one) == group), None)
    invalid = board.why_invalid(*place)
    best = _best(sheet, traits, facts, bool(invalid)) if sheet is not None else []
    own = [one.mean for one in rows if one.mean is not None and one.row.standing.group == group and _is_model(one)]
    if not any(mean.missing or mean.too_few for mean in own):  # so every model counts wherever it was asked
        best = [replace(one, reason=NOT_RUN) if one.reason == NO_NUMBERS else one for one in best]
    shown, languages_part = asked.part(best, LANGUAGES, "languages")
    flawed = [row for row in best if row.reason == "flawed"]
    return TaskPage(
        snapshot=board.name,
        task=facts,
        versions=tuple(versions),
        invalid=invalid,
        suites=facets.suites_of(facts),
        origins=_origins(facts),
        signatures=_signatures(board, facts),
        examples=examples.of(facts),
        tabs=tuple(board_pages.tab(each, found[each], each == group) for each in sorted(found)),
        models=tuple(models),
        floors=tuple(row for row in rows if not _is_model(row)),
        models_part=models_part,
        languages=tuple(shown),
        languages_part=languages_part,
        flawed=len(flawed),
        why_flawed=tuple(sorted({mean.why_flawed for mean in means.values() if mean.why_flawed})),
    )


def _is_model(row: TaskRow) -> bool:
    return not row.row.traits.model.baseline


def _signatures(board: Board, facts: TaskFacts) -> tuple[str, ...]:
    first = islice(board.results_of_task(facts.name, facts.version), MODELS)
    return tuple(sorted({result.cell.signature for result in first if result.cell.signature}))


def _by_language(facts: TaskFacts) -> dict[str, str]:
    """How the text came about, by language: the task's own word where this program knows no better."""
    made = dict.fromkeys(facts.languages, facts.origin)
    try:
        known = tasks.get(facts.name)
    except UnknownTask:
        return made
    if known.version == facts.version:
        made.update({one.language: one.origin for one in known.varieties if one.origin and one.language in made})
    return made


def _origins(facts: TaskFacts) -> tuple[Origin, ...]:
    counted = Counter(_by_language(facts).values())
    return tuple(Origin(origin, number) for origin, number in sorted(counted.items(), key=lambda pair: -pair[1]))


def _best(sheet: Sheet, traits: Mapping[int, facets.Traits], facts: TaskFacts, invalid: bool) -> list[BestModel]:
    """The best model of every language, those with a number first, by the languages' names.

    It has no ranks where the task was found wrong.
    """
    origins = _by_language(facts)
    ranked = np.array([place for place, number in enumerate(sheet.models) if not traits[number].model.baseline], int)
    made = [_in_language(sheet, column, ranked, traits, origins) for column in range(len(sheet.languages))]
    if invalid:
        made = [row if row.reason else replace(row, first=None, last=None, others=0, reason=INVALID) for row in made]
    return sorted(made, key=lambda row: (row.normalised is None, *by_name(row.language)))


def _in_language(
    sheet: Sheet,
    column: int,
    ranked: NDArray[np.int64],
    traits: Mapping[int, facets.Traits],
    origins: Mapping[str, str],
) -> BestModel:
    language = named(sheet.languages[column])
    origin = origins.get(language.code, "")
    values, errors = sheet.normalised[ranked, column], sheet.error[ranked, column]
    there = ~np.isnan(values)
    if not there.any():
        reason = NO_NUMBERS if sheet.wanted[column] else "flawed"
        return BestModel(language, origin, "", "", None, None, None, 0, None, None, 0, 0, reason)
    at = int(np.nanargmax(values))
    top, value, error = int(ranked[at]), float(values[at]), float(errors[at])
    held = there & ~np.isnan(errors) & (sheet.doubt[ranked, column] == 0)
    first, last, others = None, None, 0
    if compared := bool(held[at]) and not sheet.floor:
        firsts, lasts = rank_ends(values[held], errors[held])
        own = int(held[:at].sum())
        first, last, others = int(firsts[own]), int(lasts[own]), int((firsts == 1).sum()) - 1
    doubt = sheet.doubts[sheet.doubt[top, column]]
    model = traits[sheet.models[top]].model
    high = None if np.isnan(error) else min(1.0, float(sheet.high[top, column]))
    return BestModel(
        language=language,
        origin=origin,
        model=model.slug,
        name=model.name,
        normalised=value,
        low=None if high is None else high - WIDTH_95 * error,
        high=high,
        items=int(sheet.items[top, column]),
        first=first,
        last=last,
        others=others,
        models=int(there.sum()),
        reason=SELF_TEST if sheet.floor else "" if compared else doubt or NO_INTERVAL,
    )


class ModelLine(TypedDict):
    """The beginning of a task's row as data."""

    task: str
    version: str


class TaskModelLine(ModelLine, board_pages.BoardLine):
    """A row of a task as data."""


def rows(record: TaskPage) -> Iterator[object]:
    """A line for each model in each way of asking."""
    for row in (*record.models, *record.floors):
        yield {"task": record.task.name, "version": record.task.version, **next(iter(board_pages.lines([row.row])))}


def listed(record: TaskList) -> Iterable[TaskLine]:
    """The tasks of the list."""
    return (*record.benchmarks, *record.self_test)


def register(site: Site) -> None:
    """The tasks' pages."""
    site.page("/tasks/", "tasks.html", task_list, TaskList, rows=listed, row=TaskLine, parameters=(*FACETS, "page"))
    site.page(
        "/tasks/<name>",
        "task.html",
        task,
        TaskPage,
        rows=rows,
        row=TaskModelLine,
        parameters=("version", "group", "page", "languages"),
        variables=lambda board: ({"name": one} for one in dict.fromkeys(each.name for each in board.tasks())),
    )
