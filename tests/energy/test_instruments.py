"""Which models are measured by which meters, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from bench.backend import Capabilities, EngineFacts
from bench.cli.metering import Metering
from bench.energy import choose
from bench.energy.measuring import Instruments, off_device
from bench.energy.nvml import open_nvml
from bench.plan import Block, load
from bench.prices import Price
from bench.records import Request, Response, UsageError
from tasks import get
from tests.energy.test_window import Bench


class Closed:
    """A service somewhere else."""

    name = "openai:closed"
    revision = template = decoding = "none"
    price: Price | None = None
    capabilities = Capabilities(remote=True)

    def check(self, requests: Iterable[Request]) -> None:
        pass

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        return iter(())

    def status(self) -> str:
        return ""

    def close(self) -> None:
        pass


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A scripted GPU in the place of this machine's."""
    made = Bench()
    monkeypatch.setattr(choose, "open_nvml", lambda *_, **__: open_nvml(made.clock, None, made.nvml))
    return made


def blocks() -> list[Block]:
    task = get("cldr-dates")
    return list(load([(task, one) for one in task.varieties if one.language == "yor_Latn"], 5))


@pytest.mark.parametrize("meter", ["auto", "nvml", "rapl", "amd", "all"])
def test_a_closed_service_is_not_measured_by_this_machines_meters(bench: Bench, meter: str) -> None:
    metering = Metering.of([f"meter={meter}"], asked=True, required=False)
    with metering.instruments(Closed(), blocks()) as found:
        assert found == "not_measurable"
    strict = Metering.of([f"meter={meter}"], asked=True, required=True)
    with (
        pytest.raises(UsageError, match="cannot be measured from outside"),
        strict.instruments(Closed(), blocks()),
    ):
        pass


def test_a_model_on_the_processor_is_not_measured_by_a_gpu(bench: Bench) -> None:
    model = bench.model()
    model.engine = replace(model.engine, device="cpu")
    with Metering.of([], asked=True, required=False).instruments(model, blocks()) as found:
        assert found == "not_on_device"
    tried = Metering.of(["elsewhere=true"], asked=True, required=False)
    with tried.instruments(model, blocks()) as found:
        assert isinstance(found, Instruments)
    assert off_device(model, bench.meter.facts)
    assert not off_device(bench.model(), bench.meter.facts)
    assert EngineFacts("x", "1", "bfloat16").device == ""


def test_what_will_not_count_is_said_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    Metering.of(["seconds=5", "repeats=1"], asked=True, required=False)
    said = capsys.readouterr().err
    assert "-E seconds=5: under 20 no window is valid" in said
    assert "-E repeats=1: under 3 nothing is ranked" in said
    Metering.of([], asked=True, required=False)
    assert capsys.readouterr().err == ""


def test_what_is_required_is_asked() -> None:
    assert Metering.of([], asked=False, required=True).asked
