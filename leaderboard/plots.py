"""Quality against energy and against size: which models no other surpasses.

A model stands on the frontier only where it may be compared: its numbers are over the same languages as the others',
nothing speaks against them, and energy was measured in one setup.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

from leaderboard import board_pages, efficiency, energy_queries, facets, lookup, premium_queries
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.charts import pareto
from leaderboard.efficiency import EQUIVALENT
from leaderboard.energy_queries import Measured
from leaderboard.grid import ends_of
from leaderboard.naming import named
from leaderboard.pages import LanguageName
from leaderboard.records import Badge, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import BASELINE, INVALID, Group, Standing, group_of
from leaderboard.versions import by_version

ROWS = 100
"""Rows on one page of a table; the chart has every point."""
USUAL = "eng_Latn"
"""The language whose energy is shown where none is asked for: most is measured in it."""


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """A task that can be chosen: its name in the address, which has the version where there is a newer one."""

    value: str
    name: str
    version: str
    title: str
    floor: bool
    invalid: str


@dataclass(frozen=True, slots=True)
class Setup:
    """Figures that may stand beside each other: one setup and scope, one variety and way of asking."""

    value: str
    setup: str
    scope: str
    variety: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    models: int


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """A model: its normalised quality against a figure, each with the 95 % interval or None.

    `level` is what the model is specialised for ("unknown" where nobody says), `badge` the lowest of its runs. One that
    is not `compared`, for a `reason`, is never on the `frontier`. `items` were scored, in `covered` of `cells`
    languages.
    """

    model: ModelName
    badge: Badge
    level: str
    figure: float
    figure_low: float | None
    figure_high: float | None
    normalised: float
    low: float | None
    high: float | None
    items: int
    covered: int
    cells: int
    compared: bool
    frontier: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PointLine(QualityPoint):
    """A point as a row of the data beside the page, with the task, language and way of asking that its number is of.

    `language` is empty where it is a mean over all languages of the task; `setup` and `scope` say of energy what was
    measured. `floor` is the highest quality of a baseline over the same languages, where one is drawn.
    """

    task: str
    version: str
    language: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    setup: str
    scope: str
    floor: float | None
    floor_model: str


@dataclass(frozen=True, slots=True)
class NoPoint:
    """A model that has no point, and why: the reason's code."""

    model: ModelName
    reason: str


@dataclass(frozen=True, slots=True)
class EnergyPlot:
    """Quality against English-equivalent output tokens per joule, for one task, one language and one setup.

    `other_tasks` are those with energy in this language, `setups` those of the task; `start` is the number of the
    first row of `points` on this page of the table.
    """

    snapshot: str
    language: LanguageName | None
    task: TaskChoice | None
    tasks: tuple[TaskChoice, ...]
    setup: Setup | None
    setups: tuple[Setup, ...]
    points: tuple[QualityPoint, ...]
    without: tuple[NoPoint, ...]
    start: int
    part: Part


@dataclass(frozen=True, slots=True)
class SizePlot:
    """Quality in one task, over all its languages or in one, against the number of parameters.

    `floor` is the highest quality of a baseline, `floor_model`, over the same languages; `without` are the models with
    a number whose size is unknown. `fullest` is the language of the task in which the most models have a number, where
    no point is compared over all of them.
    """

    snapshot: str
    task: TaskChoice | None
    tasks: tuple[TaskChoice, ...]
    language: LanguageName | None
    group: Group | None
    groups: tuple[tuple[str, Group], ...]
    chosen: str
    floor: float | None
    floor_model: ModelName | None
    fullest: LanguageName | None
    points: tuple[QualityPoint, ...]
    without: tuple[NoPoint, ...]
    start: int
    part: Part


@dataclass(frozen=True, slots=True)
class PlotList:
    """What there is to be drawn: how many models have each of the things that a plot needs."""

    snapshot: str
    models: int
    sized: int
    measured: int
    specialised: int
    tokenizers: int


def index(board: Board) -> PlotList:
    """The list of plots."""
    every = [one for one in facets.traits(board).values() if not one.model.baseline]
    return PlotList(
        board.name,
        len(every),
        sum(one.parameters is not None for one in every),
        sum(one.energy == "measured" for one in every),
        sum(one.level not in (facets.UNKNOWN, "general") for one in every),
        len(premium_queries.tokenizers(board)),
    )


def choices(board: Board, every: Iterable[TaskFacts]) -> dict[str, TaskChoice]:
    """Tasks by their names in an address: the newest version by the name alone, benchmarks before floor tasks."""
    made: dict[str, TaskChoice] = {}
    for one in sorted(every, key=by_version, reverse=True):
        value = one.name if one.name not in made else f"{one.name}@{one.version}"
        invalid = board.why_invalid(one.name, one.version)
        made[value] = TaskChoice(value, one.name, one.version, one.title, one.floor, invalid)
    return dict(sorted(made.items(), key=lambda pair: (pair[1].floor, pair[1].title.casefold(), pair[0])))


