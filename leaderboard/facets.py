"""What the board can be narrowed down by: tasks, languages and models, and how many of each there are.

Tasks and languages decide over what a mean is taken; properties of models only hide rows. Within one facet any of the
chosen values is enough, and all facets together have to hold.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flask_babel import gettext as _

import languages
import tasks
from bench.cards.facts import LEVELS
from languages import Language
from leaderboard import energy_queries, local_names, naming
from leaderboard.asking import Asked
from leaderboard.board import Board, ModelName
from leaderboard.problems import Link, Wrong
from leaderboard.records import Badge, TaskFacts
from leaderboard.versions import newest
from leaderboard.wording import BADGES

TASK, LANGUAGE, MODEL = (
    ("suite", "vertical", "task"),
    ("family", "script", "area", "class"),
    ("licence", "open", "size", "level", "badge", "energy"),
)
NAMES = (*TASK, "language", *LANGUAGE, *MODEL)
"""The parameters of an address that narrow the board down."""

UNKNOWN, NONE = "unknown", "none"
EVERYTHING = "full"
"""The suite of all tasks. It leaves nothing out, so that it is not offered."""

SIZES = (
    ("under-1b", 1e9),
    ("1b-to-4b", 4e9),
    ("4b-to-10b", 10e9),
    ("10b-to-40b", 40e9),
    ("40b-to-100b", 100e9),
    ("over-100b", float("inf")),
)
"""Buckets of sizes, each with the number of parameters that lies just above it."""
OPENNESS = {True: "open", False: "closed", None: UNKNOWN}
MEASURED = {True: "measured", False: "not_measured"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a facet may have, and how many there are of it where every other facet is as it is."""

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A property with its values."""

    name: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: the facet, its value, and the query of the same page without it."""

    name: str
    value: str
    query: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model can be chosen by. `badge` is the lowest of its runs; `parameters` is None where nobody says."""

    model: ModelName
    licence: str
    open: str
    size: str
    level: str
    badge: Badge
    energy: str
    parameters: int | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The part of the board that was asked for. `tasks` (name and version) and `languages` are None where all are."""

    tasks: frozenset[tuple[str, str]] | None
    languages: frozenset[str] | None
    facets: tuple[Facet, ...]
    chips: tuple[Chip, ...]
    chosen: tuple[str, ...]


def size_of(parameters: int | None) -> str:
    """The bucket of a number of parameters."""
    if parameters is None:
        return UNKNOWN
    return next(name for name, above in SIZES if parameters < above)


def traits(board: Board) -> Mapping[int, Traits]:
    """What every model can be chosen by, by its number; kept from the last time."""
    return _traits(board.folder, board.name)


@functools.lru_cache(maxsize=4)
def _traits(folder: Path, name: str) -> Mapping[int, Traits]:
    ladder = list(BADGES)
    with Board.open(folder, name) as board:
        measured = energy_queries.models(board)
        known = {model.slug: model for model in board.models()}
        made = {}
        for number, named in board.model_names().items():
            model = known[named.slug]
            facts = model.facts
            badges = [run.badge for run in model.runs]
            made[number] = Traits(
                model=named,
                licence=facts.licence or UNKNOWN,
                open=OPENNESS[facts.open_weights],
                size=NONE if named.baseline else size_of(facts.parameters),
                level=facts.level or UNKNOWN,
                badge=min(badges, key=ladder.index, default="self_reported"),
                energy=MEASURED[number in measured],
                parameters=facts.parameters,
            )
    return made


@functools.lru_cache(maxsize=4)
def _tasks(folder: Path, name: str) -> tuple[TaskFacts, ...]:
    with Board.open(folder, name) as board:
        return tuple(board.tasks())


def board_tasks(board: Board) -> tuple[TaskFacts, ...]:
    """The tasks of the board, kept from the last time."""
    return _tasks(board.folder, board.name)


