"""chrF of every hypothesis with every reference on the CPU, compiled, by an index from n-grams to references.

A hypothesis meets only the references that share an n-gram with it, and no text is taken apart twice: the work is
that of the matches themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.chrf_cpu import PUNCTUATION, intern, strip, word_spans
from kernels.compiled import compiled
from kernels.ngrams import slot, table_bits
from kernels.parallel import for_blocks
from kernels.text import WHITE, Units

WORK_OF_ROW = 64
"""A hypothesis against a tile of references is as much work as this many pairs of a corpus; for sharing out threads."""

_USED = np.uint64(1 << 63)


def scores(
    hyp: Units, ref: Units, char_order: int, word_order: int, whitespace: bool, factor: float
) -> NDArray[np.float64]:
    """Sentence chrF, shape (hypotheses, references), equal to `Chrf.segment_scores` bit by bit.

    `factor` is beta squared. Both sides are `Units.wide()`; the index that they are held as takes some 200 bytes a
    character of the references, so large corpora are scored in tiles.
    """
    result = np.empty((len(hyp), len(ref)), dtype=np.float64)
    if not result.size:
        return result
    index = _Index(hyp, ref)
    if char_order:
        index.add(_characters(hyp, whitespace), _characters(ref, whitespace), char_order)
    if word_order:
        index.add(*_split(hyp, ref), word_order)
    arrays = index.arrays()
    squared = float(factor)

    def work(part: slice) -> None:
        first, last = (-(-edge // WORK_OF_ROW) for edge in (part.start, part.stop))
        _rows(first, last, arrays, squared, result)

    for_blocks(len(hyp) * WORK_OF_ROW, work)
    return result


Sequences = tuple[NDArray[np.uint32], NDArray[np.int64]]
"""Symbols, and the offsets at which each text's begin."""


class _Index:
    """N-grams of all orders, numbered through: which references have each how often, and where the hypotheses do."""

    def __init__(self, hyp: Units, ref: Units) -> None:
        self._shape = len(hyp), len(ref)
        self._grams = 0
        self._postings = 0
        self._starts: list[NDArray[np.int64]] = []
        self._texts: list[NDArray[np.int32]] = []
        self._counts: list[NDArray[np.int32]] = []
        self._names: list[NDArray[np.int32]] = []
        self._offsets: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []

    def add(self, hyp: Sequences, ref: Sequences, orders: int) -> None:
        """Orders 1 to `orders` of one kind of symbol."""
        hyp_names, ref_names = np.zeros(len(hyp[0]), np.int32), np.zeros(len(ref[0]), np.int32)
        for order in range(1, orders + 1):
            grams = _name(*ref, ref_names, *hyp, hyp_names, order)
            starts, texts, counts = _posted(ref[1], ref_names, order, grams)
            self._starts.append(starts[:-1] + self._postings)
            self._texts.append(texts)
            self._counts.append(counts)
            self._names.append(np.where(hyp_names < 0, np.int32(-1), hyp_names + np.int32(self._grams)))
            self._offsets.append(np.stack([hyp[1][:-1], np.maximum(hyp[1][1:] - order + 1, hyp[1][:-1])]))
            self._lengths.append(np.maximum(np.diff(ref[1]) - order + 1, 0))
            self._grams += grams
            self._postings += len(texts)

    def arrays(self) -> tuple[Any, ...]:
        """For `_rows`: of the hypotheses n-grams by order and where each text's begin and end, then the index."""
        names = np.full((len(self._names), max(map(len, self._names)) + 1), -1, dtype=np.int32)
        for row, found in zip(names, self._names, strict=True):
            row[: len(found)] = found
        starts = np.append(np.concatenate(self._starts), self._postings)
        return (
            names, np.stack(self._offsets), np.stack(self._lengths), starts, np.concatenate(self._texts),
            np.concatenate(self._counts),
        )  # fmt: skip


def _characters(text: Units, whitespace: bool) -> Sequences:
    symbols, offsets = np.empty(len(text.units), np.uint32), np.zeros(len(text) + 1, np.int64)
    _strip_all(text.units, text.offsets, WHITE, whitespace, symbols, offsets)
    return symbols[: offsets[-1]], offsets


@compiled
def _strip_all(units: Any, starts: Any, white: Any, whitespace: bool, symbols: Any, offsets: Any) -> None:
    for i in range(len(starts) - 1):
        kept = strip(units, starts[i], starts[i + 1], white, whitespace, symbols[offsets[i] :])
        offsets[i + 1] = offsets[i] + kept


def _split(hyp: Units, ref: Units) -> tuple[Sequences, Sequences]:
    """Words as ids that mean the same on both sides."""
    hyp_spans, hyp_offsets = np.empty(2 * len(hyp.units) + 4, np.int64), np.zeros(len(hyp) + 1, np.int64)
    ref_spans, ref_offsets = np.empty(2 * len(ref.units) + 4, np.int64), np.zeros(len(ref) + 1, np.int64)
    _spans(hyp.units, hyp.offsets, WHITE, PUNCTUATION, hyp_spans, hyp_offsets)
    _spans(ref.units, ref.offsets, WHITE, PUNCTUATION, ref_spans, ref_offsets)
    hyps, refs = int(hyp_offsets[-1]), int(ref_offsets[-1])
    size = 1 << table_bits(refs)
    hyp_ids, ref_ids = np.empty(hyps, np.uint32), np.empty(refs, np.uint32)
    table, names = np.empty(size, np.uint64), np.empty(size, np.int32)
    intern(ref.units, ref_spans, refs, hyp.units, hyp_spans, hyps, table, names, ref_ids, hyp_ids)
    return (hyp_ids, hyp_offsets), (ref_ids, ref_offsets)


