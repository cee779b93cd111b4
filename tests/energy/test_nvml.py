"""The meter of NVIDIA's GPUs, on scripted ones: what it measures."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.energy.checks import idle_watts
from bench.energy.nvml import open_nvml
from bench.energy.reasons import NOTES
from tests.energy.metering import FOREVER, MINE, START, codes, joules, opened, reading, window
from tests.energy.powers import Duty, Ramp, Sine, Steps
from tests.energy.scripted import COUNTER, PROCESSES, FakeGpu, FakeNvml, VirtualClock, always


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


USAGE = "nvmlDeviceGetPowerUsage"
Shape = Steps | Ramp | Sine | Duty


def test_constant_power() -> None:
    meter, clock = opened(FakeGpu(300.0, pids=MINE))
    found, _, _ = window(meter, clock, 20.0)
    assert found.reasons == ()
    assert found.notes == ()
    assert found.joules == pytest.approx(6000, abs=300 * 0.1 + 0.01)
    assert found.cross == pytest.approx(6000, abs=1)
    assert found.watts == pytest.approx(300, rel=0.01)
    assert (found.lowest_watts, found.highest_watts, found.celsius, found.capped) == (300, 300, 55, 0)
    facts = meter.facts
    assert (facts.scope, facts.method, facts.api, facts.notes) == ("gpu_board", "counter", "nvml", ())
    assert facts.period == pytest.approx(0.1, abs=0.01)
    [device] = facts.devices
    assert (device.name, device.driver, device.power_limit) == ("NVIDIA H100 80GB HBM3", "580.65.06", 700)
    assert len(device.uuid_hash) == 8
    assert "00000000" not in device.uuid_hash


POWERS = st.one_of(
    st.builds(lambda a, b: Steps([(START, a), (START + 5, b)]), st.floats(20, 700), st.floats(20, 700)),
    st.builds(
        lambda a, b, at, long: Ramp(a, b, START + at, START + at + long),
        st.floats(20, 700),
        st.floats(20, 700),
        st.floats(0, 8),
        st.floats(0.001, 8),
    ),
    st.builds(
        lambda mean, share, period: Sine(mean, mean * share, period),
        *(st.floats(50, 350), st.floats(0, 0.9), st.floats(2, 20)),
    ),
)
"""Powers that ten samples a second can follow."""
FAST = st.one_of(
    POWERS,
    st.builds(
        lambda mean, share, period: Sine(mean, mean * share, period),
        *(st.floats(50, 350), st.floats(0, 0.9), st.floats(0.02, 2)),
    ),
    st.builds(Duty, st.floats(20, 100), st.floats(100, 700), st.floats(0.02, 3), st.floats(0.05, 0.95)),
)
PROPERTY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SECONDS_OF_PEAK = 0.2
"""The bound of the error: the highest power for as long."""


@PROPERTY
@given(power=FAST, phase=st.floats(0, 0.0999), lead=st.floats(0.05, 3), seconds=st.floats(0.3, 15))
def test_counter_is_within_its_bound(power: Shape, phase: float, lead: float, seconds: float) -> None:
    meter, clock = opened(gpu := FakeGpu(power, counter_phase=phase))
    found, begin, end = window(meter, clock, seconds, lead)
    truth = gpu.joules(begin.at, end.at)
    if found.joules is None:
        # Power readings that beat against the load: the counter is not believed, though it is right.
        assert codes(found) == {"counter_disagrees"}
        assert found.cross is not None
        assert abs(found.cross - truth) > 0.01 * found.cross
        return
    assert abs(found.joules - truth) <= SECONDS_OF_PEAK * power.peak + 0.002


@PROPERTY
@given(
    power=st.one_of(
        POWERS, st.builds(Duty, st.floats(20, 100), st.floats(100, 700), st.floats(8, 30), st.floats(0, 1))
    ),
    sampling=st.sampled_from(["instant", "duty"]),
    lead=st.floats(0.05, 3),
    seconds=st.floats(0.3, 12),
)
def test_integral_is_within_its_bound(power: Shape, sampling: str, lead: float, seconds: float) -> None:
    assume(sampling == "instant" or not isinstance(power, Duty))
    meter, clock = opened(gpu := FakeGpu(power, sampling=sampling, errors=always(3, COUNTER)))
    found, begin, end = window(meter, clock, seconds, lead)
    assert found.reasons == ()
    assert found.cross is None
    assert abs(joules(found) - gpu.joules(begin.at, end.at)) <= SECONDS_OF_PEAK * power.peak + 0.002


def test_duty_cycles_deceive_the_power_readings_and_not_the_counter() -> None:
    """25 % of the time sampled, in step with the load: power reads 700 W or 100 W where the mean is 400 W."""
    gpu = FakeGpu(Duty(100, 700, 0.1, 0.5), sampling="duty")
    found = reading(gpu, seconds=10.0)
    assert codes(found) == {"counter_disagrees"}
    assert found.joules is None
    assert found.cross is not None
    assert abs(found.cross - 4000) > 2000


def test_no_counter_adds_up_power() -> None:
    meter, clock = opened(FakeGpu(Ramp(100, 500, START + 2, START + 12), errors=always(3, COUNTER), pids=MINE))
    assert (meter.facts.method, meter.facts.notes, meter.facts.period) == ("integral", ("counter_unsupported",), None)
    found, _, _ = window(meter, clock, 10.0)
    assert found.joules == pytest.approx(3000, rel=1e-3)
    assert found.notes == ("counter_unsupported",)
    assert found.lowest_watts == pytest.approx(100, abs=1)
    assert found.highest_watts == pytest.approx(500, abs=1)


@pytest.mark.parametrize(
    "gpu",
    [FakeGpu(300.0, stuck_from=0.0), FakeGpu(300.0, counter_period=0.5)],
    ids=["counter that never moves", "counter that says anew too seldom"],
)
def test_counter_not_to_measure_by(gpu: FakeGpu) -> None:
    """T1."""
    meter, clock = opened(gpu)
    assert (meter.facts.method, meter.facts.notes) == ("integral", ("counter_unsupported",))
    assert window(meter, clock, 5.0)[0].joules == pytest.approx(1500, abs=1)


def test_no_power_field_falls_back_to_power_usage() -> None:
    meter, clock = opened(FakeGpu(300.0, fields=False, errors=always(3, COUNTER)))
    assert meter.facts.scope == "gpu_board"
    assert window(meter, clock, 5.0)[0].joules == pytest.approx(1500, abs=1)


def test_averaged_power_is_late_and_is_not_held_against_the_counter() -> None:
    # Load begins and ends at the marks: a mean of the last second misses the first and has its share after the last.
    meter, clock = opened(FakeGpu(Steps([(START, 100), (START + 2, 600)]), fields=False))
    found, _, _ = window(meter, clock, 6.0)
    assert found.reasons == ()
    assert found.joules == pytest.approx(3600, abs=61)
    assert found.cross is not None
    assert found.cross < 3400


def test_counter_alone() -> None:
    meter, clock = opened(FakeGpu(300.0, fields=False, errors=always(3, USAGE)))
    found, _, _ = window(meter, clock, 10.0)
    assert found.joules == pytest.approx(3000, abs=30)
    assert (found.cross, found.highest_watts) == (None, None)


def test_grace_hopper_is_measured_as_a_module() -> None:
    """Its counter's scope is not said, so that the power of the module is added up."""
    meter, clock = opened(FakeGpu(500.0, name="NVIDIA GH200 480GB", scopes=(1,), counted=0.7, limit=300.0))
    assert (meter.facts.scope, meter.facts.method) == ("gpu_module", "integral")
    assert "module_scope" in meter.facts.notes
    found, _, _ = window(meter, clock, 10.0)
    assert found.joules == pytest.approx(5000, abs=1)
    assert "module_scope" in found.notes


