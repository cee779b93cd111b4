"""The list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cards.facts import LEVELS
from leaderboard import facets
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.records import Badge, Coverage, Model
from leaderboard.site import Site
from leaderboard.wording import BADGES

SORTS = ("name", "size", "languages", "results")
LISTED = 100
OPEN = ("open", "closed", facets.UNKNOWN)
SIZES = (*(name for name, _above in facets.SIZES), facets.UNKNOWN)


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


def page(board: Board, asked: Asked) -> ModelList:
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
        model=ModelName.of(model),
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


def _facets(licences: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The filters of the list with their values."""
    return (
        ("licence", (*licences, facets.UNKNOWN)),
        ("open", OPEN),
        ("size", SIZES),
        ("level", (*LEVELS, facets.UNKNOWN)),
        ("badge", tuple(BADGES)),
    )


def register(site: Site) -> None:
    """Puts the page under its address, and its filters into the templates."""
    site.app.jinja_env.globals.update(model_facets=_facets)
    site.page(
        "/models/",
        "models.html",
        page,
        ModelList,
        rows=lambda page: page.models,
        row=ModelEntry,
        parameters=("q", "licence", "open", "size", "level", "badge", "sort", "page"),
    )