@compiled
def _spans(units: Any, starts: Any, white: Any, punctuation: Any, spans: Any, offsets: Any) -> None:
    edges = np.empty(len(units) + 2, np.int64)
    for i in range(len(starts) - 1):
        words = word_spans(units, starts[i], starts[i + 1], white, punctuation, edges, spans[2 * offsets[i] :])
        offsets[i + 1] = offsets[i] + words


@compiled
def _name(ref: Any, ref_offsets: Any, ref_names: Any, hyp: Any, hyp_offsets: Any, hyp_names: Any, order: int) -> int:
    """Replaces each position's name of order n - 1 by that of order n, 0, 1, ..., or -1 where no reference has it."""
    bits = table_bits(len(ref))
    last = np.uint64((1 << bits) - 1)
    table, values = np.zeros(1 << bits, np.uint64), np.empty(1 << bits, np.int32)
    grams = 0
    for side in range(2):
        symbols, offsets, names = (ref, ref_offsets, ref_names) if side == 0 else (hyp, hyp_offsets, hyp_names)
        for text in range(len(offsets) - 1):
            for i in range(offsets[text], offsets[text + 1] - order + 1):
                if names[i] < 0:
                    continue
                key = (np.uint64(names[i]) << np.uint64(32)) | np.uint64(symbols[i + order - 1]) | _USED
                at = np.uint64(slot(key, bits))
                while table[at] != key and table[at] != 0:
                    at = (at + np.uint64(1)) & last
                if table[at] == key:
                    names[i] = values[at]
                elif side == 1:
                    names[i] = -1
                else:
                    table[at] = key
                    values[at] = grams
                    names[i] = grams
                    grams += 1
    return grams


@compiled
def _posted(offsets: Any, names: Any, order: int, grams: int) -> Any:
    """Of each n-gram the texts that it is in, and how often: entries `starts[gram]` to `starts[gram + 1]`."""
    starts, latest = np.zeros(grams + 1, np.int64), np.full(grams, -1, np.int32)
    for text in range(len(offsets) - 1):
        for i in range(offsets[text], offsets[text + 1] - order + 1):
            if latest[names[i]] != text:
                latest[names[i]] = text
                starts[names[i] + 1] += 1
    for gram in range(grams):
        starts[gram + 1] += starts[gram]
    filled = starts[:-1].copy()
    texts, counts = np.empty(starts[-1], np.int32), np.zeros(starts[-1], np.int32)
    latest[:] = -1
    for text in range(len(offsets) - 1):
        for i in range(offsets[text], offsets[text + 1] - order + 1):
            gram = names[i]
            if latest[gram] != text:
                latest[gram] = text
                texts[filled[gram]] = text
                filled[gram] += 1
            counts[filled[gram] - 1] += 1
    return starts, texts, counts


@compiled
def _match(
    names: Any, first: int, end: int, starts: Any, texts: Any, counts: Any, seen: Any, met: Any, out: Any
) -> None:
    """Adds one text's clipped matches with every reference. `seen` is 0 for every n-gram before and after."""
    distinct = 0
    for i in range(first, end):
        gram = names[i]
        if gram >= 0:
            if seen[gram] == 0:
                met[distinct] = gram
                distinct += 1
            seen[gram] += 1
    for k in range(distinct):
        gram = met[k]
        here = seen[gram]
        seen[gram] = 0
        for posting in range(starts[gram], starts[gram + 1]):
            out[texts[posting]] += min(here, counts[posting])


@compiled
def _rows(first: int, last: int, index: Any, factor: float, scores: Any) -> None:
    """Rows `first` to `last` of the scores, every operation in sacreBLEU's order."""
    names, offsets, lengths, starts, texts, counts = index
    refs = scores.shape[1]
    seen, met = np.zeros(len(starts), np.int32), np.empty(names.shape[1], np.int32)
    matches, effective = np.empty(refs, np.int32), np.empty(refs, np.int32)
    precision, recall = np.empty(refs, np.float64), np.empty(refs, np.float64)
    for row in range(first, last):
        precision[:] = 0
        recall[:] = 0
        effective[:] = 0
        for order in range(len(names)):
            begin, end = offsets[order, 0, row], offsets[order, 1, row]
            if end <= begin:
                continue
            matches[:] = 0
            _match(names[order], begin, end, starts, texts, counts, seen, met, matches)
            grams = np.float64(end - begin)
            for ref in range(refs):
                if lengths[order, ref] > 0:
                    precision[ref] += matches[ref] / grams
                    recall[ref] += matches[ref] / np.float64(lengths[order, ref])
                    effective[ref] += 1
        for ref in range(refs):
            orders = max(effective[ref], 1)
            found, wanted = precision[ref] / orders, recall[ref] / orders
            if found + wanted > 0:
                scores[row, ref] = 100 * ((1 + factor) * found * wanted / (factor * found + wanted))
            else:
                scores[row, ref] = 0.0