def test_idle_is_by_power_where_the_counter_is_off() -> None:
    """zeus#181: at rest counters miss 40 % of what the power readings show."""
    meter, clock = opened(FakeGpu(60.0, counted=0.57))
    found, begin, end = window(meter, clock, 10.0)
    assert found.reasons == ()
    assert idle_watts(meter.between(begin, end), meter.facts) == pytest.approx(60)


def test_closing_twice_closes_once() -> None:
    clock = VirtualClock(START)
    nvml = FakeNvml(clock, [FakeGpu()])
    nvml.nvmlInit()
    meter = open_nvml(clock, nvml=nvml)
    meter.close()
    meter.close()
    assert nvml.initialised == 1, "what another has opened stays open"


def test_idle_power_is_never_zero() -> None:
    meter, clock = opened(FakeGpu(0.0))
    _, begin, end = window(meter, clock, 5.0)
    assert idle_watts(meter.between(begin, end), meter.facts) is None


def test_idle_is_unknown_without_power() -> None:
    meter, clock = opened(FakeGpu(60.0, lost_at=START + 5))
    _, begin, end = window(meter, clock, 10.0)
    assert idle_watts(meter.between(begin, end), meter.facts) is None
    assert idle_watts(meter.between(begin, begin), meter.facts) is None


