"""Without a GPU the reason is one line, with one it is asked for what it can do; none is needed to show either."""

from __future__ import annotations

import runpy
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels import chrf_gpu, gpu
from kernels.gpu import Gpu
from kernels.text import Text

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "gpu.py"

CUPY = """
from types import SimpleNamespace

class CUDARuntimeError(RuntimeError):
    pass

class CompileException(Exception):
    pass

class OutOfMemoryError(MemoryError):
    pass

class RawKernel:
    def __init__(self, name):
        self.name = name
        self.launches = []
    def __call__(self, *arguments, **options):
        self.launches.append((arguments, options))

class RawModule:
    def __init__(self, code, options):
        self.code, self.options, self.kernels = code, options, []
    def get_function(self, name):
        self.kernels.append(RawKernel(name))
        if FAILS is not None:
            raise FAILS
        return self.kernels[-1]

class Stream:
    def __init__(self, non_blocking):
        pass

def count():
    if isinstance(DEVICES, Exception):
        raise DEVICES
    return DEVICES

def arange(count):
    return SimpleNamespace(sum=lambda: SUM())

FAILS = None
SUM = int
device = SimpleNamespace(
    id=0, attributes={"MaxSharedMemoryPerBlockOptin": 232448, "MultiProcessorCount": 132}, mem_info=(5, 80 << 30)
)
runtime = SimpleNamespace(
    driverGetVersion=lambda: DRIVER, getDeviceCount=count, getDeviceProperties=lambda number: {"name": b"NVIDIA H100"}
)
compiler = SimpleNamespace(CompileException=CompileException)
cuda = SimpleNamespace(Device=lambda: device, runtime=runtime, compiler=compiler, Stream=Stream)
"""
"""As much of CuPy as is asked before the first kernel; what the errors say was seen of CuPy 14.2 without a driver."""


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    gpu.found.cache_clear()
    gpu._told.cache_clear()
    yield
    gpu.found.cache_clear()
    gpu._told.cache_clear()


def imported(folder: Path, source: str, patch: pytest.MonkeyPatch) -> None:
    (folder / "cupy.py").write_text(source, "utf-8")
    patch.syspath_prepend(folder)
    patch.delitem(sys.modules, "cupy", raising=False)


def test_cupy_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert gpu.available() == "CuPy is not installed: pip install '.[gpu]'"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "raise ImportError('\\nlibcublas.so.12: cannot open\\nmore')",
            "CuPy does not import: libcublas.so.12: cannot open",
        ),
        ("import no_such_module", "CuPy does not import: No module named 'no_such_module'"),
        ("DRIVER, DEVICES = 0, 0" + CUPY, "CuPy found no CUDA driver"),
        ("DRIVER, DEVICES = 12040, 0" + CUPY, "CuPy found no CUDA device"),
        (
            CUPY
            + "DRIVER, DEVICES = 11000, CUDARuntimeError('cudaErrorInsufficientDriver: CUDA driver version is low')",
            "CUDA does not work: cudaErrorInsufficientDriver: CUDA driver version is low",
        ),
        (
            CUPY + "DRIVER, DEVICES, FAILS = 12040, 1, RuntimeError('CuPy failed to load libnvrtc.so.12')",
            "CUDA does not work: CuPy failed to load libnvrtc.so.12",
        ),
        (
            CUPY + "DRIVER, DEVICES, FAILS = 12040, 1, CompileException('chrf.cu(1): error\\nlog')",
            "CUDA cannot compile the kernels for this GPU: chrf.cu(1): error",
        ),
        (CUPY + "DRIVER, DEVICES, FAILS = 12040, 1, OutOfMemoryError()", "the GPU has no memory left"),
        (
            CUPY + "DRIVER, DEVICES = 12040, 1\ndef SUM(): raise RuntimeError('Failed to find CUDA headers')",
            "CUDA does not work: Failed to find CUDA headers",
        ),
    ],
)
def test_every_reason_is_one_line(source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(tmp_path, source, monkeypatch)
    assert gpu.available() == reason
    with pytest.raises(ValueError, match="^no GPU to score on: "):
        gpu.chosen("gpu", 1)
    assert gpu.chosen("auto", 10**6) is None
    assert gpu.chosen("cpu", 10**6) is None


def test_a_gpu_is_taken_when_asked_for_or_worthwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(tmp_path, "DRIVER, DEVICES = 12040, 1" + CUPY, monkeypatch)
    device = gpu.found()
    assert isinstance(device, Gpu)
    assert gpu.available() == ""
    assert (device.name, device.shared, device.processors, device.memory) == ("NVIDIA H100", 232448, 132, 80 << 30)
    assert gpu.chosen("gpu", 1) is device
    assert gpu.chosen("auto", gpu.WORTHWHILE) is device
    assert gpu.chosen("auto", gpu.WORTHWHILE - 1) is None
    assert gpu.chosen("cpu", 10**6) is None


def test_a_kernel_is_compiled_as_written_and_may_use_all_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(tmp_path, "DRIVER, DEVICES = 12040, 1" + CUPY, monkeypatch)
    device = gpu.required()
    device.launch("chrf_matches_16", 7, 128, 98304, (np.int32(1),))
    module: Any = device._module
    assert module.code == gpu.SOURCE.read_text("utf-8")
    assert "--fmad=false" in module.options
    kernel = next(kernel for kernel in module.kernels if kernel.name == "chrf_matches_16")
    assert kernel.max_dynamic_shared_size_bytes == 232448
    assert kernel.launches == [(((7,), (128,), (np.int32(1),)), {"shared_mem": 98304})]


def test_small_corpora_do_not_even_import_cupy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(tmp_path, "raise AssertionError('imported')", monkeypatch)
    assert gpu.chosen("auto", gpu.WORTHWHILE - 1) is None
    assert gpu.chosen("cpu", 10**9) is None
    with pytest.raises(AssertionError, match="imported"):
        gpu.chosen("auto", gpu.WORTHWHILE)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown backend 'tpu'; known are auto, gpu, cpu"):
        gpu.chosen("tpu", 1)  # type: ignore[arg-type]


def test_the_cpu_steps_in_for_memory_and_says_so_once() -> None:
    def full() -> str:
        raise MemoryError("Out of memory allocating 4,096 bytes")

    with pytest.warns(RuntimeWarning, match="the GPU is out of memory, scoring on the CPU: Out of memory allocating"):
        assert gpu.or_else(full, lambda: "cpu") == "cpu"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gpu.or_else(full, lambda: "cpu") == "cpu"
    assert gpu.or_else(lambda: "gpu", lambda: "cpu") == "gpu"


def test_other_errors_are_not_hidden() -> None:
    def broken() -> str:
        raise RuntimeError("cudaErrorIllegalAddress")

    with pytest.raises(RuntimeError, match="cudaErrorIllegalAddress"):
        gpu.or_else(broken, lambda: "cpu")


def test_counting_on_a_gpu_that_is_not_there_names_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ValueError, match="no GPU to score on: CuPy is not installed"):
        chrf_gpu.counts(Text(["a"]).units, Text(["a"]).units, 6, 0, False)


def test_the_benchmark_says_in_one_line_why_it_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(sys, "argv", [str(BENCHMARK)])
    runpy.run_path(str(BENCHMARK), run_name="__main__")
    assert capsys.readouterr().out == "nothing measured: CuPy is not installed: pip install '.[gpu]'\n"
