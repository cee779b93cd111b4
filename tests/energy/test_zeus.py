"""Zeus beside our own meter: played by a package with the interface of its release 0.16.0."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path

import pytest

from bench.energy.meter import NoMeter
from bench.energy.zeus import open_zeus, total

ZEUS = {
    "__init__.py": "",
    "exception.py": """
class ZeusBaseError(Exception):
    pass
""",
    "device.py": """
from zeus.exception import ZeusBaseError
GPUS = {counted}

class Gpus:
    def __len__(self):
        return len(GPUS)

    def supports_get_total_energy_consumption(self, gpu):
        return GPUS[gpu]

def get_gpus():
    if {broken}:
        raise ZeusBaseError("NVML is not there\\nand more")
    return Gpus()
""",
    "monitor.py": """
from types import SimpleNamespace
from zeus.exception import ZeusBaseError

class ZeusMonitor:
    def __init__(self, gpu_indices=None, cpu_indices=None):
        assert cpu_indices == []
        self.gpus, self.windows = gpu_indices, set()

    def begin_window(self, key, sync_execution=True):
        assert not sync_execution
        if {failing} == "begin":
            raise ZeusBaseError("lost")
        self.windows.add(key)

    def end_window(self, key, sync_execution=True):
        assert not sync_execution
        self.windows.remove(key)
        if {failing} == "end":
            raise ZeusBaseError("lost")
        return SimpleNamespace(gpu_energy={measured})

class PowerMonitor:
    stopped = False

    def __init__(self, gpu_indices=None, update_period=None):
        assert update_period is not None, "it would read without a pause"

    def get_energy(self, begin, end):
        assert begin <= end
        return {polled}

    def stop(self):
        PowerMonitor.stopped = True
""",
}


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    def installed(
        counted: list[bool],
        measured: dict[int, float],
        polled: dict[int, float] | None = None,
        failing: str = "",
        *,
        broken: bool = False,
    ) -> None:
        folder = tmp_path / "zeus"
        folder.mkdir()
        given = {"counted": counted, "measured": measured, "polled": polled, "failing": failing, "broken": broken}
        for name, text in ZEUS.items():
            written = reduce(lambda so_far, one: so_far.replace(f"{{{one[0]}}}", repr(one[1])), given.items(), text)
            (folder / name).write_text(written, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        for name in [name for name in sys.modules if name.partition(".")[0] == "zeus"]:
            monkeypatch.delitem(sys.modules, name)

    yield installed
    for name in [name for name in sys.modules if name.partition(".")[0] == "zeus"]:
        del sys.modules[name]


def test_a_window_of_counters_is_summed(install: Install) -> None:
    install([True, True], {0: 100.0, 1: 50.5})
    zeus = open_zeus()
    for _ in range(2):
        with zeus.window() as found:
            open_yet = (found.joules, found.reason)
        assert open_yet == (None, "its window has not ended")
        assert (found.joules, found.reason) == (150.5, "")
    zeus.close()


def test_a_gpu_without_a_counter_is_polled_with_pauses(install: Install) -> None:
    install([True, False], {0: 100.0}, {1: 50.0})
    zeus = open_zeus([0, 1])
    with zeus.window() as found:
        pass
    assert found.joules == 150
    zeus.close()
    assert sys.modules["zeus.monitor"].PowerMonitor.stopped


def test_power_that_was_not_polled_is_missing(install: Install) -> None:
    install([False], {}, None)
    with open_zeus().window() as found:
        pass
    assert (found.joules, found.reason) == (None, "Zeus says nothing of GPU 0")


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({}, "Zeus says nothing of GPU 0, 1"),
        ({0: 5.0}, "Zeus says nothing of GPU 1"),
        ({0: 5.0, 1: 0.0}, "Zeus counted nothing on GPU 1"),
        ({0: -5.0, 1: 3.0}, "Zeus counted nothing on GPU 0"),
    ],
)
def test_what_is_missing_or_nothing_is_no_energy(install: Install, measured: dict[int, float], said: str) -> None:
    install([True, True], measured)
    with open_zeus().window() as found:
        pass
    assert (found.joules, found.reason) == (None, said)


@pytest.mark.parametrize("failing", ["begin", "end"])
def test_what_zeus_fails_with_is_no_failure_of_ours(install: Install, failing: str) -> None:
    install([True], {0: 100.0}, failing=failing)
    done = False
    with open_zeus().window() as found:
        done = True
    assert done
    assert (found.joules, found.reason) == (None, "Zeus failed: lost")


def test_what_fails_inside_closes_the_window(install: Install) -> None:
    install([True], {0: 100.0})
    zeus = open_zeus()
    with pytest.raises(KeyError), zeus.window():
        raise KeyError
    assert zeus._counters.windows == set()


def test_no_gpu_is_no_meter(install: Install) -> None:
    install([], {})
    with pytest.raises(NoMeter) as reason:
        open_zeus()
    assert reason.value.code == "no_meter"


def test_no_driver_is_no_meter_in_one_line(install: Install) -> None:
    install([True], {}, broken=True)
    with pytest.raises(NoMeter) as reason:
        open_zeus()
    assert (reason.value.code, reason.value.detail) == ("no_meter", "Zeus: NVML is not there")


def test_zeus_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus", None)
    with pytest.raises(NoMeter) as reason:
        open_zeus()
    assert (reason.value.code, reason.value.mend) == ("no_meter", "pip install zeus")


def test_no_gpu_at_all_is_not_0_joules() -> None:
    assert total({}, ())[0] is None
    assert total({0: math.nan}, (0,))[0] is None


def test_the_real_package_never_says_0_joules() -> None:
    """With a GPU it counts, without one it is no meter."""
    pytest.importorskip("zeus", reason="the package zeus is not installed")
    with contextlib.suppress(NoMeter), contextlib.closing(open_zeus()) as zeus:
        with zeus.window() as found:
            pass
        assert found.joules is None or found.joules > 0
