"""Work cut into blocks of segments: bounded memory, and every core that this process may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

BLOCK = 1024
"""Segments of a block: so few that their buffers fit in the cache and are used again from block to block."""
SMALLEST = 512
"""Under this many segments a second thread costs more than it brings."""


def threads() -> int:
    """The cores that this process may run on, or fewer where `BENCH_THREADS` says so."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("BENCH_THREADS", "")
    return max(1, min(allowed, int(told))) if told.isdecimal() else allowed


def for_blocks(segments: int, work: Callable[[slice], None]) -> None:
    """Calls `work` for consecutive slices that cover all segments, on several threads where there are any.

    A block's work should spend its time in compiled code, which holds no interpreter lock. The first error of any
    block is raised.
    """
    workers = threads()
    size = max(SMALLEST, min(BLOCK, -(-segments // workers)))
    blocks = [slice(start, min(start + size, segments)) for start in range(0, segments, size)]
    if workers == 1 or len(blocks) == 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, block) for block in blocks]:
            done.result()
