"""Character and word error rate: edits over the length of the reference, and the plain distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kernels import edit_cpu
from kernels.base import Backend, References, Scores, Statistics, checked, on_cpu_only
from kernels.normalisation import grapheme_source, graphemes
from kernels.numbering import Numbering
from kernels.parallel import for_blocks
from kernels.text import Text

Unit = Literal["character", "grapheme", "word"]
_NAMES = {"character": "CER", "grapheme": "CER-grapheme", "word": "WER"}


class EditRate:
    """Insertions, deletions and substitutions for each unit of the reference, times 100: 0 is best, over 100 possible.

    `character` compares code points, `grapheme` extended grapheme clusters (UAX #29), `word` what `str.split` parts.
    The text is compared as it is: nothing is stripped or normalised, and in the first two white space counts as any
    other character. Statistics: edits, units of the reference. There is compiled code for the processor only, which
    `backend` may name. Raises `ValueError` for a unit or a backend there is not. Time grows with the product of the
    lengths of two lines that are unlike: those of a megabyte take minutes.
    """

    best = 0.0
    higher_is_better = False
    binary = False
    columns = 2

    def __init__(self, unit: Unit, *, lowercase: bool = False, backend: Backend = "auto") -> None:
        if unit not in _NAMES:
            raise ValueError(f"unknown unit {unit!r}; known are {', '.join(get_args(Unit))}")
        on_cpu_only("an edit distance", backend)
        self.unit = unit
        self.lowercase = lowercase
        self.backend = backend
        self.name = _NAMES[unit]

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of several references the one with the lowest rate counts, the first of equals.

        A rate against an empty reference is 0 for an empty hypothesis and above every other for any other.
        """
        written, streams = checked(hypotheses, references)
        if self.lowercase:
            written, streams = written.lower, [stream.lower for stream in streams]
        rows = np.empty((len(written), self.columns), dtype=np.int64)

        def work(block: slice) -> None:
            rows[block] = self._block(written[block], [stream[block] for stream in streams])

        for_blocks(len(written), work)
        return rows

    def _block(self, written: Text, streams: Sequence[Text]) -> Statistics:
        best = _edits(written, streams[0], self.unit)
        if len(streams) == 1:
            return best
        lowest = np.where(streams[0].present, _rates(best), np.inf)
        chosen = streams[0].present.copy()
        for stream in streams[1:]:
            rows = _edits(written, stream, self.unit)
            rates = _rates(rows)
            better = stream.present & (~chosen | (rates < lowest))
            best[better], lowest[better] = rows[better], rates[better]
            chosen |= better
        return best

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Edits over reference units, times 100; over no units 0 without edits and 100 with any, as sacreBLEU's TER."""
        edits, units = np.asarray(sums, dtype=np.float64).T
        scores: Scores = np.where(units > 0, 100 * edits / np.where(units > 0, units, 1), 100.0 * (edits > 0))
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's score has the same formula as the corpus's."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """What is compared. Grapheme clusters are those of the installed `regex` package."""
        unit = {"character": "codepoints", "word": "whitespace-words"}.get(self.unit) or grapheme_source()
        return "|".join(
            (
                f"nrefs:{'var' if references == -1 else references}",
                f"case:{'lc' if self.lowercase else 'mixed'}",
                f"unit:{unit}",
                "norm:none",
                f"space:{'no' if self.unit == 'word' else 'yes'}",
                "version:1",
            )
        )


def edit_distance(hypotheses: Sequence[str], references: Sequence[str], unit: Unit = "character") -> NDArray[np.int64]:
    """The Levenshtein distance of each hypothesis and the reference in its place, shape (segments,).

    Units as `EditRate` has them. Raises `ValueError` for sequences of unequal length and for an unknown unit.
    """
    return EditRate(unit).statistics(hypotheses, [references])[:, 0]


def _rates(rows: Statistics) -> NDArray[np.float64]:
    edits, units = rows.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(edits > 0, edits / units, 0.0)


def _edits(written: Text, stream: Text, unit: Unit) -> Statistics:
    """Distances and reference lengths, shape (segments, 2)."""
    if unit == "word":
        return np.stack(edit_cpu.word_distances(written.units.wide(), stream.units.wide()), axis=1)
    if unit == "character":
        units = stream.units.wide()
        found = edit_cpu.distances(written.units.wide(), units)
    else:
        numbers = Numbering()
        hypothesis = numbers.units(graphemes(text or "") for text in written)
        units = numbers.units(graphemes(text or "") for text in stream)
        found = edit_cpu.distances(hypothesis, units, len(numbers))
    return np.stack((found, np.diff(units.offsets)), axis=1)
