"""The meter of NVIDIA's GPUs: NVML's energy counter, and its power added up where there is no counter.

Function and field names are those of the package `nvidia-ml-py`, which is imported as `pynvml`. Joules out, though NVML
speaks of milliwatts and millijoules.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bench.energy import devices as choosing
from bench.energy.clock import Clock
from bench.energy.gpu import Abilities, Count, Point, Tenants, judged, reach, together
from bench.energy.meter import Mark, NoMeter
from bench.energy.power import Samples
from bench.energy.processes import Household
from bench.energy.records import Device, MeterFacts, Reading

NOT_SUPPORTED = (3, 13)
"""NVML_ERROR_NOT_SUPPORTED, and _FUNCTION_NOT_FOUND of a driver that is older than the question."""
CODES = {4: "no_permission", 9: "no_driver", 12: "no_driver", 15: "gpu_lost", 16: "gpu_lost", 28: "gpu_lost"}
"""NVML's errors as codes of `reasons.FATAL`; any other is `nvml_failed`."""
MENDS = {
    "no_driver": "install NVIDIA's driver; a container needs its libraries mounted (nvidia-container-toolkit)",
    "no_permission": "let this user or container query the GPU (nvidia-smi has to show its power)",
    "gpu_lost": "reset the GPU or restart the machine",
    "nvml_failed": "see whether nvidia-smi works; after an update of the driver, restart the machine",
}
POWER_INSTANT, GPU_SCOPE, MODULE_SCOPE = 186, 0, 1
VALUES = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}
"""The member of a field's value by its type."""
WATCHED_SECONDS, WATCH_STEP = 1.0, 0.01
LONGEST_PERIOD = 0.2
"""A counter that says anew more seldom is not one to measure by (T1)."""
TENANTS_SECONDS = 1.0
"""How often the processes on the GPUs are looked at, besides at every mark."""


@dataclass(frozen=True, slots=True)
class _Gpu:
    """One GPU. `scope` is that of the power field; None: its power comes from `nvmlDeviceGetPowerUsage`."""

    handle: Any
    device: Device
    able: Abilities
    scope: int | None
    period: float | None = None


