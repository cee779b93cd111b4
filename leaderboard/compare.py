"""The page that sets two to four models side by side: paired differences, task by task and language by language."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flask_babel import gettext as _

from bench.aggregate import macro
from bench.cards.facts import Level
from leaderboard import common_ways, facets, paired, run_queries
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.grid import Way, counts
from leaderboard.naming import by_name, looked_for, named
from leaderboard.pages import LanguageName
from leaderboard.paired import Difference, Place, Side, Versus
from leaderboard.problems import Link, Wrong
from leaderboard.records import Badge
from leaderboard.site import Site

MOST = 4
"""So many models are compared at once."""
TESTED, LEAST_TESTED = 6, 2
"""So many times a system is held against the baseline in a task, and in so many tasks at least; others a link away."""
ROWS = 60
OFFERED = 1000
"""So many models are offered while somebody writes a name."""
SORTS = ("language", "baseline", "difference")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that is compared, with what decides whether the comparison is fair.

    `badge` is the lowest of its runs, `runs` are those that its results in the shown task are from.
    """

    model: ModelName
    parameters: int | None
    licence: str | None
    level: Level | None
    badge: Badge
    reasons: Mapping[str, str]
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A system against the baseline in one task, over the languages that both have, where `chance` is blind chance."""

    system: ModelName
    macro: Difference
    chance: float | None
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One way of asking one task, with a result for each system; `invalid` says what was found wrong with it."""

    task: str
    version: str
    title: str
    floor: bool
    metric: str
    mode: str
    prompt_language: str
    shots: int
    way: int
    invalid: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Unlike:
    """A task in which a system and the baseline cannot be compared, and why."""

    task: str
    title: str
    system: ModelName
    reason: str


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """One language of the shown task: each system's difference from the baseline, and what blind chance scores.

    `runs` are the ids of those that each model's result is from, the baseline's first; empty where it has none.
    """

    language: LanguageName
    variety: str
    differences: tuple[Difference, ...]
    chance: float | None
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparePage:
    """The chosen models, the baseline first. `models` are those that may be chosen.

    `tasks` are compared, `more` could be too, `unlike` cannot; `rows` are the languages of `shown`. Of the tasks and of
    the languages, so many comparisons were judged together: `task_comparisons`, `language_comparisons`.
    """

    snapshot: str
    models: tuple[ModelName, ...]
    chosen: tuple[Chosen, ...]
    tasks: tuple[TaskRow, ...]
    more: tuple[TaskRow, ...]
    unlike: tuple[Unlike, ...]
    shown: TaskRow | None
    rows: tuple[LanguageRow, ...]
    part: Part
    sort: str
    language: str
    task_comparisons: int = 0
    language_comparisons: int = 0


