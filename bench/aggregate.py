"""Aggregates over languages: the macro mean, the speaker-weighted mean and the worst decile of normalised scores.

They are taken over complete blocks only: the languages in which every model that is compared has a number that counts.
Their intervals resample what a task asks once for all languages and models, because parallel benchmarks ask the same
items in every language: drawn for each language alone, what is hard in all of them would cancel out.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import kernels
import languages
import tasks
from bench import joint
from bench.arrays import CellKey, key
from bench.joint import Estimate, Matrix, Scored, Vector
from bench.records import Cell
from bench.statistics import ROUNDS
from bench.summary import ERRORS_ALLOWED, TOO_FEW_ITEMS, same_options

Way = tuple[str, str, str, str, str, int]
"""Task, version, metric, mode, prompt language, shots: what is never averaged over."""
Place = tuple[str, str, str]
"""Task, language, variety."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One model's normalised scores (0 at chance, 1 at the best possible) over the languages of a block.

    `macro` gives every language the same weight, `speaker_weighted` the weight of its speakers, and `worst_decile` is
    the mean of the lowest tenth of the languages, of at least one; each with its 95 % interval. `value` is the macro
    mean in the metric's own unit. `languages` are those of the block; `left_out` maps every other language (or
    `language-variety`) that was asked to a reason code, `speakers_unknown` lists those without a weight. `units` is how
    many items or passages the middle one of the languages has. `reasons` maps a field that is None to a reason code.
    """

    model: str
    tasks: tuple[str, ...]
    metric: str
    mode: str
    prompt_language: str
    shots: int
    floor: bool
    baseline: bool
    languages: tuple[str, ...]
    left_out: Mapping[str, str]
    speakers_unknown: tuple[str, ...]
    items: int
    units: int
    value: float | None
    macro: float | None
    macro_low: float | None
    macro_high: float | None
    speaker_weighted: float | None
    speaker_weighted_low: float | None
    speaker_weighted_high: float | None
    worst_decile: float | None
    worst_decile_low: float | None
    worst_decile_high: float | None
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Aggregates:
    """The aggregates of models that are held against each other, and their macro means in every round of resampling.

    `draws` has shape (models, rounds), the models in their order, all from the same draws; a row of NaN
    where a model has no interval.
    """

    models: tuple[Aggregate, ...]
    draws: Matrix


def why_left_out(cell: Cell) -> str:
    """The reason code of why a cell enters no aggregate; empty where it does."""
    if cell.value is None:
        return cell.reasons.get("value", "no_items")
    if "rank" in cell.reasons:
        return cell.reasons["rank"]
    if cell.n < TOO_FEW_ITEMS:
        return "too_few_items"
    if cell.errors > ERRORS_ALLOWED * (cell.n + cell.errors + cell.skipped):
        return "too_many_errors"
    reason = cell.reasons.get("normalised", "")
    return "" if cell.normalised is not None or reason == "error_rate" else reason


def by_language(cells: Iterable[Cell], field: str) -> dict[str, float]:
    """One field of one model's cells by language: the mean over tasks of the mean over the language's varieties."""
    values: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        value: float | None = getattr(cell, field)
        if value is not None:
            values.setdefault(cell.language, {}).setdefault(cell.task, []).append(value)
    return {language: _mean(_mean(shares) for shares in tasks.values()) for language, tasks in values.items()}


def macro(cells: Iterable[Cell], field: str) -> float | None:
    """The mean over languages of one field of one model's cells; None where none has it.

    Several varieties of a language count as one language together, and so do several tasks.
    """
    shares = by_language(cells, field)
    return _mean(shares.values()) if shares else None


def _mean(values: Iterable[float]) -> float:
    # Sorted, so that the last bit of the sum does not depend on the order in which runs were given.
    ordered = sorted(values)
    return sum(ordered) / len(ordered)


def by_way(cells: Iterable[Cell]) -> dict[Way, list[Cell]]:
    """The headline cells, those of one task and one way of asking together."""
    groups: dict[Way, list[Cell]] = {}
    for cell in cells:
        if cell.headline:
            way = (cell.task, cell.task_version, cell.metric, cell.mode, cell.prompt_language, cell.shots)
            groups.setdefault(way, []).append(cell)
    return groups


def is_baseline(model: str) -> bool:
    """Whether a model is a floor: it is shown, never ranked, and no block waits for it."""
    return model.startswith("baseline:")


def aggregates(cells: Sequence[Cell], arrays: Mapping[CellKey, Scored], rounds: int = ROUNDS) -> Aggregates:
    """The aggregates of every model in `cells`, over the block that they share.

    The cells are of one task, or of several tasks in one metric; of several tasks a language's score is the mean over
    them, and a language needs all. `arrays` has the scores of every cell with a value. A baseline that lacks a language
    of the others' block has no aggregate. Raises `ValueError` for no cells, for several metrics or ways of asking, and
    for several versions of a task.
    """
    _check(cells)
    models = list(dict.fromkeys(cell.model for cell in cells))
    of_model = {model: {_place(cell): cell for cell in cells if cell.model == model} for model in models}
    compared = [of_model[model] for model in models if not is_baseline(model)] or list(of_model.values())
    places, why = _block(compared, arrays)
    blocks, reasons = [], []
    for own in of_model.values():
        # A baseline may lack what the others have, or have been asked other items.
        reason = next(filter(None, (_missing([compared[0][p], own.get(p)], arrays) for p in places)), "")
        blocks.append([] if reason else [own[place] for place in places])
        reasons.append(reason if places else "no_languages")
    units = _units(blocks, arrays)
    made = []
    for own, block, reason in zip(of_model.values(), blocks, reasons, strict=True):
        left_out = {name: _own_reason(own, name) or other for name, other in why.items()}
        unscaled = next((cell.reasons["normalised"] for cell in block if cell.normalised is None), "")
        lacking = reason or unscaled
        estimates = _nothing(lacking, rounds) if lacking else _estimates(block, units, arrays, rounds)
        made.append((_aggregate(own, block, left_out, estimates, reason), estimates.rounds))
    return Aggregates(tuple(one for one, _ in made), np.stack([drawn for _, drawn in made]))


def _check(cells: Sequence[Cell]) -> None:
    if not cells:
        raise ValueError("no cells to aggregate")
    ways = {(cell.metric, cell.mode, cell.prompt_language, cell.shots) for cell in cells}
    if len(ways) > 1:
        raise ValueError(f"cells of different metrics or ways of asking have no mean: {sorted(ways)}")
    if len({(cell.task, cell.task_version) for cell in cells}) > len({cell.task for cell in cells}):
        raise ValueError("cells of several versions of a task have no mean")
    shared = tasks.sharing({cell.task for cell in cells})
    if shared:
        raise ValueError(f"{shared[0]} and {shared[1]} share their content ({shared[2]}) and have no common mean")


def _place(cell: Cell) -> Place:
    return (cell.task, cell.language, cell.variety)


def _name(place: Place) -> str:
    """A place's language, with its variety where it has one."""
    return "-".join(part for part in place[1:] if part)


