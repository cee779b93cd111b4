"""How many of the terms that a glossary requires occur in the translation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import References, Scores, Statistics, checked, ratio
from kernels.normalisation import described_case, fold, unspaced

ALTERNATIVES = "\t"
"""Between the accepted forms of one term."""
_JOINERS = "\u200c\u200d"
_STACKERS = "\u1039\u17d2"
"""Burmese and Khmer signs that put the next letter under the one before."""


class GlossaryRecall:
    """The share of required terms that occur in the hypothesis, over all segments. 0 to 1.

    Stream k of the references holds the k-th required term of every segment, None where a segment requires fewer; the
    accepted forms of one term are parted by a tab, and any of them will do. A segment that requires nothing has an
    empty term: it counts for nothing, and its own score is not a number. Both sides are case folded and in NFC, each
    run of white space one space. A form has to be a whole word, or several: no letter, mark, digit or joiner may touch
    its letters, so an inflected form has to be listed to be accepted. Where the touching letters are of a script
    written without spaces it may stand anywhere, as long as no letter is parted from its marks. `language`, an id such
    as `tur_Latn`, decides about case. Statistics: found, required.
    """

    name = "glossary_recall"
    best = 1.0
    higher_is_better = True
    binary = False
    columns = 2

    def __init__(self, language: str = "") -> None:
        self.language = language

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Each term counts once for a segment, however often it occurs there."""
        checked(hypotheses, references)
        rows = np.zeros((len(hypotheses), self.columns), dtype=np.int64)
        for i, (hypothesis, terms) in enumerate(zip(hypotheses, zip(*references, strict=True), strict=True)):
            text = self._folded(hypothesis)
            for term in terms:
                forms = [form for form in map(self._folded, (term or "").split(ALTERNATIVES)) if form]
                rows[i] += bool(forms) and any(occurs(form, text) for form in forms), bool(forms)
        return rows

    def _folded(self, text: str) -> str:
        return " ".join(fold(text, self.language).split())

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Found over required; nothing required is not a number."""
        return ratio(sums)

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's own share."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """The number of streams is not part of it: it is the most terms that a segment requires."""
        return f"{described_case(self.language)}|norm:NFC|space:collapsed|forms:tab|match:whole-words|version:1"


def occurs(form: str, text: str) -> bool:
    """Whether a form stands in a text as words of its own. Both are folded already, and the form is not empty."""
    at = text.find(form)
    while at >= 0:
        end = at + len(form)
        before, after = text[at - 1 : at] if at else "", text[end : end + 1]
        if _parts(before, form[0]) and _parts(form[-1], after):
            return True
        at = text.find(form, at + 1)
    return False


def _parts(left: str, right: str) -> bool:
    """Whether a form may begin or end between two characters, one of which is '' at the end of the text."""
    if not left or not right:
        return True
    if unicodedata.category(right).startswith("M") or right in _JOINERS or left in _STACKERS:
        return False
    if unspaced(left) or unspaced(right):
        return True
    return not (_of_word(left) and _of_word(right))


def _of_word(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character)[0] in "LMN"
