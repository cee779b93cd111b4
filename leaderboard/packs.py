"""The score arrays of one model in one task and way of asking, all languages together.

Statistics lie column by column, since a column repeats itself where a row does not, in bits or in the smallest type
that holds them all, the bytes of one weight together. Metrics of n-grams count answer, reference and both, order by
order, so of each column only the difference to the third before it is kept. Which items have scores is said apart,
in bits. What is hashed is the packed form before its compression.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard import arrays

Place = tuple[str, str]
"""Language, variety."""

BITS = "bits"
TYPES = {"u1": 1, "u2": 2, "u4": 4, "u8": 8}
"""The other kinds, and how many bytes they take."""
STEP = 3
LARGE = 1 << 29
"""Below it a difference, doubled, is no larger than 32 bits hold."""

LEVEL = 1
"""Of zlib. Bits hardly shrink at any level, and higher ones take longer than writing what they save."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Arrays put together: `places` is JSON of [language, variety, items] in the order in which they lie."""

    width: int
    kind: str
    places: bytes
    body: bytes


def pack(found: Mapping[Place, NDArray[np.int32]]) -> Pack:
    """Packs arrays of one row an item, all of one width, in the order of their places."""
    ordered = sorted(found.items())
    together = np.concatenate([array for _, array in ordered])
    there = together[:, 0] != arrays.MISSING
    columns = np.where(there, together.T, 0)
    kind, stored = _stored(columns)
    places = [[*place, len(array)] for place, array in ordered]
    written = json.dumps(places, ensure_ascii=False, separators=(",", ":")).encode()
    return Pack(together.shape[1], kind, written, np.packbits(there).tobytes() + stored)


def _stored(columns: NDArray[np.int32]) -> tuple[str, bytes]:
    """The kind that columns are kept in, and their bytes."""
    if not columns.size or (columns.min() >= 0 and columns.max() <= 1):
        return BITS, np.packbits(columns.astype(np.bool_)).tobytes()
    wide = columns.astype(np.int64, order="C")
    small = columns.min() > -LARGE and columns.max() < LARGE
    steps: NDArray[np.int32] | NDArray[np.int64] = wide.astype(np.int32) if small else wide
    steps[STEP:] -= columns[:-STEP]
    folded = (steps << 1) ^ (steps >> (8 * steps.itemsize - 1))  # 0, -1, 1, -2 ... as 0, 1, 2, 3 ...
    highest = int(folded.max())
    kind = next(kind for kind, width in TYPES.items() if highest < 1 << min(8 * width, 63))
    planes = folded.astype(f"<u{TYPES[kind]}", order="C").view(np.uint8).reshape(-1, TYPES[kind])
    return kind, np.ascontiguousarray(planes.T).tobytes()


def _columns(kind: str, body: NDArray[np.uint8], width: int, rows: int) -> NDArray[np.int32]:
    """The columns that `_stored` kept. Raises `ValueError` or `KeyError`."""
    if kind == BITS:
        if body.size != -(-rows * width // 8):
            raise ValueError("a score array is too short or too long")
        return np.unpackbits(body, count=rows * width).astype(np.int32).reshape(width, rows)
    planes = np.ascontiguousarray(body.reshape(TYPES[kind], width * rows).T)
    folded = planes.view(f"<u{TYPES[kind]}").astype(np.int64).reshape(width, rows)
    columns = (folded >> 1) ^ -(folded & 1)
    for number in range(STEP, width):
        columns[number] += columns[number - STEP]
    return columns.astype(np.int32)


def unpack(packed: Pack) -> dict[Place, NDArray[np.int32]]:
    """The arrays that `pack` put together. Raises `ValueError` or `KeyError` where they are damaged."""
    places = json.loads(packed.places)
    rows = sum(count for _, _, count in places)
    mask = np.frombuffer(packed.body, dtype=np.uint8, count=-(-rows // 8))
    body = np.frombuffer(packed.body, dtype=np.uint8, offset=mask.size)
    together = np.ascontiguousarray(_columns(packed.kind, body, packed.width, rows).T)
    together[~np.unpackbits(mask, count=rows).astype(np.bool_)] = arrays.MISSING
    made, start = {}, 0
    for language, variety, count in places:
        made[language, variety] = together[start : start + count]
        start += count
    return made


def compress(packed: Pack) -> tuple[int, str, bytes, bytes]:
    """Its columns in the database."""
    return packed.width, packed.kind, zlib.compress(packed.places, LEVEL), zlib.compress(packed.body, LEVEL)


def decompress(width: int, kind: str, places: bytes, body: bytes) -> Pack:
    """From its columns in the database. Raises `zlib.error`."""
    return Pack(width, kind, zlib.decompress(places), zlib.decompress(body))
