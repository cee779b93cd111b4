"""Clipped n-gram matches of two sequences of ids, compiled. Exact: no n-gram is ever taken for its hash.

A hash only chooses where to look; what is found there is compared whole. Two paths give the same counts: `packed`
writes up to six symbols of an alphabet of 254 into one 48-bit key, and its count beside it; `chained` names an n-gram
by (its first n-1 symbols' name, its last symbol) and has no limit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.compiled import compiled

BITS = 8
PACKED_ORDER = 6
PACKED_SYMBOLS = (1 << BITS) - 2
"""Ids 1 to this fit the packed path; 0 is the end of the text, and the next one is what the reference does not have."""
ABSENT = (1 << BITS) - 1
PACKED_LENGTH = (1 << 15) - 1
"""Longer references could have more of one n-gram than the packed path's counts hold."""
SMALL = 1 << 12
UNKNOWN = np.uint32(0xFFFFFFFF)
"""The id of a symbol that the reference does not have, on the chained path."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 3, 6.4)
_USED = np.uint64(1 << 63)  # tells a stored key from an empty slot
_ONE = np.uint64(1)
_COUNT_BITS = np.uint64(16)  # of a table's entry; the other 48 are the key
_COUNT = np.uint64((1 << 16) - 1)


@compiled
def table_bits(entries: int) -> int:
    """The size of a hash table, as a power of two: at most half full, and an eighth while that stays in the cache.

    It never falls as entries grow: work arrays are sized by the longest text of a block and serve the shorter ones.
    """
    room = max(2 * entries, 8 * min(entries, 4096)) + 2
    bits = 6
    while (1 << bits) < room:
        bits += 1
    return bits


@compiled
def slot(key: Any, bits: int) -> Any:
    """Where the search for a key begins (Fibonacci hashing). Unsigned: a signed index costs a test for below zero."""
    return (np.uint64(key) * _GOLDEN) >> np.uint64(64 - bits)


@compiled
def _insert(keys: Any, count: int, mask: Any, bits: int, table: Any) -> None:
    last = np.uint64((1 << bits) - 1)
    for i in range(1 << bits):
        table[i] = 0
    for i in range(count):
        key = keys[i] & mask
        at = slot(key, bits)
        entry = table[at]
        while entry != 0 and entry >> _COUNT_BITS != key:
            at = (at + _ONE) & last
            entry = table[at]
        table[at] = (entry | (key << _COUNT_BITS)) + _ONE


@compiled
def _match(keys: Any, alive: Any, living: int, count: int, mask: Any, bits: int, table: Any) -> Any:
    """Matches among the first `count` positions; keeps alive those whose n-gram the reference has at all."""
    last = np.uint64((1 << bits) - 1)
    matches: Any = 0
    kept: Any = 0
    for i in range(living):
        position = alive[i]
        if position >= count:
            continue
        key = keys[position] & mask
        at = slot(key, bits)
        entry = table[at]
        while entry != 0 and entry >> _COUNT_BITS != key:
            at = (at + _ONE) & last
            entry = table[at]
        hit = np.uint64(entry & _COUNT != 0)  # without a branch: which way it goes is a coin toss
        table[at] = entry - hit
        matches += np.int64(hit)
        alive[kept] = position
        kept += np.int64(entry != 0)
    return matches, kept


@compiled
def _match_singles(hyp: Any, hyps: int, ref: Any, refs: int, alive: Any, small: Any) -> Any:
    """Order 1 needs no search: ids count themselves."""
    low = np.uint64(ABSENT)
    for i in range(ABSENT + 1):
        small[i] = 0
    for i in range(refs):
        small[ref[i] & low] += np.uint16(1)
    matches: Any = 0
    kept: Any = 0
    for i in range(hyps):
        key = hyp[i] & low
        hit = small[key] > 0
        small[key] -= np.uint16(hit)
        matches += np.int64(hit)
        alive[kept] = i
        kept += np.int64(key != low)
    return matches, kept


@compiled
def _pair(key: Any) -> Any:
    """Two symbols of a small alphabet as an index; `ABSENT` as the second is 63, which no symbol is."""
    return ((key & np.uint64(63)) << np.uint64(6)) | ((key >> np.uint64(BITS)) & np.uint64(63))


@compiled
def _match_pairs(hyp: Any, hyps: int, ref: Any, refs: int, symbols: int, alive: Any, living: int, small: Any) -> Any:
    """Order 2 of a small alphabet needs none either: two ids are an index. A bit beyond the count says it was there."""
    for i in range((symbols + 1) << 6):
        small[i] = 0
    for i in range(refs - 1):
        small[_pair(ref[i])] += np.uint16(2)
    for i in range(refs - 1):
        small[_pair(ref[i])] |= np.uint16(1)
    matches: Any = 0
    kept: Any = 0
    for i in range(living):
        position = alive[i]
        if position >= hyps - 1:
            continue
        at = _pair(hyp[position])
        entry = small[at]
        hit = entry > 1
        small[at] = entry - np.uint16(2 * hit)
        matches += np.int64(hit)
        alive[kept] = position
        kept += np.int64(entry != 0)
    return matches, kept


@compiled
def pack_words(ids: Any, count: int, keys: Any) -> None:
    """`keys[i]` holds words i to i+5, the first in the lowest 8 bits; ids are below `PACKED_SYMBOLS` or `UNKNOWN`."""
    full = np.uint64((1 << (BITS * PACKED_ORDER)) - 1)
    key = np.uint64(0)
    for i in range(count - 1, -1, -1):
        word = np.uint64(ABSENT) if ids[i] == UNKNOWN else np.uint64(ids[i]) + np.uint64(1)
        key = ((key << np.uint64(BITS)) | word) & full
        keys[i] = key


@compiled
def packed(
    hyp: Any, hyps: int, ref: Any, refs: int, symbols: int, order: int, out: Any, table: Any, small: Any, alive: Any
) -> None:
    """Matches of orders 1 to `order` into `out`, from packed keys of at most `PACKED_LENGTH` reference symbols.

    Symbols are 1 to `symbols`. Work arrays: `table` (uint64) of 2**table_bits(refs), `small` (uint16) of `SMALL`,
    `alive` (uint32) as long as the hypothesis.
    """
    bits = table_bits(refs)
    out[0], living = _match_singles(hyp, hyps, ref, refs, alive, small)
    for n in range(2, order + 1):
        if n > refs or n > hyps or living == 0:
            return
        if n == 2 and symbols < 63:
            out[1], living = _match_pairs(hyp, hyps, ref, refs, symbols, alive, living, small)
            continue
        mask = np.uint64((1 << (BITS * n)) - 1)
        _insert(ref, refs - n + 1, mask, bits, table)
        out[n - 1], living = _match(hyp, alive, living, hyps - n + 1, mask, bits, table)


@compiled
def _name(ref: Any, count: int, last_of: int, bits: int, table: Any, counts: Any, names: Any, rn: Any) -> None:
    """Names the reference's n-grams, equal ones alike, by their first n-1 symbols' name and their last symbol."""
    last = np.uint64((1 << bits) - 1)
    for i in range(1 << bits):
        table[i] = 0
    fresh = 0
    for i in range(count):
        key = (np.uint64(rn[i]) << np.uint64(32)) | np.uint64(ref[i + last_of]) | _USED
        at = slot(key, bits)
        while table[at] != key and table[at] != 0:
            at = (at + _ONE) & last
        if table[at] == 0:
            table[at] = key
            counts[at] = 0
            names[at] = fresh
            fresh += 1
        counts[at] += 1
        rn[i] = names[at]


@compiled
def _match_names(hyp: Any, count: int, last_of: int, bits: int, table: Any, counts: Any, names: Any, hn: Any) -> Any:
    """Matches among the hypothesis' n-grams; one that the reference lacks gets -1, and is not looked up again."""
    last = np.uint64((1 << bits) - 1)
    matches = 0
    for i in range(count):
        if hn[i] < 0:
            continue
        key = (np.uint64(hn[i]) << np.uint64(32)) | np.uint64(hyp[i + last_of]) | _USED
        at = slot(key, bits)
        while table[at] != key and table[at] != 0:
            at = (at + _ONE) & last
        if table[at] == 0:
            hn[i] = -1
            continue
        hn[i] = names[at]
        if counts[at] > 0:
            counts[at] -= 1
            matches += 1
    return matches


@compiled
def chained(
    hyp: Any, hyps: int, ref: Any, refs: int, order: int, out: Any, table: Any, counts: Any, names: Any,
    hn: Any, rn: Any,
) -> None:  # fmt: skip
    """Matches of orders 1 to `order` into `out`, from plain ids below 2**31 or `UNKNOWN`; any order, any alphabet.

    Work arrays: `table`, `counts` and `names` of 2**table_bits(refs), `hn` and `rn` (int32) as long as each side.
    """
    bits = table_bits(refs)
    for i in range(refs):
        rn[i] = 0
    for i in range(hyps):
        hn[i] = 0
    for n in range(1, order + 1):
        if n > refs or n > hyps:
            return
        _name(ref, refs - n + 1, n - 1, bits, table, counts, names, rn)
        out[n - 1] = _match_names(hyp, hyps - n + 1, n - 1, bits, table, counts, names, hn)
        if out[n - 1] == 0:
            return
