"""The score arrays of one model in one task and way of asking, all languages together.

Statistics lie column by column, since a column repeats itself where a row does not, in the smallest type that holds
them all. Which items have scores is said apart, in bits. What is hashed is the packed form before its compression.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard import arrays

Place = tuple[str, str]
"""Language, variety."""

BITS = "bits"
TYPES: dict[str, np.dtype[Any]] = {"u1": np.dtype("u1"), "u2": np.dtype("<u2"), "i4": np.dtype("<i4")}
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
    places = [[*place, len(array)] for place, array in ordered]
    kind = _kind(columns)
    stored = np.packbits(columns.astype(np.bool_)) if kind == BITS else columns.astype(TYPES[kind])
    body = np.packbits(there).tobytes() + stored.tobytes()
    written = json.dumps(places, ensure_ascii=False, separators=(",", ":")).encode()
    return Pack(together.shape[1], kind, written, body)


def _kind(columns: NDArray[np.int32]) -> str:
    lowest, highest = (int(columns.min()), int(columns.max())) if columns.size else (0, 0)
    if lowest >= 0 and highest <= 1:
        return BITS
    return next(kind for kind, held in TYPES.items() if np.iinfo(held).min <= lowest and highest <= np.iinfo(held).max)


def unpack(packed: Pack) -> dict[Place, NDArray[np.int32]]:
    """The arrays that `pack` put together. Raises `ValueError` or `KeyError` where they are damaged."""
    places = json.loads(packed.places)
    rows = sum(count for _, _, count in places)
    mask = np.frombuffer(packed.body, dtype=np.uint8, count=-(-rows // 8))
    body = np.frombuffer(packed.body, dtype=np.uint8, offset=mask.size)
    if packed.kind == BITS:
        if body.size != -(-rows * packed.width // 8):
            raise ValueError("a score array is too short or too long")
        columns = np.unpackbits(body, count=rows * packed.width).astype(np.int32)
    else:
        columns = body.view(TYPES[packed.kind]).astype(np.int32)
    together = np.ascontiguousarray(columns.reshape(packed.width, rows).T)
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
