"""The page of a model in one task, language by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.records import Cell
from leaderboard import lookup, model_means
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName, Result
from leaderboard.grid import Sheet, Way, way_of
from leaderboard.naming import by_name, named
from leaderboard.pages import LanguageName
from leaderboard.records import Badge, Mean, Model, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import Standing, rank_ends

LISTED = 60


@dataclass(frozen=True, slots=True)
class LanguageLine:
    """A model's result in one language, with its rank there, `first` to `last` of `peers`; or why there is none.

    One in a variety of several has no rank here: that stands in the language's own table of the variety. `invalid` is
    what was found wrong with the task since.
    """

    language: LanguageName
    variety: str
    cell: Cell | None
    reason: str
    run: str
    badge: Badge | None
    first: int | None
    last: int | None
    peers: int
    invalid: str


@dataclass(frozen=True, slots=True)
class LanguageTable:
    """One model in one version and metric of a task over the languages."""

    task: TaskFacts
    metric: str
    headline: bool
    invalid: str
    lines: tuple[LanguageLine, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A version and metric that may be shown."""

    version: str
    metric: str


@dataclass(frozen=True, slots=True)
class ModelTaskPage:
    """One model in one task, language by language: one table, of the `choices` that there are; none where not run.

    `standings` has one for each of the `means`.
    """

    snapshot: str
    model: ModelName
    task: TaskFacts
    means: tuple[Mean, ...]
    standings: tuple[Standing | None, ...]
    choices: tuple[Shown, ...]
    tables: tuple[LanguageTable, ...]
    part: Part


def page(board: Board, found: Model, versions: Sequence[TaskFacts], asked: Asked) -> ModelTaskPage:
    """One model in one task, whose newest version is the first: the table that is asked for. Raises `Wrong`."""
    facts = {task.version: task for task in versions}
    results: dict[Shown, list[Result]] = {}
    for result in board.results_of_model(found.slug, versions[0].name):
        results.setdefault(Shown(result.cell.task_version, result.cell.metric), []).append(result)
    groups = {one: results[one] for version in facts for one in results if one.version == version}
    version = asked.choice("version", {one.version for one in groups})
    own = [one for one in groups if version in ("", one.version)]
    metric = asked.choice("metric", {one.metric for one in own})
    shown = [one for one in own if metric in ("", one.metric)][:1]
    lines = [line for one in shown for line in _lines(board, facts[one.version], board.number(found.slug), groups[one])]
    kept, part = asked.part(lines, LISTED)
    tables = tuple(
        LanguageTable(
            task=facts[one.version],
            metric=one.metric,
            headline=groups[one][0].cell.headline,
            invalid=groups[one][0].invalid,
            lines=tuple(kept),
        )
        for one in shown
    )
    means = list(model_means.of_model(board, found.slug, versions[0].name))
    return ModelTaskPage(
        snapshot=board.name,
        model=ModelName.of(found),
        task=versions[0],
        means=tuple(mean for mean, _standing in means),
        standings=tuple(standing for _mean, standing in means),
        choices=tuple(groups),
        tables=tables,
        part=part,
    )


def _lines(board: Board, task: TaskFacts, number: int, results: Sequence[Result]) -> list[LanguageLine]:
    """Every language with a result by name, then those of the task that lack one."""
    sheets = {sheet.way: sheet for sheet in board.sheets()}
    baselines = {number for number, one in board.model_names().items() if one.baseline}
    ranks: dict[Way, tuple[Mapping[str, tuple[int, int]], Mapping[str, int]]] = {}
    varied = board.varied(task.name, task.version)
    lines = []
    for one in results:
        way = way_of(one.cell)
        if way not in ranks:
            unranked = one.invalid or way not in sheets or number in baselines
            ranks[way] = ({}, {}) if unranked else ranks_of(sheets[way], number, baselines)
        # A sheet has the mean of a language's varieties: its rank is none of theirs, which have tables of their own.
        apart = one.cell.language in varied
        first, last = (None, None) if apart else ranks[way][0].get(one.cell.language, (None, None))
        lines.append(
            LanguageLine(
                language=named(one.cell.language),
                variety=one.cell.variety,
                cell=one.cell,
                reason=one.cell.reasons.get("value", ""),
                run=one.run,
                badge=one.badge,
                first=first,
                last=last,
                peers=0 if apart else ranks[way][1].get(one.cell.language, 0),
                invalid=one.invalid,
            )
        )
    there = {one.cell.language for one in results}
    absent = [code for code in task.languages if code not in there]
    wrong = board.why_invalid(task.name, task.version)
    lines += [LanguageLine(named(code), "", None, "not_run", "", None, None, None, 0, wrong) for code in absent]
    lines.sort(key=lambda one: (one.cell is None, *by_name(one.language), one.variety))
    return lines


def ranks_of(sheet: Sheet, number: int, baselines: set[int]) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """The ranks that a model may have in each language of a sheet, and among how many; none in the self-test."""
    ranks: dict[str, tuple[int, int]] = {}
    peers: dict[str, int] = {}
    able = [place for place, one in enumerate(sheet.models) if one not in baselines and not sheet.floor]
    own = next((at for at, place in enumerate(able) if sheet.models[place] == number), None)
    if own is None:
        return ranks, peers
    values, errors = sheet.normalised[able], sheet.error[able]
    held = ~np.isnan(values) & ~np.isnan(errors) & (sheet.doubt[able] == 0)
    for column in np.flatnonzero(held[own]):
        there, language = held[:, column], sheet.languages[column]
        first, last = rank_ends(values[there, column], errors[there, column])
        at = int(there[:own].sum())
        peers[language] = int(there.sum())
        ranks[language] = int(first[at]), int(last[at])
    return ranks, peers


def register(site: Site) -> None:
    """Puts the page under its address."""
    site.page(
        "/models/<slug>/<name>",
        "model_task.html",
        lambda board, asked, slug, name: page(board, lookup.model(board, slug), lookup.task(board, name), asked),
        ModelTaskPage,
        rows=lambda page: [line for table in page.tables for line in table.lines],
        row=LanguageLine,
        parameters=("version", "metric", "page"),
        variables=_asked_of,
    )


def _asked_of(board: Board) -> Iterator[dict[str, str]]:
    """Every model with each task that it was asked."""
    names = dict.fromkeys((mean.model, mean.task) for mean in board.means())
    return ({"slug": slug, "name": task} for slug, task in names)
