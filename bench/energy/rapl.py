"""The energy counters of Intel and AMD processors (RAPL), as Linux shows them under /sys/class/powercap.

Scope `cpu_package`: the sum over packages. What lies inside a package (core, uncore), what contains it (psys), and what
shows the same counter a second time (intel-rapl-mmio) is left out; `dram` is told apart, and added only where asked.
A counter wraps at its `max_energy_range_uj`, at 200 W after some 20 minutes. A reading that failed is never a number:
a tool that took it for 0 saw the next one as a wrap, and counted 162 kJ that nobody had used.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.energy.clock import Clock
from bench.energy.meter import Mark, NoMeter
from bench.energy.records import Device, MeterFacts, Reading

ROOT = Path("/sys/class/powercap")
CPUINFO = Path("/proc/cpuinfo")
PLAUSIBLE_WATTS = 1000.0
"""No package draws more: today's largest are made for 500 W."""
UPDATE_SECONDS = 0.001
SLACK_JOULES = 20.0
"""By which two readings may be further apart than time and `PLAUSIBLE_WATTS` explain: the counter moves in steps."""
MEND = "run 'sudo chmod a+r {}/intel-rapl:*/energy_uj', which lasts until the next start, or run as root"
UNHIDE = "run outside of it, or show it /sys/devices/virtual/powercap"

Read = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter: its file, the value in microjoules that it never reaches, and what it counts."""

    counter: Path
    wraps_at: int
    kind: str


@dataclass(slots=True)
class _Count:
    """What one counter has said so far. `microjoules` are those since the start, wraps added."""

    last: int
    began: float
    microjoules: int = 0


@dataclass(slots=True)
class _Faults:
    """How often anything went wrong so far. The difference between two moments is what went wrong in between."""

    failed: int = 0
    gaps: int = 0
    resets: int = 0


@dataclass(frozen=True, slots=True)
class _Moment:
    """What every counter has said up to a mark, in microjoules, and what had gone wrong."""

    counted: tuple[int, ...]
    failed: int
    gaps: int
    resets: int


@dataclass(slots=True)
class RaplMeter:
    """Counts packages, and memory with them if `with_dram`. Every sample and mark adds what the counters moved."""

    facts: MeterFacts
    clock: Clock
    zones: tuple[Zone, ...]
    read: Read
    with_dram: bool = False
    _counts: dict[Path, _Count] = field(default_factory=dict, init=False)
    _faults: _Faults = field(default_factory=_Faults, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def sample(self) -> None:
        """Reads every counter once."""
        with self._lock:
            self._advance()

    def mark(self) -> Mark:
        """Reads every counter once; a mark whose reading failed holds no counters."""
        with self._lock:
            read = self._advance()
            at = self.clock.now()
            return Mark(at, {"rapl": self._moment()} if read else {})

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The energy of the packages, and of memory with them if `with_dram`."""
        return self._between(begin, end, ("package", "dram") if self.with_dram else ("package",))

    def close(self) -> None:
        """Nothing is held open."""

    def _between(self, begin: Mark, end: Mark, kinds: tuple[str, ...]) -> Reading:
        seconds = end.at - begin.at
        first: _Moment | None = begin.counters.get("rapl")
        last: _Moment | None = end.counters.get("rapl")
        if first is None or last is None:
            return Reading(seconds, None, ("rapl_read_failed",))
        counted = zip(self.zones, first.counted, last.counted, strict=True)
        moved = [later - earlier for zone, earlier, later in counted if zone.kind in kinds]
        found = {
            "rapl_read_failed": last.failed > first.failed,
            "sample_gap": last.gaps > first.gaps,
            "counter_reset": last.resets > first.resets,
            "counter_stuck": not all(moved),
        }
        reasons = tuple(code for code, bad in found.items() if bad)
        return Reading(seconds, None if reasons else sum(moved) / 1e6, reasons)

    def _advance(self) -> bool:
        """Adds what every counter moved; whether all could be read."""
        whole = True
        for zone in self.zones:
            began = self.clock.now()
            try:
                value = int(self.read(zone.counter))
            except (OSError, ValueError):
                value = -1
            if not 0 <= value <= zone.wraps_at:
                self._faults.failed += 1
                whole = False
                continue
            self._add(zone, value, began, self.clock.now())
        return whole

    def _add(self, zone: Zone, value: int, began: float, at: float) -> None:
        count = self._counts.get(zone.counter)
        if count is None:
            self._counts[zone.counter] = _Count(value, began)
            return
        moved = value - count.last
        if moved < 0:
            moved += zone.wraps_at
        if at - count.began > longest_gap(zone):
            self._faults.gaps += 1
        elif moved / 1e6 > (at - count.began + UPDATE_SECONDS) * PLAUSIBLE_WATTS + SLACK_JOULES:
            self._faults.resets += 1
        count.last, count.began = value, began
        count.microjoules += moved

    def _moment(self) -> _Moment:
        counted = tuple(self._counts[zone.counter].microjoules for zone in self.zones)
        return _Moment(counted, self._faults.failed, self._faults.gaps, self._faults.resets)