@functools.cache
def _suites() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Suite -> task -> the languages in which the suite asks it, of the tasks that this program knows."""
    return {
        name: {
            task.name: frozenset(variety.language for variety in task.varieties)
            for task in suite.of(tasks.all_tasks().values())
        }
        for name, suite in tasks.suites().items()
        if name != EVERYTHING
    }


def suites_of(task: TaskFacts) -> tuple[str, ...]:
    """The suites that a task belongs to."""
    known = (name for name, own in _suites().items() if task.name in own)
    return tuple(sorted({*task.suites, *known}))


@functools.cache
def _registry() -> Mapping[str, Language]:
    return {one.code: one for one in languages.all_languages()}


def _trait(code: str, facet: str) -> str:
    """A property of a language."""
    found = _registry().get(code)
    if found is None:
        return UNKNOWN
    value = {
        "family": found.family_id,
        "script": found.script,
        "area": found.macroarea,
        "class": found.resource_class,
    }[facet]
    return value or UNKNOWN


def _of_task(task: TaskFacts, facet: str) -> tuple[str, ...]:
    if facet == "suite":
        return (*suites_of(task), EVERYTHING)
    return ((task.vertical or NONE) if facet == "vertical" else task.name,)


@functools.cache
def known(facet: str) -> frozenset[str]:
    """The values of a facet that this program knows, whatever is on a board; of a licence only that nobody states it.

    An address with one of them is right on every board, and finds nothing where nothing has it.
    """
    if facet in LANGUAGE:
        return frozenset({_trait(code, facet) for code in _registry()} | {UNKNOWN})
    every = tasks.all_tasks().values()
    return {
        "suite": frozenset({*tasks.suites(), *(name for task in every for name in task.suites)}),
        "vertical": frozenset({task.vertical or NONE for task in every}),
        "task": frozenset(task.name for task in every),
        "licence": frozenset({UNKNOWN}),
        "open": frozenset(OPENNESS.values()),
        "size": frozenset({*(name for name, _above in SIZES), UNKNOWN}),
        "level": frozenset({*LEVELS, UNKNOWN}),
        "badge": frozenset(BADGES),
        "energy": frozenset(MEASURED.values()),
    }[facet]


def narrow(board: Board, asked: Asked) -> Narrowed:
    """The part of the board that the address asks for.

    Raises `Wrong` for a value that neither this program knows nor anything on the board has.
    """
    latest = newest(board_tasks(board))
    every = tuple(task for task in board_tasks(board) if latest[task.name] == task.version)
    there = {
        **{facet: {value for task in every for value in _of_task(task, facet)} for facet in TASK},
        **{facet: {_trait(code, facet) for task in every for code in task.languages} for facet in LANGUAGE},
    }
    picked = {facet: asked.choices(facet, known(facet) | values) for facet, values in there.items()}
    shown = [task for task in every if _passes(task, picked)]
    declared = {code for task in shown for code in _declared(task, picked["suite"])}
    named = _named(asked)
    kept = {code for code in declared if _speaks(code, picked, named)}
    task_facets = [_task_facet(every, facet, picked) for facet in TASK]
    language_facets = [_language_facet(declared, facet, picked, named) for facet in LANGUAGE]
    narrowed_by_suite = any(
        task.name in _suites().get(suite, {}) and set(task.languages) - _suites()[suite][task.name]
        for suite in picked["suite"]
        for task in shown
    )
    few = bool(named) or narrowed_by_suite or any(picked[facet] for facet in LANGUAGE)
    names = (*picked, "language")
    return Narrowed(
        tasks=frozenset((task.name, task.version) for task in shown) if any(picked[each] for each in TASK) else None,
        languages=frozenset(kept) if few else None,
        facets=(*task_facets, *language_facets),
        chips=chips(asked, names),
        chosen=named,
    )


def chips(asked: Asked, names: Collection[str]) -> tuple[Chip, ...]:
    """The filters of some facets that are set."""
    return tuple(Chip(name, value, asked.without(name, value)) for name, value in asked.values if name in names)


def _passes(task: TaskFacts, picked: Mapping[str, Collection[str]], but: str = "") -> bool:
    return all(
        facet == but or not picked[facet] or not set(_of_task(task, facet)).isdisjoint(picked[facet]) for facet in TASK
    )


def _declared(task: TaskFacts, suites: Iterable[str]) -> Collection[str]:
    """The languages of a task, those of the suites alone where some are chosen."""
    found = [_suites().get(suite, {}).get(task.name) for suite in suites if suite in _of_task(task, "suite")]
    if not found or None in found:
        return task.languages
    return set(task.languages) & frozenset().union(*(own for own in found if own is not None))


def _named(asked: Asked) -> tuple[str, ...]:
    """The codes of the languages that are named. Raises `Wrong`."""
    codes = []
    for words in asked.all("language"):
        found = naming.meant(words)
        if len(found) == 1:
            codes.append(found[0].code)
            continue
        near = [Link(f"/board?language={one.code}", naming.labelled(one)) for one in found or naming.near(words)]
        raise Wrong(_("That name is ambiguous.") if found else _("No language has that name or code."), near)
    return tuple(dict.fromkeys(codes))


def _speaks(code: str, picked: Mapping[str, Collection[str]], named: Collection[str], but: str = "") -> bool:
    if named and code not in named:
        return False
    return all(facet == but or not picked[facet] or _trait(code, facet) in picked[facet] for facet in LANGUAGE)


def _task_facet(every: Iterable[TaskFacts], facet: str, picked: Mapping[str, Collection[str]]) -> Facet:
    passing = {task.name: task for task in every if _passes(task, picked, facet)}
    counted = Counter(value for task in passing.values() for value in _of_task(task, facet))
    if EVERYTHING not in picked[facet]:
        del counted[EVERYTHING]
    return facet_of(facet, counted, picked[facet])


def _language_facet(
    declared: Iterable[str], facet: str, picked: Mapping[str, Collection[str]], named: Collection[str]
) -> Facet:
    counted = Counter(_trait(code, facet) for code in declared if _speaks(code, picked, named, facet))
    return facet_of(facet, counted, picked[facet])


def facet_of(name: str, counted: Mapping[str, int], chosen: Collection[str], order: Collection[str] = ()) -> Facet:
    """A facet from how many there are of each value; what is chosen stands in it even where nothing is left."""
    places = {value: place for place, value in enumerate(order)}

    def place(value: str) -> tuple[object, ...]:
        return value == UNKNOWN, places.get(value, len(places)), naming.folded(_called(value, name)), value

    values = sorted({*counted, *chosen}, key=place)
    return Facet(name, tuple(Choice(value, counted.get(value, 0), value in chosen) for value in values))


def _called(value: str, facet: str) -> str:
    """What readers see of a value that is a code; others are words or numbers, and are in the order of these."""
    if facet == "script":
        return local_names.script_plain(value)
    return _families().get(value, value) if facet == "family" else value


@functools.cache
def _families() -> Mapping[str, str]:
    return {one.family_id: one.family for one in _registry().values() if one.family_id and one.family}


@dataclass(frozen=True, slots=True)
class Shown:
    """Which models are shown, by number, with the facets of models and the filters that are set."""

    models: frozenset[int]
    facets: tuple[Facet, ...]
    chips: tuple[Chip, ...]


def choose_models(board: Board, asked: Asked, among: Collection[int]) -> Shown:
    """The models of `among` that the address asks for; baselines always. Raises `Wrong` as `narrow` does."""
    every = traits(board)
    models = [one for one in every.values() if not one.model.baseline]
    picked = {facet: asked.choices(facet, known(facet) | {getattr(one, facet) for one in models}) for facet in MODEL}
    own = {number: every[number] for number in among if not every[number].model.baseline}

    def passes(one: Traits, but: str = "") -> bool:
        return all(facet == but or not picked[facet] or getattr(one, facet) in picked[facet] for facet in MODEL)

    orders = {"size": [name for name, _above in SIZES], "badge": list(BADGES)}
    facets = tuple(
        facet_of(
            facet,
            Counter(getattr(one, facet) for one in own.values() if passes(one, facet)),
            picked[facet],
            orders.get(facet, ()),
        )
        for facet in MODEL
    )
    floors = {number for number in among if every[number].model.baseline}
    return Shown(
        frozenset({number for number, one in own.items() if passes(one)} | floors), facets, chips(asked, MODEL)
    )
