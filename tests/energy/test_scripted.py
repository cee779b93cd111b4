"""The scripted NVML and the clock that is moved by hand, against the real ones."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.energy import gpu as gates
from tests.energy import scripted
from tests.energy.scripted import FakeNvml, VirtualClock


def test_scripted_nvml_is_as_the_real_one() -> None:
    """Names, values, parameters and classes of errors."""
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    for name, value in scripted.CONSTANTS.items():
        assert getattr(pynvml, name) == value, name
    for code, error in scripted._ERRORS.items():
        assert type(pynvml.NVMLError(code)).__name__ == error.__name__
        assert type(scripted.NVMLError(code)) is error
    for name, function in inspect.getmembers(FakeNvml, inspect.isfunction):
        if name.startswith("nvml"):
            real = list(inspect.signature(getattr(pynvml, name)).parameters)
            assert list(inspect.signature(function).parameters)[1:] == real, name
    assert pynvml.nvmlClocksEventReasonSwPowerCap == gates.POWER_CAPPED
    assert (
        pynvml.nvmlClocksEventReasonHwSlowdown
        | pynvml.nvmlClocksEventReasonSwThermalSlowdown
        | pynvml.nvmlClocksEventReasonHwThermalSlowdown
        | pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown
    ) == gates.THROTTLED


def test_scripted_nvml_in_a_program_of_its_own() -> None:
    site = Path(__file__).parent / "fake_site"
    script = {"gpus": [{"power": {"steps": [[0, 120], [3600, 300]]}, "bits": [[4, 0, None]], "limit": 350}]}
    program = (
        "from bench.energy.clock import RealClock\n"
        "from bench.energy.nvml import open_nvml\n"
        "clock = RealClock(); meter = open_nvml(clock); begin = meter.mark(); clock.wait(0.3)\n"
        "found = meter.between(begin, meter.mark())\n"
        "assert not found.reasons, found\n"
        "print(round(found.cross / found.seconds), found.capped, meter.facts.devices[0].power_limit)"
    )
    environment = {**os.environ, "PYTHONPATH": os.fspath(site), "BENCH_FAKE_NVML": json.dumps(script)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.split() == ["120", "1.0", "350.0"]


def test_virtual_clock_calls_in_order_of_time() -> None:
    clock, seen = VirtualClock(0.0), []
    with (
        clock.every(0.3, lambda: seen.append(("a", clock.now()))),
        clock.every(0.2, lambda: seen.append(("b", clock.now()))),
    ):
        clock.wait(0.65)
        assert clock.now() == 0.65
    clock.wait(5)
    expected = [("a", 0.0), ("b", 0.0), ("b", 0.2), ("a", 0.3), ("b", 0.4), ("a", 0.6), ("b", 0.6)]
    assert [(name, pytest.approx(at)) for name, at in seen] == [(name, pytest.approx(at)) for name, at in expected]
