"""The meter of AMD's GPUs, whose library is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.energy.amd import AmdMeter, open_amd
from bench.energy.meter import SAMPLE_SECONDS, Mark, NoMeter
from tests.energy.amd_cards import Card, FakeAmd
from tests.energy.scripted import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def opened(clock: VirtualClock, *cards: Card, devices: str | None = None, **environ: str) -> AmdMeter:
    return open_amd(clock, FakeAmd(clock, list(cards)), devices, environ)


def run(meter: AmdMeter, clock: VirtualClock, seconds: float = 30) -> tuple[Mark, Mark]:
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        clock.wait(seconds)
        return begin, meter.mark()


@pytest.mark.parametrize("told", ["average_socket_power", "current_socket_power", "socket_power"])
@pytest.mark.parametrize("key", ["energy_accumulator", "power"])
def test_the_counter_is_used_where_it_fits_power(clock: VirtualClock, told: str, key: str) -> None:
    card = Card(field=told, count_key=key)
    meter = opened(clock, card)
    reading = meter.between(*run(meter, clock))
    assert reading.joules == pytest.approx(15_000, rel=1e-4)
    assert reading.cross == pytest.approx(15_000, rel=1e-4)
    assert reading.reasons == ()
    assert reading.notes == ("processes_unseen", "throttling_unseen")
    assert (meter.facts.method, meter.facts.scope) == ("counter", "gpu_board")
    device = meter.facts.devices[0]
    assert (device.name, device.driver, device.power_limit) == ("AMD Instinct MI210", "6.12.12", 600)
    assert device.uuid_hash
    assert "ABCD" not in device.uuid_hash


def test_several_gpus_are_summed(clock: VirtualClock) -> None:
    meter = opened(clock, Card(), Card(power=lambda at: 300.0, uuid="ABCD-1", hip_id=1))
    reading = meter.between(*run(meter, clock))
    assert reading.joules == pytest.approx(800 * 30, rel=1e-4)
    assert reading.highest_watts == pytest.approx(800)


@pytest.mark.parametrize("factor", [0.05, 20, 0])
def test_a_counter_that_does_not_fit_power_is_not_used(clock: VirtualClock, factor: float) -> None:
    meter = opened(clock, Card(counting=lambda joules: 1e6 + factor * (joules - 1e6)))
    reading = meter.between(*run(meter, clock))
    assert meter.facts.method == "integral"
    assert "counter_unsupported" in reading.notes
    assert reading.joules == pytest.approx(15_000, rel=1e-4)
    assert reading.cross is None


def test_a_counter_that_cannot_be_read_is_not_used(clock: VirtualClock) -> None:
    meter = opened(clock, Card(error=2))
    assert meter.facts.method == "integral"
    assert meter.between(*run(meter, clock)).joules == pytest.approx(15_000, rel=1e-4)


def test_one_counter_that_is_wrong_makes_all_of_them_integrals(clock: VirtualClock) -> None:
    meter = opened(clock, Card(), Card(counting=lambda joules: 20 * joules, uuid="ABCD-1"))
    assert meter.facts.method == "integral"
    assert meter.between(*run(meter, clock)).joules == pytest.approx(30_000, rel=1e-4)


@pytest.mark.parametrize("mute", [True, False])
def test_a_die_that_tells_nothing_is_never_half(clock: VirtualClock, mute: bool) -> None:
    """The second die of an MI250 says 0 W and counts nothing, for ever."""
    second = Card(power=lambda at: 0.0, joules=0.0, uuid="ABCD-1", name="AMD Instinct MI250X", mute=mute)
    library = FakeAmd(clock, [Card(name="AMD Instinct MI250X"), second])
    with pytest.raises(NoMeter) as reason:
        open_amd(clock, library, None, {})
    assert reason.value.code == "amd_counter_implausible"
    assert "GPU 1" in reason.value.detail
    assert "devices" in reason.value.mend
    assert library.running == 0
    meter = open_amd(clock, library, "0", {})
    assert meter.between(*run(meter, clock)).joules == pytest.approx(15_000, rel=1e-4)


def test_a_die_that_falls_silent_takes_the_sum_away(clock: VirtualClock) -> None:
    second = Card(uuid="ABCD-1")
    meter = opened(clock, Card(), second)
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        clock.wait(15)
        second.power = lambda at: 0.0
        clock.wait(15)
        reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert "counter_stuck" in reading.reasons


def test_a_counter_that_fails_later_leaves_no_figure(clock: VirtualClock) -> None:
    card = Card()
    meter = opened(clock, card)
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        clock.wait(15)
        card.error = 10
        reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("nvml_failed",)


def test_a_counter_that_goes_backwards_leaves_no_figure(clock: VirtualClock) -> None:
    card = Card()
    meter = opened(clock, card)
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        clock.wait(15)
        card.joules = 1.0
        clock.wait(15)
        reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("counter_reset",)


def test_power_that_fails_for_long_leaves_no_figure(clock: VirtualClock) -> None:
    card = Card(error=2)
    meter = opened(clock, card)
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        clock.wait(10)
        card.mute = True
        clock.wait(5)
        card.mute = False
        clock.wait(10)
        reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert [code.partition(":")[0] for code in reading.reasons] == ["sample_gap"]


def test_a_counter_that_strays_from_power_is_told(clock: VirtualClock) -> None:
    card = Card()
    meter = opened(clock, card)
    card.counting = lambda joules: 1e6 + 1.2 * (joules - 1e6)
    reading = meter.between(*run(meter, clock))
    assert reading.joules is None
    assert [code.partition(":")[0] for code in reading.reasons] == ["counter_disagrees"]


def test_power_beyond_the_limit_is_not_believed(clock: VirtualClock) -> None:
    meter = opened(clock, Card(limit=300))
    reading = meter.between(*run(meter, clock))
    assert reading.joules is None
    assert [code.partition(":")[0] for code in reading.reasons] == ["power_implausible"]


def test_a_processor_with_a_gpu_has_a_scope_of_its_own(clock: VirtualClock) -> None:
    meter = opened(clock, Card(name="AMD Instinct MI300A"))
    assert meter.facts.scope == "gpu_module"
    assert "module_scope" in meter.facts.notes


def shuffled() -> list[Card]:
    """HIP's first GPU is the third of amd-smi."""
    ids = [2, 1, 0]
    return [
        Card(power=lambda at, n=n: 100.0 * (n + 1), uuid=f"ABCD-{n}", hip_id=id_)  # type: ignore[misc]
        for n, id_ in enumerate(ids)
    ]


