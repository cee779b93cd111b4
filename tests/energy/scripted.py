"""A clock that is moved by hand, and an NVML whose GPUs draw what a test says."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.energy import powers
from tests.energy.powers import Power, Summed


class VirtualClock:
    """`bench.energy.clock.Clock` without waiting: time passes in `wait` alone, and callbacks run at their due times.

    What a callback raises comes out of the `wait` that ran it. Callbacks run in the thread that waits.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._numbers = itertools.count()
        self._callbacks: dict[int, _Callback] = {}
        self._lock = threading.RLock()

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        with self._lock:
            until = self._now + max(0.0, seconds)
            while due := [(one.due, number) for number, one in self._callbacks.items() if one.due <= until]:
                at, number = min(due)
                callback = self._callbacks[number]
                callback.beats += 1
                self._now = max(self._now, at)
                callback.call()
            self._now = max(self._now, until)

    advance = wait

    @contextlib.contextmanager
    def every(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            number = next(self._numbers)
            self._callbacks[number] = _Callback(self._now, seconds, call, beats=1)
            call()
        try:
            yield
        finally:
            del self._callbacks[number]


@dataclass
class _Callback:
    start: float
    seconds: float
    call: Callable[[], None]
    beats: int

    @property
    def due(self) -> float:
        return self.start + self.beats * self.seconds


class NVMLError(Exception):
    """As pynvml's: made from a code, of the class that this code has."""

    value: int

    def __new__(cls, value: int) -> NVMLError:
        made = Exception.__new__(_ERRORS.get(value, cls) if cls is NVMLError else cls)
        made.value = value
        return made

    def __str__(self) -> str:
        return f"NVML error {self.value}"


_CODES = {
    "Uninitialized": 1,
    "InvalidArgument": 2,
    "NotSupported": 3,
    "NoPermission": 4,
    "NotFound": 6,
    "DriverNotLoaded": 9,
    "LibraryNotFound": 12,
    "FunctionNotFound": 13,
    "GpuIsLost": 15,
    "ResetRequired": 16,
    "LibRmVersionMismatch": 18,
    "GpuNotFound": 28,
    "Unknown": 999,
}
ERROR_CLASSES: dict[str, type[NVMLError]] = {
    f"NVMLError_{name}": type(f"NVMLError_{name}", (NVMLError,), {}) for name in _CODES
}
_ERRORS = {code: ERROR_CLASSES[f"NVMLError_{name}"] for name, code in _CODES.items()}
CONSTANTS = {
    "NVML_SUCCESS": 0,
    "NVML_ERROR_UNINITIALIZED": 1,
    "NVML_ERROR_INVALID_ARGUMENT": 2,
    "NVML_ERROR_NOT_SUPPORTED": 3,
    "NVML_ERROR_NO_PERMISSION": 4,
    "NVML_ERROR_NOT_FOUND": 6,
    "NVML_ERROR_DRIVER_NOT_LOADED": 9,
    "NVML_ERROR_LIBRARY_NOT_FOUND": 12,
    "NVML_ERROR_FUNCTION_NOT_FOUND": 13,
    "NVML_ERROR_GPU_IS_LOST": 15,
    "NVML_ERROR_RESET_REQUIRED": 16,
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": 18,
    "NVML_ERROR_GPU_NOT_FOUND": 28,
    "NVML_ERROR_UNKNOWN": 999,
    "NVML_FI_DEV_POWER_AVERAGE": 185,
    "NVML_FI_DEV_POWER_INSTANT": 186,
    "NVML_POWER_SCOPE_GPU": 0,
    "NVML_POWER_SCOPE_MODULE": 1,
    "NVML_POWER_SCOPE_MEMORY": 2,
    "NVML_TEMPERATURE_GPU": 0,
    "NVML_CLOCK_SM": 1,
    "NVML_DEVICE_ARCH_HOPPER": 9,
    "NVML_DEVICE_MIG_DISABLE": 0,
    "NVML_DEVICE_MIG_ENABLE": 1,
    "NVML_VALUE_TYPE_UNSIGNED_INT": 1,
    "nvmlClocksEventReasonSwPowerCap": 0x4,
    "nvmlClocksEventReasonHwSlowdown": 0x8,
    "nvmlClocksEventReasonSwThermalSlowdown": 0x20,
    "nvmlClocksEventReasonHwThermalSlowdown": 0x40,
    "nvmlClocksEventReasonHwPowerBrakeSlowdown": 0x80,
}
"""With pynvml's own names and values."""


@dataclass
class FakeGpu:
    """One GPU. Times are those of the clock; errors are NVML's codes (3 not supported, 4 no permission, 999 unknown).

    `power` is watts as a function of time, or a number. The counter has the joules since time 0 and `counter_base`
    millijoules more, and says anew every `counter_period` seconds. `sampling` is how field 186 says the power: as it is
    ("instant"), or the mean of the last quarter of every 100 ms, said until the next ("duty"). `errors` are those of
    functions by their names, with the times from and until which they fail. `pids` are the processes on the GPU with
    the times from and until which they are; `bits` the clock event reasons with the times from and until which they
    hold. `counted` is the share of the energy that the counter counts.
    """

    power: Power | Callable[[float], float] | float = 300.0
    uuid: str = "GPU-00000000-0000-0000-0000-000000000000"
    name: str = "NVIDIA H100 80GB HBM3"
    limit: float = 700.0
    celsius: int = 55
    architecture: int = 9
    mig: bool | None = False
    scopes: tuple[int, ...] = (0,)
    sampling: str = "instant"
    fields: bool = True
    counter_base: int = 123_456_789
    counter_period: float = 0.1
    counter_phase: float = 0.0
    counted: float = 1.0
    resets_at: float | None = None
    stuck_from: float = math.inf
    lost_at: float = math.inf
    denied_from: float = math.inf
    errors: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    pids: Sequence[tuple[int, float, float]] = ()
    bits: Sequence[tuple[int, float, float]] = ()

    def __post_init__(self) -> None:
        if isinstance(self.power, int | float):
            self.power = powers.constant(float(self.power))
        self._power: Power = self.power if hasattr(self.power, "until") else Summed(self.power)  # type: ignore[assignment]

    def joules(self, begin: float, end: float) -> float:
        """What it truly took between two times."""
        return self._power.until(end) - self._power.until(begin)

    def millijoules(self, at: float) -> int:
        """What its counter says."""
        at = min(at, self.stuck_from)
        updates = math.floor((at - self.counter_phase) / self.counter_period + 1e-9)
        updated = updates * self.counter_period + self.counter_phase
        if self.resets_at is not None and at >= self.resets_at:
            return round(1000 * self.counted * max(0.0, self.joules(self.resets_at, updated)))
        return self.counter_base + round(1000 * self.counted * self._power.until(updated))

    def instant(self, at: float) -> float:
        """Watts as field 186 says them."""
        if self.sampling == "instant":
            return self._power(at)
        updated = math.floor(at / 0.1 + 1e-9) * 0.1
        return self._mean(updated - 0.025, updated)

    def average(self, at: float) -> float:
        """Watts as field 185 says them: the mean of the last second."""
        return self._mean(at - 1.0, at)

    def _mean(self, begin: float, end: float) -> float:
        """Nothing is known of what was before time 0."""
        begin = max(0.0, begin)
        return self.joules(begin, end) / (end - begin) if end > begin else self._power(end)


class FakeNvml:
    """Stands in for the module `pynvml`: its GPUs in NVML's order. `init_error` is what `nvmlInit` fails with."""

    NVMLError = NVMLError

    def __init__(
        self,
        clock: Any,
        gpus: Sequence[FakeGpu] = (),
        init_error: int = 0,
        driver: str = "580.65.06",
        old: bool = False,
    ) -> None:
        self.clock = clock
        self.gpus = list(gpus)
        self.init_error = init_error
        self.driver = driver
        self.old = old
        self.initialised = 0
        self.__dict__.update(CONSTANTS)
        self.__dict__.update(ERROR_CLASSES)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the scripted NVML has no {name}")

    def nvmlInit(self) -> None:  # noqa: N802
        if self.init_error:
            raise NVMLError(self.init_error)
        self.initialised += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self._check()
        self.initialised -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        self._check()
        return self.driver

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._check()
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        self._check()
        if not 0 <= index < len(self.gpus):
            raise NVMLError(2)
        return self._alive("nvmlDeviceGetHandleByIndex", self.gpus[index])

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu:  # noqa: N802
        self._check()
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                return self._alive("nvmlDeviceGetHandleByUUID", gpu)
        raise NVMLError(6)

    def nvmlDeviceGetUUID(self, handle: FakeGpu) -> str:  # noqa: N802
        return self._alive("nvmlDeviceGetUUID", handle).uuid

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str:  # noqa: N802
        return self._alive("nvmlDeviceGetName", handle).name

    def nvmlDeviceGetArchitecture(self, device: FakeGpu) -> int:  # noqa: N802
        return self._alive("nvmlDeviceGetArchitecture", device).architecture

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._alive("nvmlDeviceGetTotalEnergyConsumption", handle).millijoules(self.clock.now())

    def nvmlDeviceGetFieldValues(self, handle: FakeGpu, fieldIds: Sequence[Any]) -> list[SimpleNamespace]:  # noqa: N802, N803
        gpu = self._alive("nvmlDeviceGetFieldValues", handle)
        return [self._field(gpu, *(one if isinstance(one, tuple) else (one, 0))) for one in fieldIds]

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:  # noqa: N802
        return round(1000 * self._alive("nvmlDeviceGetPowerUsage", handle).average(self.clock.now()))

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: FakeGpu) -> int:  # noqa: N802
        return round(1000 * self._alive("nvmlDeviceGetEnforcedPowerLimit", handle).limit)

    def nvmlDeviceGetClockInfo(self, handle: FakeGpu, type: int) -> int:  # noqa: N802, A002
        self._alive("nvmlDeviceGetClockInfo", handle)
        return 1980

    def nvmlDeviceGetTemperature(self, handle: FakeGpu, sensor: int) -> int:  # noqa: N802
        return self._alive("nvmlDeviceGetTemperature", handle).celsius

    def nvmlDeviceGetMigMode(self, device: FakeGpu) -> list[int]:  # noqa: N802
        mig = self._alive("nvmlDeviceGetMigMode", device).mig
        if mig is None:
            raise NVMLError(3)
        return [int(mig), int(mig)]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: FakeGpu) -> list[SimpleNamespace]:  # noqa: N802
        gpu = self._alive("nvmlDeviceGetComputeRunningProcesses", handle)
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in self._now(gpu.pids)]

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: FakeGpu) -> int:  # noqa: N802
        if self.old:
            raise NVMLError(13)
        return self.nvmlDeviceGetCurrentClocksThrottleReasons(handle)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: FakeGpu) -> int:  # noqa: N802
        bits = 0
        for some in self._now(self._alive("nvmlDeviceGetCurrentClocksEventReasons", handle).bits):
            bits |= some
        return bits

    def _now(self, spans: Sequence[tuple[int, float, float]]) -> list[int]:
        return [what for what, since, until in spans if since <= self.clock.now() < until]

    def _check(self) -> None:
        if self.initialised < 1:
            raise NVMLError(1)

    def _alive(self, function: str, gpu: FakeGpu) -> FakeGpu:
        """The GPU, if it answers this function now."""
        self._check()
        now = self.clock.now()
        if now >= gpu.lost_at:
            raise NVMLError(15)
        if now >= gpu.denied_from:
            raise NVMLError(4)
        code, since, until = gpu.errors.get(function, (0, math.inf, math.inf))
        if since <= now < until:
            raise NVMLError(code)
        return gpu

    def _field(self, gpu: FakeGpu, number: int, scope: int) -> SimpleNamespace:
        known = {185: gpu.average, 186: gpu.instant}
        supported = gpu.fields and number in known and scope in gpu.scopes
        value = SimpleNamespace(uiVal=round(1000 * known[number](self.clock.now()))) if supported else SimpleNamespace()
        return SimpleNamespace(
            fieldId=number,
            scopeId=scope,
            timestamp=round(self.clock.now() * 1e6),
            latencyUsec=0,
            valueType=1,
            nvmlReturn=0 if supported else 3,
            value=value,
        )


