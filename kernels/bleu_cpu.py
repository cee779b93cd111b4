"""The counts and the score behind BLEU (Papineni et al. 2002), compiled; equal to sacreBLEU's bit for bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.bleu_tokens import Classes, tokens
from kernels.chrf_cpu import intern
from kernels.compiled import compiled
from kernels.ngrams import PACKED_ORDER, PACKED_SYMBOLS, SMALL, chained, pack_words, packed, slot, table_bits
from kernels.text import Units

SMOOTHING = {"none": None, "floor": 0.1, "add-k": 1, "exp": None}
"""The methods of Chen and Cherry (2014) that sacreBLEU has, and the value that each takes unless told."""
_NONE, _FLOOR, _ADD, _EXP = range(4)

NEUMAIER = sum([1.0, 1e100, 1.0, -1e100]) == 2.0
"""Whether this Python's `sum` carries rounding errors along (3.12 and later do); sacreBLEU sums logarithms with it."""

_USED = np.uint64(1 << 63)  # tells a stored key from an empty slot


def counts(
    hyp: Units, refs: Sequence[Units], present: NDArray[np.bool_], classes: Classes, ends: int, order: int
) -> NDArray[np.int64]:
    """Of each segment: words, words of the reference closest in length, matches by order, n-grams by order.

    Shape (segments, 2 + 2 * order). An n-gram counts as often as in that reference which has it most often; of two
    references equally close the shorter one counts. `hyp` and `refs` are `Units.wide()`, `present` is of shape
    (references, segments), `classes` and `ends` are a tokenizer's.
    """
    statistics = np.zeros((len(hyp), 2 + 2 * order), dtype=np.int64)
    starts = np.cumsum([0, *(len(ref.units) for ref in refs)])
    units = refs[0].units if len(refs) == 1 else np.concatenate([ref.units for ref in refs])
    offsets = np.stack([ref.offsets + start for ref, start in zip(refs, starts[:-1], strict=True)])
    _segments(hyp.units, hyp.offsets, units, offsets, present, classes, ends, order, statistics)
    return statistics


def scores(
    rows: NDArray[Any], order: int, smooth_method: str, smooth_value: float | None, effective_order: bool
) -> NDArray[np.float64]:
    """BLEU of each row of statistics, shape (rows, 2 + 2 * order) -> (rows,), in sacreBLEU's order of operations."""
    value = SMOOTHING[smooth_method] if smooth_value is None else smooth_value
    out = np.empty(len(rows), dtype=np.float64)
    sums = np.array(rows, dtype=np.float64, order="C")  # a copy: add-k writes into it
    method = list(SMOOTHING).index(smooth_method)
    _scores(sums, order, method, float(value or 0.0), effective_order, NEUMAIER, np.empty(order), out)
    return out


@compiled
def _longest(offsets: Any, segments: int) -> int:
    """The most code points that a segment has in all references together, and at least 1."""
    longest = 1
    for i in range(segments):
        length = 0
        for stream in range(len(offsets)):
            length += offsets[stream, i + 1] - offsets[stream, i]
        longest = max(longest, length)
    return longest


@compiled
def _read(
    units: Any, offsets: Any, present: Any, i: int, hyps: int, classes: Any, ends: int, spans: Any, bounds: Any
) -> Any:
    """Tokens of all references of segment i in a row; reference r's begin at `bounds[r]`.

    Returns how many references there are and the closest length.
    """
    refs = 0
    closest = -1
    bounds[0] = 0
    for stream in range(len(offsets)):
        if not present[stream, i]:
            continue
        before = bounds[refs]
        found = tokens(units, offsets[stream, i], offsets[stream, i + 1], classes, ends, spans[2 * before :])
        refs += 1
        bounds[refs] = before + found
        further = abs(found - hyps) - abs(closest - hyps)
        if closest < 0 or further < 0 or (further == 0 and found < closest):
            closest = found
    return refs, closest


@compiled
def _segments(
    hyp: Any, hyp_offsets: Any, ref: Any, ref_offsets: Any, present: Any, classes: Any, ends: int, order: int, out: Any
) -> None:
    most_hyps = max(1, np.max(np.diff(hyp_offsets))) if len(out) > 0 else 1
    most_refs = _longest(ref_offsets, len(out))
    size = 1 << table_bits(most_refs)
    hyp_spans, ref_spans = np.empty(2 * most_hyps, np.int64), np.empty(2 * most_refs, np.int64)
    hyp_ids, ref_ids = np.empty(most_hyps, np.uint32), np.empty(most_refs, np.uint32)
    hyp_names, ref_names = np.empty(most_hyps, np.int32), np.empty(most_refs, np.int32)
    table, names = np.empty(size, np.uint64), np.empty(size, np.int32)
    counted, clip, turn = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    hyp_keys, ref_keys = np.empty(most_hyps, np.uint64), np.empty(most_refs, np.uint64)
    alive, small = np.empty(most_hyps, np.uint32), np.empty(SMALL, np.uint16)
    bounds = np.empty(len(ref_offsets) + 1, np.int64)
    matches = np.empty(order, np.int64)
    for i in range(len(out)):
        hyps = tokens(hyp, hyp_offsets[i], hyp_offsets[i + 1], classes, ends, hyp_spans)
        streams, closest = _read(ref, ref_offsets, present, i, hyps, classes, ends, ref_spans, bounds)
        refs = bounds[streams]
        out[i, 0], out[i, 1] = hyps, closest
        matches[:] = 0
        if hyps > 0 and refs > 0:
            intern(ref, ref_spans, refs, hyp, hyp_spans, hyps, table, names, ref_ids, hyp_ids)
            if streams == 1 and order <= PACKED_ORDER and refs <= PACKED_SYMBOLS:
                pack_words(hyp_ids, hyps, hyp_keys)
                pack_words(ref_ids, refs, ref_keys)
                packed(hyp_keys, hyps, ref_keys, refs, refs, order, matches, table, small, alive)
            elif streams == 1:
                chained(hyp_ids, hyps, ref_ids, refs, order, matches, table, counted, names, hyp_names, ref_names)
            else:
                _clipped(
                    hyp_ids, hyps, ref_ids, bounds, streams, order, matches, table, counted, clip, turn, names,
                    hyp_names, ref_names,
                )  # fmt: skip
        for n in range(order):
            out[i, 2 + n] = matches[n]
            out[i, 2 + order + n] = max(hyps - n, 0)


