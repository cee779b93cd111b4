"""The counts behind chrF on a GPU, by the kernels in chrf.cu: the integers of `chrf_cpu`, from text as it is stored."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import chrf_cpu, gpu
from kernels.gpu import Device
from kernels.parallel import for_blocks
from kernels.text import WHITE, Units

BYTES_OF_UNIT = 24
"""Shared memory that a warp needs for each unit of its longest text; see `Space` in chrf.cu."""
SMALLEST, LARGEST = 64, 8192
"""Capacities are powers of two between these. The kernel names symbols in 15 bits, and a table has two slots a unit."""
LANES = 32
BLOCK_BYTES = 24 * 1024
"""Blocks of up to this much shared memory leave a multiprocessor little that no block fits into."""
MOST_WARPS = 8
BLOCKS_PER_PROCESSOR = 32
CHUNK_PAIRS = 1 << 17
CHUNK_UNITS = 1 << 24
"""At most so much of a side, and of its pairs, is on the device at a time, unless one text is longer."""
CACHE_SHARE = 4
"""References stay on the device in up to this fraction (one in four) of its memory."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Text on the device: text i is `units[offsets[i] - first : offsets[i + 1] - first]`."""

    units: Any
    offsets: Any
    first: int

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class Orders:
    """What is counted: character orders, word orders, and whether white space is a character."""

    characters: int
    words: int
    whitespace: bool

    @property
    def total(self) -> int:
        """Columns of matches."""
        return self.characters + self.words


class Cache:
    """Buffers of text on the device, each as long as its host array lives or until newer ones need the room.

    Only arrays that nobody can write to are kept: what `encode` makes of strings is such.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._room = device.memory // CACHE_SHARE
        self._kept: dict[int, tuple[weakref.ref[NDArray[Any]], Any]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, array: NDArray[Any], *, keep: bool) -> Any:
        """The array on the device, or None if it is not there and, unless `keep`, shall not be; or has no room."""
        kept = self._kept.pop(id(array), None)
        if kept is None:
            if not keep or array.flags.writeable or array.nbytes > self._room:
                return None
            self._make_room(array.nbytes)
            key, entries = id(array), self._kept
            kept = weakref.ref(array, lambda _: entries.pop(key, None)), self._device.upload(array)
            self._device.synchronize()  # other streams are about to read it
        self._kept[id(array)] = kept  # the last used comes last
        return kept[1]

    def _make_room(self, size: int) -> None:
        while self._kept and size + sum(buffer.nbytes for _, buffer in self._kept.values()) > self._room:
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Forgets everything, so that the memory can be released."""
        self._kept.clear()


@functools.cache
def cache_of(device: Device) -> Cache:
    """The one cache of a device."""
    return Cache(device)


