"""The page that sets two to four models side by side: paired differences, task by task and language by language."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

import kernels
from bench.cards.facts import Level
from leaderboard import numerals, paired, wording
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.grid import Sheet, Way
from leaderboard.naming import looked_for, named
from leaderboard.pages import LanguageName
from leaderboard.paired import Difference, Side, Versus
from leaderboard.problems import Link, Wrong
from leaderboard.site import Site

MOST = 4
"""So many models are compared at once."""
TESTED, LEAST_TESTED = 6, 2
"""So many times a system is held against the baseline in a task, and in so many tasks at least; others a link away."""
ROWS = 60
OFFERED = 1000
"""So many models are offered while somebody writes a name."""
SORTS = ("language", "baseline", "difference")

PAIRING = {
    "only_in_baseline": _l("only the baseline was asked"),
    "only_in_system": _l("the baseline was not asked"),
    "other_signature": _l("scored by different versions or options of the metric"),
    "other_version": _l("asked in different versions of the task"),
    "other_mode": _l("asked in different ways of answering"),
    "other_prompt_language": _l("asked with prompts in different languages"),
    "other_shots": _l("asked after different numbers of examples"),
    "no_common_items": _l("no item was scored for both"),
    "no_common_language": _l("no language has enough items for both"),
    "not_asked": _l("neither was asked"),
    "no_spread": _l("all items differ alike, which shows no spread to judge by"),
}
"""Why two models' numbers cannot be held against each other, for a reader."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that is compared, with what decides whether the comparison is fair."""

    model: ModelName
    parameters: int | None
    licence: str | None
    level: Level | None
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """A system against the baseline in one task, over the languages that both have."""

    system: ModelName
    macro: Difference
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
    """One language of the shown task: each system's difference from the baseline."""

    language: LanguageName
    variety: str
    differences: tuple[Difference, ...]


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
    """The comparison that is asked for. Raises `Wrong`."""
    names = board.model_names()
    numbers = {one.slug: number for number, one in names.items()}
    slugs = [_slug(one, names.values()) for one in asked.all("model")]
    slugs = sorted(dict.fromkeys(slugs))
    if len(slugs) > MOST:
        raise Wrong(_("At most %(most)s models are compared at once.", most=MOST))
    baseline = asked.choice("baseline", slugs) if slugs else ""
    slugs.sort(key=lambda slug: slug != baseline)
    sort = asked.choice("sort", SORTS, "language")
    chosen = tuple(_chosen(board, slug) for slug in slugs)
    offered = tuple(names.values())[:OFFERED]
    part = Part(1, 1, 0)
    language = asked.one("language")
    empty = ComparePage(board.name, offered, chosen, (), (), (), None, (), part, sort, language)
    if len(slugs) < 2:
        return empty
    ways = common(board, [numbers[slug] for slug in slugs])
    shown = _shown(ways, asked)
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
    rows = _task_rows(board, ways, compared, [one.model for one in chosen[1:]])
    lines = _languages(shown, compared[shown], sort) if shown is not None else []
    judged = [one for line in lines for one in line.differences]
    lines = [line for line in lines if looked_for(line.language, language)]
    kept, part = asked.part(lines, ROWS)
    return replace(
        empty,
        tasks=tuple(rows[way] for way in ways if way in compared),
        more=tuple(rows[way] for way in ways if way not in compared),
        unlike=tuple(_unlike(board, numbers[slugs[0]], {numbers[slug]: names[numbers[slug]] for slug in slugs[1:]})),
        shown=rows[shown] if shown is not None else None,
        rows=tuple(kept),
        part=part,
        task_comparisons=together([one.macro for row in rows.values() for one in row.results]),
        language_comparisons=together(judged),
    )


def common(board: Board, numbers: Sequence[int]) -> dict[Way, int]:
    """The ways of asking in which the first model and some other have a number, with how many languages they share.

    Benchmarks first, then those with the most languages.
    """
    found: list[tuple[bool, int, Way]] = []
    for sheet in board.sheets():
        shared = _shared(sheet, numbers)
        if shared is not None:
            found.append((sheet.floor, -shared, sheet.way))
    return {way: -shared for _floor, shared, way in sorted(found)}


