"""The counts behind chrF and chrF++ (Popović 2015, 2017), compiled; equal to sacreBLEU's integer for integer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import compiled
from kernels.ngrams import (
    ABSENT,
    BITS,
    PACKED_LENGTH,
    PACKED_ORDER,
    PACKED_SYMBOLS,
    SMALL,
    UNKNOWN,
    chained,
    pack_words,
    packed,
    slot,
    table_bits,
)
from kernels.text import BEYOND, WHITE, Units

ASCII = 128
PUNCTUATION = np.zeros(ASCII + 1, dtype=np.bool_)  # the last entry stands for everything beyond
PUNCTUATION[[ord(mark) for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]] = True


def counts(hyp: Units, ref: Units, char_order: int, word_order: int, whitespace: bool) -> NDArray[np.int64]:
    """Of each pair, order by order, the n-grams of the hypothesis, of the reference, and in both.

    Shape (segments, 3 * (char_order + word_order)). With no reference n-gram of an order the hypothesis has 0 as well,
    as in sacreBLEU. `hyp` and `ref` are of equal length, below 2**23; both are `Units.wide()`.
    """
    matches = np.zeros((len(hyp), char_order + word_order), dtype=np.int32)
    lengths = np.zeros((len(hyp), 4), dtype=np.int64)
    highest = max(int(side.units.max(initial=0)) for side in (hyp, ref))
    _pairs(
        hyp.units, hyp.offsets, ref.units, ref.offsets, char_order, word_order, whitespace,
        WHITE, PUNCTUATION, np.zeros(highest + 1, np.int32), matches, lengths,
    )  # fmt: skip
    statistics: NDArray[np.int64] = columns(matches, lengths, char_order, word_order)
    return statistics


def columns(matches: Any, lengths: Any, char_order: int, word_order: int, xp: Any = np) -> Any:
    """Statistics from matches (segments x orders) and lengths: characters of both sides, words of both sides."""
    statistics = xp.empty((len(matches), char_order + word_order, 3), dtype=xp.int64)
    statistics[:, :, 2] = matches
    for order in range(char_order + word_order):
        side, shorter = (0, order) if order < char_order else (2, order - char_order)
        reference = xp.maximum(lengths[:, side + 1] - shorter, 0)
        statistics[:, order, 0] = xp.where(reference > 0, xp.maximum(lengths[:, side] - shorter, 0), 0)
        statistics[:, order, 1] = reference
    return statistics.reshape(len(matches), -1)


@compiled
def strip(units: Any, start: int, end: int, white: Any, keep: bool, out: Any) -> int:
    """Copies the code points that are no white space, or with `keep` all of them; returns how many."""
    length = 0
    for i in range(start, end):
        unit = units[i]
        out[length] = unit  # overwritten by the next where it is white space: no branch to guess
        length += keep or not white[min(unit, np.uint32(BEYOND))]
    return length


@compiled
def _number(units: Any, count: int, seen: Any, turn: int) -> Any:
    """Gives the distinct symbols the ids 1, 2, ...; returns how many, or one too many and stops.

    `seen[symbol]` is turn * 2**8 + id; a larger id would run into the next turn.
    """
    symbols: Any = 0
    for i in range(count):
        unit = units[i]
        entry = seen[unit]
        fresh = np.int32(entry >> BITS != turn)  # without a branch, as everywhere here
        symbols += fresh
        seen[unit] = entry + fresh * (np.int32((turn << BITS) + symbols) - entry)
        if symbols > PACKED_SYMBOLS:
            break
    return symbols


@compiled
def _pack(units: Any, count: int, seen: Any, turn: int, keys: Any) -> None:
    """`keys[i]` holds symbols i to i+5 in 48 bits, the first lowest: an n-gram is its lowest 8 n bits."""
    full = np.uint64((1 << (BITS * PACKED_ORDER)) - 1)
    key = np.uint64(0)
    for i in range(count - 1, -1, -1):
        entry = seen[units[i]]
        symbol = np.uint64(entry & ABSENT) if entry >> BITS == turn else np.uint64(ABSENT)
        key = ((key << np.uint64(BITS)) | symbol) & full
        keys[i] = key


@compiled
def word_spans(units: Any, start: int, end: int, white: Any, punctuation: Any, edges: Any, spans: Any) -> Any:
    """Word spans, one ASCII punctuation mark split off a word of two or more: the last one first (Popović's rule).

    Work array: `edges` (int64), two longer than the text; `spans` is twice as long as the text and four more. What is
    written and not counted is overwritten: a branch for each word would be guessed wrong every other time.
    """
    count: Any = 0
    before = True
    for i in range(start, end):
        space = white[min(units[i], np.uint32(BEYOND))]
        edges[count] = i
        count += np.int64(space != before)
        before = space
    edges[count] = end
    words: Any = 0
    for word in range((count + 1) // 2):
        first, last = edges[2 * word], edges[2 * word + 1]
        tail = punctuation[min(units[last - 1], np.uint32(ASCII))]
        split = (last - first > 1) & (tail | punctuation[min(units[first], np.uint32(ASCII))])
        cut = last - 1 if tail else first + 1
        spans[2 * words] = first
        spans[2 * words + 1] = cut if split else last
        spans[2 * words + 2] = cut
        spans[2 * words + 3] = last
        words += 1 + np.int64(split)
    return words


@compiled
def split_words(units: Any, start: int, end: int, white: Any, spans: Any) -> int:
    """Where words begin and end, as `str.split` cuts them; returns how many there are."""
    words = 0
    i = start
    while i < end:
        while i < end and units[i] <= 0x3000 and white[units[i]]:
            i += 1
        if i >= end:
            break
        spans[2 * words] = i
        while i < end and (units[i] > 0x3000 or not white[units[i]]):
            i += 1
        spans[2 * words + 1] = i
        words += 1
    return words


@compiled
def hash_span(units: Any, start: int, end: int) -> Any:
    """FNV-1a over code points; only says where to look."""
    key = np.uint64(1469598103934665603)
    for i in range(start, end):
        key = (key ^ np.uint64(units[i])) * np.uint64(1099511628211)
    return key


@compiled
def _same(one: Any, first: int, length: int, other: Any, second: int) -> bool:
    i = 0
    while i < length and one[first + i] == other[second + i]:
        i += 1
    return i == length


@compiled
def intern(
    ref: Any, ref_spans: Any, refs: int, hyp: Any, hyp_spans: Any, hyps: int, table: Any, names: Any, rid: Any, hid: Any
) -> None:
    """Ids of words: that of the reference's first equal word, compared character by character, or `UNKNOWN`."""
    bits = table_bits(refs)
    last = np.uint64((1 << bits) - 1)
    for i in range(1 << bits):
        names[i] = -1
    for side in range(2):
        units, spans, count = (ref, ref_spans, refs) if side == 0 else (hyp, hyp_spans, hyps)
        for i in range(count):
            start, length = spans[2 * i], spans[2 * i + 1] - spans[2 * i]
            key = hash_span(units, start, start + length)
            at = slot(key, bits)
            found = -1
            while names[at] >= 0 and found < 0:
                other = names[at]
                at_other = ref_spans[2 * other]
                if (
                    table[at] == key
                    and ref_spans[2 * other + 1] - at_other == length
                    and _same(units, start, length, ref, at_other)
                ):
                    found = other
                at = (at + np.uint64(1)) & last
            if side == 1:
                hid[i] = UNKNOWN if found < 0 else np.uint32(found)
            elif found >= 0:
                rid[i] = found
            else:
                names[at] = i
                table[at] = key
                rid[i] = i


@compiled
def _pairs(
    hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, char_order: int, word_order: int, whitespace: bool,
    white: Any, punctuation: Any, seen: Any, matches: Any, lengths: Any,
) -> None:  # fmt: skip
    longest = 1
    for i in range(len(matches)):
        longest = max(longest, hyp_offsets[i + 1] - hyp_offsets[i], ref_offsets[i + 1] - ref_offsets[i])
    size = 1 << table_bits(longest)
    small = np.empty(SMALL, np.uint16)
    hyp_ids, ref_ids = np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    hyp_keys, ref_keys = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    hyp_names, ref_names = np.empty(longest, np.int32), np.empty(longest, np.int32)
    alive = np.empty(longest, np.uint32)
    hyp_spans, ref_spans = np.empty(2 * longest + 4, np.int64), np.empty(2 * longest + 4, np.int64)
    edges = np.empty(longest + 2, np.int64)
    table, counted, names = np.empty(size, np.uint64), np.zeros(size, np.int32), np.empty(size, np.int32)
    for i in range(len(matches)):
        h0, h1, r0, r1 = hyp_offsets[i], hyp_offsets[i + 1], ref_offsets[i], ref_offsets[i + 1]
        if char_order > 0:
            hyps = strip(hyp, h0, h1, white, whitespace, hyp_ids)
            refs = strip(ref, r0, r1, white, whitespace, ref_ids)
            lengths[i, 0], lengths[i, 1] = hyps, refs
            if hyps > 0 and refs > 0:
                symbols = PACKED_SYMBOLS + 1
                if char_order <= PACKED_ORDER and refs <= PACKED_LENGTH:
                    symbols = _number(ref_ids, refs, seen, i + 1)
                if symbols <= PACKED_SYMBOLS:
                    _pack(hyp_ids, hyps, seen, i + 1, hyp_keys)
                    _pack(ref_ids, refs, seen, i + 1, ref_keys)
                    packed(
                        hyp_keys, hyps, ref_keys, refs, symbols, char_order, matches[i], table, small, alive
                    )  # fmt: skip
                else:
                    chained(
                        hyp_ids, hyps, ref_ids, refs, char_order, matches[i], table, counted, names,
                        hyp_names, ref_names,
                    )  # fmt: skip
        if word_order > 0:
            hyps = word_spans(hyp, h0, h1, white, punctuation, edges, hyp_spans)
            refs = word_spans(ref, r0, r1, white, punctuation, edges, ref_spans)
            lengths[i, 2], lengths[i, 3] = hyps, refs
            if hyps > 0 and refs > 0:
                intern(ref, ref_spans, refs, hyp, hyp_spans, hyps, table, names, ref_ids, hyp_ids)
                if word_order <= PACKED_ORDER and refs <= PACKED_SYMBOLS:
                    pack_words(hyp_ids, hyps, hyp_keys)
                    pack_words(ref_ids, refs, ref_keys)
                    packed(
                        hyp_keys, hyps, ref_keys, refs, refs, word_order, matches[i][char_order:], table, small, alive
                    )  # fmt: skip
                    continue
                chained(
                    hyp_ids, hyps, ref_ids, refs, word_order, matches[i][char_order:], table, counted, names,
                    hyp_names, ref_names,
                )  # fmt: skip
