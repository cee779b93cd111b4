"""The meter of NVIDIA's GPUs where something is wrong: a code each, and never a figure."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.energy import gpu as gates
from bench.energy.checks import idle_watts
from bench.energy.meter import NoMeter
from bench.energy.nvml import open_nvml
from bench.energy.reasons import FATAL
from tests.energy.metering import FOREVER, MINE, START, codes, joules, opened, reading, window
from tests.energy.powers import Sine, Steps
from tests.energy.scripted import COUNTER, FIELDS, PROCESSES, FakeGpu, FakeNvml, VirtualClock, always


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


USAGE = "nvmlDeviceGetPowerUsage"


def refused(code: str, *gpus: FakeGpu, init_error: int = 0, devices: str | None = None) -> NoMeter:
    clock = VirtualClock(START)
    nvml = FakeNvml(clock, gpus, init_error)
    with pytest.raises(NoMeter) as raised:
        open_nvml(clock, devices, nvml)
    assert raised.value.code == code
    assert raised.value.mend
    assert code in FATAL
    assert nvml.initialised == 0, "what was opened is closed"
    return raised.value


@pytest.mark.parametrize(
    ("error", "code"),
    [(12, "no_driver"), (9, "no_driver"), (4, "no_permission"), (18, "nvml_failed"), (999, "nvml_failed")],
)
def test_init_fails(error: int, code: str) -> None:
    assert refused(code, init_error=error).detail


def test_no_gpu() -> None:
    refused("no_gpu")
    refused("no_gpu", FakeGpu(), devices="1")


def test_mig() -> None:
    refused("mig_enabled", FakeGpu(mig=True))
    refused("mig_enabled", FakeGpu(), FakeGpu(uuid="GPU-2", mig=True))


def test_mig_of_a_gpu_that_is_not_measured() -> None:
    meter, _ = opened(FakeGpu(), FakeGpu(uuid="GPU-2", mig=True), FakeGpu(uuid="GPU-3", mig=None), devices="0,2")
    assert len(meter.facts.devices) == 2


def test_gpu_that_is_lost_or_forbidden_from_the_start() -> None:
    refused("gpu_lost", FakeGpu(lost_at=0))
    refused("no_permission", FakeGpu(denied_from=0))
    refused("no_permission", FakeGpu(errors=always(4, COUNTER)))


def test_neither_counter_nor_power() -> None:
    refused("no_meter", FakeGpu(fields=False, errors=always(3, COUNTER, USAGE)))


def test_module_beside_board() -> None:
    refused("no_meter", FakeGpu(scopes=(1,)), FakeGpu(uuid="GPU-2"))


def test_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NoMeter) as raised:
        open_nvml(VirtualClock())
    assert (raised.value.code, raised.value.mend) == ("no_driver", "pip install nvidia-ml-py")


def test_no_driver_on_this_machine() -> None:
    """The package itself."""
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        pynvml.nvmlShutdown()
        pytest.skip("this machine has NVIDIA's driver")
    with pytest.raises(NoMeter) as raised:
        open_nvml(VirtualClock())
    assert raised.value.code == "no_driver"
    assert "driver" in raised.value.mend


FAILURES = {
    "counter_reset": [
        FakeGpu(resets_at=START + 6, counter_base=10**9),
        # Back and beyond what it was: only the readings in between show it.
        FakeGpu(Steps([(START, 300)]), resets_at=START + 6, counter_base=-300 * 1000 * int(START) - 100_000),
    ],
    "counter_stuck": [
        FakeGpu(stuck_from=START + 2),
        FakeGpu(stuck_from=START + 10.5),
        FakeGpu(60.0, stuck_from=START + 2),
    ],
    "counter_disagrees": [
        FakeGpu(counted=0.94),
        FakeGpu(counted=1.06),
        FakeGpu(counted=0.1),
        FakeGpu(fields=False, counted=0.9),
    ],
    "gpu_lost": [
        FakeGpu(lost_at=START + 6),
        FakeGpu(lost_at=START + 11.95),
        FakeGpu(errors={COUNTER: (15, START + 6, START + 6.3)}),
        FakeGpu(errors={COUNTER: (16, START + 6, START + 6.3)}),
    ],
    "no_permission": [
        FakeGpu(denied_from=START + 6),
        FakeGpu(errors={COUNTER: (4, START + 11.95, FOREVER)}),
        FakeGpu(errors={FIELDS: (4, START + 6, FOREVER)}),
    ],
    "nvml_failed": [FakeGpu(errors={COUNTER: (999, START + 11.95, START + 12.05)})],
    "sample_gap": [
        FakeGpu(errors={FIELDS: (999, START + 4, START + 8)}),
        FakeGpu(errors={**always(3, COUNTER), FIELDS: (999, START + 4, START + 8)}),
    ],
    "not_bracketed": [
        FakeGpu(errors={FIELDS: (999, START + 11.95, FOREVER)}),
        FakeGpu(errors={FIELDS: (999, START + 1.01, START + 2.1)}),
        FakeGpu(errors={**always(3, COUNTER), FIELDS: (999, START + 11.95, FOREVER)}),
    ],
    "throttled": [FakeGpu(bits=[(bit, START + 6, START + 6.15)]) for bit in (0x8, 0x20, 0x40, 0x80, 0x8 | 0x4)],
    "shared_gpu": [
        FakeGpu(pids=[*MINE, (1, START + 6, FOREVER)]),
        FakeGpu(pids=[*MINE, (1, 0.0, FOREVER)]),
        FakeGpu(pids=[*MINE, (1, START + 8.2, START + 9.7)]),
        FakeGpu(pids=[*MINE, (1, START + 11.95, FOREVER)]),
    ],
    "power_implausible": [
        FakeGpu(300.0, limit=265.0),
        FakeGpu(Steps([(START, 100), (START + 6, 1200), (START + 6.15, 100)])),
        FakeGpu(0.0, errors=always(3, COUNTER)),
        FakeGpu(800.0, limit=700.0, errors=always(3, COUNTER)),
    ],
}


@pytest.mark.parametrize(
    ("code", "gpu"),
    [pytest.param(code, gpu, id=f"{code}-{n}") for code, some in FAILURES.items() for n, gpu in enumerate(some)],
)
def test_failure_has_its_code_and_no_joules(code: str, gpu: FakeGpu) -> None:
    meter, clock = opened(gpu)
    if code == "not_bracketed":
        clock.wait(0.05)
    found, _, _ = window(meter, clock, 10.0)
    assert code in codes(found)
    assert found.joules is None
    assert found.watts is None
    assert codes(found) <= FATAL.keys()
    # Before it went wrong it was right.
    if code in {"gpu_lost", "sample_gap", "throttled", "counter_reset"}:
        gpu_again = FakeGpu(**{name: getattr(gpu, name) for name in FakeGpu.__dataclass_fields__})
        meter, clock = opened(gpu_again)
        early, _, _ = window(meter, clock, 1.5)
        assert early.reasons == ()
        assert joules(early) > 0


def test_every_code_of_nvml_has_a_test() -> None:
    other_meters = {code for code in FATAL if code.startswith(("rapl", "amd_", "external", "clock_"))}
    at_opening = {"no_meter", "no_driver", "no_gpu", "mig_enabled"}
    of_windows = {"window_short", "no_steady", "batch_underfilled", "requests_failed", "interrupted"}
    of_engines = {"engine_restarted"}
    assert FATAL.keys() - other_meters - at_opening - of_windows - of_engines <= FAILURES.keys()


@pytest.mark.parametrize(
    "gpu",
    [
        FakeGpu(errors={COUNTER: (999, START + 6, START + 6.35)}),
        FakeGpu(errors={FIELDS: (999, START + 6, START + 8)}),
        FakeGpu(errors=always(999, "nvmlDeviceGetTemperature")),
        FakeGpu(800.0, limit=0.0),
        FakeGpu(300.0, limit=278.0),
        FakeGpu(Steps([(START, 300), (START + 6, 1180), (START + 6.15, 300)])),
        FakeGpu(counted=0.96),
        FakeGpu(counted=1.04),
    ],
    ids=[
        *("counter for a moment", "power for two seconds", "temperature", "power limit unknown"),
        *("8 % over the limit", "peak", "4 % less", "4 % more"),
    ],
)
def test_what_passes(gpu: FakeGpu) -> None:
    found = reading(gpu)
    assert found.reasons == ()
    assert joules(found) > 2800


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("errors", [{}, always(3, COUNTER)], ids=["counter", "integral"])
def test_nothing_between_the_marks_is_not_zero(seconds: float, errors: dict[str, tuple[int, float, float]]) -> None:
    meter, clock = opened(FakeGpu(300.0, counter_phase=0.09, errors=errors))
    found, _, _ = window(meter, clock, seconds)
    if found.joules is None:
        assert found.reasons
        assert errors or codes(found) >= {"counter_stuck"}
    else:
        assert found.joules > 0
    assert found.joules is None or seconds > 0


def test_processes_are_looked_at_with_every_mark() -> None:
    meter, clock = opened(FakeGpu(300.0, pids=[*MINE, (1, START + 1.3, FOREVER)]))
    begin = meter.mark()
    clock.wait(0.5)
    assert codes(meter.between(begin, meter.mark())) == {"shared_gpu"}


def test_marks_alone_are_enough_for_the_counter() -> None:
    """Two marks within three seconds bracket by themselves."""
    meter, clock = opened(FakeGpu(300.0))
    begin = meter.mark()
    clock.wait(2.5)
    assert meter.between(begin, meter.mark()).joules == pytest.approx(750, abs=31)
    clock.wait(5)
    assert "sample_gap" in codes(meter.between(begin, meter.mark()))


def test_idle_difference_is_not_held_against_the_counter() -> None:
    assert reading(FakeGpu(65.0, counted=0.57)).joules == pytest.approx(650 * 0.57, rel=0.02)


def test_short_difference_is_not_held_against_the_counter() -> None:
    assert reading(FakeGpu(300.0, counted=0.9), seconds=4.0).reasons == ()


def test_additivity() -> None:
    """T4."""
    meter, clock = opened(FakeGpu(Sine(300, 100, 3.3)))
    with clock.every(0.1, meter.sample):
        marks = []
        for _ in range(5):
            marks.append(meter.mark())
            clock.wait(7.77)
        marks.append(meter.mark())
        clock.wait(0.2)
    parts = sum(joules(meter.between(a, b)) for a, b in itertools.pairwise(marks))
    assert parts == pytest.approx(meter.between(marks[0], marks[-1]).joules, abs=0.2)


TROUBLES = st.lists(
    st.tuples(
        st.sampled_from([COUNTER, FIELDS, USAGE, PROCESSES, "nvmlDeviceGetTemperature"]),
        st.sampled_from([1, 3, 4, 9, 13, 15, 16, 28, 999]),
        st.floats(START + 1.5, START + 14),
        st.floats(0.01, 12),
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    troubles=TROUBLES,
    watts=st.sampled_from([0.0, 60.0, 300.0]),
    counter=st.booleans(),
    stuck=st.sampled_from([math.inf, START + 1.5, START + 7]),
    lost=st.sampled_from([math.inf, START + 3, START + 12.1]),
    seconds=st.floats(0, 10),
)
def test_whatever_fails_is_never_zero(
    troubles: list[tuple[str, int, float, float]],
    watts: float,
    counter: bool,
    stuck: float,
    lost: float,
    seconds: float,
) -> None:
    """A figure is within its bound, or there is none and a reason why."""
    errors = {name: (code, since, since + long) for name, code, since, long in troubles}
    gpu = FakeGpu(watts, errors=errors if counter else {**errors, **always(3, COUNTER)}, stuck_from=stuck, lost_at=lost)
    meter, clock = opened(gpu)
    found, begin, end = window(meter, clock, seconds)
    assert (found.joules is None) is bool(found.reasons)
    assert codes(found) <= FATAL.keys()
    if found.joules is not None:
        assert found.joules > 0
        # A counter that stops is found out after `gates.STUCK_SECONDS`.
        unseen = gates.STUCK_SECONDS if stuck < end.at else 0.0
        assert abs(found.joules - gpu.joules(begin.at, end.at)) <= watts * (0.2 + unseen) + 0.002
    idle = idle_watts(meter.between(begin, end), meter.facts)
    assert idle is None or idle == pytest.approx(watts, rel=0.01)
