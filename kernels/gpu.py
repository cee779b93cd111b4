"""The GPU, if there is one: what CuPy finds, why it finds none, and the few calls that the kernels make of it."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.base import Backend

SOURCE = Path(__file__).with_name("chrf.cu")
OPTIONS = ("-std=c++17", "--fmad=false")
"""Without fused multiply-add: it changes the last bit of a score."""
WORTHWHILE = 2048
"""With fewer pairs than this `auto` stays on the CPU, which is done before a first launch is."""
STREAMS = 2
"""While one chunk is computed the next is uploaded."""

Result = TypeVar("Result")


class Device(Protocol):
    """What the kernels need of a device. `Gpu` is one; the tests run the same kernels on a CPU behind it.

    `xp` is the array module, `shared` the bytes of shared memory that a block may have, `processors` how many
    multiprocessors there are, `memory` the device's bytes.
    """

    xp: Any
    shared: int
    processors: int
    memory: int

    def __hash__(self) -> int:
        """Devices are told apart by identity: what was uploaded to one is of no use to another."""

    def launch(self, kernel: str, blocks: int, threads: int, shared: int, arguments: tuple[Any, ...]) -> None:
        """Starts a kernel of chrf.cu on the current stream. Scalars are numpy's, of the type that the kernel takes."""

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy on the device, on the current stream; the array must live until that stream has come so far."""

    def download(self, array: Any, out: NDArray[Any]) -> None:
        """Waits for the current stream and copies into contiguous host memory."""

    def stream(self, number: int) -> AbstractContextManager[Any]:
        """Makes one of `STREAMS` streams the current one."""

    def synchronize(self) -> None:
        """Waits for all streams."""

    def release(self) -> None:
        """Gives unused memory back to the device, for others."""


class Gpu:
    """The current CUDA device through CuPy. Compiles the kernels, or takes them from CuPy's cache on disk.

    Raises what CuPy raises where there is no device, or none that works.
    """

    def __init__(self, cupy: Any) -> None:
        device = cupy.cuda.Device()
        self.xp = cupy
        self.name = cupy.cuda.runtime.getDeviceProperties(device.id)["name"].decode()
        self.shared = int(device.attributes["MaxSharedMemoryPerBlockOptin"])
        self.processors = int(device.attributes["MultiProcessorCount"])
        self.memory = int(device.mem_info[1])
        self._module = cupy.RawModule(code=SOURCE.read_text("utf-8"), options=OPTIONS)
        self._kernels: dict[str, Any] = {}
        self._streams = [cupy.cuda.Stream(non_blocking=True) for _ in range(STREAMS)]
        self._kernel("chrf_scores")
        int(cupy.arange(2).sum())  # needs CUDA's headers, which may be missing: better found out here than later

    def _kernel(self, name: str) -> Any:
        if name not in self._kernels:
            self._kernels[name] = self._module.get_function(name)
            # Unasked, a block gets 48 KiB at most.
            self._kernels[name].max_dynamic_shared_size_bytes = self.shared
        return self._kernels[name]

    def launch(self, kernel: str, blocks: int, threads: int, shared: int, arguments: tuple[Any, ...]) -> None:
        """See `Device`."""
        self._kernel(kernel)((blocks,), (threads,), arguments, shared_mem=shared)

    def upload(self, array: NDArray[Any]) -> Any:
        """See `Device`. With the stream named the copy is asynchronous where the host memory is pinned."""
        target = self.xp.empty(array.shape, array.dtype)
        if array.size:
            target.set(np.ascontiguousarray(array), stream=self.xp.cuda.get_current_stream())
        return target

    def download(self, array: Any, out: NDArray[Any]) -> None:
        """See `Device`."""
        stream = self.xp.cuda.get_current_stream()
        array.get(out=out, stream=stream)
        stream.synchronize()

    def stream(self, number: int) -> AbstractContextManager[Any]:
        """See `Device`."""
        stream: AbstractContextManager[Any] = self._streams[number]
        return stream

    def synchronize(self) -> None:
        """See `Device`."""
        self.xp.cuda.Device().synchronize()

    def release(self) -> None:
        """See `Device`."""
        self.xp.get_default_memory_pool().free_all_blocks()


@functools.cache
def found() -> Gpu | str:
    """The device, or in one line why there is none. Found out once a process; imports CuPy, which takes a second."""
    try:
        cupy = importlib.import_module("cupy")
    except (ImportError, OSError, RuntimeError) as failed:
        if isinstance(failed, ModuleNotFoundError) and failed.name == "cupy":
            return "CuPy is not installed: pip install '.[gpu]'"
        return f"CuPy does not import: {_line(failed)}"
    try:
        return _absent(cupy) or Gpu(cupy)
    except MemoryError:
        return "the GPU has no memory left"
    except cupy.cuda.compiler.CompileException as refused:
        return f"CUDA cannot compile the kernels for this GPU: {_line(refused)}"
    except (ImportError, OSError, RuntimeError) as failed:  # CUDARuntimeError and a missing NVRTC are RuntimeErrors
        return f"CUDA does not work: {_line(failed)}"


def _absent(cupy: Any) -> str:
    if not cupy.cuda.runtime.driverGetVersion():
        return "CuPy found no CUDA driver"
    return "" if cupy.cuda.runtime.getDeviceCount() else "CuPy found no CUDA device"


def _line(error: Exception) -> str:
    """An error's first line that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def available() -> str:
    """Why scoring cannot use a GPU, in one line; empty where it can."""
    device = found()
    return device if isinstance(device, str) else ""


def required() -> Gpu:
    """The device. Raises `ValueError` with the reason if there is none."""
    if reason := available():
        raise ValueError(f"no GPU to score on: {reason}")
    device = found()
    assert not isinstance(device, str)
    return device


def chosen(backend: Backend, pairs: int) -> Device | None:
    """Where to score so many pairs: a device, or None for the CPU.

    `cpu` never looks for a GPU, `auto` does for `WORTHWHILE` pairs and more. Raises `ValueError` for `gpu` where there
    is none, with the reason, and for any other word.
    """
    if backend not in ("auto", "gpu", "cpu"):
        raise ValueError(f"unknown backend {backend!r}; known are auto, gpu, cpu")
    if backend == "cpu" or (backend == "auto" and pairs < WORTHWHILE):
        return None
    if backend == "gpu":
        return required()
    device = found()
    return None if isinstance(device, str) else device


def or_else(work: Callable[[], Result], on_cpu: Callable[[], Result]) -> Result:
    """What `work` gives, or, where the device has too little memory for it, what `on_cpu` gives: the same, later.

    A process that runs a model on the same GPU can leave any amount free. That the CPU steps in is said once, as a
    `RuntimeWarning`.
    """
    try:
        return work()
    except MemoryError as error:  # CuPy's OutOfMemoryError is one
        _say_once(f"the GPU is out of memory, scoring on the CPU: {_line(error)}")
    return on_cpu()


@functools.cache
def _told() -> set[str]:
    return set()


def _say_once(message: str) -> None:
    kind = message.partition(":")[0]
    if kind not in _told():
        _told().add(kind)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
