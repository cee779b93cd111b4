"""A tree of files as Linux shows processors' energy counters, whose counters run with a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.energy.rapl import RaplMeter, open_rapl
from tests.energy.scripted import VirtualClock

RANGE = 262_143_328_850
"""Microjoules after which most Intel packages wrap."""


class Tree:
    """A powercap tree whose counters run at a power of their own, from a start of their own, and wrap."""

    def __init__(self, root: Path, clock: VirtualClock) -> None:
        self.root = root
        self.clock = clock
        self.began = clock.now()
        self.running: dict[Path, tuple[float, int, int]] = {}
        self.failing: dict[Path, Callable[[], str]] = {}
        self.cpuinfo = root / "cpuinfo"
        self.cpuinfo.write_text("processor\t: 0\nmodel name\t: Epyxeon 9 @ 2.00GHz\n", encoding="utf-8")
        self.powercap = root / "powercap"
        self.powercap.mkdir()
        (self.powercap / "intel-rapl").mkdir()

    def zone(self, folder: str, name: str, watts: float, start: int = 0, wraps_at: int = RANGE) -> Path:
        path = self.powercap / folder
        path.mkdir()
        (path / "name").write_text(f"{name}\n", encoding="utf-8")
        (path / "max_energy_range_uj").write_text(f"{wraps_at}\n", encoding="utf-8")
        (path / "energy_uj").write_text(f"{start}\n", encoding="utf-8")
        self.running[path / "energy_uj"] = (watts, start, wraps_at)
        return path / "energy_uj"

    def read(self, path: Path) -> str:
        if path in self.failing:
            return self.failing[path]()
        if path in self.running:
            watts, start, wraps_at = self.running[path]
            passed = round(watts * (self.clock.now() - self.began) * 1e6)
            return f"{(start + passed) % wraps_at}\n"
        return path.read_text(encoding="utf-8")

    def open(self, *, with_dram: bool = False) -> RaplMeter:
        return open_rapl(self.clock, self.powercap, self.read, with_dram=with_dram, cpuinfo=self.cpuinfo)

    @contextmanager
    def failing_with(self, counter: Path, reason: OSError | str) -> Iterator[None]:
        def fail() -> str:
            if isinstance(reason, OSError):
                raise reason
            return reason

        self.failing[counter] = fail
        yield
        del self.failing[counter]


def server(tree: Tree) -> tuple[Path, Path]:
    """Two sockets with everything that Linux shows beside them; the counters of the packages."""
    first = tree.zone("intel-rapl:0", "package-0", 100)
    tree.zone("intel-rapl:0:0", "core", 60)
    tree.zone("intel-rapl:0:1", "dram", 10)
    second = tree.zone("intel-rapl:1", "package-1", 50)
    tree.zone("intel-rapl:1:0", "dram", 5)
    tree.zone("intel-rapl:1:1", "uncore", 7)
    tree.zone("intel-rapl:2", "psys", 400)
    tree.zone("intel-rapl-mmio:0", "package-0", 100)
    return first, second
