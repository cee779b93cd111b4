"""AMD's GPUs through `amdsmi`: which of them are meant, what they are, and their readings.

ROCm's package changes from release to release, so that every value is looked at before it is believed: what a GPU does
not have is "N/A", 0, or the largest number that fits.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.energy.meter import NoMeter
from bench.energy.records import Device

MOST_WATTS = 20_000
"""A power above is none: unsupported fields hold 65,535 or more, by release."""
NO_PERMISSION = 10
MEND = "name the GPUs by their number or UUID in `amd-smi list`, as in -E devices=0,1"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as `amdsmi` knows it, and as people do."""

    handle: Any
    index: int
    device: Device


def load() -> Any:
    """The package `amdsmi`. Raises `NoMeter` where it, or the library that it speaks to, is not there."""
    try:
        # Without the library it prints so, and fails with a KeyError.
        with contextlib.redirect_stdout(io.StringIO()):
            return importlib.import_module("amdsmi")
    except (ImportError, OSError, KeyError, AttributeError) as reason:
        mend = "install ROCm's amd-smi-lib, and the Python package amdsmi of the same version"
        raise NoMeter("amd_absent", "the package amdsmi or AMD's library is not there", mend) from reason


def start(amdsmi: Any) -> list[Any]:
    """Starts the library; the handles of all GPUs. Raises `NoMeter` where there are none, or they are not shown."""
    try:
        amdsmi.amdsmi_init(amdsmi.AmdSmiInitFlags.INIT_AMD_GPUS)
        handles = list(amdsmi.amdsmi_get_processor_handles())
    except amdsmi.AmdSmiException as reason:
        raise failure(reason) from reason
    if not handles:
        raise NoMeter("amd_absent", "AMD's library shows no GPU", "see whether the driver amdgpu is loaded")
    return handles


def failure(reason: Exception) -> NoMeter:
    """What an error of the library means before anything could be read."""
    number = code(reason)
    if number == NO_PERMISSION:
        return NoMeter("no_permission", "AMD's library", "join the groups render and video")
    return NoMeter("amd_absent", f"AMD's library fails with {number}", "see whether the driver amdgpu is loaded")


def code(reason: Exception) -> int | None:
    """The number of an error of the library; None for those that have none."""
    number = getattr(reason, "err_code", None)
    return number if isinstance(number, int) else None


def chosen(amdsmi: Any, handles: Sequence[Any], devices: str | None, environ: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that a user named, or else those that HIP_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES leave, or else all.

    `devices` are numbers or UUIDs of `amd-smi list`, with commas. HIP numbers GPUs differently, and says how. Raises
    `NoMeter` with `no_gpu` where one is not there, or it cannot be told which is meant.
    """
    gpus = [Gpu(handle, index, _device(amdsmi, handle)) for index, handle in enumerate(handles)]
    if devices is not None:
        known = {str(gpu.index): gpu for gpu in gpus} | {_uuid(amdsmi, gpu.handle).casefold(): gpu for gpu in gpus}
        return _named([one.strip().casefold() for one in devices.split(",")], known)
    if "ROCR_VISIBLE_DEVICES" in environ:
        raise NoMeter("no_gpu", "ROCR_VISIBLE_DEVICES renumbers the GPUs, so that it is not known which are used", MEND)
    visible = environ.get("HIP_VISIBLE_DEVICES", environ.get("CUDA_VISIBLE_DEVICES"))
    if visible is None:
        return gpus
    return _named([one.strip() for one in visible.split(",")], {_hip_id(amdsmi, gpu.handle): gpu for gpu in gpus})


def watts(amdsmi: Any, handle: Any) -> float | None:
    """The power of a GPU now: the average of its last moments, or what it is at this one. None where it is not told.

    0 is not told: no GPU draws nothing, and the second die of an MI250 says so for ever.
    """
    try:
        told = amdsmi.amdsmi_get_power_info(handle)
    except amdsmi.AmdSmiException:
        return None
    for name in ("average_socket_power", "current_socket_power", "socket_power"):
        value = told.get(name)
        if isinstance(value, int) and 0 < value < MOST_WATTS:
            return float(value)
    return None


def millijoules(amdsmi: Any, handle: Any) -> int | None:
    """What a GPU's energy counter says, since some moment; None where it cannot be read, or has counted nothing."""
    try:
        told = amdsmi.amdsmi_get_energy_count(handle)
    except amdsmi.AmdSmiException:
        return None
    # The count was called "power" before ROCm 6.2.1.
    count, microjoules = told.get("energy_accumulator", told.get("power")), told.get("counter_resolution")
    if not isinstance(count, int) or not isinstance(microjoules, int | float) or count <= 0 or microjoules <= 0:
        return None
    return round(count * microjoules / 1000)


def _named(names: Sequence[str], known: Mapping[str, Gpu]) -> list[Gpu]:
    missing = [name for name in names if name not in known]
    if missing or len(set(names)) < len(names):
        raise NoMeter("no_gpu", f"no AMD GPU {', '.join(missing) or 'may be named twice'}", MEND)
    return [known[name] for name in names]


def _device(amdsmi: Any, handle: Any) -> Device:
    name = driver = ""
    limit = None
    with contextlib.suppress(amdsmi.AmdSmiException):
        name = str(amdsmi.amdsmi_get_gpu_asic_info(handle).get("market_name", ""))
    with contextlib.suppress(amdsmi.AmdSmiException):
        driver = str(amdsmi.amdsmi_get_gpu_driver_info(handle).get("driver_version", ""))
    with contextlib.suppress(amdsmi.AmdSmiException):
        cap = amdsmi.amdsmi_get_power_cap_info(handle).get("power_cap")
        # Microwatts or watts, by release.
        if isinstance(cap, int) and cap > 0:
            limit = cap / 1e6 if cap > MOST_WATTS else float(cap)
    digest = hashlib.sha256(_uuid(amdsmi, handle).encode()).hexdigest()[:8]
    return Device("AMD GPU" if name in {"", "N/A"} else name, digest, "" if driver == "N/A" else driver, limit)


def _uuid(amdsmi: Any, handle: Any) -> str:
    try:
        return str(amdsmi.amdsmi_get_gpu_device_uuid(handle))
    except amdsmi.AmdSmiException as reason:
        raise failure(reason) from reason


def _hip_id(amdsmi: Any, handle: Any) -> str:
    ask = getattr(amdsmi, "amdsmi_get_gpu_enumeration_info", None)
    if ask is None:
        raise NoMeter("no_gpu", "this release of amdsmi does not say how HIP numbers the GPUs", MEND)
    try:
        return str(ask(handle)["hip_id"])
    except amdsmi.AmdSmiException as reason:
        raise NoMeter("no_gpu", "amdsmi does not say how HIP numbers the GPUs", MEND) from reason
