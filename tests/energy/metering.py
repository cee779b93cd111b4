"""Windows on scripted GPUs."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from typing import Any

from bench.energy.meter import Mark
from bench.energy.nvml import NvmlMeter, open_nvml
from bench.energy.records import Reading
from tests.energy.scripted import FakeGpu, FakeNvml, VirtualClock

FOREVER = math.inf
START = 1000.0
"""When the virtual clock begins; a meter is open a second later, and windows begin another second later."""
MINE = [(os.getpid(), 0.0, FOREVER)]
"""This process on a GPU, all the time."""


def opened(
    *gpus: FakeGpu, devices: str | None = None, allowed: Collection[int] = (), **options: Any
) -> tuple[NvmlMeter, VirtualClock]:
    """The meter of these GPUs, one second after `START`."""
    clock = VirtualClock(START)
    meter = open_nvml(clock, devices, FakeNvml(clock, gpus, **options), allowed)
    clock.wait(START + 1 - clock.now())
    return meter, clock


def window(
    meter: NvmlMeter, clock: VirtualClock, seconds: float, lead: float = 1.0, tail: float = 0.2
) -> tuple[Reading, Mark, Mark]:
    """A reading of so many seconds, `lead` after now, and its marks."""
    with clock.every(0.1, meter.sample):
        clock.wait(lead)
        begin = meter.mark()
        clock.wait(seconds)
        end = meter.mark()
        clock.wait(tail)
    return meter.between(begin, end), begin, end


def reading(*gpus: FakeGpu, seconds: float = 10.0, **options: Any) -> Reading:
    """The reading of one window from `START` + 2."""
    meter, clock = opened(*gpus, **options)
    return window(meter, clock, seconds)[0]


def joules(found: Reading) -> float:
    """Of a reading that has them."""
    assert found.joules is not None, found.reasons
    return found.joules


def codes(found: Reading) -> set[str]:
    """The reasons without their details."""
    return {reason.partition(":")[0] for reason in found.reasons}
