"""Loads are busy when they say so: periods that do not drift, a kernel that compiles, processors that compute."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.energy import duty
from bench.energy.clock import RealClock
from bench.energy.duty import CpuLoad, GpuLoad, NoLoad, cycles, gpu_load
from kernels import gpu
from tests.energy.scripted import VirtualClock
from tests.kernels.test_cuda_source import ptx


def working(clock: VirtualClock, late: float = 0.0) -> tuple[Callable[[float], float], list[tuple[float, float]]]:
    """Work that takes as long as it is told and `late` more, and the times at which it began and ended."""
    spans = []

    def work(seconds: float) -> float:
        began = clock.now()
        clock.wait(seconds + late)
        spans.append((began, clock.now()))
        return seconds

    return work, spans


@pytest.mark.parametrize(
    ("share", "period", "seconds"), [(0.25, 0.05, 6.0), (0.5, 2.0, 6.0), (1.0, 1.0, 3.0), (0.75, 2.0, 0.5)]
)
def test_cycles_are_busy_for_their_share(share: float, period: float, seconds: float) -> None:
    clock = VirtualClock(0.0)
    work, spans = working(clock)
    spent = cycles(clock, work, share, period, seconds)
    assert spent.seconds == pytest.approx(max(period, seconds))
    assert spent.busy == pytest.approx(share * spent.seconds)
    assert spent.work == pytest.approx(spent.busy)
    assert [began for began, _ in spans] == pytest.approx([number * period for number in range(len(spans))])


def test_delays_do_not_add_up_and_are_told() -> None:
    clock = VirtualClock(0.0)
    work, spans = working(clock, late=0.01)
    spent = cycles(clock, work, 0.5, 0.1, 1.0)
    assert [began for began, _ in spans] == pytest.approx([number / 10 for number in range(10)])
    assert spent.busy == pytest.approx(0.6)
    assert spent.work == pytest.approx(0.5)
    full = cycles(clock, working(clock, late=0.01)[0], 1.0, 0.1, 1.0)
    assert full.seconds == pytest.approx(full.busy) == pytest.approx(1.1)


def test_the_processors_compute_and_are_let_go() -> None:
    load = CpuLoad(RealClock())
    with contextlib.closing(load):
        spent = load.run(0.5, 0.02, 0.04)
    assert spent.work > 0
    assert 0 < spent.busy <= spent.seconds
    with pytest.raises(RuntimeError):
        load.run(0.5, 0.02, 0.04)


@pytest.mark.parametrize("architecture", ["sm_70", "sm_80", "sm_90"])
def test_the_kernel_compiles_and_computes(architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "busy.cu").write_text(duty.SOURCE)
    monkeypatch.setattr(gpu, "SOURCE", tmp_path / "busy.cu")
    monkeypatch.setattr(gpu, "OPTIONS", ())
    compiled = ptx(architecture)
    assert ".entry busy(" in compiled
    assert compiled.count("%globaltimer") == 2
    assert compiled.count("fma.rn.f32") >= 32, "what nobody reads is not computed"


class FakeCupy:
    """The calls of CuPy that the load makes, for GPUs whose kernels take as long as they are told."""

    def __init__(self, clock: VirtualClock, processors: list[int]) -> None:
        self.clock, self.processors = clock, processors
        self.current = 0
        self.busy_until = [0.0] * len(processors)
        self.launches: list[tuple[int, int, int]] = []
        self.cuda = SimpleNamespace(
            Device=self.device,
            runtime=SimpleNamespace(getDeviceCount=lambda: len(processors)),
        )

    @contextlib.contextmanager
    def device(self, number: int) -> Iterator[SimpleNamespace]:
        before, self.current = self.current, number
        yield SimpleNamespace(attributes={"MultiProcessorCount": self.processors[number]})
        self.current = before

    def zeros(self, count: int, kind: type) -> FakeArray:
        assert count == 1
        return FakeArray(self, self.current, kind)

    def RawKernel(self, source: str, name: str) -> Callable[..., None]:  # noqa: N802
        assert f"__global__ void {name}(" in source

        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            nanoseconds, rounds, sink = arguments
            assert (nanoseconds.dtype, rounds.kind, sink.kind) == (np.uint64, np.uint64, np.float32)
            assert rounds.home == sink.home == self.current
            self.busy_until[self.current] = self.clock.now() + nanoseconds / 1e9
            rounds.value += grid[0]
            self.launches.append((self.current, grid[0], block[0]))

        return launch


class FakeArray:
    def __init__(self, cupy: FakeCupy, home: int, kind: type) -> None:
        self.cupy, self.home, self.kind, self.value = cupy, home, kind, 0

    def fill(self, value: int) -> None:
        assert self.cupy.current == self.home
        self.value = value

    def __getitem__(self, index: int) -> int:
        assert self.cupy.current == self.home
        self.cupy.clock.wait(self.cupy.busy_until[self.home] - self.cupy.clock.now())
        return self.value


def test_every_gpu_is_loaded_at_the_same_time() -> None:
    clock = VirtualClock(0.0)
    cupy = FakeCupy(clock, [132, 108])
    with contextlib.closing(GpuLoad(clock, cupy)) as load:
        assert load.name == "multiply-adds on 2 GPUs"
        began = clock.now()
        spent = load.run(0.5, 0.2, 1.0)
        assert clock.now() - began == pytest.approx(1.0)
    assert spent.busy == pytest.approx(0.5)
    assert spent.work == 5 * 4 * (132 + 108)
    assert set(cupy.launches) == {(0, 4 * 132, 256), (1, 4 * 108, 256)}


def test_without_a_gpu_there_is_a_reason() -> None:
    if not gpu.available():
        pytest.skip("there is a GPU here")
    with pytest.raises(NoLoad) as raised:
        gpu_load(RealClock())
    assert str(raised.value) == gpu.available()


def test_a_gpu_that_refuses_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class CompileError(Exception):
        pass

    def refuse() -> int:
        raise CompileError("no such architecture\nand a long log")

    compiler = SimpleNamespace(CompileException=CompileError)
    cupy = SimpleNamespace(
        RawKernel=lambda *_: None,
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=refuse), compiler=compiler),
    )
    monkeypatch.setattr(gpu, "found", lambda: SimpleNamespace(xp=cupy))
    with pytest.raises(NoLoad, match="^the GPU cannot be loaded: no such architecture$"):
        gpu_load(RealClock())