def _block(
    models: Sequence[Mapping[Place, Cell]], arrays: Mapping[CellKey, Scored]
) -> tuple[list[Place], dict[str, str]]:
    """The places where every model counts, of languages that have one in each task; and why others are left out."""
    asked = sorted({place for own in models for place in own})
    reasons = {place: _missing([own.get(place) for own in models], arrays) for place in asked}
    tasks = {task for task, _, _ in asked}
    held = {(task, language) for task, language, variety in asked if not reasons[task, language, variety]}
    whole = {language for _, language, _ in asked if all((task, language) in held for task in tasks)}
    why: dict[str, str] = {}
    for place in asked:
        if place[1] not in whole:
            # A language may be complete in this task and lack another.
            why[place[1]] = why.get(place[1]) or reasons[place]
        elif reasons[place]:
            why[_name(place)] = reasons[place]
    places = [place for place in asked if place[1] in whole and not reasons[place]]
    return places, {name: reason or "other_task" for name, reason in why.items()}


def _missing(cells: Sequence[Cell | None], arrays: Mapping[CellKey, Scored]) -> str:
    """Why a place is not in the block; the first model's reason where several have one."""
    for cell in cells:
        reason = "not_asked" if cell is None else why_left_out(cell)
        if reason:
            return reason
    signatures = [cell.signature for cell in cells if cell is not None]
    if not all(same_options(signatures[0], signature) for signature in signatures):
        return "other_signature"
    asked = [set(arrays[key(cell)].items) for cell in cells if cell is not None]
    every = set().union(*asked)
    # A request that failed leaves a hole; a run of other items would be compared with another test.
    same = all(len(items) >= (1 - ERRORS_ALLOWED) * len(every) for items in asked)
    return "" if same else "other_items"


def _own_reason(own: Mapping[Place, Cell], name: str) -> str:
    found = (cell for place, cell in own.items() if name in (place[1], _name(place)))
    return next((reason for reason in map(why_left_out, found) if reason), "")


def _units(blocks: Iterable[Sequence[Cell]], arrays: Mapping[CellKey, Scored]) -> dict[str, list[str]]:
    """What is drawn from in each task: the units of every language and model together, in order."""
    found: dict[str, set[str]] = {}
    for block in blocks:
        for cell in block:
            found.setdefault(cell.task, set()).update(arrays[key(cell)].units)
    return {task: sorted(units) for task, units in found.items()}


