"""Which language a text is in: script first, then character n-grams and words against each language of that script.

A multinomial naive Bayes classifier over selected features. `identifier_build` makes `identifier.npz` out of UDHR and
SIB-200 texts and measures it. Where BENCH_LID names a fastText model (GlotLID, OpenLID), that one is asked instead.
"""

from __future__ import annotations

import csv
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .identifier_features import (
    ANY_SCRIPT,
    COLUMNS,
    FIRST_SCRIPT,
    UNKNOWN_SCRIPT,
    Classes,
    Codes,
    Letters,
    Numbers,
    hash_features,
    read_letters,
)
from .tables import FOLDER

MODEL = FOLDER / "identifier.npz"
RECALL = FOLDER / "identifier_recall.tsv"
ENVIRONMENT = "BENCH_LID"
KANA = "Hrkt"
"""ISO 15924 for hiragana and katakana, which are counted apart from Han and identified together with it."""

_HAN_WEIGHT = 3  # a Han character or a kana stands for about so many letters of an alphabet
_SHIFT = np.uint32(10)  # of a hash: its upper bits are its slot in a table of 2^22, its lower ones are kept there
_LOWER = np.uint32((1 << 10) - 1)
_BLOCK = 1024  # features added up at once, a multiple of 16
_BATCH = 256  # texts: what is worked on stays in the caches


@dataclass(frozen=True, slots=True)
class Guess:
    """What a text was identified as."""

    language: str
    """Canonical code; empty where the text has no letters, or no language of its script is known."""
    margin: float
    """Log-odds over the runner-up (natural, as overconfident as naive Bayes is); infinite where none can run up."""


@dataclass(frozen=True, slots=True)
class Recall:
    """How well a language is identified, by texts that the model was not built from."""

    language: str
    """Canonical code."""
    tested_on: str
    """`ntrex128` where that has the language, else `sib200` (its test split)."""
    segments: int
    """Segments of the language in the test set, sentences mostly."""
    recall: float
    """Share of them that were identified as the language."""
    precision: float | None
    """Share of the language among all segments of the test set identified as it; None where there was none."""
    trained_on: str
    """What the model saw of the language: `sib200`, `udhr`, `sib200 udhr`, or empty."""
    confused: tuple[str, ...]
    """Languages as which at least 1 % of its segments were identified, or of whose segments 1 % were identified so."""


class IdentifierError(ValueError):
    """The identifier's files, or the fastText model that was asked for, cannot be used. The message is one line."""