def longest_gap(zone: Zone) -> float:
    """Seconds between two readings beyond which a counter may have wrapped unseen: half of the shortest wrap."""
    return zone.wraps_at / 1e6 / (2 * PLAUSIBLE_WATTS)


def open_rapl(
    clock: Clock,
    root: Path = ROOT,
    read: Read = Path.read_text,
    *,
    with_dram: bool = False,
    cpuinfo: Path = CPUINFO,
) -> RaplMeter:
    """The processor's meter; with `with_dram` packages and their memory together, for the scope `gpu_cpu_dram`.

    Raises `NoMeter`: `rapl_absent` where Linux shows no package (nor memory, if asked), `rapl_denied` where reading
    takes permission (since CVE-2020-8694 only root may), `rapl_read_failed` where a counter cannot be read at all.
    """
    zones = _zones(root, read)
    if not any(zone.kind == "package" for zone in zones):
        raise NoMeter("rapl_absent", f"no package under {root}", "most virtual machines show none")
    if with_dram and not any(zone.kind == "dram" for zone in zones):
        raise NoMeter("rapl_absent", "the energy of memory is not counted here", "measure the processor apart: rapl")
    packages = sum(zone.kind == "package" for zone in zones)
    facts = MeterFacts(
        scope="cpu_package",
        method="counter",
        api="powercap",
        devices=(Device(_processor(cpuinfo, read)),) * packages,
        period=UPDATE_SECONDS,
    )
    meter = RaplMeter(facts, clock, zones, read, with_dram)
    meter.sample()
    return meter


def _zones(root: Path, read: Read) -> tuple[Zone, ...]:
    """Packages and their memory. Every one that is there must be readable: half a machine is no figure."""
    try:
        entries = sorted(path.name for path in root.iterdir())
    except FileNotFoundError as reason:
        raise NoMeter("rapl_absent", f"{root} is not there", "most virtual machines show none") from reason
    except OSError as reason:
        raise NoMeter("rapl_denied", f"{root} cannot be listed", MEND.format(root)) from reason
    zones = []
    for package in (name for name in entries if re.fullmatch(r"intel-rapl:\d+", name)):
        if not _name(root / package, read).startswith("package"):
            continue
        zones.append(_zone(root / package, "package", read))
        zones += [_zone(root / name, "dram", read) for name in entries if _is_dram(root, name, package, read)]
    return tuple(zones)


def _is_dram(root: Path, name: str, package: str, read: Read) -> bool:
    return re.fullmatch(rf"{package}:\d+", name) is not None and _name(root / name, read) == "dram"


def _name(folder: Path, read: Read) -> str:
    return _said(folder / "name", read)


def _zone(folder: Path, kind: str, read: Read) -> Zone:
    counter = folder / "energy_uj"
    try:
        wraps_at, now = int(_said(folder / "max_energy_range_uj", read)), int(_said(counter, read))
    except ValueError as reason:
        raise NoMeter("rapl_read_failed", f"{folder.name} does not hold a number") from reason
    if not 0 <= now <= wraps_at or wraps_at == 0:
        raise NoMeter("rapl_read_failed", f"{folder.name} is beyond its own range")
    return Zone(counter, wraps_at, kind)


def _said(path: Path, read: Read) -> str:
    try:
        return read(path).strip()
    except PermissionError as reason:
        where = path.relative_to(path.parent.parent)
        raise NoMeter("rapl_denied", f"{where} is for root only", MEND.format(path.parent.parent)) from reason
    except FileNotFoundError as reason:
        # Links into a folder that containers hide by default.
        where = path.relative_to(path.parent.parent)
        raise NoMeter("rapl_denied", f"{where} is hidden from this container", UNHIDE) from reason
    except (OSError, ValueError) as reason:
        raise NoMeter("rapl_read_failed", f"{path.relative_to(path.parent.parent)} cannot be read") from reason


def _processor(cpuinfo: Path, read: Read) -> str:
    """The processor's name; it says which figures may be compared."""
    try:
        found = re.search(r"^model name\s*:\s*(.+?)\s*$", read(cpuinfo), re.MULTILINE)
    except (OSError, ValueError):
        found = None
    return found.group(1) if found else "unknown processor"
