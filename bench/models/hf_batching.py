"""Which sequences go through a model together: bounded rows, bounded tokens, little padding. Pure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

ROWS = 64
"""Sequences at a time, where nobody asked for another number; long ones are fewer (`TOKENS`)."""
TOKENS = 16_384
"""Tokens at a time, padding included: what bounds the memory for keys and values."""
WASTE = 0.1
"""The largest share of a batch's tokens that may be padding."""


def batches(
    shapes: Sequence[Sequence[int]],
    rows: int,
    tokens: int = TOKENS,
    waste: float = WASTE,
    extra: int = 0,
    turn: int = sys.maxsize,
) -> list[list[int]]:
    """Every index of `shapes` once, in batches, longest first: what memory cannot hold shows at once.

    An item has one or more lengths, each of which is padded to the longest of its batch. A batch has at most `rows`
    items, and at most `tokens` with its padding and `extra` for each row, unless a single item has more. At most the
    share `waste` of its tokens (without the extra ones) is padding. What is longer than `turn` and what is not are
    never in one batch.
    """
    made: list[list[int]] = []
    longest: list[int] = []
    filled = 0
    for index in sorted(range(len(shapes)), key=lambda index: (sum(shapes[index]), *shapes[index]), reverse=True):
        shape = shapes[index]
        if made:
            wider = [max(pair) for pair in zip(longest, shape, strict=True)]
            count, held = len(made[-1]) + 1, filled + sum(shape)
            whole = count * sum(wider)
            fits = count <= rows and whole + count * extra <= tokens and whole - held <= waste * whole
            if fits and (sum(shape) > turn) == (sum(wider) > turn):
                made[-1].append(index)
                longest, filled = wider, held
                continue
        made.append([index])
        longest, filled = list(shape), sum(shape)
    return made


@dataclass(slots=True)
class Count:
    """What a model did: tokens of prompts that it `read`, and how many `columns` they took; tokens that it `wrote`.

    `running` is the rows that it computes now and that are not done. Written by one thread, and read by others.
    """

    read: int = 0
    columns: int = 0
    wrote: int = 0
    running: int = 0

    @property
    def padding(self) -> float:
        """The share of the columns that held no token; 0 before the first batch."""
        return 1 - self.read / self.columns if self.columns else 0.0