def marked(points: Iterable[QualityPoint], *, bigger_figure: bool) -> tuple[QualityPoint, ...]:
    """The points by quality, the highest first, with those on the frontier marked."""
    ordered = sorted(points, key=lambda one: (-one.normalised, one.model.slug))
    compared = [place for place, one in enumerate(ordered) if one.compared]
    found = pareto([(ordered[place].figure, ordered[place].normalised) for place in compared], bigger_x=bigger_figure)
    frontier = {compared[place] for place in found}
    return tuple(replace(one, frontier=place in frontier) for place, one in enumerate(ordered))


def energy(board: Board, asked: Asked) -> EnergyPlot:
    """Quality against energy. Raises `Missing` for an unknown language, `Wrong` for an unknown task or setup."""
    names = choices(board, facets.board_tasks(board))
    wanted = asked.choice("task", names)
    code = lookup.language(asked.one("language")).code if asked.one("language") else _usual(board)
    found = list(energy_queries.of_language(board, code)) if code else []
    by_task: dict[tuple[str, str], list[Measured]] = {}
    for each in found:
        by_task.setdefault((each.cell.task, each.cell.task_version), []).append(each)
    tasks = [one for one in names.values() if (one.name, one.version) in by_task or one.value == wanted]
    task = names[wanted] if wanted else max(tasks, key=lambda one: _weight(one, by_task), default=None)
    groups: dict[str, list[Measured]] = {}
    for each in by_task.get((task.name, task.version), []) if task else []:
        groups.setdefault(_setup_name(each), []).append(each)
    setups = {name: _setup(name, own) for name, own in sorted(groups.items())}
    chosen = asked.one("setup")
    if chosen not in setups:
        # Setups differ from task to task, so that one which is not there is no mistake in the address.
        chosen = max(setups, key=lambda name: setups[name].models, default="")
    points, without = _measured(board, groups.get(chosen, []), task)
    part = asked.part(points, ROWS)[1]
    return EnergyPlot(
        snapshot=board.name,
        language=named(code) if code else None,
        task=task,
        tasks=tuple(tasks),
        setup=setups.get(chosen),
        setups=tuple(setups.values()),
        points=points,
        without=without,
        start=(part.number - 1) * ROWS,
        part=part,
    )


def _usual(board: Board) -> str:
    """The language to begin with: the usual one where it has energy, else the first that has; empty where none has."""
    codes = sorted(board.languages(), key=lambda code: (code != USUAL, code))
    return next((code for code in codes if next(energy_queries.of_language(board, code), None) is not None), "")


def _weight(one: TaskChoice, found: Mapping[tuple[str, str], list[Measured]]) -> tuple[bool, int]:
    return not one.floor, len(found[one.name, one.version])


def _setup_name(each: Measured) -> str:
    cell = each.cell
    parts = (cell.energy_setup, cell.energy_scope or "", cell.variety, cell.metric, cell.mode, cell.prompt_language)
    return hashlib.sha256("\0".join((*parts, str(cell.shots))).encode(errors="replace")).hexdigest()[:12]


def _setup(name: str, own: list[Measured]) -> Setup:
    cell = own[0].cell
    way = (cell.variety, cell.metric, cell.mode, cell.prompt_language, cell.shots)
    return Setup(name, cell.energy_setup, cell.energy_scope or "", *way, models=len(own))


def _measured(
    board: Board, own: Iterable[Measured], task: TaskChoice | None
) -> tuple[tuple[QualityPoint, ...], tuple[NoPoint, ...]]:
    traits = facets.traits(board)
    points, without = [], []
    for each in own:
        cell, one = each.cell, traits[each.model]
        value = getattr(cell, EQUIVALENT)
        if cell.energy_provenance != "measured":
            without.append(NoPoint(one.model, cell.energy_provenance))
            continue
        if value is None or cell.normalised is None:
            code = (
                cell.reasons.get("value", "no_numbers") if value is not None else efficiency.missing(cell, EQUIVALENT)
            )
            without.append(NoPoint(one.model, code))
            continue
        low, high = ends_of(cell)
        estimate = efficiency.estimate(cell, EQUIVALENT)
        doubts = (
            INVALID if task is not None and task.invalid else "",
            efficiency.why_not(cell, EQUIVALENT, baseline=one.model.baseline),
            cell.reasons.get("rank", ""),
        )
        reason = next(filter(None, doubts), "")
        points.append(
            QualityPoint(
                model=one.model,
                badge=one.badge,
                level=one.level,
                figure=value,
                figure_low=estimate.low if estimate else None,
                figure_high=estimate.high if estimate else None,
                normalised=cell.normalised,
                low=None if math.isnan(low) else low,
                high=None if math.isnan(low) else high,
                items=cell.n,
                covered=1,
                cells=1,
                compared=not reason,
                frontier=False,
                reason=reason,
            )
        )
    return marked(points, bigger_figure=True), tuple(sorted(without, key=lambda each: each.model.slug))