@pytest.mark.parametrize(
    ("devices", "environ", "watts"),
    [
        (None, {}, 600),
        ("0", {}, 100),
        ("0, abcd-2", {"HIP_VISIBLE_DEVICES": "1"}, 400),
        (None, {"HIP_VISIBLE_DEVICES": "0"}, 300),
        (None, {"CUDA_VISIBLE_DEVICES": "0,1"}, 500),
        (None, {"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0"}, 100),
        ("1", {"ROCR_VISIBLE_DEVICES": "0"}, 200),
    ],
)
def test_the_gpus_that_are_meant(
    clock: VirtualClock, devices: str | None, environ: dict[str, str], watts: float
) -> None:
    meter = opened(clock, *shuffled(), devices=devices, **environ)
    assert meter.between(*run(meter, clock)).watts == pytest.approx(watts, rel=1e-4)


@pytest.mark.parametrize(
    ("devices", "environ"),
    [
        ("7", {}),
        ("0,0", {}),
        ("", {}),
        (None, {"HIP_VISIBLE_DEVICES": ""}),
        (None, {"HIP_VISIBLE_DEVICES": "7"}),
        (None, {"ROCR_VISIBLE_DEVICES": "0"}),
    ],
)
def test_gpus_that_are_not_there_are_no_meter(
    clock: VirtualClock, devices: str | None, environ: dict[str, str]
) -> None:
    with pytest.raises(NoMeter) as reason:
        opened(clock, *shuffled(), devices=devices, **environ)
    assert reason.value.code == "no_gpu"
    assert reason.value.mend


def test_an_old_release_does_not_know_hips_numbers(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FakeAmd, "amdsmi_get_gpu_enumeration_info")
    with pytest.raises(NoMeter) as reason:
        opened(clock, Card(), HIP_VISIBLE_DEVICES="0")
    assert reason.value.code == "no_gpu"


@pytest.mark.parametrize(("number", "code"), [(34, "amd_absent"), (10, "no_permission")])
def test_a_library_that_does_not_start(clock: VirtualClock, number: int, code: str) -> None:
    with pytest.raises(NoMeter) as reason:
        open_amd(clock, FakeAmd(clock, [Card()], init_error=number), None, {})
    assert reason.value.code == code


def test_no_gpu_is_absent(clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        opened(clock)
    assert reason.value.code == "amd_absent"


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('no such module')",
        "print('Unable to find libamd_smi.so'); {}['libamd_smi.so']",
        "raise OSError('libamd_smi.so: cannot open shared object file')",
    ],
)
def test_a_package_without_its_library_is_absent_and_says_nothing(
    tmp_path: Path,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    source: str,
) -> None:
    """As the package does it: it prints, and fails with a KeyError."""
    (tmp_path / "amdsmi.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NoMeter) as reason:
        open_amd(clock)
    assert reason.value.code == "amd_absent"
    assert capfd.readouterr().out == ""


def test_the_meter_lets_go_of_the_library(clock: VirtualClock) -> None:
    library = FakeAmd(clock, [Card()])
    meter = open_amd(clock, library, None, {})
    assert library.running == 1
    meter.close()
    assert library.running == 0
