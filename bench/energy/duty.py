"""Loads that keep a machine busy for a share of every period, to see whether a meter counts what they take."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numba
import numpy as np

from bench.energy.clock import Clock
from kernels import gpu

SOURCE = r"""
// Multiplies and adds until `nanoseconds` have passed, and counts the rounds of all blocks.
extern "C" __global__ void busy(unsigned long long nanoseconds, unsigned long long *rounds, float *sink) {
    unsigned long long began, now, made = 0;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(began));
    float a = threadIdx.x, b = 0.999f, c = 0.001f, d = blockIdx.x;
    do {
#pragma unroll 16
        for (int step = 0; step < 256; ++step) {
            a = a * b + c;
            d = d * b + c;
        }
        ++made;
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (now - began < nanoseconds);
    if (a + d == -1.0f) sink[0] = a;  // never so; without it the sums are not computed
    if (threadIdx.x == 0) atomicAdd(rounds, made);
}
"""
THREADS = 256
BLOCKS_A_PROCESSOR = 4
"""So many blocks of `THREADS` are on a multiprocessor at once: all start together, and none has to wait for another."""
STEPS = 100_000
"""Steps of the processor's load between two looks at the clock: some 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run of a load came to: its seconds, how many of them it was busy, and the work, in its own unit."""

    seconds: float
    busy: float
    work: float


class Load(Protocol):
    """Something that takes power."""

    name: str

    def run(self, duty: float, period: float, seconds: float) -> Spent:
        """Busy for the share `duty` of every `period` seconds, for whole periods that make up `seconds`."""

    def close(self) -> None:
        """Ends what it keeps running."""


class NoLoad(Exception):
    """There is nothing to load the devices with. The message says why."""


def cycles(clock: Clock, work: Callable[[float], float], duty: float, period: float, seconds: float) -> Spent:
    """Calls `work`, which computes for so many seconds and returns how much, at the beginning of every period.

    A period begins when it is due by the clock, not when the one before came to its end, so that delays do not add up.
    """
    began, done, busy = clock.now(), 0.0, 0.0
    for number in range(1, max(1, round(seconds / period)) + 1):
        started = clock.now()
        done += work(duty * period)
        ended = clock.now()
        busy += ended - started
        clock.wait(max(0.0, began + number * period - ended))
    return Spent(clock.now() - began, busy, done)


class GpuLoad:
    """Multiply-adds on every multiprocessor of every GPU that CUDA shows, through CuPy.

    They are plain ones, not of tensor cores: a load that runs into the power limit would not be affine in its duty.
    """

    def __init__(self, clock: Clock, cupy: Any) -> None:
        self._clock, self._cupy = clock, cupy
        self._kernel = cupy.RawKernel(SOURCE, "busy")
        self._devices = []
        for number in range(cupy.cuda.runtime.getDeviceCount()):
            with cupy.cuda.Device(number) as device:
                blocks = BLOCKS_A_PROCESSOR * int(device.attributes["MultiProcessorCount"])
                self._devices.append((number, blocks, cupy.zeros(1, np.uint64), cupy.zeros(1, np.float32)))
        self.name = f"multiply-adds on {len(self._devices)} GPU{'s' * (len(self._devices) != 1)}"
        self._busy(0.01)  # compiles

    def run(self, duty: float, period: float, seconds: float) -> Spent:
        """See `Load`. The work is counted in rounds of a block."""
        return cycles(self._clock, self._busy, duty, period, seconds)

    def close(self) -> None:
        """Gives the memory back."""
        self._devices.clear()

    def _busy(self, seconds: float) -> float:
        for number, blocks, rounds, sink in self._devices:
            with self._cupy.cuda.Device(number):
                rounds.fill(0)
                self._kernel((blocks,), (THREADS,), (np.uint64(seconds * 1e9), rounds, sink))
        done = 0
        for number, _, rounds, _ in self._devices:
            with self._cupy.cuda.Device(number):
                done += int(rounds[0])  # waits for the device
        return float(done)


class CpuLoad:
    """Multiply-adds on every processor that this process may use."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, "load")
        self._steps = numba.njit("float64(int64)", nogil=True)(_steps)
        self.name = f"multiply-adds on {self._threads} processor threads"

    def run(self, duty: float, period: float, seconds: float) -> Spent:
        """See `Load`. The work is counted in rounds of `STEPS`."""
        return cycles(self._clock, self._busy, duty, period, seconds)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _busy(self, seconds: float) -> float:
        until = self._clock.now() + seconds
        return float(sum(self._pool.map(self._spin, [until] * self._threads)))

    def _spin(self, until: float) -> int:
        made = 0
        while self._clock.now() < until:
            self._steps(STEPS)
            made += 1
        return made


def _steps(count: int) -> float:
    a, b = 0.0, 1.0
    for _ in range(count):
        a = a * 0.999 + 0.001
        b = b * 0.998 + 0.002
    return a + b


def gpu_load(clock: Clock) -> GpuLoad:
    """A load for the GPUs. Raises `NoLoad` where CuPy or a GPU that works is not there."""
    device = gpu.found()
    if isinstance(device, str):
        raise NoLoad(device)
    try:
        return GpuLoad(clock, device.xp)
    except (RuntimeError, MemoryError, device.xp.cuda.compiler.CompileException) as refused:
        raise NoLoad(
            f"the GPU cannot be loaded: {next(iter(str(refused).splitlines()), type(refused).__name__)}"
        ) from refused
