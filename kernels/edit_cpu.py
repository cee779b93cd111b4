"""Edit distance and longest common subsequence of symbol sequences, compiled, many rows of the table in one operation.

The distance is Myers' (1999) in Hyyrö's (2003) form, the subsequence Hyyrö's (2004). The rows are taken in groups, each
handing the next the step that every column makes on its last row: memory grows with the sum of the lengths, not with
their product. Of long sequences only a band around the diagonal is worked out, doubled until the distance proves to
lie inside it (Ukkonen 1985).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.chrf_cpu import intern, split_words
from kernels.compiled import compiled
from kernels.ngrams import UNKNOWN, table_bits
from kernels.text import WHITE, Units

BITS = 64
ROWS = 2 * BITS
"""The rows of one group: two words, which the processor works on at once and has registers enough for."""
UNBANDED = 4 * ROWS
"""Up to so many rows, a band that turns out too narrow costs more than it saves."""

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_NONE = np.uint64(0)
_TOP = np.uint64(BITS - 1)


def distances(hyp: Units, ref: Units, symbols: int = 0) -> NDArray[np.int64]:
    """Insertions, deletions and substitutions of each pair, shape (segments,).

    `hyp` and `ref` are of equal length, both `Units.wide()` or numbers in its place; every unit is below `symbols`,
    which is looked up where it is 0.
    """
    symbols = symbols or 1 + max(int(side.units.max(initial=0)) for side in (hyp, ref))
    found = np.empty(len(hyp), dtype=np.int64)
    _distances(hyp.units, hyp.offsets, ref.units, ref.offsets, *_work(hyp, ref, symbols), found)
    return found


def word_distances(hyp: Units, ref: Units) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distances of each pair in words, as `str.split` cuts them, and the words of the reference."""
    longest = max(1, int(np.diff(hyp.offsets).max(initial=0)), int(np.diff(ref.offsets).max(initial=0)))
    found, words = np.empty((2, len(hyp)), dtype=np.int64)
    work = _work(hyp, ref, longest + 1)
    _word_distances(hyp.units, hyp.offsets, ref.units, ref.offsets, WHITE, longest, *work, found, words)
    return found, words


def subsequences(hyp: Units, ref: Units, symbols: int) -> NDArray[np.int64]:
    """The length of the longest common subsequence of each pair, shape (segments,). Arguments as of `distances`."""
    found = np.empty(len(hyp), dtype=np.int64)
    _subsequences(hyp.units, hyp.offsets, ref.units, ref.offsets, *_work(hyp, ref, symbols), found)
    return found


def _work(hyp: Units, ref: Units, symbols: int) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    """Two words of mask for every symbol; a step for every column."""
    return np.zeros(2 * symbols, np.uint64), np.empty(max(len(hyp.units), len(ref.units)), np.int8)


@compiled
def _ones(word: Any) -> Any:
    """The bits that are set (Warren, Hacker's Delight, 5-1)."""
    word -= (word >> _ONE) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def _used(rows: int) -> Any:
    """The bits of a word's first rows, of 1 to 64."""
    return _ALL >> np.uint64(BITS - rows)


@compiled
def _mark(units: Any, first: int, last: int, masks: Any) -> None:
    """Sets the bits of the rows that hold a symbol, for every symbol of a group."""
    for row in range(last - first):
        masks[2 * np.int64(units[first + row]) + (row >> 6)] |= _ONE << np.uint64(row & 63)


@compiled
def _clear(units: Any, first: int, last: int, masks: Any) -> None:
    for row in range(first, last):
        masks[2 * np.int64(units[row])] = _NONE
        masks[2 * np.int64(units[row]) + 1] = _NONE


@compiled
def _advance(equal: Any, plus: Any, minus: Any, grows: Any, falls: Any) -> Any:
    """Takes 64 rows to the next column: the bits of the rows that are one more, and one less, than the row above.

    `equal` has the rows that hold the column's symbol; `grows` and `falls` are 1 where the row above is one more, or
    less, than in the column before, and are returned for the lowest row.
    """
    across = equal | minus
    equal |= falls
    equal = (((equal & plus) + plus) ^ plus) | equal
    up, down = minus | ~(equal | plus), plus & equal
    right = (up << _ONE) | grows
    return (down << _ONE) | falls | ~(across | right), right & across, up >> _TOP, down >> _TOP


@compiled
def _one_word(rows: int, units: Any, begin: int, end: int, masks: Any) -> Any:
    """The distance of a sequence of at most 64 rows from the columns."""
    plus, minus = _ALL, _NONE
    for column in range(begin, end):
        plus, minus, _, _ = _advance(masks[2 * np.int64(units[column])], plus, minus, _ONE, _NONE)
    return end - begin + _ones(plus & _used(rows)) - _ones(minus & _used(rows))


@compiled
def _two_words(rows: int, units: Any, begin: int, end: int, masks: Any) -> Any:
    """The distance of a sequence of 65 to 128 rows from the columns."""
    plus, minus, low_plus, low_minus = _ALL, _NONE, _ALL, _NONE
    for column in range(begin, end):
        at = 2 * np.int64(units[column])
        plus, minus, grows, falls = _advance(masks[at], plus, minus, _ONE, _NONE)
        low_plus, low_minus, _, _ = _advance(masks[at + 1], low_plus, low_minus, grows, falls)
    low = _used(rows - BITS)
    return end - begin + _ones(plus) - _ones(minus) + _ones(low_plus & low) - _ones(low_minus & low)


