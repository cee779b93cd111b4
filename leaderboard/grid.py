"""Every number of a snapshot that counts, as arrays: what the means, the ranks and every filter are computed from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import kernels
from bench.records import Cell
from bench.summary import TOO_FEW_ITEMS, UNREVIEWED
from leaderboard.records import Mean, Outline
from tasks import FLAWS

NOT_COUNTED = FLAWS.keys() | {"too_few_items", "identifier_recall", UNREVIEWED}
"""Reasons not to rank. A flaw lies in a dataset's text in one language: no run can mend it, so no mean waits for it."""

WIDTH_95 = 2 * 1.959963984540054
"""A 95 % interval is so many standard errors wide."""

Floats = NDArray[np.float64]
Value = TypeVar("Value")
Number = Cell | Outline
"""A result, whole or in outline: either says whether, in which way and for how much it counts."""


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """What is never averaged over: one task, asked in one way, by its headline metric."""

    task: str
    version: str
    metric: str
    mode: str
    prompt_language: str
    shots: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One way of one task: rows are models, columns are languages.

    `normalised` (models x languages) is 0 at chance and 1 at the best possible, NaN where there is no number that
    counts; `error` its standard error and `high` the upper end of its interval, NaN where it has none; `items` how many
    were scored. `wanted` (languages) says which a complete block needs: those that the task declares and whose text is
    sound. `doubt` has for each number why it may not be ranked, as its place in `doubts`, of which the first is "".
    `shared` is the correlation, over models, of what languages have in common by
    asking the same items, from 0 to 1. `bottom` is the normalised value of the worst possible score: 0 without chance.
    """

    way: Way
    floor: bool
    models: tuple[int, ...]
    languages: tuple[str, ...]
    normalised: Floats
    error: Floats
    high: Floats
    items: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    doubt: NDArray[np.int8]
    doubts: tuple[str, ...]
    shared: float
    bottom: float

    def of(self, rows: Sequence[int]) -> Sheet:
        """Some of its models."""
        return replace(
            self,
            models=tuple(self.models[row] for row in rows),
            **{name: getattr(self, name)[rows] for name in ("normalised", "error", "high", "items", "doubt")},
        )


def way_of(cell: Number) -> Way:
    """What a cell may be averaged within."""
    return Way(cell.task, cell.task_version, cell.metric, cell.mode, cell.prompt_language, cell.shots)


def way_of_mean(mean: Mean) -> Way:
    """What a mean is of."""
    return Way(mean.task, mean.version, mean.metric, mean.mode, mean.prompt_language, mean.shots)


def counts(cell: Number) -> bool:
    """Whether a cell enters a mean: it has a number, from enough items whose text is sound."""
    return (
        cell.value is not None
        and cell.normalised is not None
        and cell.n >= TOO_FEW_ITEMS
        and cell.reasons.get("rank") not in NOT_COUNTED
    )


def error_of(cell: Number) -> float:
    """The standard error of a cell's normalised value, from the width of its interval; NaN where it has none."""
    if cell.ci_low is None or cell.ci_high is None or cell.value is None or cell.normalised is None:
        return float("nan")
    return (cell.ci_high - cell.ci_low) * _scale(cell) / WIDTH_95


def ends_of(cell: Number) -> tuple[float, float]:
    """The ends of a cell's interval as normalised values; NaN where it has none."""
    high = _high_of(cell)
    return high - WIDTH_95 * error_of(cell), high


def _high_of(cell: Number) -> float:
    """The upper end of a cell's interval as a normalised value; NaN where it has none."""
    if cell.ci_high is None or cell.value is None or cell.normalised is None:
        return float("nan")
    return cell.normalised + (cell.ci_high - cell.value) * _scale(cell)


def _scale(cell: Number) -> float:
    """How much normalised value there is for a point of the value."""
    chance = cell.chance or 0.0
    return 1.0 / (kernels.metric(cell.metric).best - chance)


def holders(sheets: Iterable[Sheet], languages: Iterable[str], but: Collection[int]) -> dict[str, int]:
    """How many models have a number that counts in any of some sheets, in each of some languages.

    Those of `but` are no models; a language of which no sheet has a column has none.
    """
    known = tuple(sheets)
    row = {number: place for place, number in enumerate({one for sheet in known for one in sheet.models} - set(but))}
    column = {name: place for place, name in enumerate(dict.fromkeys(languages))}
    there = np.zeros((len(row), len(column)), dtype=np.bool_)
    for sheet in known:
        rows = [place for place, number in enumerate(sheet.models) if number in row]
        columns = [place for place, name in enumerate(sheet.languages) if name in column]
        places = [row[sheet.models[place]] for place in rows], [column[sheet.languages[place]] for place in columns]
        there[np.ix_(*places)] |= sheet.items[np.ix_(rows, columns)] > 0
    return dict(zip(column, there.sum(axis=0).tolist(), strict=True))