class Model:
    """The classifier, from what `identifier_build` saved: see there for the arrays."""

    def __init__(self, saved: dict[str, npt.NDArray[np.generic]]) -> None:
        self.about = json.loads(str(saved["about"]))
        """Scripts, languages by group, sources, hash of the inputs, licence."""
        self.scripts: list[str] = self.about["scripts"]
        self.groups: list[list[str]] = self.about["groups"]
        self.group_of = {language: number for number, group in enumerate(self.groups) for language in group}
        self.classes: Classes = np.repeat(saved["class_runs"].astype(np.uint8), saved["class_lengths"].astype(np.int64))
        self.width = FIRST_SCRIPT + len(self.scripts)
        self.group_of_class: Numbers = saved["group_of_class"].astype(np.int64)
        self.steps: npt.NDArray[np.float64] = saved["steps"].astype(np.float64)
        self.enough: Numbers = saved["enough"].astype(np.int64)
        self.margins: npt.NDArray[np.float64] = saved["margins"].astype(np.float64)
        self.first: Numbers = np.concatenate([[1], 1 + np.cumsum(saved["features"].astype(np.int64))])
        hashes = [np.cumsum(part, dtype=np.uint32) for part in np.split(saved["hash_steps"], self.first[1:-1] - 1)]
        self.slots = _slots(np.concatenate(hashes))
        costs = saved["costs"].astype(np.float64)
        self.costs = np.split(costs, np.cumsum([len(group) for group in self.groups])[:-1])
        self.weights = self._weights(saved)

    def _weights(self, saved: dict[str, npt.NDArray[np.generic]]) -> list[npt.NDArray[np.uint8]]:
        """One array (features, languages) a group, at most 15 each."""
        rows = np.repeat(np.arange(int(self.first[-1]) - 1), saved["entries"].astype(np.int64))
        languages, values = saved["languages"], saved["values"]
        bounds = np.searchsorted(rows, self.first - 1)
        weights = []
        for number, group in enumerate(self.groups):
            start, stop = bounds[number], bounds[number + 1]
            one = np.zeros((int(self.first[number + 1] - self.first[number]), len(group)), np.uint8)
            one[rows[start:stop] - (self.first[number] - 1), languages[start:stop]] = values[start:stop]
            weights.append(one)
        return weights

    def class_of(self, script: str) -> int:
        """The class of a script's letters, as `Letters.counts` has them."""
        return FIRST_SCRIPT + self.scripts.index(script) if script in self.scripts else UNKNOWN_SCRIPT

    def letters(self, texts: Sequence[str]) -> Letters:
        """The letters of each text, by script."""
        return read_letters(texts, self.classes, self.width)

    @cached_property
    def _lettering(self) -> npt.NDArray[np.bool_]:
        """Which classes are letters to each group, and to no group in the last row; shape (groups + 1, classes)."""
        kept: npt.NDArray[np.bool_] = self.group_of_class[None, :] == np.arange(len(self.groups) + 1)[:, None]
        kept[:, ANY_SCRIPT] = True
        kept[-1] = False
        return kept

    def groups_of(self, found: Letters) -> Numbers:
        """The group of scripts that most letters of each text belong to; the number of groups where it is none."""
        weights = np.zeros((self.width, len(self.groups) + 1), np.int64)
        weights[np.arange(self.width), self.group_of_class] = 1
        weights[[self.class_of("Hani"), self.class_of(KANA)]] *= _HAN_WEIGHT
        weights[:, -1] = 0
        weights[UNKNOWN_SCRIPT, -1] = 1
        by_group = found.counts @ weights
        return np.where(by_group.any(axis=1), by_group.argmax(axis=1), len(self.groups))

    def sizes(self, found: Letters, groups: Numbers) -> Numbers:
        """How many letters of its group's scripts each text has, none for a text of no group; shape (texts,)."""
        own = (self.group_of_class[None, :] == groups[:, None]) & (groups < len(self.groups))[:, None]
        sizes: Numbers = (found.counts * own).sum(axis=1)
        return sizes

    def scores(self, found: Letters, groups: Numbers) -> Iterator[tuple[int, Numbers, npt.NDArray[np.float64]]]:
        """Group by group: its number, its texts, and the log-odds of each language for each text.

        The odds are up to a constant of the text; texts of no group are left out. Shapes (texts,) and (texts,
        languages), of the group.
        """
        hashes, valid = hash_features(found, self._lettering[groups])
        positions = np.flatnonzero(valid)
        hashed = hashes.ravel()[positions]
        slots = self.slots[hashed >> _SHIFT]
        known = np.flatnonzero(((slots ^ hashed) & _LOWER) == 0)
        features, positions = (slots[known] >> _SHIFT).astype(np.int64), positions[known]
        bounds = np.searchsorted(positions, found.starts * COLUMNS)
        # Rows of the group's own weights. An apostrophe's feature belongs to one group, and may be found in another.
        lowest = np.append(self.first, 0)[groups]
        rows = features - np.repeat(lowest, np.diff(bounds))
        numbers = np.append(np.diff(self.first), 0)[groups]
        own = (rows >= 0) & (rows < np.repeat(numbers, np.diff(bounds)))
        bounds = np.concatenate([[0], np.cumsum(own)])[bounds]
        rows = rows[own]
        for group in np.unique(groups[groups < len(self.groups)]).tolist():
            texts = np.flatnonzero(groups == group)
            totals = np.zeros((len(texts), len(self.groups[group])))
            work = np.empty((_BLOCK, totals.shape[1]), np.uint8)
            spans = zip(bounds[texts].tolist(), bounds[texts + 1].tolist(), strict=True)
            for number, (start, stop) in enumerate(spans):
                for block in range(start, stop, _BLOCK):
                    totals[number] += _sum_rows(self.weights[group], rows[block : min(block + _BLOCK, stop)], work)
            found_in = (bounds[texts + 1] - bounds[texts])[:, None]
            yield group, texts, (totals - found_in * self.costs[group]) * self.steps[group]


