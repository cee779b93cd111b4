"""Zeus, another meter of GPUs (arXiv:2208.06102), beside ours: what it says of the same stretch of time.

It is asked in a way that steps around what its release 0.16.0 does by itself: it waits for torch before and after a
window, reads power without a pause where a GPU has no counter, and without a GPU answers 0 J.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.energy.meter import SAMPLE_SECONDS, NoMeter


@dataclass(slots=True)
class ZeusFinding:
    """What Zeus counted in a window, in joules; None with a reason in words, and while the window is open."""

    joules: float | None = None
    reason: str = "its window has not ended"


class ZeusCheck:
    """Zeus' monitors: one of counters, and one of power for GPUs without a counter. Either may be None."""

    def __init__(self, counters: Any, counted: Sequence[int], power: Any, polled: Sequence[int], error: Any) -> None:
        self._counters, self._counted = counters, tuple(counted)
        self._power, self._polled = power, tuple(polled)
        self._error = error
        self._numbers = itertools.count()

    @contextlib.contextmanager
    def window(self) -> Iterator[ZeusFinding]:
        """A window around what is in the context. What Zeus fails with is the finding's reason, and is not raised."""
        finding, key = ZeusFinding(), f"bench {next(self._numbers)}"
        began = time.time()
        try:
            if self._counted:
                self._counters.begin_window(key, sync_execution=False)
        except self._error as reason:
            finding.reason = f"Zeus failed: {_line(reason)}"
            yield finding
            return
        try:
            yield finding
        finally:
            self._end(finding, key, began)

    def close(self) -> None:
        """Ends what Zeus runs in the background."""
        if self._power is not None:
            self._power.stop()

    def _end(self, finding: ZeusFinding, key: str, began: float) -> None:
        found: dict[int, float] = {}
        ended = time.time()
        try:
            if self._counted:
                found |= self._counters.end_window(key, sync_execution=False).gpu_energy
            if self._polled:
                found |= self._power.get_energy(began, ended) or {}
        except self._error as reason:
            finding.reason = f"Zeus failed: {_line(reason)}"
            return
        finding.joules, finding.reason = total(found, {*self._counted, *self._polled})


def total(found: Mapping[int, float], expected: Collection[int]) -> tuple[float | None, str]:
    """(joules of all GPUs, ""), or (None, why not in words): nothing that is missing, or 0, is counted as energy."""
    missing = sorted(set(expected) - set(found))
    if missing or not expected:
        return None, "Zeus says nothing of GPU " + ", ".join(map(str, missing)) if missing else "Zeus sees no GPU"
    wrong = sorted(gpu for gpu in expected if not (math.isfinite(found[gpu]) and found[gpu] > 0))
    if wrong:
        return None, f"Zeus counted nothing on GPU {', '.join(map(str, wrong))}"
    return math.fsum(found[gpu] for gpu in expected), ""


def open_zeus(gpus: Sequence[int] | None = None) -> ZeusCheck:
    """Zeus, for the GPUs of these CUDA indices, or all that CUDA_VISIBLE_DEVICES leaves. Takes seconds to import.

    Raises `NoMeter` with `no_meter` where the package `zeus` is not installed, or sees no GPU.
    """
    try:
        monitor, device = importlib.import_module("zeus.monitor"), importlib.import_module("zeus.device")
        error = importlib.import_module("zeus.exception").ZeusBaseError
    except ImportError as reason:
        raise NoMeter("no_meter", "the package zeus is not installed", "pip install zeus") from reason
    try:
        known = device.get_gpus()
        wanted = list(range(len(known)) if gpus is None else gpus)
        counted = [gpu for gpu in wanted if known.supports_get_total_energy_consumption(gpu)]
        polled = [gpu for gpu in wanted if gpu not in counted]
        counters = monitor.ZeusMonitor(gpu_indices=counted, cpu_indices=[]) if counted else None
        power = monitor.PowerMonitor(gpu_indices=polled, update_period=SAMPLE_SECONDS) if polled else None
    except error as reason:
        raise NoMeter("no_meter", f"Zeus: {_line(reason)}", "see whether nvidia-smi shows the GPU") from reason
    if not wanted:
        raise NoMeter("no_meter", "Zeus sees no GPU", "see whether nvidia-smi shows one")
    return ZeusCheck(counters, counted, power, polled, error)


def _line(reason: Exception) -> str:
    return (str(reason).strip() or type(reason).__name__).splitlines()[0]