@dataclass(frozen=True, slots=True)
class _Estimates:
    macro: Estimate
    speaker_weighted: Estimate
    worst_decile: Estimate
    rounds: Vector
    units: int
    speakers_unknown: tuple[str, ...]


def _nothing(reason: str, rounds: int) -> _Estimates:
    none = Estimate(None, None, None, reason)
    return _Estimates(none, none, none, np.full(rounds, np.nan), 0, ())


def _estimates(
    block: Sequence[Cell], units: Mapping[str, Sequence[str]], arrays: Mapping[CellKey, Scored], rounds: int
) -> _Estimates:
    shares = by_language(block, "normalised")
    names = sorted(shares)
    values = np.array([shares[name] for name in names])
    drawn = _drawn(block, names, units, arrays, rounds)
    floors = np.array([min(_floor(cell) for cell in block if cell.language == name) for name in names])
    counts = sorted(len(set(arrays[key(cell)].units)) for cell in block)
    typical = counts[(len(counts) - 1) // 2]
    weights = np.array(_speakers(names), dtype=np.float64)
    known = weights > 0
    weighted = (
        joint.weighted(values[known], drawn[known], weights[known], typical, floors[known])
        if known.any()
        else Estimate(None, None, None, "speakers_unknown")
    )
    return _Estimates(
        joint.weighted(values, drawn, np.ones(len(names)), typical, floors),
        weighted,
        joint.worst_decile(values, drawn, typical, floors),
        drawn.mean(axis=0),
        typical,
        tuple(name for name, there in zip(names, known, strict=True) if not there),
    )


def _floor(cell: Cell) -> float:
    """The normalised score of all answers wrong: as far below 0 as chance is above it."""
    chance = cell.chance or 0.0
    return -chance / (kernels.metric(cell.metric).best - chance)


def _drawn(
    block: Sequence[Cell],
    names: Sequence[str],
    units: Mapping[str, Sequence[str]],
    arrays: Mapping[CellKey, Scored],
    rounds: int,
) -> Matrix:
    """The normalised score of each language in every round, shape (languages, rounds)."""
    drawn = np.zeros((len(names), rounds))
    for task, drawn_from in units.items():
        cells = [cell for cell in block if cell.task == task]
        metric = kernels.metric(cells[0].metric)
        seed = zlib.crc32(f"{task}/{metric.name}".encode())
        scores = joint.draws(metric, [arrays[key(cell)] for cell in cells], drawn_from, rounds, seed)
        chance = np.array([cell.chance for cell in cells], dtype=np.float64)[:, None]
        normalised = (scores - chance) / (metric.best - chance)
        for number, name in enumerate(names):
            varieties = [place for place, cell in enumerate(cells) if cell.language == name]
            drawn[number] += normalised[varieties].mean(axis=0)
    return drawn / len(units)


def _speakers(names: Sequence[str]) -> list[float]:
    """How much each language weighs: its speakers, 0 where their number is not known.

    The registry states the speakers of a language in all scripts together, so several scripts of one share them.
    """
    known = [languages.get(name) for name in names]
    scripts = Counter(language.iso639_3 for language in known)
    return [(language.speakers or 0) / scripts[language.iso639_3] for language in known]


def _aggregate(
    own: Mapping[Place, Cell], block: Sequence[Cell], left_out: Mapping[str, str], found: _Estimates, reason: str
) -> Aggregate:
    first = next(iter(own.values()))
    value = macro(block, "value")
    reasons = {} if value is not None else {"value": reason}
    for field in ("macro", "speaker_weighted", "worst_decile"):
        estimate: Estimate = getattr(found, field)
        for name, number in _ends(field, estimate).items():
            if number is None:
                reasons[name] = estimate.reason
    return Aggregate(
        model=first.model,
        tasks=tuple(sorted({cell.task for cell in own.values()})),
        metric=first.metric,
        mode=first.mode,
        prompt_language=first.prompt_language,
        shots=first.shots,
        floor=any(cell.floor for cell in own.values()),
        baseline=is_baseline(first.model),
        languages=tuple(sorted({cell.language for cell in block})),
        left_out=dict(sorted(left_out.items())),
        speakers_unknown=found.speakers_unknown,
        items=sum(cell.n for cell in block),
        units=found.units,
        value=value,
        reasons=reasons,
        **_ends("macro", found.macro),
        **_ends("speaker_weighted", found.speaker_weighted),
        **_ends("worst_decile", found.worst_decile),
    )


def _ends(field: str, estimate: Estimate) -> dict[str, Any]:
    return {field: estimate.value, f"{field}_low": estimate.low, f"{field}_high": estimate.high}
