"""Which meter measures: the one that a user names, or the first that this machine has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.energy.amd import open_amd
from bench.energy.clock import Clock
from bench.energy.combined import combined
from bench.energy.external import OutsideScope, Source, open_external
from bench.energy.meter import Meter, NoMeter
from bench.energy.nvml import open_nvml
from bench.energy.rapl import open_rapl
from bench.energy.records import MeterFacts
from bench.records import UsageError
from tasks.suggest import did_you_mean

GPUS = ("nvml", "amd")
INSIDE = ("auto", *GPUS, "rapl", "all")
OUTSIDE = ("csv", "prometheus")
ABSENT = frozenset({"no_driver", "amd_absent"})
"""What a GPU's meter says where there is no GPU of its kind. Any other reason is one to tell, not to pass over."""
OTHERS = "name another meter: rapl for the processor alone, csv:FILE or prometheus:URL,METRIC for one outside"


@dataclass(frozen=True, slots=True)
class Gpus:
    """Which GPUs are counted, by index or UUID, and which processes may use them beside this program and its own."""

    devices: str | None = None
    processes: tuple[int, ...] = ()


ALL = Gpus()
"""Those that this program sees, used by nobody else."""


def open_meter(spec: str, clock: Clock, *, scope: str | None = None, gpus: Gpus = ALL) -> Meter:
    """The meter that `spec` names: auto, nvml, amd, rapl, all, `csv:FILE` or `prometheus:URL,METRIC`.

    auto is the GPUs of this machine, or its processor where it has none: where it has some that cannot be measured,
    the processor beside them would be no answer. all is GPUs, processors and memory together. `scope` (node or wall) is
    what an outside meter covers. Raises `NoMeter`, and `UsageError` for a spec
    that does not exist, or an option that it does not have.
    """
    kind, colon, where = spec.partition(":")
    if kind not in OUTSIDE if colon else kind not in INSIDE:
        # Only its beginning is repeated: an address may hold a password.
        near = did_you_mean(kind, (*INSIDE, *OUTSIDE))
        raise UsageError(f"no meter {kind!r}{near}; one of {', '.join(INSIDE)}, csv:FILE, prometheus:URL,METRIC")
    if gpus.devices is not None and (kind in OUTSIDE or kind == "rapl"):
        raise UsageError(f"devices names GPUs, and the meter {kind} counts none; leave it out")
    if kind in OUTSIDE:
        return open_external(clock, _source(kind, where), _outside(kind, scope))
    if scope is not None:
        raise UsageError(f"scope is for csv: and prometheus:, and the meter {kind} has its own; leave it out")
    if kind == "all":
        return _everything(clock, gpus)
    return _first(clock, gpus) if kind == "auto" else _opening(kind, clock, gpus)()


def available(clock: Clock) -> list[tuple[str, NoMeter | MeterFacts]]:
    """Every meter of this machine's own by name: what it measures, or why it does not."""
    found: list[tuple[str, NoMeter | MeterFacts]] = []
    for kind in (*GPUS, "rapl"):
        try:
            meter = _opening(kind, clock, ALL)()
        except NoMeter as reason:
            found.append((kind, reason))
        else:
            meter.close()
            found.append((kind, meter.facts))
    return found


def _opening(kind: str, clock: Clock, gpus: Gpus) -> Callable[[], Meter]:
    openings: dict[str, Callable[[], Meter]] = {
        "nvml": lambda: open_nvml(clock, gpus.devices, allowed=gpus.processes),
        "amd": lambda: open_amd(clock, devices=gpus.devices),
        "rapl": lambda: open_rapl(clock),
    }
    return openings[kind]


def _first(clock: Clock, gpus: Gpus) -> Meter:
    """The GPUs; the processor where there is no sign of any, and none was named."""
    reasons: dict[str, NoMeter] = {}
    for kind in (*GPUS, "rapl"):
        present = any(reason.code not in ABSENT for reason in reasons.values())
        if kind == "rapl" and (present or gpus.devices is not None):
            break
        try:
            return _opening(kind, clock, gpus)()
        except NoMeter as reason:
            reasons[kind] = reason
    detail = "; ".join(f"{kind}: {reason}" for kind, reason in reasons.items())
    mend = next((reason.mend for reason in reasons.values() if not reason.code.endswith(("_absent", "_driver"))), "")
    raise NoMeter("no_meter", detail, mend or OTHERS)


def _everything(clock: Clock, chosen: Gpus) -> Meter:
    """GPUs, processors and memory. Raises `NoMeter` where one of them does not count."""
    try:
        gpus = _opening("nvml", clock, chosen)()
    except NoMeter as reason:
        if reason.code not in {*ABSENT, "no_gpu"}:
            raise
        gpus = _opening("amd", clock, chosen)()
    try:
        if gpus.facts.scope != "gpu_board":
            detail = "the GPU's figure holds its processor already, and would hold it twice"
            raise NoMeter("no_meter", detail, f"measure it alone: {gpus.facts.api.removesuffix('smi')}")
        rest = open_rapl(clock, with_dram=True)
    except NoMeter:
        gpus.close()
        raise
    return combined([gpus, rest], "gpu_cpu_dram")


def _outside(kind: str, scope: str | None) -> OutsideScope:
    known: dict[str | None, OutsideScope] = {"node": "node", "wall": "wall"}
    if scope not in known:
        raise UsageError(f"what the meter {kind}: covers cannot be seen from here; say scope=node or scope=wall")
    return known[scope]


def _source(kind: str, where: str) -> Source:
    if kind == "csv":
        from bench.energy.external_csv import CsvSource

        if not where:
            raise UsageError("csv: takes a file, as in csv:power.csv")
        return CsvSource(Path(where))
    from bench.energy.external_prometheus import prometheus

    address, _, metric = where.partition(",")
    return prometheus(address, metric)
