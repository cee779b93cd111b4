"""Processors' energy counters, read from a tree of files as Linux has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.energy.combined import combined
from bench.energy.meter import SAMPLE_SECONDS, NoMeter
from bench.energy.rapl import open_rapl
from tests.energy.powercap import RANGE, Tree, server
from tests.energy.scripted import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def tree(tmp_path: Path, clock: VirtualClock) -> Tree:
    return Tree(tmp_path, clock)


def test_packages_are_summed_and_nothing_that_overlaps_them(tree: Tree, clock: VirtualClock) -> None:
    server(tree)
    meter = tree.open()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        clock.wait(1)
        begin = meter.mark()
        clock.wait(30)
        end = meter.mark()
    reading = meter.between(begin, end)
    assert reading.joules == pytest.approx(150 * 30)
    assert reading.watts == pytest.approx(150)
    assert reading.reasons == ()
    assert meter.facts.scope == "cpu_package"
    assert [device.name for device in meter.facts.devices] == ["Epyxeon 9 @ 2.00GHz"] * 2
    meter.close()


def test_memory_is_added_where_asked(tree: Tree, clock: VirtualClock) -> None:
    server(tree)
    meter = tree.open(with_dram=True)
    begin = meter.mark()
    clock.wait(10)
    assert meter.between(begin, meter.mark()).joules == pytest.approx(165 * 10)


def test_zones_inside_zones_are_not_counted_twice(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0", 100)
    tree.zone("intel-rapl:0/intel-rapl:0:0", "dram", 10)
    tree.zone("intel-rapl:0:0", "dram", 10)
    meter = tree.open(with_dram=True)
    begin = meter.mark()
    clock.wait(10)
    assert meter.between(begin, meter.mark()).joules == pytest.approx(110 * 10)


def test_two_dies_of_one_package_are_two_counters(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0-die-0", 100)
    tree.zone("intel-rapl:1", "package-0-die-1", 80)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(10)
    assert meter.between(begin, meter.mark()).joules == pytest.approx(180 * 10)


def test_wraps_are_counted(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0", 300, start=RANGE - 1_000_000)
    meter = tree.open()
    begin = meter.mark()
    with clock.every(60, meter.sample):
        clock.wait(3600)
    reading = meter.between(begin, meter.mark())
    assert reading.joules == pytest.approx(300 * 3600)
    assert reading.joules is not None
    assert reading.joules > 4 * RANGE / 1e6


@given(
    watts=st.floats(1, 900),
    start=st.integers(0, RANGE - 1),
    waits=st.lists(st.floats(0.001, 60), min_size=1, max_size=20),
)
def test_any_power_is_counted_exactly(
    tmp_path_factory: pytest.TempPathFactory, watts: float, start: int, waits: list[float]
) -> None:
    clock = VirtualClock()
    tree = Tree(tmp_path_factory.mktemp("rapl"), clock)
    tree.zone("intel-rapl:0", "package-0", watts, start)
    meter = tree.open()
    begin = meter.mark()
    for seconds in waits:
        clock.wait(seconds)
        meter.sample()
    reading = meter.between(begin, meter.mark())
    assert reading.joules == pytest.approx(watts * sum(waits), abs=1e-5)


def test_a_gap_that_hides_a_wrap_leaves_no_figure(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0", 300)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(RANGE / 1e6 / 300 + 5)
    end = meter.mark()
    assert meter.between(begin, end).joules is None
    assert meter.between(begin, end).reasons == ("sample_gap",)
    clock.wait(5)
    later = meter.mark()
    assert meter.between(end, later).joules == pytest.approx(300 * 5)


@pytest.mark.parametrize("failure", [OSError(5, "gone"), FileNotFoundError(2, "gone"), "", "x", "-1", str(RANGE + 1)])
def test_a_failed_reading_is_never_a_number(tree: Tree, clock: VirtualClock, failure: OSError | str) -> None:
    counter = tree.zone("intel-rapl:0", "package-0", 100, start=100_000_000_000)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(10)
    before = meter.mark()
    with tree.failing_with(counter, failure):
        clock.wait(1)
        meter.sample()
        clock.wait(1)
    clock.wait(10)
    after = meter.mark()
    clock.wait(10)
    end = meter.mark()
    assert meter.between(begin, end).joules is None
    assert meter.between(begin, end).reasons == ("rapl_read_failed",)
    assert meter.between(begin, before).joules == pytest.approx(100 * 10)
    assert meter.between(after, end).joules == pytest.approx(100 * 10)


def test_a_zero_in_the_place_of_a_failure_is_no_wrap(tree: Tree, clock: VirtualClock) -> None:
    counter = tree.zone("intel-rapl:0", "package-0", 100, start=100_000_000_000)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(1)
    with tree.failing_with(counter, "0"):
        meter.sample()
    clock.wait(1)
    reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("counter_reset",)


def test_a_socket_whose_counter_stands_still_takes_the_sum_away(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0", 100)
    tree.zone("intel-rapl:1", "package-1", 0)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(10)
    reading = meter.between(begin, meter.mark())
    assert reading.joules is None
    assert reading.reasons == ("counter_stuck",)


def test_one_of_two_sockets_that_fails_takes_the_sum_away(tree: Tree, clock: VirtualClock) -> None:
    _, second = server(tree)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(10)
    with tree.failing_with(second, OSError(5, "gone")):
        end = meter.mark()
    assert meter.between(begin, end).joules is None
    assert meter.between(begin, end).reasons == ("rapl_read_failed",)


def test_what_disappears_in_the_middle_takes_every_later_figure_away(tree: Tree, clock: VirtualClock) -> None:
    tree.zone("intel-rapl:0", "package-0", 100)
    meter = tree.open()
    begin = meter.mark()
    clock.wait(5)
    meter.read = Path.read_text
    for path in sorted(tree.powercap.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    clock.wait(5)
    meter.sample()
    gone = meter.mark()
    assert meter.between(begin, gone).reasons == ("rapl_read_failed",)
    assert meter.between(gone, meter.mark()).joules is None


def test_memory_that_is_not_counted_cannot_be_added(tree: Tree) -> None:
    tree.zone("intel-rapl:0", "package-0", 100)
    with pytest.raises(NoMeter) as reason:
        tree.open(with_dram=True)
    assert reason.value.code == "rapl_absent"


def test_no_tree_is_absent(tmp_path: Path, clock: VirtualClock) -> None:
    with pytest.raises(NoMeter) as reason:
        open_rapl(clock, tmp_path / "powercap")
    assert reason.value.code == "rapl_absent"


def test_a_tree_without_packages_is_absent(tree: Tree) -> None:
    tree.zone("intel-rapl:0", "psys", 400)
    tree.zone("intel-rapl-mmio:0", "package-0", 100)
    with pytest.raises(NoMeter) as reason:
        tree.open()
    assert reason.value.code == "rapl_absent"


def test_a_counter_for_root_only_is_denied_with_what_would_mend_it(tree: Tree) -> None:
    counter = tree.zone("intel-rapl:0", "package-0", 100)
    with tree.failing_with(counter, PermissionError(13, "denied")), pytest.raises(NoMeter) as reason:
        tree.open()
    assert reason.value.code == "rapl_denied"
    assert reason.value.detail == "intel-rapl:0/energy_uj is for root only"
    assert "chmod" in reason.value.mend


def test_what_a_container_hides_is_denied(tree: Tree) -> None:
    """A link into a folder that is masked; even to root."""
    (tree.powercap / "intel-rapl:0").symlink_to(tree.root / "masked")
    with pytest.raises(NoMeter) as reason:
        tree.open()
    assert reason.value.code == "rapl_denied"
    assert reason.value.detail == "intel-rapl:0/name is hidden from this container"


@pytest.mark.parametrize("failure", [OSError(5, "broken"), "many", "-3", str(RANGE + 1)])
def test_a_counter_that_cannot_be_read_at_all_is_no_meter(tree: Tree, failure: OSError | str) -> None:
    server(tree)
    counter = tree.powercap / "intel-rapl:1" / "energy_uj"
    with tree.failing_with(counter, failure), pytest.raises(NoMeter) as reason:
        tree.open()
    assert reason.value.code == "rapl_read_failed"


def test_an_unknown_processor_is_called_so(tree: Tree) -> None:
    tree.zone("intel-rapl:0", "package-0", 100)
    tree.cpuinfo.unlink()
    assert tree.open().facts.devices[0].name == "unknown processor"


def test_meters_are_combined_and_one_without_a_figure_takes_it_away(tmp_path: Path, clock: VirtualClock) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Tree(tmp_path / "a", clock), Tree(tmp_path / "b", clock)
    one.zone("intel-rapl:0", "package-0", 100)
    counter = other.zone("intel-rapl:0", "package-0", 50)
    meter = combined([one.open(), other.open()], "gpu_cpu_dram")
    begin = meter.mark()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        clock.wait(10)
    middle = meter.mark()
    with other.failing_with(counter, OSError(5, "gone")):
        meter.sample()
    end = meter.mark()
    assert meter.between(begin, middle).joules == pytest.approx(1500)
    assert meter.between(begin, end).joules is None
    assert meter.between(begin, end).reasons == ("rapl_read_failed",)
    assert meter.facts.scope == "gpu_cpu_dram"
    assert len(meter.facts.devices) == 2
    meter.close()


def test_nothing_cannot_be_combined() -> None:
    with pytest.raises(ValueError, match="nothing"):
        combined([], "gpu_cpu_dram")