def _shared(sheet: Sheet, numbers: Sequence[int]) -> int | None:
    own = [sheet.models.index(number) for number in numbers if number in sheet.models]
    if numbers[0] not in sheet.models or len(own) < 2:
        return None
    there = sheet.normalised[own] == sheet.normalised[own]
    return int((there[0] & there[1:].any(axis=0)).sum())


def _shown(ways: Mapping[Way, int], asked: Asked) -> Way | None:
    """The way of asking that is shown language by language. Raises `Wrong` for a task that they do not share."""
    name = asked.choice("task", {way.task for way in ways})
    own = [way for way in ways if not name or way.task == name]
    if not own:
        return None
    return own[asked.number("way", 1, most=len(own)) - 1] if name else own[0]


def _slug(words: str, known: Collection[ModelName]) -> str:
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
    links = [Link(f"/compare?model={slug}", slugs[slug]) for slug in near[:5]]
    raise Wrong(_("No model on this board is called %(name)s.", name=words), links)


def _chosen(board: Board, slug: str) -> Chosen:
    model = board.model(slug)
    assert model is not None, slug
    facts = model.facts
    name = ModelName(model.slug, model.name, model.baseline)
    return Chosen(name, facts.parameters, facts.licence, facts.level, dict(facts.reasons))


def _task_rows(
    board: Board, ways: Mapping[Way, int], compared: Mapping[Way, Sequence[Versus]], systems: Sequence[ModelName]
) -> dict[Way, TaskRow]:
    """A row for each way; p is adjusted over all that are compared."""
    facts = {(task.name, task.version): task for task in board.tasks()}
    flat = [(way, one.macro) for way, found in compared.items() for one in found]
    judged = iter(paired.adjusted([macro for _way, macro in flat], [higher_is_better(way.metric) for way, _ in flat]))
    results = {
        way: tuple(
            Result(system, next(judged), one.wins, one.ties, one.losses)
            for system, one in zip(systems, found, strict=True)
        )
        for way, found in compared.items()
    }
    made = {}
    of_task: dict[str, int] = {}
    for way in ways:
        task = facts[way.task, way.version]
        of_task[way.task] = of_task.get(way.task, 0) + 1
        made[way] = TaskRow(
            task=way.task,
            version=way.version,
            title=task.title,
            floor=task.floor,
            metric=way.metric,
            mode=way.mode,
            prompt_language=way.prompt_language,
            shots=way.shots,
            way=of_task[way.task],
            invalid=board.why_invalid(way.task, way.version),
            results=results.get(way, ()),
        )
    return made


def higher_is_better(metric: str) -> bool:
    """Whether more of a metric is better; what this program does not know is taken so."""
    return metric not in kernels.METRICS or kernels.metric(metric).higher_is_better


def together(found: Sequence[Difference]) -> int:
    """How many of these comparisons have a p, which is adjusted over as many."""
    return sum(one.p_adjusted is not None for one in found)


def _languages(way: Way, found: Sequence[Versus], sort: str) -> list[LanguageRow]:
    """The languages of the shown way; p is adjusted over all of them."""
    places = sorted({place for one in found for place in one.places})
    flat = [one.places.get(place, Difference(reason="not_asked")) for place in places for one in found]
    judged = paired.adjusted(flat, [higher_is_better(way.metric)] * len(flat))
    rows = [
        LanguageRow(named(code), variety, tuple(judged[at * len(found) : (at + 1) * len(found)]))
        for at, (code, variety) in enumerate(places)
    ]
    rows.sort(key=lambda row: (row.language.name.casefold(), row.language.code, row.variety))
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