class NvmlMeter:
    """Counts some GPUs, as `open_nvml` found them. A reading has joules only where each GPU's are beyond doubt."""

    def __init__(self, nvml: Any, clock: Clock, gpus: Sequence[_Gpu], facts: MeterFacts, household: Household) -> None:
        self.facts = facts
        self._nvml, self._clock, self._gpus, self._household = nvml, clock, tuple(gpus), household
        self._clock_bits = _clock_bits(nvml, [gpu.handle for gpu in gpus])
        self._beats: Samples[tuple[Point, ...]] = Samples(lambda beat: beat[0].at)
        self._tenants_at: float | None = None
        self._lock = threading.Lock()
        self._open = True

    def sample(self) -> None:
        """Reads power, counter, clock event reasons and temperature of every GPU, and once a second its processes."""
        with self._lock:
            now = self._clock.now()
            self._beat(look=self._tenants_at is None or now - self._tenants_at >= TENANTS_SECONDS)

    def mark(self) -> Mark:
        """Reads the counters, between two samples, so that the moment has a power reading on either side of it."""
        with self._lock:
            self._beat(look=True)
            at = self._clock.now()
            counts = [self._count(gpu, at) for gpu in self._gpus]
            self._beat(look=True)
        return Mark(at, {gpu.device.uuid_hash: count for gpu, count in zip(self._gpus, counts, strict=True)})

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The energy from one mark to a later one, of all GPUs together; see `gpu.judged` for what makes it None."""
        beats = self._beats.within(*reach(begin.at, end.at))
        readings = [
            judged(
                [beat[number] for beat in beats],
                begin.counters[gpu.device.uuid_hash],
                end.counters[gpu.device.uuid_hash],
                gpu.able,
                self.facts.method,
            )
            for number, gpu in enumerate(self._gpus)
        ]
        inside = [beat for beat in beats if begin.at <= beat[0].at <= end.at]
        return together(readings, inside, self.facts.notes)

    def close(self) -> None:
        """Lets go of NVML; more than once does no harm."""
        with self._lock, contextlib.suppress(self._nvml.NVMLError):
            if self._open:
                self._open = False
                self._nvml.nvmlShutdown()

    def _beat(self, *, look: bool) -> None:
        if look:
            self._tenants_at = self._clock.now()
        self._beats.append(tuple(self._point(gpu, look=look) for gpu in self._gpus))

    def _point(self, gpu: _Gpu, *, look: bool) -> Point:
        nvml, failure = self._nvml, ""
        at = self._clock.now()
        watts: float | None = None
        millijoules: int | None = None
        try:
            watts = _watts(nvml, gpu.handle, gpu.scope) if gpu.able.powered else None
            millijoules = nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle) if gpu.able.counted else None
        except nvml.NVMLError as error:
            failure = _code(error)
        bits: int | None = None
        celsius: float | None = None
        with contextlib.suppress(nvml.NVMLError):
            bits = None if self._clock_bits is None else self._clock_bits(gpu.handle)
        with contextlib.suppress(nvml.NVMLError):
            celsius = float(nvml.nvmlDeviceGetTemperature(gpu.handle, 0))
        return Point(at, watts, millijoules, bits, celsius, self._look(gpu) if look else "", failure)

    def _look(self, gpu: _Gpu) -> Tenants:
        try:
            listed = self._nvml.nvmlDeviceGetComputeRunningProcesses(gpu.handle)
        except self._nvml.NVMLError:
            return "unseen"
        return self._household.tenants(int(process.pid) for process in listed)

    def _count(self, gpu: _Gpu, at: float) -> Count:
        if not gpu.able.counted:
            return Count(at, None)
        try:
            return Count(at, int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle)))
        except self._nvml.NVMLError as error:
            return Count(at, None, _code(error))


def open_nvml(clock: Clock, devices: str | None = None, nvml: Any = None, allowed: Collection[int] = ()) -> NvmlMeter:
    """The meter of the GPUs that `devices.chosen` names; its opening watches their counters for a second.

    The method is the counter if every GPU has one that moves, else the integral of power. The processes in `allowed`,
    and those that they started, may use the GPUs beside this one and its own. `nvml` stands in for `pynvml`. Raises
    `NoMeter`: no_driver, no_permission, no_gpu, mig_enabled, gpu_lost, nvml_failed, no_meter.
    """
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ModuleNotFoundError:
            mend = "pip install nvidia-ml-py"
            raise NoMeter("no_driver", "the package nvidia-ml-py is not installed", mend) from None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise _no_meter(error) from None
    try:
        gpus = _found(nvml, clock, devices)
        facts = _facts(gpus)
        return NvmlMeter(nvml, clock, gpus, facts, Household(allowed))
    except nvml.NVMLError as error:
        _shut(nvml)
        raise _no_meter(error) from None
    except NoMeter:
        _shut(nvml)
        raise


def _found(nvml: Any, clock: Clock, devices: str | None) -> list[_Gpu]:
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    uuids = [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    names = [_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
    driver = _text(nvml.nvmlSystemGetDriverVersion())
    indexes = choosing.chosen(uuids, names, devices, os.environ)
    for index in indexes:
        # (current, pending): a change that waits for a reset is not yet one.
        modes = _asked(nvml, nvml.nvmlDeviceGetMigMode, handles[index])
        if modes is not None and modes[0]:
            raise NoMeter("mig_enabled", f"GPU {index}", "measure on a GPU without MIG")
    periods = _periods(nvml, clock, [handles[index] for index in indexes])
    found = []
    for index, period in zip(indexes, periods, strict=True):
        scope, powered = _power_source(nvml, handles[index])
        limit = _asked(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, handles[index])
        watts = limit / 1000 if limit else None
        uuid_hash = hashlib.sha256(uuids[index].encode()).hexdigest()[:8]
        module = scope == MODULE_SCOPE
        # What the counter of a GPU covers that shows the power of its module alone is nowhere said.
        counted = period is not None and period <= LONGEST_PERIOD and not module
        able = Abilities(counted, powered, averaged=scope is None, limit=None if module else watts)
        device = Device(names[index], uuid_hash, driver, watts)
        found.append(_Gpu(handles[index], device, able, scope, period))
    return found


def _facts(gpus: Sequence[_Gpu]) -> MeterFacts:
    """Raises `NoMeter` where the GPUs cannot be measured together."""
    modules = {gpu.scope == MODULE_SCOPE for gpu in gpus}
    if len(modules) > 1:
        raise NoMeter("no_meter", "some GPUs show their own power and some their module's", "measure them apart")
    counted = all(gpu.able.counted for gpu in gpus)
    if not counted and not all(gpu.able.powered for gpu in gpus):
        raise NoMeter("no_meter", "a GPU shows neither energy nor power", "measure at the wall, or on another GPU")
    notes = [*([] if counted else ["counter_unsupported"]), *(["module_scope"] if True in modules else [])]
    return MeterFacts(
        scope="gpu_module" if True in modules else "gpu_board",
        method="counter" if counted else "integral",
        api="nvml",
        devices=tuple(gpu.device for gpu in gpus),
        period=max(gpu.period or 0.0 for gpu in gpus) if counted else None,
        notes=tuple(notes),
    )


def _periods(nvml: Any, clock: Clock, handles: Sequence[Any]) -> list[float | None]:
    """Seconds between two updates of each GPU's counter; None for one that is not there or does not move (T1)."""
    first = [_asked(nvml, nvml.nvmlDeviceGetTotalEnergyConsumption, handle) for handle in handles]
    last = list(first)
    updates: list[list[float]] = [[] for _ in handles]
    began = clock.now()
    while any(value is not None for value in first) and clock.now() - began < WATCHED_SECONDS:
        clock.wait(WATCH_STEP)
        for number, handle in enumerate(handles):
            if first[number] is not None:
                said = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
                if said != last[number]:
                    last[number] = said
                    updates[number].append(clock.now())
    return [(at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else None for at in updates]


def _power_source(nvml: Any, handle: Any) -> tuple[int | None, bool]:
    """Where power is read: the scope of its field, None for the older function; and whether it is anywhere."""
    for scope in (GPU_SCOPE, MODULE_SCOPE):
        if _asked(nvml, _watts, nvml, handle, scope) is not None:
            return scope, True
    return None, _asked(nvml, _watts, nvml, handle, None) is not None


def _watts(nvml: Any, handle: Any, scope: int | None) -> float:
    """The power now, in watts. Raises NVML's error."""
    if scope is None:
        return float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000
    [field] = nvml.nvmlDeviceGetFieldValues(handle, [(POWER_INSTANT, scope)])
    if field.nvmlReturn:
        raise nvml.NVMLError(field.nvmlReturn)
    return float(getattr(field.value, VALUES[field.valueType])) / 1000


def _clock_bits(nvml: Any, handles: Sequence[Any]) -> Callable[[Any], int] | None:
    """What says the clock event reasons: the function, or the one that it was called before; None for neither."""
    for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        function: Callable[[Any], int] | None = getattr(nvml, name, None)
        if function is not None and all(_asked(nvml, function, handle) is not None for handle in handles):
            return function
    return None


def _asked(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """What NVML answers; None where it does not know how. Raises its other errors."""
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        if error.value in NOT_SUPPORTED:
            return None
        raise


def _text(said: str | bytes) -> str:
    """Older releases of the package answer in bytes."""
    return said.decode() if isinstance(said, bytes) else said


def _code(error: Any) -> str:
    return CODES.get(error.value, "nvml_failed")


def _no_meter(error: Any) -> NoMeter:
    code = _code(error)
    return NoMeter(code, str(error), MENDS[code])


def _shut(nvml: Any) -> None:
    with contextlib.suppress(nvml.NVMLError):
        nvml.nvmlShutdown()