@functools.cache
def _classes(device: Device) -> tuple[Any, Any]:
    """The bits of `WHITE` and `PUNCTUATION` on the device, lowest first."""
    tables = [device.upload(_bits(flags)) for flags in (WHITE, chrf_cpu.PUNCTUATION)]
    device.synchronize()
    return tables[0], tables[1]


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint32]:
    padded = np.zeros(-(-len(flags) // 32) * 32, dtype=np.bool_)
    padded[: len(flags)] = flags
    return np.packbits(padded, bitorder="little").view("<u4")


def capacities(device: Device) -> list[int]:
    """The lengths of text that the kernel is launched for, up to what one warp can hold in shared memory."""
    sizes = [SMALLEST]
    while sizes[-1] < LARGEST and 2 * sizes[-1] * BYTES_OF_UNIT <= device.shared:
        sizes.append(2 * sizes[-1])
    return sizes


def counts(
    hyp: Units, ref: Units, char_order: int, word_order: int, whitespace: bool, device: Device | None = None
) -> NDArray[np.int64]:
    """Of each pair, order by order, the n-grams of the hypothesis, of the reference, and in both, as `chrf_cpu` has it.

    Shape (segments, 3 * (char_order + word_order)). Both sides are `Units` as stored, of equal length: two bytes a
    character cross the bus where they can. References stay on the device while their `Text` lives. Pairs longer than a
    warp can hold are counted on the CPU. Raises `ValueError` if there is no GPU; where its memory does not suffice
    the CPU counts and a warning says so.
    """
    device = device or gpu.required()
    orders = Orders(char_order, word_order, whitespace)

    def on_cpu() -> NDArray[np.int64]:
        cache_of(device).clear()
        device.release()
        return _on_cpu(hyp, ref, orders)

    return gpu.or_else(lambda: _counts(device, hyp, ref, orders), on_cpu)


def _counts(device: Device, hyp: Units, ref: Units, orders: Orders) -> NDArray[np.int64]:
    rows = np.empty((len(hyp), 3 * orders.total), dtype=np.int64)
    longest = np.maximum(np.diff(hyp.offsets), np.diff(ref.offsets))
    limit = capacities(device)[-1]
    sides = Uploads(device, hyp, ref)
    waiting: tuple[int, Any, NDArray[np.int64]] | None = None
    for number, part in enumerate(_chunks(hyp.offsets, ref.offsets)):
        stream = number % gpu.STREAMS
        if longest[part].min() > limit:
            continue
        with device.stream(stream):
            matches, lengths = match(device, sides.hypotheses(part), sides.references(part), orders)
            statistics = chrf_cpu.columns(matches, lengths, orders.characters, orders.words, device.xp)
        _finish(device, waiting)  # the one before, while this one runs
        waiting = stream, statistics, rows[part]
    _finish(device, waiting)
    long = np.flatnonzero(longest > limit)
    if len(long):
        rows[long] = _on_cpu(gathered(hyp, long), gathered(ref, long), orders)
    return rows


def _finish(device: Device, waiting: tuple[int, Any, NDArray[np.int64]] | None) -> None:
    if waiting is not None:
        stream, statistics, out = waiting
        with device.stream(stream):
            device.download(statistics, out)


def _on_cpu(hyp: Units, ref: Units, orders: Orders) -> NDArray[np.int64]:
    rows = np.empty((len(hyp), 3 * orders.total), dtype=np.int64)

    def work(block: slice) -> None:
        one, other = (Units(side.units, side.offsets[block.start : block.stop + 1]).wide() for side in (hyp, ref))
        rows[block] = chrf_cpu.counts(one, other, orders.characters, orders.words, orders.whitespace)

    for_blocks(len(hyp), work)
    return rows


def gathered(text: Units, numbers: NDArray[Any]) -> Units:
    """Some segments of a text, copied."""
    sizes = np.diff(text.offsets)[numbers]
    offsets = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    parts = [text.units[text.offsets[number] : text.offsets[number + 1]] for number in numbers]
    return Units(np.concatenate([*parts, text.units[:0]]), offsets)


def _chunks(hyp: NDArray[np.int64], ref: NDArray[np.int64]) -> Iterator[slice]:
    """Consecutive pairs, at most CHUNK_PAIRS and CHUNK_UNITS a side, but one pair at least."""
    start, end = 0, len(hyp) - 1
    while start < end:
        fitting = [int(np.searchsorted(side, side[start] + CHUNK_UNITS, "right")) - 1 for side in (hyp, ref)]
        stop = max(start + 1, min(end, start + CHUNK_PAIRS, *fitting))
        yield slice(start, stop)
        start = stop


class Uploads:
    """Both sides of a corpus, to be had on the device part by part, in one type."""

    def __init__(self, device: Device, hyp: Units, ref: Units) -> None:
        self._device = device
        self._hyp = hyp
        self._ref = ref
        self._type = np.promote_types(hyp.units.dtype, ref.units.dtype)
        self._whole = [
            buffer if buffer is None else buffer.astype(self._type, copy=False)
            for buffer in (cache_of(device).get(hyp.units, keep=False), cache_of(device).get(ref.units, keep=True))
        ]
        device.synchronize()

    def hypotheses(self, part: slice) -> Resident:
        """A part of the hypotheses, on the current stream."""
        return self._part(self._hyp, self._whole[0], part)

    def references(self, part: slice) -> Resident:
        """A part of the references, on the current stream."""
        return self._part(self._ref, self._whole[1], part)

    def _part(self, side: Units, whole: Any, part: slice) -> Resident:
        offsets = side.offsets[part.start : part.stop + 1]
        if whole is not None:
            return Resident(whole, self._device.upload(offsets), 0)
        first = int(offsets[0])
        units = self._device.upload(side.units[first : offsets[-1]]).astype(self._type, copy=False)
        return Resident(units, self._device.upload(offsets), first)


def match(device: Device, hyp: Resident, ref: Resident, orders: Orders, *, all_pairs: bool = False) -> tuple[Any, Any]:
    """Starts the kernels: matches (pairs x orders) and lengths (pairs x 4), int32, on the device.

    Pairs are texts of equal number, or, with `all_pairs`, each hypothesis with every reference, hypothesis by
    hypothesis. Pairs longer than the last of `capacities` are left at 0. Pairs are sorted by length, so that short
    ones do not pay for the memory of long ones, nor wait for them.
    """
    xp = device.xp
    sizes = [side.offsets[1:] - side.offsets[:-1] for side in (hyp, ref)]
    longest = xp.maximum(sizes[0][:, None], sizes[1][None, :]).ravel() if all_pairs else xp.maximum(*sizes)
    matches = xp.zeros((len(longest), orders.total), dtype=xp.int32)
    lengths = xp.zeros((len(longest), 4), dtype=xp.int32)
    bins = capacities(device)
    picked = xp.argsort(longest).astype(xp.int32)
    ends = np.empty(len(bins), dtype=np.int64)
    device.download(xp.searchsorted(longest[picked], xp.asarray(bins), side="right"), ends)
    for capacity, start, stop in zip(bins, [0, *ends.tolist()], ends.tolist(), strict=False):
        if start < stop:
            _launch(
                device, hyp, ref, orders, picked[start:stop], len(ref) if all_pairs else 0, capacity, matches, lengths
            )
    return matches, lengths


def _launch(
    device: Device, hyp: Resident, ref: Resident, orders: Orders, picked: Any, across: int, capacity: int,
    matches: Any, lengths: Any,
) -> None:  # fmt: skip
    warps = max(1, min(MOST_WARPS, BLOCK_BYTES // (capacity * BYTES_OF_UNIT)))
    blocks = min(-(-len(picked) // warps), device.processors * BLOCKS_PER_PROCESSOR)
    kernel = f"chrf_matches_{8 * hyp.units.dtype.itemsize}"
    numbers = (len(picked), across, orders.characters, orders.words, int(orders.whitespace), capacity)
    device.launch(
        kernel, blocks, warps * LANES, warps * capacity * BYTES_OF_UNIT,
        (
            hyp.units, hyp.offsets, np.int64(hyp.first), ref.units, ref.offsets, np.int64(ref.first),
            *_classes(device), picked, *map(np.int32, numbers), matches, lengths,
        ),
    )  # fmt: skip


def scores(device: Device, matches: Any, lengths: Any, orders: Orders, factor: float) -> Any:
    """Sentence chrF of each pair on the device, float64, equal to `Chrf.from_statistics` bit by bit."""
    result = device.xp.empty(len(matches), dtype=device.xp.float64)
    threads = 256
    blocks = min(-(-len(matches) // threads), device.processors * BLOCKS_PER_PROCESSOR)
    if blocks:
        device.launch(
            "chrf_scores", blocks, threads, 0,
            (
                matches, lengths, np.int64(len(matches)), np.int32(orders.characters), np.int32(orders.words),
                np.float64(factor), result,
            ),
        )  # fmt: skip
    return result