@compiled
def _group(rows: int, units: Any, begin: int, end: int, masks: Any, steps: Any) -> Any:
    """Runs one of several groups over columns; returns by how much the last column grows from its top to its bottom.

    `steps` holds what each column adds on the row above the group, and afterwards on the last row of a full group.
    """
    plus, minus, low_plus, low_minus = _ALL, _NONE, _ALL, _NONE
    for column in range(begin, end):
        at = 2 * np.int64(units[column])
        grows, falls = np.uint64(steps[column] > 0), np.uint64(steps[column] < 0)
        plus, minus, grows, falls = _advance(masks[at], plus, minus, grows, falls)
        low_plus, low_minus, grows, falls = _advance(masks[at + 1], low_plus, low_minus, grows, falls)
        steps[column] = np.int64(grows) - np.int64(falls)
    high = _used(min(rows, BITS))
    growth = _ones(plus & high) - _ones(minus & high)
    if rows > BITS:
        low = _used(rows - BITS)
        growth += _ones(low_plus & low) - _ones(low_minus & low)
    return growth


@compiled
def _banded(
    one: Any, first: int, last: int, other: Any, begin: int, end: int, band: int, masks: Any, steps: Any
) -> Any:
    """The distance if it is at most `band`, else a number above `band`. There are no more rows than columns.

    Of each group only the columns within `band` of its rows count. What lies outside is taken as if every step there
    cost one, which is never too little; an alignment that costs at most `band` never goes there.
    """
    corner = 0  # the distance on the row above the group, left of the group's first column
    left = filled = begin
    top = first
    while True:
        rows = min(ROWS, last - top)
        reach = min(end, begin + top - first + rows + band)
        for column in range(filled, reach):
            steps[column] = 1
        filled = reach
        start = max(begin, begin + top - first - band)
        for column in range(left, start):
            corner += steps[column]
        left = start
        above = 0
        if top + rows == last:
            for column in range(left, reach):
                above += steps[column]
        _mark(one, top, top + rows, masks)
        growth = _group(rows, other, left, reach, masks, steps)
        _clear(one, top, top + rows, masks)
        if top + rows == last:
            return corner + above + growth + end - reach
        corner += rows
        top += rows


@compiled
def _rows_first(one: Any, first: int, last: int, other: Any, begin: int, end: int, masks: Any, steps: Any) -> Any:
    """The distance of two sequences, the first no longer than the second."""
    rows, columns = last - first, end - begin
    if rows == 0:
        return columns
    if rows <= ROWS:
        _mark(one, first, last, masks)
        if rows <= BITS:
            found = _one_word(rows, other, begin, end, masks)
        else:
            found = _two_words(rows, other, begin, end, masks)
        _clear(one, first, last, masks)
        return found
    band = columns if rows <= UNBANDED else max(ROWS, columns - rows)
    while True:
        found = _banded(one, first, last, other, begin, end, band, masks, steps)
        if found <= band:
            return found
        band *= 2


@compiled
def _distance(one: Any, first: int, last: int, other: Any, begin: int, end: int, masks: Any, steps: Any) -> Any:
    """The distance of two spans; what both begin and end with costs nothing."""
    while first < last and begin < end and one[first] == other[begin]:
        first += 1
        begin += 1
    while first < last and begin < end and one[last - 1] == other[end - 1]:
        last -= 1
        end -= 1
    if last - first <= end - begin:
        return _rows_first(one, first, last, other, begin, end, masks, steps)
    return _rows_first(other, begin, end, one, first, last, masks, steps)


@compiled
def _distances(hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, masks: Any, steps: Any, found: Any) -> None:
    for i in range(len(found)):
        found[i] = _distance(
            hyp, hyp_offsets[i], hyp_offsets[i + 1], ref, ref_offsets[i], ref_offsets[i + 1], masks, steps
        )


@compiled
def _common(one: Any, first: int, last: int, other: Any, begin: int, end: int, masks: Any, carries: Any) -> int:
    """The length of the longest common subsequence, 64 rows at a time; `carries` hands them on, a bit a column."""
    common = 0
    for column in range(begin, end):
        carries[column] = 0
    for top in range(first, last, BITS):
        rows = min(BITS, last - top)
        _mark(one, top, top + rows, masks)
        left = _ALL
        for column in range(begin, end):
            equal = masks[2 * np.int64(other[column])]
            total = left + (left & equal)
            over = np.int64(total < left)
            total += np.uint64(carries[column])
            carries[column] = over | np.int64(total < np.uint64(carries[column]))
            left = total | (left & ~equal)
        _clear(one, top, top + rows, masks)
        common += rows - _ones(left & _used(rows))
    return common


@compiled
def _subsequences(hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, masks: Any, steps: Any, found: Any) -> None:
    for i in range(len(found)):
        found[i] = _common(
            hyp, hyp_offsets[i], hyp_offsets[i + 1], ref, ref_offsets[i], ref_offsets[i + 1], masks, steps
        )


@compiled
def _word_distances(
    hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, white: Any, longest: int, masks: Any, steps: Any,
    found: Any, ref_words: Any,
) -> None:  # fmt: skip
    size = 1 << table_bits(longest)
    table, names = np.empty(size, np.uint64), np.empty(size, np.int32)
    hyp_spans, ref_spans = np.empty(2 * longest, np.int64), np.empty(2 * longest, np.int64)
    hyp_ids, ref_ids = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    for i in range(len(found)):
        hyps = split_words(hyp, hyp_offsets[i], hyp_offsets[i + 1], white, hyp_spans)
        refs = split_words(ref, ref_offsets[i], ref_offsets[i + 1], white, ref_spans)
        intern(ref, ref_spans, refs, hyp, hyp_spans, hyps, table, names, ref_ids, hyp_ids)
        for word in range(hyps):
            if hyp_ids[word] == UNKNOWN:
                hyp_ids[word] = refs  # an id that no word of the reference has
        found[i] = _distance(hyp_ids, 0, hyps, ref_ids, 0, refs, masks, steps)
        ref_words[i] = refs