def page(board: Board, asked: Asked) -> ComparePage:
    """The comparison that is asked for: the first model is the baseline, or the one named so. Raises `Wrong`."""
    known = tuple(board.model_names().values())
    slugs = list(dict.fromkeys(_slug(one, known, asked) for one in asked.all("model")))
    if len(slugs) > MOST:
        raise Wrong(_("At most %(most)s models are compared at once.", most=MOST))
    if slugs and (baseline := asked.choice("baseline", slugs)):
        slugs.sort(key=lambda slug: slug != baseline)
    sort = asked.choice("sort", SORTS, "language")
    chosen = tuple(_chosen(board, slug) for slug in slugs)
    part = Part(1, 1, 0)
    language = asked.one("language")
    empty = ComparePage(board.name, known[:OFFERED], chosen, (), (), (), None, (), part, sort, language)
    if len(slugs) < 2:
        return empty
    numbers = list(map(board.number, slugs))
    sheets = board.sheets()
    ways = common_ways.common(sheets, numbers)
    places = common_ways.numbered(sheets)
    shown = _shown(ways, places, asked)
    tested = list(ways)[: max(LEAST_TESTED, TESTED // (len(slugs) - 1))]
    if shown is not None and shown not in tested:
        tested = [*tested[:-1], shown]
    sides: dict[tuple[str, Way], Side] = {}
    for way in tested:
        for slug in slugs:
            sides[slug, way] = paired.side(board, slug, way)
    compared = {
        way: [
            paired.versus(board, way, sides[slugs[0], way], sides[slug, way], by_language=way == shown)
            for slug in slugs[1:]
        ]
        for way in tested
    }
    rows = _task_rows(board, {way: places[way] for way in ways}, compared, sides, [one.model for one in chosen])
    lines = []
    if shown is not None:
        runs = [run_queries.of_places(board, slug, shown) for slug in slugs]
        chosen = tuple(
            replace(one, runs=tuple(sorted({*own.values()} - {""}))) for one, own in zip(chosen, runs, strict=True)
        )
        lines = _languages(shown, compared[shown], [sides[slug, shown] for slug in slugs], runs, sort)
    judged = [one for line in lines for one in line.differences]
    lines = [line for line in lines if looked_for(line.language, language)]
    kept, part = asked.part(lines, ROWS)
    return replace(
        empty,
        chosen=chosen,
        tasks=tuple(rows[way] for way in ways if way in compared),
        more=tuple(rows[way] for way in ways if way not in compared),
        unlike=tuple(_unlike(board, numbers)),
        shown=rows[shown] if shown is not None else None,
        rows=tuple(kept),
        part=part,
        task_comparisons=together([one.macro for row in rows.values() for one in row.results]),
        language_comparisons=together(judged),
    )


def _shown(ways: Collection[Way], places: Mapping[Way, int], asked: Asked) -> Way | None:
    """The way of asking that is shown language by language. Raises `Wrong` for a task or way that they do not share."""
    name = asked.choice("task", {way.task for way in ways})
    if not name:
        return next(iter(ways), None)
    own = {str(places[way]): way for way in ways if way.task == name}
    return own[asked.choice("way", own, next(iter(own)))]


def _slug(words: str, known: Collection[ModelName], asked: Asked) -> str:
    """The slug that somebody wrote, or that of the model whose name he wrote. Raises `Wrong`."""
    for one in known:
        if words == one.slug:
            return one.slug
    same = [one.slug for one in known if one.name.casefold() == words.casefold()]
    if len(same) == 1:
        return same[0]
    slugs = {one.slug: one.name for one in known}
    near = same or [slug for slug in slugs if words.casefold() in slug]
    near = near or difflib.get_close_matches(words[:80], slugs, cutoff=0.4)
    written = asked.all("model")
    links = [
        Link(f"/compare{asked.query(model=[slug if one == words else one for one in written])}", slugs[slug])
        for slug in [one for one in near if one not in written][:5]
    ]
    raise Wrong(_("No model on this board is called %(name)s.", name=words), links)


def _chosen(board: Board, slug: str) -> Chosen:
    model = board.model(slug)
    assert model is not None, slug
    facts = model.facts
    badge = facets.traits(board)[board.number(slug)].badge
    return Chosen(ModelName.of(model), facts.parameters, facts.licence, facts.level, badge, dict(facts.reasons))


def _task_rows(
    board: Board,
    places: Mapping[Way, int],
    compared: Mapping[Way, Sequence[Versus]],
    sides: Mapping[tuple[str, Way], Side],
    models: Sequence[ModelName],
) -> dict[Way, TaskRow]:
    """A row for each way, which has a number within its task; p is adjusted over all that are compared."""
    facts = board.task_facts()
    flat = [(way, one.macro) for way, found in compared.items() for one in found]
    judged = iter(paired.adjusted([macro for _way, macro in flat], [way.metric for way, _macro in flat]))
    results = {
        way: tuple(
            Result(
                system=system,
                macro=next(judged),
                chance=_chance(sides[models[0].slug, way], sides[system.slug, way]),
                wins=one.wins,
                ties=one.ties,
                losses=one.losses,
            )
            for system, one in zip(models[1:], found, strict=True)
        )
        for way, found in compared.items()
    }
    made = {}
    for way, place in places.items():
        task = facts[way.task, way.version]
        made[way] = TaskRow(
            task=way.task,
            version=way.version,
            title=task.title,
            floor=task.floor,
            metric=way.metric,
            mode=way.mode,
            prompt_language=way.prompt_language,
            shots=way.shots,
            way=place,
            invalid=board.why_invalid(way.task, way.version),
            results=results.get(way, ()),
        )
    return made


def _chance(baseline: Side, system: Side) -> float | None:
    """What blind chance scores, in the mean over the languages in which both have a number that counts."""
    both = baseline.cells.keys() & system.cells.keys()
    return macro(
        [baseline.cells[at] for at in both if all(counts(one.cells[at]) for one in (baseline, system))], "chance"
    )


def together(found: Sequence[Difference]) -> int:
    """How many of these comparisons have a p, which is adjusted over as many."""
    return sum(one.p_adjusted is not None for one in found)


def _languages(
    way: Way, found: Sequence[Versus], sides: Sequence[Side], runs: Sequence[Mapping[Place, str]], sort: str
) -> list[LanguageRow]:
    """The languages of the shown way; p is adjusted over all of them."""
    places = sorted({place for one in found for place in one.places})
    flat = [one.places.get(place, Difference(reason="not_asked")) for place in places for one in found]
    judged = paired.adjusted(flat, [way.metric] * len(flat))
    rows = [
        LanguageRow(
            language=named(place[0]),
            variety=place[1],
            differences=tuple(judged[at * len(found) : (at + 1) * len(found)]),
            chance=next((side.cells[place].chance for side in sides if place in side.cells), None),
            runs=tuple(own.get(place, "") for own in runs),
        )
        for at, place in enumerate(places)
    ]
    rows.sort(key=lambda row: (*by_name(row.language), row.variety))
    if sort != "language":
        rows.sort(key=_by_number(sort))
    return rows


def _by_number(sort: str) -> Callable[[LanguageRow], tuple[bool, float]]:
    """The highest first, what has no number last."""

    def order(row: LanguageRow) -> tuple[bool, float]:
        numbers = (one.baseline if sort == "baseline" else one.difference for one in row.differences)
        value = next((number for number in numbers if number is not None), None)
        return value is None, -(value or 0.0)

    return order


def _unlike(board: Board, numbers: Sequence[int]) -> Iterator[Unlike]:
    """The tasks in which a system and the baseline, which is the first, were not asked alike."""
    titles, names = {task.name: task.title for task in board.tasks()}, board.model_names()
    for number, task, reason in common_ways.apart(board.sheets(), numbers[0], numbers[1:]):
        yield Unlike(task, titles[task], names[number], reason)


@dataclass(frozen=True, slots=True)
class Line:
    """One system in one language against the baseline, as a row of data.

    The badges are the lowest of each model's runs, the runs those that the two results are from.
    """

    task: str
    version: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    language: str
    variety: str
    chance: float | None
    baseline: str
    baseline_badge: Badge
    baseline_run: str
    system: str
    system_badge: Badge
    system_run: str
    difference: Difference


def lines(found: ComparePage) -> list[Line]:
    """The rows of the data beside the page."""
    if found.shown is None:
        return []
    shown, (first, *systems) = found.shown, [(one.model.slug, one.badge) for one in found.chosen]
    how = (shown.task, shown.version, shown.metric, shown.mode, shown.prompt_language, shown.shots)
    return [
        Line(*how, row.language.code, row.variety, row.chance, *first, row.runs[0], *system, run, one)
        for row in found.rows
        for system, run, one in zip(systems, row.runs[1:], row.differences, strict=True)
    ]


def register(site: Site) -> None:
    """Puts the page under its address."""
    parameters = ("model", "baseline", "task", "way", "language", "sort", "page")
    site.page("/compare", "compare.html", page, ComparePage, rows=lines, row=Line, parameters=parameters)