def size(board: Board, asked: Asked) -> SizePlot:
    """Quality against size. Raises `Missing` for an unknown language, `Wrong` for an unknown task or way of asking."""
    names = choices(board, facets.board_tasks(board))
    wanted = asked.choice("task", names)
    task = names[wanted] if wanted else _fullest(board, names.values())
    code = lookup.language(asked.one("language")).code if asked.one("language") else ""
    found: Mapping[Group, tuple[Standing, ...]] = {}
    if task is not None:
        block = frozenset({(task.name, task.version)}), frozenset({code}) if code else None
        found = {group: own for group, own in board_pages.over(board, *block).items() if any(one.cells for one in own)}
    groups = {board_pages.name_of(group): group for group in found}
    group = groups.get(asked.one("group")) or board_pages.default(found)
    own = [one for one in found[group] if one.normalised is not None] if group is not None else []
    points, without = _sized(board, own)
    floors = [one for one in own if one.reason == BASELINE and one.normalised is not None and one.complete]
    floor = max(floors, key=lambda one: one.normalised or 0.0, default=None)
    part = asked.part(points, ROWS)[1]
    return SizePlot(
        snapshot=board.name,
        task=task,
        tasks=tuple(names.values()),
        language=named(code) if code else None,
        group=group,
        groups=tuple(groups.items()),
        chosen=board_pages.name_of(group) if group is not None else "",
        floor=None if floor is None else floor.normalised,
        floor_model=None if floor is None else board.model_names()[floor.model],
        fullest=None if code or any(one.compared for one in points) else _language(board, task, group),
        points=points,
        without=without,
        start=(part.number - 1) * ROWS,
        part=part,
    )


def _fullest(board: Board, every: Iterable[TaskChoice]) -> TaskChoice | None:
    """The task in which the most models have numbers, a benchmark where there is one."""
    models: dict[tuple[str, str], int] = {}
    for sheet in board.sheets():
        place = sheet.way.task, sheet.way.version
        models[place] = max(models.get(place, 0), len(sheet.models))
    return max(every, key=lambda one: (not one.floor, models.get((one.name, one.version), 0)), default=None)


def _language(board: Board, task: TaskChoice | None, group: Group | None) -> LanguageName | None:
    """The language of a task in which the most models have a number."""
    for sheet in board.sheets():
        if task is not None and (sheet.way.task, sheet.way.version) == (task.name, task.version):
            held = (sheet.items > 0).sum(axis=0)
            if group_of(sheet) == group and len(held):
                return named(sheet.languages[int(held.argmax())])
    return None


def _sized(board: Board, own: Iterable[Standing]) -> tuple[tuple[QualityPoint, ...], tuple[NoPoint, ...]]:
    traits = facets.traits(board)
    points, without = [], []
    for one in own:
        known = traits[one.model]
        if known.model.baseline or one.normalised is None:
            continue
        if not known.parameters:
            model = board.model(known.model.slug)
            without.append(NoPoint(known.model, model.facts.reasons.get("parameters", "") if model else ""))
            continue
        points.append(
            QualityPoint(
                model=known.model,
                badge=known.badge,
                level=known.level,
                figure=float(known.parameters),
                figure_low=None,
                figure_high=None,
                normalised=one.normalised,
                low=one.low,
                high=one.high,
                items=one.items,
                covered=one.covered,
                cells=one.cells,
                compared=not one.reason,
                frontier=False,
                reason=one.reason,
            )
        )
    return marked(points, bigger_figure=False), tuple(sorted(without, key=lambda each: each.model.slug))


def lines(page: EnergyPlot | SizePlot) -> Iterator[PointLine]:
    """The points one by one, as CSV and Parquet have them."""
    way = page.setup if isinstance(page, EnergyPlot) else page.group
    if page.task is None or way is None:
        return
    floor, floor_model = (page.floor, page.floor_model) if isinstance(page, SizePlot) else (None, None)
    for point in page.points:
        yield PointLine(
            **{each.name: getattr(point, each.name) for each in fields(point)},
            task=page.task.name,
            version=page.task.version,
            language=page.language.code if page.language else "",
            metric=way.metric,
            mode=way.mode,
            prompt_language=way.prompt_language,
            shots=way.shots,
            setup=way.setup if isinstance(way, Setup) else "",
            scope=way.scope if isinstance(way, Setup) else "",
            floor=floor,
            floor_model=floor_model.slug if floor_model is not None else "",
        )


def register(site: Site) -> None:
    """Puts the plots under their addresses."""
    site.page("/plots/", "plots.html", index, PlotList, rows=lambda page: [page], row=PlotList)
    of_energy, of_size = ("language", "page", "setup", "task"), ("group", "language", "page", "task")
    site.page(
        "/plots/energy",
        "plot_quality_energy.html",
        energy,
        EnergyPlot,
        rows=lines,
        row=PointLine,
        parameters=of_energy,
        undivided=True,
    )
    site.page(
        "/plots/size",
        "plot_quality_size.html",
        size,
        SizePlot,
        rows=lines,
        row=PointLine,
        parameters=of_size,
        undivided=True,
    )
