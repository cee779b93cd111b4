"""Translation edit rate (Snover et al. 2006), compiled: Tercom's greedy shifts as sacreBLEU has them, edit for edit.

A hypothesis becomes its reference by insertions, deletions, substitutions and shifts of whole phrases, each one edit.
Shifts are found greedily: of all phrases that also stand elsewhere in the reference, the one whose move saves most.
Every candidate needs an edit distance, which sacreBLEU finds from the first word that the shift changed; here the
costs from each cell to the end are known too, so a candidate costs only the rows between its first and its last
changed word. That is exact: a path that is cheapest from corner to corner is the cheapest to a row and from it.

The distance is a beam search: only some `2 * BEAM` cells of a row are looked at, and only those are stored. The memory
for a pair is thus about `8 * (2 * BEAM + 2)` bytes a word of the hypothesis, plus 16 a word of a reference that is
much longer, and grows with the lengths, not with their product: two lines of 10,000 words take less than 5 MB, where
the two matrices in full would take 800.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.chrf_cpu import intern, split_words
from kernels.compiled import compiled
from kernels.ngrams import table_bits
from kernels.text import WHITE, Units

BEAM = 25
SHIFT_SIZE = 10
SHIFT_DISTANCE = 50
CANDIDATES = 1000
"""sacreBLEU's own limit for a segment: where it is reached, the shift then being looked for is not made."""
INFINITE = 1 << 29
"""The cost of a cell outside the beam: above any length, and far enough from overflow to count on from."""


class Pair(NamedTuple):
    """What the search for one pair works on. Row i is about the first i words of the hypothesis.

    `words` are the hypothesis's ids in their present order, from 0; `ref` the reference's, from 1, so that a cell's
    word has its column's number. Row i of `behind` (cost from the start) and `ahead` (to the end) is stored from
    `i * stride` on: one cell outside the beam, then columns `low[i]` to `high[i] - 1`, then cells outside again.
    `align[j]` is the word that reference word j (from 0) is aligned with, -1 for before all of them.
    """

    hyps: int
    refs: int
    stride: int
    words: Any
    ref: Any
    low: Any
    high: Any
    behind: Any
    ahead: Any
    align: Any
    hyp_wrong: Any
    ref_wrong: Any
    spare: Any
    best: Any


