"""The list of models, the page of each, and a model in one task language by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bench.cards.facts import LEVELS, Facts
from bench.records import Cell
from leaderboard import board_pages, energy, facets, lineage, lookup, numerals, wording
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName, Result
from leaderboard.desk import queue
from leaderboard.desk.records import Sent
from leaderboard.grid import Sheet, Way, way_of
from leaderboard.lineage import Lineage
from leaderboard.naming import named
from leaderboard.pages import Energy, LanguageName
from leaderboard.records import Badge, Coverage, Mean, Model, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import Standing, rank_ends, standings
from leaderboard.wording import BADGES

SORTS = ("name", "size", "languages", "results")
LISTED, LANGUAGES_LISTED = 100, 60
OPEN = ("open", "closed", facets.UNKNOWN)
SIZES = (*(name for name, _above in facets.SIZES), facets.UNKNOWN)

FACT_REASONS = {
    "not_declared": _l("nobody says"),
    "has_none": _l("it has none"),
    "no_repository": _l("it lies in a folder, which has no owner"),
    "no_owner": _l("its repository names no owner"),
    "adapter": _l("an adapter: its weights come on top of its base’s"),
    "no_weights": _l("no weights are at hand"),
    "not_in_config": _l("its configuration does not say"),
    "local_path": _l("the card has a path on some machine"),
    "said_of_another_base": _l("the card says it of another base"),
    "contradicted": _l("contradicted by another source"),
    "wrong_type": _l("what the card says cannot be read"),
}
"""Why a fact is unknown, for a reader; a detail may follow the code."""

SHOWN_FACTS = (
    ("licence", _l("Licence")),
    ("open_weights", _l("Weights")),
    ("parameters", _l("Parameters")),
    ("organisation", _l("Organisation")),
    ("country", _l("Country")),
    ("base", _l("Made from")),
    ("relation", _l("How")),
    ("level", _l("Specialised for")),
    ("released", _l("Released")),
    ("context", _l("Longest context, in tokens")),
    ("training_data", _l("Training data")),
)
"""The facts of a model's page, in its order."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in the list: its facts, why some are unknown, and how far its runs were checked."""

    model: ModelName
    coverage: Coverage
    licence: str | None
    open_weights: bool | None
    parameters: int | None
    organisation: str | None
    base: tuple[str, ...] | None
    level: str | None
    released: str | None
    badge: Badge
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models that were asked for, the floors last. `licences` may be chosen from, `all` counts every model."""

    snapshot: str
    models: tuple[ModelEntry, ...]
    part: Part
    all: int
    licences: tuple[str, ...]
    sort: str


@dataclass(frozen=True, slots=True)
class TaskMean:
    """A model's mean in a task, and where it stands among the models asked in the same way."""

    task: TaskFacts
    mean: Mean
    standing: Standing | None
    invalid: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model: what is known of it, where it stands, its family, and how it was run.

    `standings` are over all tasks of a kind. `not_run` are the board's tasks that it was not asked. `sent` says who
    sent its runs, as far as they came from submissions; None where the desk cannot be read.
    """

    snapshot: str
    model: Model
    coverage: Coverage
    standings: tuple[Standing, ...]
    benchmarks: tuple[TaskMean, ...]
    self_test: tuple[TaskMean, ...]
    not_run: tuple[TaskFacts, ...]
    lineage: Lineage
    energy: Energy
    sent: tuple[Sent, ...] | None


@dataclass(frozen=True, slots=True)
class LanguageLine:
    """A model's result in one language, with its rank there, `first` to `last` of `peers`; or why there is none.

    One in a variety of several has no rank here: that stands in the language's own table of the variety.
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


