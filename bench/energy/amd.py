"""The energy of AMD's GPUs: their counter, or the integral of their power where the counter cannot be believed.

Some counters are wrong by orders of magnitude and some never move, so that each is compared with power before it is
used. Of a card with two dies one reports for both, and the other nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from bench.energy.amd_devices import Gpu, chosen, load, millijoules, start, watts
from bench.energy.clock import Clock
from bench.energy.gpu import Abilities, Count, Point, judged, reach, together
from bench.energy.meter import Mark, NoMeter
from bench.energy.power import Samples
from bench.energy.records import MeterFacts, Reading

TRIAL_SECONDS = 0.5
TRUSTED = (0.1, 10.0)
"""What a counter says over what power says, in a trial: outside of it, it is no counter of this GPU (Zeus)."""


class AmdMeter:
    """Counts some GPUs, as `open_amd` found them. One that fails takes the sum away."""

    def __init__(self, amdsmi: Any, clock: Clock, gpus: Sequence[Gpu], facts: MeterFacts) -> None:
        self.facts = facts
        self._amdsmi, self._clock, self._gpus = amdsmi, clock, tuple(gpus)
        # Cards of the MI200 series tell their average power.
        counted = facts.method == "counter"
        self._able = [Abilities(counted, averaged=True, limit=gpu.device.power_limit) for gpu in gpus]
        self._beats: Samples[tuple[Point, ...]] = Samples(lambda beat: beat[0].at)
        self._lock = threading.Lock()

    def sample(self) -> None:
        """Reads power and counter of every GPU."""
        with self._lock:
            self._beats.append(tuple(_point(self._amdsmi, gpu, self._clock.now()) for gpu in self._gpus))

    def mark(self) -> Mark:
        """Reads the counters, between two samples, so that the moment has a power reading on either side of it."""
        self.sample()
        with self._lock:
            at = self._clock.now()
            counts = [Count(at, millijoules(self._amdsmi, gpu.handle)) for gpu in self._gpus]
        self.sample()
        return Mark(at, {"counts": counts})

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The energy of all GPUs, and by the other method as `cross`; see `gpu.judged` for what makes it None."""
        beats = self._beats.within(*reach(begin.at, end.at))
        readings = [
            judged([beat[number] for beat in beats], first, last, able, self.facts.method)
            for number, (first, last, able) in enumerate(
                zip(begin.counters["counts"], end.counters["counts"], self._able, strict=True)
            )
        ]
        return together(readings, [beat for beat in beats if begin.at <= beat[0].at <= end.at], self.facts.notes)

    def close(self) -> None:
        """Lets go of the library."""
        with contextlib.suppress(self._amdsmi.AmdSmiException):
            self._amdsmi.amdsmi_shut_down()


def open_amd(
    clock: Clock, amdsmi: Any = None, devices: str | None = None, environ: Mapping[str, str] = os.environ
) -> AmdMeter:
    """The meter of the GPUs that are meant (see `amd_devices.chosen`). Takes half a second, to try their counters.

    Raises `NoMeter`: `amd_absent`, `no_permission`, `no_gpu`, and `amd_counter_implausible` where a GPU tells no power,
    so that neither method can be used. `amdsmi` stands in for the package.
    """
    amdsmi = load() if amdsmi is None else amdsmi
    handles = start(amdsmi)
    try:
        gpus = chosen(amdsmi, handles, devices, environ)
        trusted = _trusted(clock, amdsmi, gpus)
    except NoMeter:
        with contextlib.suppress(amdsmi.AmdSmiException):
            amdsmi.amdsmi_shut_down()
        raise
    # The MI300A is a processor and a GPU in one, and counts both.
    module = any("MI300A" in gpu.device.name for gpu in gpus)
    facts = MeterFacts(
        scope="gpu_module" if module else "gpu_board",
        method="counter" if trusted else "integral",
        api="amdsmi",
        devices=tuple(gpu.device for gpu in gpus),
        notes=(*(() if trusted else ("counter_unsupported",)), *(("module_scope",) if module else ())),
    )
    return AmdMeter(amdsmi, clock, gpus, facts)


def _point(amdsmi: Any, gpu: Gpu, at: float) -> Point:
    """Throttling and processes are not looked at: AMD's library tells neither in the same way on all its GPUs."""
    return Point(at, watts(amdsmi, gpu.handle), millijoules(amdsmi, gpu.handle))


def _trusted(clock: Clock, amdsmi: Any, gpus: Sequence[Gpu]) -> bool:
    """Whether every counter moves about as power says. Raises `NoMeter` for a GPU that tells no power."""
    first = [_point(amdsmi, gpu, clock.now()) for gpu in gpus]
    clock.wait(TRIAL_SECONDS)
    last = [_point(amdsmi, gpu, clock.now()) for gpu in gpus]
    ratios = []
    for gpu, before, after in zip(gpus, first, last, strict=True):
        if after.watts is None:
            detail = f"GPU {gpu.index} tells no power: of a card with two dies, one reports for both"
            raise NoMeter("amd_counter_implausible", detail, "name the GPUs that report, as in -E devices=0,2")
        if before.millijoules is not None and after.millijoules is not None:
            moved = (after.millijoules - before.millijoules) / 1000
            ratios.append(moved / (after.watts * (after.at - before.at)))
    return len(ratios) == len(gpus) and all(TRUSTED[0] < ratio < TRUSTED[1] for ratio in ratios)
