"""A `kernels.gpu.Device` that runs the CUDA source on the CPU, by way of g++ and `cuda_on_cpu.hpp`."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.gpu import SOURCE, STREAMS

HERE = Path(__file__).parent
FLAGS = "-std=c++17 -O2 -fno-strict-aliasing -ffp-contract=off -fPIC -shared -Wall -Wextra -Werror".split()
GUARD = 64
_KINDS = {"i": ctypes.c_int, "q": ctypes.c_longlong, "l": ctypes.c_longlong, "d": ctypes.c_double}


def library(folder: Path, source: Path = SOURCE) -> ctypes.CDLL:
    """The compiled kernels, from chrf.cu or a copy of that name. Skips the test where there is no g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ here: apt-get install g++")
    target = folder / "chrf_on_cpu.so"
    includes = [f"-I{source.parent}", f"-I{HERE}"]
    subprocess.run([compiler, *FLAGS, *includes, str(HERE / "driver.cpp"), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


class CpuDevice:
    """NumPy for CuPy. Notes every launch; a stream that nobody made current counts as a mistake."""

    xp: Any = np
    processors = 2

    def __init__(self, kernels: ctypes.CDLL, shared: int = 227 * 1024, memory: int = 1 << 30) -> None:
        self.shared = shared
        self.memory = memory
        self.seed = 0
        self.launches: list[tuple[str, int, int, int, tuple[Any, ...]]] = []
        self.uploaded: list[int] = []
        self.released = 0
        self._kernels = kernels

    def launch(self, kernel: str, blocks: int, threads: int, shared: int, arguments: tuple[Any, ...]) -> None:
        self.launches.append((kernel, blocks, threads, shared, arguments))
        self.seed += 1
        function = getattr(self._kernels, f"run_{kernel}")
        function.restype = ctypes.c_char_p
        wrong = function(blocks, threads, shared, self.seed, *map(_passed, arguments))
        assert not wrong, f"{kernel}: {wrong.decode()}"

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy, so that nothing can lean on the host's array, with room around it that a kernel must not need."""
        self.uploaded.append(array.nbytes)
        room = np.full(len(array) + 2 * GUARD, 77, dtype=array.dtype)
        room[GUARD : GUARD + len(array)] = array
        return room[GUARD : GUARD + len(array)]

    def download(self, array: Any, out: NDArray[Any]) -> None:
        assert out.flags.c_contiguous
        assert (out.dtype, out.shape) == (array.dtype, array.shape)
        out[...] = array

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        yield

    def stream(self, number: int) -> contextlib.AbstractContextManager[Any]:
        assert number < STREAMS
        return self._current()

    def synchronize(self) -> None:
        pass

    def release(self) -> None:
        self.released += 1


def _passed(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return ctypes.c_void_p(argument.ctypes.data)
    return _KINDS[argument.dtype.char](argument.item())
