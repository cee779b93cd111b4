"""Tokens as numbers, for the kernels that compare sequences of symbols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kernels.text import Units


class Numbering:
    """Gives equal tokens equal numbers, from 0 on in the order in which they are first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        """How many numbers there are, and at least 1: what the tables behind them have to hold."""
        return max(1, len(self._numbers))

    def units(self, segments: Iterable[Sequence[str]]) -> Units:
        """The numbers of every segment's tokens in a row, in uint32 from offset 0 on."""
        numbers = self._numbers
        found: list[int] = []
        ends = [0]
        for segment in segments:
            found.extend([numbers.setdefault(token, len(numbers)) for token in segment])
            ends.append(len(found))
        return Units(np.array(found, dtype=np.uint32), np.array(ends, dtype=np.int64))