def _unlike(board: Board, baseline: int, systems: Mapping[int, ModelName]) -> list[Unlike]:
    """The tasks that the baseline and a system both have, but in no common way, or that only one of them has."""
    titles = {task.name: task.title for task in board.tasks()}
    ways: dict[int, dict[str, list[Way]]] = {}
    for sheet in board.sheets():
        for number in (baseline, *systems):
            if number in sheet.models:
                ways.setdefault(number, {}).setdefault(sheet.way.task, []).append(sheet.way)
    made = []
    for number, system in systems.items():
        own, other = ways.get(baseline, {}), ways.get(number, {})
        for task in sorted(own.keys() | other.keys()):
            reason = _apart(own.get(task, []), other.get(task, []))
            if reason:
                made.append(Unlike(task, titles[task], system, reason))
    return made


def _apart(own: Sequence[Way], other: Sequence[Way]) -> str:
    if not own or not other:
        return "only_in_system" if other else "only_in_baseline"
    if set(own) & set(other):
        return ""
    for field in ("version", "mode", "prompt_language", "shots"):
        if {getattr(way, field) for way in own}.isdisjoint(getattr(way, field) for way in other):
            return f"other_{field}"
    return "other_shots"


def pairing(code: str) -> str:
    """Why two numbers cannot be held against each other, in words."""
    return str(PAIRING[code]) if code in PAIRING else wording.reason(code)


def signed(value: float | None, metric: str) -> str:
    """A difference in a metric's unit with its sign; shares in percentage points."""
    if value is None:
        return wording.MISSING
    shown = unsigned(value, metric)
    return numerals.local(shown if float(shown) == 0 else f"{'+' if value > 0 else wording.MINUS}{shown}")


def unsigned(value: float, metric: str) -> str:
    """How large a difference is, as it is written in English."""
    return f"{abs(value) * 100:.1f}" if wording.metric_of(metric).best == 1.0 else f"{abs(value):.1f}"


def verdict(one: Difference, metric: str, among: int) -> str:
    """What a difference comes to, in words, judged together with others: `among` so many in all."""
    if one.verdict == "better":
        said = _("better than the baseline")
    elif one.verdict == "worse":
        said = _("worse than the baseline")
    elif one.verdict == "not_separable" and among > 1 and _alone(one):
        said = ngettext(
            "cannot be told apart: its own interval leaves 0 out, but that is not enough in %(count)s comparison",
            "cannot be told apart: its own interval leaves 0 out, but that is not enough among %(count)s comparisons",
            among,
            count=numerals.count(among),
        )
    elif one.verdict == "not_separable" and one.detectable is not None:
        shown = numerals.local(unsigned(one.detectable, metric))
        said = _("cannot be told apart: the data could have shown a difference of %(points)s", points=shown)
    elif one.verdict == "not_separable":
        said = _("cannot be told apart")
    else:
        said = _("not comparable: %(reason)s", reason=pairing(one.reason))
    return str(said)


def _alone(one: Difference) -> bool:
    """Whether the interval of a difference, which is of this one alone, leaves 0 out."""
    return one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One system in one language against the baseline, as a row of data."""

    task: str
    version: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    language: str
    variety: str
    baseline: str
    system: str
    difference: Difference


def lines(found: ComparePage) -> list[Line]:
    """The rows of the data beside the page."""
    if found.shown is None:
        return []
    shown, (first, *systems) = found.shown, [one.model.slug for one in found.chosen]
    how = (shown.task, shown.version, shown.metric, shown.mode, shown.prompt_language, shown.shots)
    return [
        Line(*how, row.language.code, row.variety, first, system, one)
        for row in found.rows
        for system, one in zip(systems, row.differences, strict=True)
    ]


def register(site: Site) -> None:
    """Puts the page under its address, and what its words need into the templates."""
    site.app.jinja_env.filters.update(signed=signed, verdict=verdict, pairing=pairing)
    parameters = ("model", "baseline", "task", "way", "language", "sort", "page")
    site.page("/compare", "compare.html", page, ComparePage, rows=lines, parameters=parameters)
