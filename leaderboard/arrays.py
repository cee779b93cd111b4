"""Score arrays: aligning them with a block's items, and their stored form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from leaderboard.records import Scored

MISSING = int(np.iinfo(np.int32).min)
"""Fills the row of an item without a score. Statistics are counts, so no score can look like it."""


def align(rows: Mapping[str, Sequence[int]], items: tuple[str, ...], columns: int) -> Scored:
    """One row for each item, `MISSING` where there is none. Raises `OverflowError` for what 32 bits cannot hold."""
    array = np.full((len(items), columns), MISSING, dtype=np.int64)
    for place, item in enumerate(items):
        if item in rows:
            array[place] = rows[item]
    return Scored(items, _narrow(array))


def realign(scored: Scored, items: tuple[str, ...]) -> Scored:
    """The same scores along another list of items, which has every item of the old one."""
    if scored.items == items:
        return scored
    places = {item: place for place, item in enumerate(items)}
    array = np.full((len(items), scored.statistics.shape[1]), MISSING, dtype=np.int32)
    array[[places[item] for item in scored.items]] = scored.statistics
    return Scored(items, array)


def present(scored: Scored) -> NDArray[np.bool_]:
    """Which items have a score."""
    return np.asarray(scored.statistics[:, 0] != MISSING)


def _narrow(array: NDArray[np.int64]) -> NDArray[np.int32]:
    if array.size and (array.max() > np.iinfo(np.int32).max or array.min() < MISSING):
        raise OverflowError("a statistic does not fit into 32 bits")
    return array.astype(np.int32)