class Builder:
    """Makes one sheet, model by model. `declared` are the languages of the task."""

    def __init__(self, way: Way, declared: Collection[str]) -> None:
        self.way = way
        self._languages = tuple(sorted(declared))
        self._column = {name: place for place, name in enumerate(self._languages)}
        self._floor = False
        self._models: list[int] = []
        self._rows: list[tuple[Floats, Floats, Floats, NDArray[np.int64], NDArray[np.int8]]] = []
        self._doubts = {"": 0}
        self._sound: set[str] = set()
        self._flawed: set[str] = set()
        self._bottom = 0.0

    def add(self, number: int, cells: Iterable[Cell]) -> None:
        """Takes one model's cells, in ascending order of the models' numbers."""
        width = len(self._languages)
        normalised, error, high = (np.full(width, np.nan) for _array in range(3))
        items, doubt = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int8)
        by_language: dict[str, list[Cell]] = {}
        for cell in cells:
            self._floor = cell.floor
            if counts(cell):
                by_language.setdefault(cell.language, []).append(cell)
                self._bottom = min(self._bottom, -(cell.chance or 0.0) * _scale(cell))
            elif cell.reasons.get("rank") in FLAWS:
                self._flawed.add(cell.language)
        for name, own in by_language.items():
            place = self._column[name]
            # Varieties of a language count as one together. They ask the same, so that they vary together.
            normalised[place] = sum(cell.normalised or 0.0 for cell in own) / len(own)
            error[place] = sum(map(error_of, own)) / len(own)
            high[place] = sum(map(_high_of, own)) / len(own)
            items[place] = sum(cell.n for cell in own)
            marked = next((cell.reasons["rank"] for cell in own if "rank" in cell.reasons), "")
            doubt[place] = self._doubts.setdefault(marked, len(self._doubts))
        self._sound |= by_language.keys()
        self._models.append(number)
        self._rows.append((normalised, error, high, items, doubt))

    def sheet(self, shared: float) -> Sheet:
        """What was added, with the correlation of what languages share."""
        lacking = self._flawed - self._sound
        normalised, error, high, items, doubt = (np.stack(parts) for parts in zip(*self._rows, strict=True))
        wanted = np.array([name not in lacking for name in self._languages], dtype=np.bool_)
        return Sheet(
            self.way,
            self._floor,
            tuple(self._models),
            self._languages,
            normalised,
            error,
            high,
            items,
            wanted,
            doubt,
            tuple(self._doubts),
            shared,
            self._bottom,
        )


class Correlation:
    """How much languages vary together because they are asked the same items: the mean correlation of two languages.

    Taken from the item scores of some models, over pairs of languages; a pair that shares no item counts as 0, and 1 is
    assumed where nothing is known, which gives the widest intervals. Items of one passage enter by their mean, because
    the passages are what is drawn.
    """

    MODELS, LANGUAGES = 6, 24
    """More of either make it slower and hardly sharper."""

    def __init__(self) -> None:
        self._found: list[float] = []

    @property
    def full(self) -> bool:
        """Whether more models would not be heeded."""
        return len(self._found) >= self.MODELS

    @classmethod
    def some(cls, languages: Sequence[Value]) -> Sequence[Value]:
        """Those of a model's languages that are worth looking at, spread over all."""
        return languages[:: max(1, len(languages) // cls.LANGUAGES)]

    def add(self, values: Sequence[Mapping[str, float]]) -> None:
        """Takes one model's score of each item or passage, language by language."""
        columns = [own for own in values if len(own) > 1]
        units = sorted({unit for own in columns for unit in own})
        if self.full or len(columns) < 2:
            return
        row = {unit: place for place, unit in enumerate(units)}
        scores = np.full((len(units), len(columns)), np.nan)
        for place, own in enumerate(columns):
            scores[[row[unit] for unit in own], place] = list(own.values())
        deviation = np.nanstd(scores, axis=0)
        scores = (scores - np.nanmean(scores, axis=0))[:, deviation > 0] / deviation[deviation > 0]
        there = ~np.isnan(scores)
        width = scores.shape[1]
        if width < 2:
            return
        filled = np.where(there, scores, 0.0)
        products = float((filled.sum(axis=1) ** 2 - (filled**2).sum(axis=1)).sum())
        # As many as there would be if every pair shared all items of a language.
        pairs = float(there.sum(axis=0).mean()) * width * (width - 1)
        self._found.append(products / pairs)

    def value(self) -> float:
        """The mean over models, between 0 and 1. Rounded, so that no machine's last bit shows."""
        if not self._found:
            return 1.0
        return round(min(1.0, max(0.0, sum(self._found) / len(self._found))), 4)


def packed(sheet: Sheet) -> tuple[str, bytes]:
    """A sheet's facts as JSON, and its arrays one behind the other as little-endian bytes."""
    facts = {
        **asdict(sheet.way),
        "floor": sheet.floor,
        "models": sheet.models,
        "languages": sheet.languages,
        "wanted": sheet.wanted.tolist(),
        "doubts": sheet.doubts,
        "shared": sheet.shared,
        "bottom": sheet.bottom,
    }
    arrays = (np.ascontiguousarray(getattr(sheet, name), kind).tobytes() for name, kind in STORED)
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")), b"".join(arrays)


STORED = (("normalised", "<f8"), ("error", "<f4"), ("high", "<f4"), ("items", "<i4"), ("doubt", "<i1"))
"""The arrays of a sheet, in the order and types in which they are stored."""


def unpacked(facts: str, arrays: bytes) -> Sheet:
    """What `packed` made. Raises `ValueError` and the like where it is damaged."""
    known = json.loads(facts)
    shape = len(known["models"]), len(known["languages"])
    made, at = {}, 0
    for name, kind in STORED:
        made[name] = np.frombuffer(arrays, kind, shape[0] * shape[1], at).reshape(shape)
        at += made[name].nbytes
    return Sheet(
        way=Way(**{name: known[name] for name in ("task", "version", "metric", "mode", "prompt_language", "shots")}),
        floor=known["floor"],
        models=tuple(known["models"]),
        languages=tuple(known["languages"]),
        wanted=np.array(known["wanted"], dtype=np.bool_),
        doubts=tuple(known["doubts"]),
        shared=known["shared"],
        bottom=known["bottom"],
        **made,
    )
