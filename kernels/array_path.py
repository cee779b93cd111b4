"""Clipped n-gram matches by sorting, in array operations that NumPy and CuPy share; exact, with no hash anywhere.

The bridge between the CPU and the GPU: what is tested under NumPy is, line for line, what runs under CuPy. Where the
kernels in chrf.cu know text only, this takes any ids (BLEU's tokens) and any length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

KEY_BITS = 64
CHUNK_PAIRS = 1 << 14
CHUNK_IDS = 1 << 22
"""At most so many pairs, and so many ids a side, at a time; a side needs about 200 bytes an id."""


def matches(xp: Any, hyp_ids: Any, hyp_offsets: Any, ref_ids: Any, ref_offsets: Any, order: int) -> Any:
    """Of each pair, order by order, how many n-grams hypothesis and reference share: (pairs, order), int64.

    `xp` is numpy or cupy, and every array is its own. Sequence i is `ids[offsets[i]:offsets[i + 1]]`; ids are below
    2**32 and mean the same on both sides. Raises `ValueError` for sides of unequal length.
    """
    if len(hyp_offsets) != len(ref_offsets):
        raise ValueError(f"{len(hyp_offsets) - 1} hypotheses but {len(ref_offsets) - 1} references")
    result = xp.zeros((len(hyp_offsets) - 1, order), dtype=xp.int64)
    for part in _chunks(xp, hyp_offsets, ref_offsets):
        within = slice(part.start, part.stop + 1)
        grams = _grams(xp, [(hyp_ids, hyp_offsets[within]), (ref_ids, ref_offsets[within])])
        if len(grams.pair):
            _by_sorting(xp, grams, order, result[part])
    return result


def _chunks(xp: Any, hyp_offsets: Any, ref_offsets: Any) -> Iterator[slice]:
    start, end = 0, len(hyp_offsets) - 1
    while start < end:
        fitting = [
            int(xp.searchsorted(offsets, offsets[start] + CHUNK_IDS, side="right")) - 1
            for offsets in (hyp_offsets, ref_offsets)
        ]
        stop = max(start + 1, min(end, start + CHUNK_PAIRS, *fitting))
        yield slice(start, stop)
        start = stop


@dataclass(frozen=True, slots=True)
class _Grams:
    """Every position of both sides, the hypotheses first: its pair, its side (1 is the reference), its symbol as one of
    the pair's own (1, 2, ...), the same as one of the chunk's (0, 1, ...), and how many ids its text has from it on.
    """

    pair: Any
    side: Any
    symbol: Any
    name: Any
    left: Any
    alphabet: int

    def after(self, xp: Any, distance: int) -> Any:
        """The symbol so many places on; 0 beyond the end of the text."""
        if not distance:
            return self.symbol
        moved = xp.zeros_like(self.symbol)
        moved[: max(0, len(moved) - distance)] = self.symbol[distance:]
        return xp.where(self.left > distance, moved, xp.zeros_like(moved))


def _grams(xp: Any, sides: list[tuple[Any, Any]]) -> _Grams:
    pairs, keys, left = [], [], []
    for ids, offsets in sides:
        first, last = int(offsets[0]), int(offsets[-1])
        position = xp.arange(first, last, dtype=xp.int64)
        pair = xp.searchsorted(offsets[1:], position, side="right")
        pairs.append(pair)
        left.append(offsets[pair + 1] - position)
        keys.append(pair.astype(xp.uint64) << xp.uint64(32) | ids[first:last].astype(xp.uint64))
    pair, key = xp.concatenate(pairs), xp.concatenate(keys)
    side = (xp.arange(len(pair)) >= len(pairs[0])).astype(xp.int64)
    if not len(pair):
        return _Grams(pair, side, pair, pair, pair, 0)
    distinct, name = xp.unique(key, return_inverse=True)
    before = xp.searchsorted(distinct, pair.astype(xp.uint64) << xp.uint64(32))
    symbol = name - before + 1
    return _Grams(pair, side, symbol.astype(xp.uint64), name, xp.concatenate(left), int(symbol.max()))


def _by_sorting(xp: Any, grams: _Grams, order: int, out: Any) -> None:
    """One sort where a pair's number, its n-gram and the side fit a key, else a sort an order."""
    bits = grams.alphabet.bit_length()
    if (len(out) - 1).bit_length() + order * bits + 1 <= KEY_BITS:
        _packed(xp, grams, order, bits, out)
    else:
        _ranked(xp, grams, order, out)


def _packed(xp: Any, grams: _Grams, order: int, bits: int, out: Any) -> None:
    """All orders from one sort: an n-gram is a prefix of the longest, and equal prefixes lie side by side."""
    key = grams.pair.astype(xp.uint64)
    for distance in range(order):
        key = key << xp.uint64(bits) | grams.after(xp, distance)
    key = xp.sort(key << xp.uint64(1) | grams.side.astype(xp.uint64))
    references = xp.zeros(len(key) + 1, dtype=xp.int64)
    references[1:] = xp.cumsum((key & xp.uint64(1)).astype(xp.int64))
    for n in range(1, order + 1):
        prefix = key >> xp.uint64(1 + (order - n) * bits)
        change = xp.ones(len(prefix), dtype=bool)
        change[1:] = prefix[1:] != prefix[:-1]
        start = xp.flatnonzero(change)
        end = xp.concatenate([start[1:], xp.asarray([len(prefix)])])
        ref = references[end] - references[start]
        gram = prefix[start]
        whole = (gram & xp.uint64((1 << bits) - 1)) != xp.uint64(0)
        common = xp.where(whole, xp.minimum(ref, end - start - ref), 0)
        out[:, n - 1] = _summed(xp, (gram >> xp.uint64(n * bits)).astype(xp.int64), common, len(out))


def _ranked(xp: Any, grams: _Grams, order: int, out: Any) -> None:
    """Order by order: an n-gram is the rank of its first n-1 symbols and its last. Ranks tell pairs apart, too."""
    name = grams.name
    for n in range(1, order + 1):
        if n > 1:
            where = xp.flatnonzero(grams.left >= n)
            if not len(where):
                return
            key = name[where].astype(xp.uint64) << xp.uint64(32) | grams.after(xp, n - 1)[where]
            rank = xp.unique(key, return_inverse=True)[1]
            name = xp.zeros_like(name)
            name[where] = rank
        else:
            where = xp.arange(len(name))
        ranks, side = name[where], grams.side[where]
        names = int(ranks.max()) + 1
        ref = xp.bincount(ranks[side == 1], minlength=names)
        hyp = xp.bincount(ranks[side == 0], minlength=names)
        pair = xp.zeros(names, dtype=xp.int64)
        pair[ranks] = grams.pair[where]
        out[:, n - 1] = _summed(xp, pair, xp.minimum(ref, hyp), len(out))


def _summed(xp: Any, pair: Any, common: Any, pairs: int) -> Any:
    """Sums by pair; in float64, which holds every count below 2**53."""
    return xp.bincount(pair, weights=common.astype(xp.float64), minlength=pairs).astype(xp.int64)