def edits(hyp: Units, ref: Units) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edits and the words of the reference for each pair, both of shape (segments,).

    Words are what white space parts. `hyp` and `ref` are of equal length; both are `Units.wide()`.
    """
    found, lengths = np.zeros((2, len(hyp)), dtype=np.int64)
    _pairs(hyp.units, hyp.offsets, ref.units, ref.offsets, WHITE, found, lengths)
    return found, lengths


@compiled
def _beam(hyps: int, refs: int, low: Any, high: Any) -> Any:
    """The columns that are looked at in each row; returns how many cells a stored row needs.

    Row 0 is what every path starts from and known without being stored: only what row 1 reads of it is.
    """
    ratio = refs / hyps
    width = BEAM
    if ratio / 2 > BEAM:
        width = math.ceil(ratio / 2 + BEAM)
    for i in range(1, hyps + 1):
        middle = math.floor(i * ratio)
        low[i] = max(0, middle - width)
        high[i] = min(refs + 1, middle + width)
    high[hyps] = refs + 1
    low[0], high[0] = max(0, low[1] - 1), high[1]
    widest = high[hyps] - low[hyps]
    for i in range(hyps):
        widest = max(widest, high[i + 1] - low[i])
    return widest + 2


@compiled
def _row(word: Any, ref: Any, above: Any, at: int, here: Any, to: int, low: int, high: int, until: int) -> None:
    """One row of costs from the start.

    `at` is where `above` holds column `low - 1`, `to` where `here` takes it; up to column `until` the row after this
    one reads what lies outside the beam.
    """
    here[to] = INFINITE
    left, diagonal = INFINITE, above[at]
    for j in range(low, high):
        at += 1
        to += 1
        up = above[at]
        left = min(diagonal + (word != ref[j]), up + 1, left + 1)
        here[to] = left
        diagonal = up
    for _ in range(high, until):
        to += 1
        here[to] = INFINITE


@compiled
def _forward(pair: Any, first: int) -> Any:
    """Costs from the start, from row `first` (at least 1) on; returns the edit distance."""
    low, high, stride = pair.low, pair.high, pair.stride
    for i in range(first, pair.hyps + 1):
        above = (i - 1) * stride + low[i] - low[i - 1]
        until = high[min(i + 1, pair.hyps)]
        _row(pair.words[i - 1], pair.ref, pair.behind, above, pair.behind, i * stride, low[i], high[i], until)
    return pair.behind[pair.hyps * stride + 1 + pair.refs - low[pair.hyps]]


@compiled
def _backward(pair: Any, last: int) -> None:
    """Costs to the end, from row `last` (below the last row) back to row 1."""
    ref, low, high, ahead = pair.ref, pair.low, pair.high, pair.ahead
    for i in range(last, 0, -1):
        word = pair.words[i]
        to = i * pair.stride + 1 + high[i] - low[i]
        below = (i + 1) * pair.stride + 1 + high[i] - low[i + 1]
        shared = max(low[i], low[i + 1] - 1)
        right, diagonal = INFINITE, ahead[below]
        ahead[to] = INFINITE
        ahead[i * pair.stride] = INFINITE
        for j in range(high[i] - 1, shared - 1, -1):
            below -= 1
            to -= 1
            down = ahead[below]
            # Column 0 of the text after the last word is never read: there the diagonal is outside the beam.
            right = min(diagonal + (word != ref[j + 1]), down + 1, right + 1)
            ahead[to] = right
            diagonal = down
        for _ in range(low[i], shared):
            right += 1
            to -= 1
            ahead[to] = right


@compiled
def _start(pair: Any) -> Any:
    """Fills both matrices; returns the edit distance before any shift."""
    hyps, refs, low = pair.hyps, pair.refs, pair.low
    pair.behind[0] = INFINITE
    for j in range(low[0], pair.high[0]):
        pair.behind[1 + j - low[0]] = j
    last = hyps * pair.stride
    pair.ahead[last] = INFINITE
    for j in range(low[hyps], refs + 1):
        pair.ahead[last + 1 + j - low[hyps]] = refs - j
    pair.ahead[last + 2 + refs - low[hyps]] = INFINITE
    _backward(pair, hyps - 1)
    return _forward(pair, 1)


@compiled
def _trace(pair: Any) -> None:
    """The cheapest path, from its end: a word kept or replaced before one left out before one put in."""
    behind, low, stride = pair.behind, pair.low, pair.stride
    i, j = pair.hyps, pair.refs
    while i > 0:
        cost = behind[i * stride + 1 + j - low[i]]
        above = (i - 1) * stride + 1 + j - low[i - 1]
        wrong = j == 0 or pair.words[i - 1] != pair.ref[j]
        if cost == behind[above - 1] + wrong:
            i -= 1
            j -= 1
            pair.align[j], pair.ref_wrong[j], pair.hyp_wrong[i] = i, wrong, wrong
        elif cost == behind[above] + 1:
            i -= 1
            pair.hyp_wrong[i] = 1
        else:
            j -= 1
            pair.align[j], pair.ref_wrong[j] = i - 1, 1
    for k in range(j):
        pair.align[k], pair.ref_wrong[k] = -1, 1


@compiled
def _changed(hyps: int, start: int, length: int, target: int) -> Any:
    """A shift turns words `first` to `last - 1` round: those from `pivot` on come first. Returns the three numbers.

    A target within the phrase moves it on by as many words as the target lies from its start, as in sacreBLEU.
    """
    if target < start:
        return target, start, start + length
    if target > start + length:
        return start, start + length, target
    return start, start + length, min(hyps, length + target)


@compiled
def _turned(words: Any, first: int, pivot: int, last: int, i: int) -> Any:
    """The word at `i` after the turn."""
    at = i - first + pivot
    return words[at] if at < last else words[at - last + first]


@compiled
def _cost(pair: Any, first: int, pivot: int, last: int) -> int:
    """The edit distance with words `first` to `last - 1` turned round at `pivot`."""
    words, low, high, stride, spare = pair.words, pair.low, pair.high, pair.stride, pair.spare
    start, end = first, last
    while start < end and _turned(words, first, pivot, last, start) == words[start]:
        start += 1
    while end > start and _turned(words, first, pivot, last, end - 1) == words[end - 1]:
        end -= 1
    above, at = pair.behind, start * stride
    for i in range(start + 1, end + 1):
        word = _turned(words, first, pivot, last, i - 1)
        to = stride * (i & 1)
        until = high[min(i + 1, pair.hyps)]
        _row(word, pair.ref, above, at + low[i] - low[i - 1], spare, to, low[i], high[i], until)
        above, at = spare, to
    cheapest = INFINITE
    apart = end * stride - at
    for k in range(at + 1, at + 1 + high[end] - low[end]):
        cheapest = min(cheapest, above[k] + pair.ahead[apart + k])
    return cheapest


@compiled
def _try(pair: Any, before: int, start: int, start_ref: int, length: int) -> int:
    """Tries to shift one phrase to before, or to after any word of, its match; returns how many places there were.

    `pair.best` keeps what saves most, of equals the longer, then the earlier phrase, then the earlier place. A shift
    that saves nothing is never made, so it is not kept either.
    """
    best = pair.best
    tried = 0
    previous = -1
    for offset in range(-1, length):
        target = pair.align[start_ref + offset] + 1 if start_ref + offset >= 0 else 0
        if target == previous:
            continue
        previous = target
        tried += 1
        first, pivot, last = _changed(pair.hyps, start, length, target)
        saved = before - _cost(pair, first, pivot, last) if last > pivot else 0
        if saved > 0 and (saved, length, -start, -target) > (best[0], best[1], -best[2], -best[3]):
            best[0], best[1], best[2], best[3] = saved, length, start, target
    return tried


@compiled
def _search(pair: Any, before: int, tried: int) -> int:
    """Looks for the best shift of all; returns how many candidates the segment has had by now."""
    words, ref = pair.words, pair.ref
    pair.best[0] = 0
    for start in range(pair.hyps):
        for start_ref in range(max(0, start - SHIFT_DISTANCE), min(pair.refs, start + SHIFT_DISTANCE + 1)):
            most = min(SHIFT_SIZE, pair.hyps - start, pair.refs - start_ref)
            length = hyp_wrong = ref_wrong = 0
            while length < most and words[start + length] == ref[start_ref + length + 1]:
                hyp_wrong += pair.hyp_wrong[start + length]
                ref_wrong += pair.ref_wrong[start_ref + length]
                length += 1
                if hyp_wrong == 0 or ref_wrong == 0 or start <= pair.align[start_ref] < start + length:
                    continue
                tried += _try(pair, before, start, start_ref, length)
                if tried >= CANDIDATES:
                    return tried
    return tried


@compiled
def _shift(pair: Any, turned: Any) -> Any:
    """Makes the best shift; returns the edit distance after it."""
    words = pair.words
    first, pivot, last = _changed(pair.hyps, pair.best[2], pair.best[1], pair.best[3])
    for i in range(first, last):
        turned[i] = _turned(words, first, pivot, last, i)
    for i in range(first, last):
        words[i] = turned[i]
    _backward(pair, last - 1)
    return _forward(pair, first + 1)


@compiled
def _edits(pair: Any, turned: Any) -> Any:
    distance = _start(pair)
    shifts = tried = 0
    while distance > 0:
        _trace(pair)
        tried = _search(pair, distance, tried)
        if tried >= CANDIDATES or pair.best[0] <= 0:
            break
        shifts += 1
        distance = _shift(pair, turned)
    return shifts + distance


@compiled
def _pairs(hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, white: Any, found: Any, lengths: Any) -> None:
    longest = 1
    for i in range(len(found)):
        longest = max(longest, hyp_offsets[i + 1] - hyp_offsets[i], ref_offsets[i + 1] - ref_offsets[i])
    longest = longest // 2 + 1  # words, not code points, from here on
    table, names = np.empty(0, np.uint64), np.empty(0, np.int32)
    hyp_spans, ref_spans = np.empty(2 * longest, np.int64), np.empty(2 * longest, np.int64)
    words, turned = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    ref_ids = np.empty(longest + 2, np.uint32)
    low, high, align = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64), np.empty(longest, np.int64)
    hyp_wrong, ref_wrong, best = np.empty(longest, np.int64), np.empty(longest, np.int64), np.zeros(4, np.int64)
    behind, ahead, spare = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int32)
    for i in range(len(found)):
        hyps = split_words(hyp, hyp_offsets[i], hyp_offsets[i + 1], white, hyp_spans)
        refs = split_words(ref, ref_offsets[i], ref_offsets[i + 1], white, ref_spans)
        lengths[i] = refs
        found[i] = max(hyps, refs)
        if hyps == 0 or refs == 0:
            continue
        size = 1 << table_bits(refs)
        if size > len(table):
            table, names = np.empty(size, np.uint64), np.empty(size, np.int32)
        intern(ref, ref_spans, refs, hyp, hyp_spans, hyps, table, names, ref_ids[1:], words)
        stride = _beam(hyps, refs, low, high)
        if (hyps + 1) * stride > len(behind):
            behind, ahead = np.empty((hyps + 1) * stride, np.int32), np.empty((hyps + 1) * stride, np.int32)
        if 2 * stride > len(spare):
            spare = np.empty(2 * stride, np.int32)
        pair = Pair(
            hyps, refs, stride, words, ref_ids, low, high, behind, ahead, align, hyp_wrong, ref_wrong, spare, best
        )
        found[i] = _edits(pair, turned)