SHUFFLED = [
    FakeGpu(100.0, uuid="GPU-cccc", pids=MINE),
    FakeGpu(200.0, uuid="GPU-aaaa", pids=MINE),
    FakeGpu(400.0, uuid="GPU-bbbb", pids=MINE),
]


@pytest.mark.parametrize(
    ("devices", "environment", "watts"),
    [
        (None, {}, 700),
        ("0,2", {}, 500),
        ("GPU-aaaa,GPU-bbbb", {}, 600),
        (None, {"CUDA_VISIBLE_DEVICES": "GPU-bbbb,GPU-cccc"}, 500),
        (None, {"CUDA_VISIBLE_DEVICES": "2,1"}, 600),
        ("1", {"CUDA_VISIBLE_DEVICES": "0"}, 200),
    ],
)
def test_gpus_by_uuid_and_number(
    devices: str | None, environment: dict[str, str], watts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    meter, clock = opened(*SHUFFLED, devices=devices)
    found, begin, end = window(meter, clock, 10.0)
    assert found.reasons == ()
    assert found.joules == pytest.approx(watts * 10, abs=watts * 0.1 + 0.01)
    assert found.cross == pytest.approx(watts * 10, abs=1)
    assert found.highest_watts == pytest.approx(watts)
    assert idle_watts(meter.between(begin, end), meter.facts) == pytest.approx(watts)
    hashes = [device.uuid_hash for device in meter.facts.devices]
    assert len(set(hashes)) == len(hashes)


def test_one_gpu_that_fails_takes_all() -> None:
    found = reading(FakeGpu(300.0, uuid="GPU-1"), FakeGpu(300.0, uuid="GPU-2", lost_at=START + 5))
    assert found.joules is None
    assert "gpu_lost" in codes(found)
    assert found.cross is None


def test_one_gpu_without_counter_adds_up_all() -> None:
    meter, clock = opened(FakeGpu(300.0, uuid="GPU-1"), FakeGpu(200.0, uuid="GPU-2", errors=always(3, COUNTER)))
    assert (meter.facts.method, meter.facts.period) == ("integral", None)
    found, _, _ = window(meter, clock, 10.0)
    assert found.joules == pytest.approx(5000, abs=1)
    assert found.cross is None


def test_power_cap_is_noted_with_its_share() -> None:
    found = reading(FakeGpu(pids=MINE, bits=[(0x4, START + 7, START + 9.5), (0x1, 0, FOREVER)]))
    assert found.reasons == ()
    assert found.notes == ("power_capped",)
    assert found.capped == pytest.approx(0.25, abs=0.02)


def test_older_name_of_the_clock_event_reasons() -> None:
    found = reading(FakeGpu(bits=[(0x40, START + 6, START + 7)]), old=True)
    assert codes(found) == {"throttled"}


def test_clock_event_reasons_unknown() -> None:
    gpu = FakeGpu(pids=MINE, errors=always(3, "nvmlDeviceGetCurrentClocksEventReasons"))
    found = reading(gpu)
    assert (found.reasons, found.notes, found.capped) == ((), ("throttling_unseen",), None)


def test_processes_not_to_be_seen() -> None:
    assert reading(FakeGpu(errors=always(4, PROCESSES))).notes == ("processes_unseen",)
    # A number that /proc does not show is of another namespace.
    assert reading(FakeGpu(pids=[*MINE, (2**22 + 1, 0.0, FOREVER)])).notes == ("processes_unseen",)


def test_notes_are_known() -> None:
    assert {
        "power_capped",
        "processes_unseen",
        "throttling_unseen",
        "counter_unsupported",
        "module_scope",
    } <= NOTES.keys()