def model_list(board: Board, asked: Asked) -> ModelList:
    """The list of models, narrowed down and sorted. Raises `Wrong`."""
    traits = {one.model.slug: one for one in facets.traits(board).values()}
    licences = sorted({one.licence for one in traits.values()} - {facets.UNKNOWN})
    wanted = {
        "licence": asked.choice("licence", {*licences, facets.UNKNOWN}),
        "open": asked.choice("open", OPEN),
        "size": asked.choice("size", SIZES),
        "level": asked.choice("level", (*LEVELS, facets.UNKNOWN)),
        "badge": asked.choice("badge", BADGES),
    }
    sort = asked.choice("sort", SORTS, "name")
    words = asked.one("q").casefold()
    coverage, models = board.coverage(), board.models()
    entries = []
    for model in models:
        own = traits[model.slug]
        said = (model.name, model.facts.organisation or "", *(model.facts.base or ()))
        if all(value in ("", getattr(own, name)) for name, value in wanted.items()) and any(
            words in text.casefold() for text in said
        ):
            entries.append(_entry(model, coverage[model.slug], own.badge))
    entries.sort(key=lambda one: one.model.name.casefold())
    if sort != "name":
        entries.sort(key=lambda one: _amount(one, sort), reverse=True)
    entries.sort(key=lambda one: one.model.baseline)
    kept, part = asked.part(entries, LISTED)
    return ModelList(board.name, tuple(kept), part, len(models), tuple(licences), sort)


def _entry(model: Model, coverage: Coverage, badge: Badge) -> ModelEntry:
    facts = model.facts
    return ModelEntry(
        model=ModelName(model.slug, model.name, model.baseline),
        coverage=coverage,
        licence=facts.licence,
        open_weights=facts.open_weights,
        parameters=facts.parameters,
        organisation=facts.organisation,
        base=facts.base,
        level=facts.level,
        released=facts.released,
        badge=badge,
        reasons=dict(facts.reasons),
    )


def _amount(one: ModelEntry, sort: str) -> int:
    """What a list is sorted by; what is unknown comes last."""
    if sort == "size":
        return -1 if one.parameters is None else one.parameters
    return one.coverage.languages if sort == "languages" else one.coverage.cells


def model(board: Board, found: Model) -> ModelPage:
    """One model."""
    facts = {(task.name, task.version): task for task in board.tasks()}
    number = next(number for number, one in board.model_names().items() if one.slug == found.slug)
    made = [
        TaskMean(facts[place], mean, standing, board.why_invalid(*place))
        for place, mean, standing in _means(board, found.slug)
    ]
    run = {(mean.task.name, mean.task.version) for mean in made}
    return ModelPage(
        snapshot=board.name,
        model=found,
        coverage=board.coverage()[found.slug],
        standings=tuple(one for own in board_pages.over(board).values() for one in own if one.model == number),
        benchmarks=tuple(mean for mean in made if not mean.task.floor),
        self_test=tuple(mean for mean in made if mean.task.floor),
        not_run=tuple(task for name, task in facts.items() if name not in run),
        lineage=lineage.of_model(board, found),
        energy=energy.of_model(board, found.slug),
        sent=queue.sent(board.folder, [run.id for run in found.runs]),
    )


def _means(board: Board, slug: str, task: str | None = None) -> Iterator[tuple[tuple[str, str], Mean, Standing | None]]:
    """The means of a model, in one task where one is named, each with its standing within the task."""
    number = next(number for number, one in board.model_names().items() if one.slug == slug)
    sheets = {sheet.way: sheet for sheet in board.sheets()}
    for mean in board.means(model=slug, task=task):
        sheet = sheets.get(Way(mean.task, mean.version, mean.metric, mean.mode, mean.prompt_language, mean.shots))
        yield (mean.task, mean.version), mean, None if sheet is None else _standing(sheet, number, mean)


def _standing(sheet: Sheet, number: int, mean: Mean) -> Standing | None:
    """Where a model stands in one way of a task. Its ranks among the others are those that its mean has of them."""
    if number not in sheet.models:
        return None
    ((own,),) = standings([sheet.of([sheet.models.index(number)])], ()).values()
    return replace(own, first=mean.first, last=mean.last, peers=mean.peers, reason=mean.reason)


def model_task(board: Board, found: Model, versions: Sequence[TaskFacts], asked: Asked) -> ModelTaskPage:
    """One model in one task: the table of the version and metric that are asked for. Raises `Wrong`."""
    facts = {task.version: task for task in versions}
    groups: dict[Shown, list[Result]] = {}
    for result in board.results_of_model(found.slug, versions[0].name):
        groups.setdefault(Shown(result.cell.task_version, result.cell.metric), []).append(result)
    version = asked.choice("version", {one.version for one in groups})
    metric = asked.choice("metric", {one.metric for one in groups})
    shown = [one for one in groups if version in ("", one.version) and metric in ("", one.metric)][:1]
    lines = [line for one in shown for line in _lines(board, facts[one.version], groups[one])]
    kept, part = asked.part(lines, LANGUAGES_LISTED)
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
    means = list(_means(board, found.slug, versions[0].name))
    return ModelTaskPage(
        snapshot=board.name,
        model=ModelName(found.slug, found.name, found.baseline),
        task=versions[0],
        means=tuple(mean for _place, mean, _standing in means),
        standings=tuple(standing for _place, _mean, standing in means),
        choices=tuple(groups),
        tables=tables,
        part=part,
    )