@compiled
def _place(name: Any, symbol: Any, table: Any, bits: int) -> Any:
    """Where an n-gram stands or would stand, named by its first n-1 symbols' name and its last symbol."""
    key = (np.uint64(name) << np.uint64(32)) | np.uint64(symbol) | _USED
    last = np.uint64((1 << bits) - 1)
    at = slot(key, bits)
    while table[at] != key and table[at] != 0:
        at = (at + np.uint64(1)) & last
    return at, key


@compiled
def _clipped(
    hyp: Any, hyps: int, ref: Any, bounds: Any, streams: int, order: int, out: Any, table: Any, counted: Any,
    clip: Any, turn: Any, names: Any, hyp_names: Any, ref_names: Any,
) -> None:  # fmt: skip
    """`ngrams.chained` against several references: an n-gram's clip is its largest count in any of them."""
    refs = bounds[streams]
    bits = table_bits(refs)
    ref_names[:refs] = 0
    hyp_names[:hyps] = 0
    for n in range(1, order + 1):
        table[: 1 << bits] = 0
        fresh = 0
        for stream in range(streams):
            for i in range(bounds[stream], bounds[stream + 1] - n + 1):
                at, key = _place(ref_names[i], ref[i + n - 1], table, bits)
                if table[at] == 0:
                    table[at] = key
                    clip[at] = 0
                    turn[at] = -1
                    names[at] = fresh
                    fresh += 1
                counted[at] = counted[at] + 1 if turn[at] == stream else 1
                turn[at] = stream
                clip[at] = max(clip[at], counted[at])
                ref_names[i] = names[at]
        matches = 0
        for i in range(hyps - n + 1):
            if hyp_names[i] < 0:
                continue
            at, key = _place(hyp_names[i], hyp[i + n - 1], table, bits)
            if table[at] == 0:
                hyp_names[i] = -1
                continue
            hyp_names[i] = names[at]
            if clip[at] > 0:
                clip[at] -= 1
                matches += 1
        out[n - 1] = matches
        if matches == 0:
            return


@compiled
def _scores(
    sums: Any, order: int, method: int, value: float, effective: bool, carry: bool, precisions: Any, out: Any
) -> None:
    for i in range(len(sums)):
        words, closest = sums[i, 0], sums[i, 1]
        correct, total = sums[i, 2 : 2 + order], sums[i, 2 + order :]
        brevity = 1.0
        if words < closest:
            brevity = math.exp(1 - closest / words) if words > 0 else 0.0
        out[i] = 0.0
        if np.any(correct != 0):
            orders = _precisions(correct, total, order, method, value, effective, precisions)
            out[i] = brevity * math.exp(_log_sum(precisions, orders, carry) / orders)


@compiled
def _precisions(
    correct: Any, total: Any, order: int, method: int, value: float, effective: bool, precisions: Any
) -> int:
    """Fills in each order's precision in per cent, smoothed; returns how many orders the mean is taken over."""
    precisions[:] = 0.0
    orders = order
    halving = 1.0
    for n in range(order):
        if method == _ADD and n > 0:
            correct[n] += value
            total[n] += value
        if total[n] == 0:
            break
        if effective:
            orders = n + 1
        if correct[n] != 0:
            precisions[n] = 100.0 * correct[n] / total[n]
        elif method == _EXP:
            halving *= 2
            precisions[n] = 100.0 / (halving * total[n])
        elif method == _FLOOR:
            precisions[n] = 100.0 * value / total[n]
    return orders


@compiled
def _log_sum(precisions: Any, orders: int, carry: bool) -> float:
    """Python's `sum` of the logarithms; with `carry` that of Python 3.12 on, which is Neumaier's (1974).

    For the logarithm of 0 sacreBLEU has a number so low that the score is 0, as it is with this.
    """
    total = 0.0
    lost = 0.0
    for n in range(orders):
        if precisions[n] == 0:
            return -math.inf
        term = math.log(precisions[n])
        after = total + term
        lost += (total - after) + term if abs(total) >= abs(term) else (term - after) + total
        total = after
    return total + lost if carry else total