ALWAYS = (-math.inf, math.inf)


def always(code: int, *functions: str) -> dict[str, tuple[int, float, float]]:
    """`FakeGpu.errors` of functions that always fail with this code."""
    return dict.fromkeys(functions, (code, *ALWAYS))


COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
FIELDS = "nvmlDeviceGetFieldValues"
PROCESSES = "nvmlDeviceGetComputeRunningProcesses"


def from_json(script: str, clock: Any) -> FakeNvml:
    """A scripted NVML from JSON: `{"gpus": [{"power": 300, ...}], "init_error": 12}`, all times from the clock's now.

    A GPU has the fields of `FakeGpu`; its `power` is a number or one of `{"steps": [[0, 90], [10, 300]]}`,
    `{"ramp": [low, high, begin, end]}`, `{"sine": [mean, swing, period]}`, `{"duty": [low, high, period, share]}`;
    null in a span of times is for ever.
    """
    given = json.loads(script)
    gpus = [
        FakeGpu(**{**gpu, "power": powers.from_json(gpu.get("power", 300.0)), **_spans(gpu)})
        for gpu in given.pop("gpus", [])
    ]
    return FakeNvml(_Since(clock), gpus, **given)


class _Since:
    """The time of a clock since it was handed over."""

    def __init__(self, clock: Any) -> None:
        self._clock, self._start = clock, clock.now()

    def now(self) -> float:
        return float(self._clock.now() - self._start)


def _spans(gpu: dict[str, Any]) -> dict[str, Any]:
    def span(what: int, since: float = 0.0, until: float | None = None) -> tuple[int, float, float]:
        return what, since, math.inf if until is None else until

    spans: dict[str, Any] = {name: [span(*one) for one in gpu[name]] for name in ("pids", "bits") if name in gpu}
    if "errors" in gpu:
        spans["errors"] = {name: span(*one) for name, one in gpu["errors"].items()}
    if "scopes" in gpu:
        spans["scopes"] = tuple(gpu["scopes"])
    return spans