def _lines(board: Board, task: TaskFacts, results: Sequence[Result]) -> list[LanguageLine]:
    """Every language with a result by name, then those of the task that lack one."""
    sheets = {sheet.way: sheet for sheet in board.sheets()}
    names = board.model_names()
    baselines = {number for number, one in names.items() if one.baseline}
    number = next((number for number, one in names.items() if one.slug == results[0].model.slug), -1)
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
            )
        )
    there = {one.cell.language for one in results}
    absent = [code for code in task.languages if code not in there]
    lines += [LanguageLine(named(code), "", None, "not_run", "", None, None, None, 0) for code in absent]
    lines.sort(key=lambda one: (one.cell is None, one.language.name.casefold(), one.language.code, one.variety))
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


def unknown_facts(facts: Facts) -> list[tuple[str, list[str]]]:
    """Why some facts of a model are not known, in words, each reason with the facts that lack for it."""
    made: dict[str, list[str]] = {}
    for name, label in SHOWN_FACTS:
        if getattr(facts, name) is None:
            made.setdefault(fact_reason(facts.reasons.get(name, "")), []).append(str(label))
    return list(made.items())


def fact_reason(said: str) -> str:
    """Why a fact of a model is unknown, in words; the detail behind a code as its source has it."""
    code, _colon, detail = said.partition(":")
    words = str(FACT_REASONS.get(code, FACT_REASONS["not_declared"] if not code else wording.plain(code)))
    return f"{words} ({wording.plain(detail.strip())})" if detail.strip() else words


def fact(facts: Facts, name: str) -> str:
    """A fact of a model in words; empty where it is unknown."""
    value = getattr(facts, name)
    if value is None:
        return ""
    if name == "open_weights":
        return str(_("open: anybody can have them") if value else _("closed"))
    if isinstance(value, tuple):
        return ", ".join(map(wording.plain, value))
    return numerals.count(value) if isinstance(value, int) else wording.plain(str(value))


def register(site: Site) -> None:
    """Puts the pages under their addresses, and what their words need into the templates."""
    site.app.jinja_env.filters.update(fact_reason=fact_reason, fact=fact, unknown_facts=unknown_facts)
    site.app.jinja_env.globals.update(shown_facts=SHOWN_FACTS, model_facets=_facets)
    site.page(
        "/models/",
        "models.html",
        model_list,
        ModelList,
        rows=lambda page: page.models,
        parameters=("q", "licence", "open", "size", "level", "badge", "sort", "page"),
    )
    site.page(
        "/models/<slug>",
        "model.html",
        lambda board, slug: model(board, lookup.model(board, slug)),
        ModelPage,
        rows=lambda page: (*page.benchmarks, *page.self_test),
        variables=lambda board: ({"slug": one.slug} for one in board.model_names().values()),
    )
    site.page(
        "/models/<slug>/<name>",
        "model_task.html",
        lambda board, asked, slug, name: model_task(board, lookup.model(board, slug), lookup.task(board, name), asked),
        ModelTaskPage,
        rows=lambda page: [line for table in page.tables for line in table.lines],
        parameters=("version", "metric", "page"),
        variables=_asked_of,
    )


def _asked_of(board: Board) -> Iterator[dict[str, str]]:
    """Every model with each task that it was asked."""
    names = dict.fromkeys((mean.model, mean.task) for mean in board.means())
    return ({"slug": slug, "name": task} for slug, task in names)


def _facets(licences: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The filters of the list with their values."""
    return (
        ("licence", (*licences, facets.UNKNOWN)),
        ("open", OPEN),
        ("size", SIZES),
        ("level", (*LEVELS, facets.UNKNOWN)),
        ("badge", tuple(BADGES)),
    )
