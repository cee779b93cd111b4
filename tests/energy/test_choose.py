"""Which meter is taken on machines with one GPU or another, or none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.energy import choose
from bench.energy.choose import Gpus, available, open_meter
from bench.energy.meter import SAMPLE_SECONDS, Meter, NoMeter
from bench.energy.rapl import open_rapl
from bench.energy.records import MeterFacts
from bench.records import UsageError
from tests.energy.amd_cards import Card, FakeAmd
from tests.energy.powercap import Tree, server
from tests.energy.powers import constant
from tests.energy.scripted import FakeGpu, FakeNvml, VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


class Machine:
    """What this machine has; nothing to begin with."""

    def __init__(self, clock: VirtualClock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.monkeypatch = monkeypatch
        self.tree = Tree(folder, clock)
        for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(clock, [], init_error=12))
        monkeypatch.setitem(sys.modules, "amdsmi", None)
        monkeypatch.setattr(choose, "open_rapl", self.open_rapl)

    def open_rapl(self, clock: VirtualClock, **options: Any) -> Meter:
        return open_rapl(clock, self.tree.powercap, self.tree.read, cpuinfo=self.tree.cpuinfo, **options)

    def nvidia(self, *gpus: FakeGpu, **options: Any) -> None:
        self.monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(self.clock, list(gpus), **options))

    def amd(self, *cards: Card, **options: Any) -> None:
        self.monkeypatch.setitem(sys.modules, "amdsmi", FakeAmd(self.clock, list(cards), **options))


@pytest.fixture
def machine(clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(clock, tmp_path, monkeypatch)


def h100() -> FakeGpu:
    return FakeGpu(power=constant(300.0))


def watts(meter: Meter, clock: VirtualClock) -> float | None:
    with clock.every(SAMPLE_SECONDS, meter.sample):
        clock.wait(1)
        begin = meter.mark()
        clock.wait(30)
        end = meter.mark()
        clock.wait(1)
    return meter.between(begin, end).watts


def test_auto_takes_nvidia_first(machine: Machine, clock: VirtualClock) -> None:
    machine.nvidia(h100())
    machine.amd(Card())
    server(machine.tree)
    assert open_meter("auto", clock).facts.api == "nvml"


def test_auto_takes_amd_where_there_is_no_nvidia(machine: Machine, clock: VirtualClock) -> None:
    machine.amd(Card())
    server(machine.tree)
    assert open_meter("auto", clock).facts.api == "amdsmi"
    machine.nvidia()
    assert open_meter("auto", clock).facts.api == "amdsmi"


def test_auto_takes_the_processor_where_there_is_no_gpu(machine: Machine, clock: VirtualClock) -> None:
    server(machine.tree)
    meter = open_meter("auto", clock)
    assert meter.facts.scope == "cpu_package"
    assert watts(meter, clock) == pytest.approx(150)


def test_auto_does_not_take_the_processor_beside_a_gpu_that_cannot_be_measured(
    machine: Machine, clock: VirtualClock
) -> None:
    machine.nvidia(init_error=4)
    server(machine.tree)
    with pytest.raises(NoMeter) as reason:
        open_meter("auto", clock)
    assert reason.value.code == "no_meter"
    assert reason.value.detail.startswith("nvml: no_permission")
    assert "rapl" not in reason.value.detail
    assert reason.value.mend


def test_auto_does_not_take_the_processor_for_a_gpu_that_was_named(machine: Machine, clock: VirtualClock) -> None:
    server(machine.tree)
    with pytest.raises(NoMeter) as reason:
        open_meter("auto", clock, gpus=Gpus("0"))
    assert reason.value.code == "no_meter"


def test_nothing_at_all_lists_every_reason(machine: Machine, clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        open_meter("auto", clock)
    assert reason.value.code == "no_meter"
    said = [one.split(":")[0] for one in reason.value.detail.split("; ")]
    assert said == ["nvml", "amd", "rapl"]
    assert "csv:" in reason.value.mend


def test_what_would_mend_it_is_said(machine: Machine, clock: VirtualClock) -> None:
    counter = machine.tree.zone("intel-rapl:0", "package-0", 100)
    with machine.tree.failing_with(counter, PermissionError(13, "denied")), pytest.raises(NoMeter) as reason:
        open_meter("auto", clock)
    assert "chmod" in reason.value.mend


@pytest.mark.parametrize(("spec", "code"), [("nvml", "no_driver"), ("amd", "amd_absent"), ("rapl", "rapl_absent")])
def test_a_meter_that_is_named_says_why_it_is_not_there(
    machine: Machine, clock: VirtualClock, spec: str, code: str
) -> None:
    with pytest.raises(NoMeter) as reason:
        open_meter(spec, clock)
    assert reason.value.code == code


def test_all_is_the_sum_of_gpus_processors_and_memory(machine: Machine, clock: VirtualClock) -> None:
    machine.nvidia(h100())
    server(machine.tree)
    meter = open_meter("all", clock)
    assert meter.facts.scope == "gpu_cpu_dram"
    assert meter.facts.api == "nvml + powercap"
    assert watts(meter, clock) == pytest.approx(300 + 165, rel=0.01)
    meter.close()


def test_all_without_memory_is_not_all(machine: Machine, clock: VirtualClock) -> None:
    machine.amd(Card())
    machine.tree.zone("intel-rapl:0", "package-0", 100)
    with pytest.raises(NoMeter) as reason:
        open_meter("all", clock)
    assert reason.value.code == "rapl_absent"
    assert sys.modules["amdsmi"].running == 0


def test_all_counts_no_processor_twice(machine: Machine, clock: VirtualClock) -> None:
    machine.amd(Card(name="AMD Instinct MI300A"))
    server(machine.tree)
    with pytest.raises(NoMeter) as reason:
        open_meter("all", clock)
    assert reason.value.code == "no_meter"
    assert reason.value.mend == "measure it alone: amd"


def test_all_does_not_pass_over_a_gpu_that_cannot_be_measured(machine: Machine, clock: VirtualClock) -> None:
    machine.nvidia(init_error=4)
    machine.amd(Card())
    server(machine.tree)
    with pytest.raises(NoMeter) as reason:
        open_meter("all", clock)
    assert reason.value.code == "no_permission"


def test_an_outside_meter_needs_a_scope(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "power.csv"
    with pytest.raises(UsageError, match="scope=node or scope=wall"):
        open_meter(f"csv:{path}", clock)
    with pytest.raises(NoMeter) as reason:
        open_meter(f"csv:{path}", clock, scope="wall")
    assert reason.value.code == "external_absent"
    with pytest.raises(NoMeter) as reason:
        open_meter("prometheus:http://127.0.0.1:9,node_power_watts", clock, scope="node")
    assert reason.value.code == "external_absent"


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("nvlm", {}, "no meter 'nvlm'; did you mean 'nvml'?; one of auto, nvml, amd, rapl, all, csv:FILE"),
        ("http://user:hunter2@host:9090", {}, "no meter 'http'"),
        ("csv", {}, "no meter 'csv'"),
        ("nvml:0", {}, "no meter 'nvml'"),
        ("", {}, "no meter ''"),
        ("csv:", {"scope": "node"}, "csv: takes a file"),
        ("csv:x", {"scope": "room"}, "scope=node or scope=wall"),
        ("prometheus:http://host:9090", {"scope": "node"}, "is not a metric"),
        ("prometheus:host", {"scope": "node"}, "prometheus: takes an address and a metric"),
        ("nvml", {"scope": "node"}, "scope is for csv: and prometheus:"),
        ("rapl", {"gpus": Gpus("0")}, "devices names GPUs"),
        ("csv:x", {"gpus": Gpus("0"), "scope": "node"}, "devices names GPUs"),
    ],
)
def test_what_cannot_be_meant_is_refused(clock: VirtualClock, spec: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as reason:
        open_meter(spec, clock, **options)
    assert said in str(reason.value)
    assert "\n" not in str(reason.value)
    assert "hunter2" not in str(reason.value)


def test_what_there_is_is_listed(machine: Machine, clock: VirtualClock) -> None:
    machine.nvidia(h100())
    found = dict(available(clock))
    assert list(found) == ["nvml", "amd", "rapl"]
    assert isinstance(found["nvml"], MeterFacts)
    assert isinstance(found["amd"], NoMeter)
    assert isinstance(found["rapl"], NoMeter)