def _slots(hashes: Codes) -> Codes:
    """A table by the upper bits of a hash: the number of the feature, from 1, above the lower bits of its hash."""
    slots = np.zeros(1 << (32 - int(_SHIFT)), np.uint32)
    slots[hashes >> _SHIFT] = np.arange(1, len(hashes) + 1, dtype=np.uint32) << _SHIFT | (hashes & _LOWER)
    return slots


def _sum_rows(weights: npt.NDArray[np.uint8], rows: Numbers, work: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """The sum of at most `_BLOCK` rows: first by sixteens, whose sum fits a byte, which is fastest."""
    size = -(-len(rows) // 16)
    part = work[: 16 * size]
    np.take(weights, rows, axis=0, out=part[: len(rows)], mode="clip")  # any other mode copies; no row is out of range
    part[len(rows) :] = 0
    folded = np.add.reduce(part.reshape(16, size, -1), axis=0, dtype=np.uint8)
    total: npt.NDArray[np.uint16] = np.add.reduce(folded, axis=0, dtype=np.uint16)
    return total


def needed(group: int) -> tuple[int, float]:
    """Letters and margin from which a guess among the languages of this group of scripts can be relied on.

    Measured of the model here (see `identifier_build.calibrate`). For a fastText model the letters are the same, and
    the first language has to be twice as probable as the second: that is not measured.
    """
    known = model()
    margin = math.log(2) if os.environ.get(ENVIRONMENT) else float(known.margins[group])
    return int(known.enough[group]), margin


@cache
def model() -> Model:
    """The committed model. Raises `IdentifierError`."""
    return load(MODEL)


def load(path: Path) -> Model:
    """A model that `identifier_build` wrote. Raises `IdentifierError`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return Model(dict(saved))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, IndexError) as error:
        raise IdentifierError(
            f"{path} is no language identifier ({error}): make it with python -m languages.identifier_build --data DIR"
        ) from error


def identify(texts: Sequence[str]) -> list[Guess]:
    """The most likely language of each text, taken as one unit whatever lines it has.

    By the fastText model that BENCH_LID names, where it is set. Raises `IdentifierError`.
    """
    other = os.environ.get(ENVIRONMENT)
    if other:
        from .identifier_fasttext import identify_with

        return identify_with(Path(other), texts)
    return guesses(model(), texts)


def guesses(known: Model, texts: Sequence[str]) -> list[Guess]:
    """The most likely language of each text by this model."""
    made = [Guess("", 0.0)] * len(texts)
    for start in range(0, len(texts), _BATCH):
        found = known.letters(texts[start : start + _BATCH])
        for group, members, scores in known.scores(found, known.groups_of(found)):
            languages = known.groups[group]
            best = scores.argmax(axis=1)
            if len(languages) > 1:
                top = np.partition(scores, -2, axis=1)[:, -2:]
                margins = (top[:, 1] - top[:, 0]).tolist()
            else:
                margins = [float("inf")] * len(members)
            for text, language, margin in zip(members.tolist(), best.tolist(), margins, strict=True):
                if margin > 0:
                    made[start + text] = Guess(languages[language], margin)
    return made


def recall(code: str) -> Recall | None:
    """What was measured for a language; None where no test set has it.

    Of the fastText model that BENCH_LID names, where it is set: then from the table beside it, its name with
    `.recall.tsv` added, which `python -m languages.identifier_build --data DIR --measure` writes. Raises
    `IdentifierError` where that is missing.
    """
    return recalls().get(code)


def recalls() -> dict[str, Recall]:
    """All that was measured, by language. Raises `IdentifierError`."""
    other = os.environ.get(ENVIRONMENT)
    return _read_recalls(Path(f"{other}.recall.tsv") if other else RECALL)


@cache
def _read_recalls(path: Path) -> dict[str, Recall]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [
                Recall(
                    language=row["language"],
                    tested_on=row["tested_on"],
                    segments=int(row["segments"]),
                    recall=float(row["recall"]),
                    precision=float(row["precision"]) if row["precision"] else None,
                    trained_on=row["trained_on"],
                    confused=tuple(row["confused"].split()),
                )
                for row in csv.DictReader(lines, delimiter="\t")
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise IdentifierError(
            f"{path} is no table of recall ({error}): measure with python -m languages.identifier_build --data DIR "
            "--measure"
        ) from error
    return {row.language: row for row in rows}
