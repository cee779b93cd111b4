"""One window on a scripted GPU: when its steady stretch begins and ends, and what is counted in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.backend import Load
from bench.energy.figures import joules_per_request
from bench.energy.measuring import judged, warm
from bench.energy.nvml import open_nvml
from bench.energy.options import Options
from bench.energy.records import Subject
from bench.energy.window import Loop, Measured, Source, measure, rest
from bench.energy.work import Ledger, parts_words
from bench.records import BenchError, Request, Response
from tests.energy.modelled import Batching, Live
from tests.energy.scripted import FakeGpu, FakeNvml, VirtualClock

SUBJECT = Subject("t@1", "yor_Latn", "", "generate", "english", 0)
OPTIONS = Options(seconds=30, concurrency=8)


def request(number: int, max_tokens: int = 64) -> Request:
    return Request(
        id=f"r{number}",
        sample=f"t@1/yor_Latn//{number}",
        task="t",
        language="yor_Latn",
        variety="",
        mode="generate",
        prompt="how many words " * (1 + number % 3),
        continuations=(),
        max_tokens=max_tokens,
        stop=(),
        input="",
        options=(),
    )


class Bench:
    """A clock, a GPU and a meter on it."""

    def __init__(self, **gpu: object) -> None:
        self.clock = VirtualClock()
        self.power = Live(100.0)
        self.gpu = FakeGpu(power=self.power, **gpu)  # type: ignore[arg-type]
        self.nvml = FakeNvml(self.clock, [self.gpu])
        self.meter = open_nvml(self.clock, None, self.nvml)

    def model(self, **how: object) -> Batching:
        return Batching(self.clock, self.power, **how)  # type: ignore[arg-type]

    def measured(self, model: Batching, options: Options = OPTIONS, questions: int = 32) -> Measured:
        source = Source(SUBJECT, [request(number) for number in range(questions)])
        return measure(model, source, "isolated", self.meter, self.clock, options)


def test_the_steady_stretch_is_as_long_as_asked_with_a_full_batch() -> None:
    bench = Bench()
    found = bench.measured(bench.model())
    assert found.steady is not None
    assert found.steady.reading.seconds == pytest.approx(30, abs=0.3)
    assert found.reached == pytest.approx(8, abs=0.5)
    assert found.whole.reading.seconds > found.steady.reading.seconds
    assert found.whole.work.requests > found.steady.work.requests > 32  # asked again and again
    assert found.stopped == ""


def test_joules_and_tokens_of_a_steady_stretch_are_the_engines_own() -> None:
    bench = Bench()
    model = bench.model(prompt_seconds=0.0)
    found = bench.measured(model)
    assert found.steady is not None
    # Eight rows in every step of 0.05 s, at 100 W and 50 W a row.
    tokens = found.steady.work.output_tokens
    assert tokens == pytest.approx(8 * 30 / 0.05, rel=0.02)
    assert found.steady.reading.joules == pytest.approx(500 * 30, rel=0.01)
    assert found.whole.work.output_tokens == model.load().output_tokens


def test_each_question_has_an_id_of_its_own_and_caches_are_emptied_first() -> None:
    bench = Bench()
    model = bench.model()
    bench.measured(model, questions=3)
    assert len({one.id for one in model.asked}) == len(model.asked) > 3
    assert model.forgotten == 1


def test_a_model_that_never_fills_its_batch_has_no_steady_stretch() -> None:
    bench = Bench()
    found = bench.measured(bench.model(rows=3))
    assert found.steady is None
    window = judged(found, 0, 0, "s", bench.meter.facts, 8)
    assert "no_steady" in window.reasons
    assert window.steady is None


def test_a_batch_that_runs_half_empty_is_underfilled() -> None:
    bench = Bench()
    found = bench.measured(bench.model(), Options(seconds=30, concurrency=8))
    kept = judged(found, 0, 0, "s", bench.meter.facts, 8)
    assert kept.reasons == ()
    assert "batch_underfilled" in judged(found, 0, 0, "s", bench.meter.facts, 10).reasons


def test_failures_stop_the_figure_and_are_counted() -> None:
    bench = Bench()
    found = bench.measured(bench.model(fails=lambda number: number == 20))
    assert found.whole.work.failed == 1
    assert "requests_failed" in judged(found, 0, 0, "s", bench.meter.facts, 8).reasons


def test_answers_at_the_limit_are_runaway() -> None:
    bench = Bench()
    found = bench.measured(bench.model(length=lambda _: 99))
    window = judged(found, 0, 0, "s", bench.meter.facts, 8)
    assert window.reasons == ("runaway",)


def test_a_model_that_dies_ends_the_window_with_its_reason() -> None:
    bench = Bench()
    found = bench.measured(bench.model(stops_after=20))
    assert found.stopped == "the engine died"
    assert "interrupted" in judged(found, 0, 0, "s", bench.meter.facts, 8).reasons
    assert warm(bench.model(stops_after=1), [request(0)], bench.clock, OPTIONS) == "the engine died"


def test_warm_up_takes_twice_the_concurrency_and_its_seconds() -> None:
    bench = Bench()
    model, began = bench.model(), bench.clock.now()
    assert warm(model, [request(0), request(1)], bench.clock, Options(concurrency=8, warmup=60)) == ""
    assert len(model.asked) >= 16
    assert bench.clock.now() - began >= 60
    short = bench.model()
    warm(short, [request(0)], bench.clock, Options(concurrency=8, warmup=0))
    assert 16 <= len(short.asked) <= 40


def test_rest_is_the_idle_power() -> None:
    bench = Bench()
    reading = rest(bench.meter, bench.clock, 10.0)
    assert reading.joules == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("gpu", "reason"),
    [
        ({"lost_at": 1010.0}, "gpu_lost"),
        ({"resets_at": 1010.0}, "counter_reset"),
        ({"stuck_from": 1001.0}, "counter_stuck"),
        ({"denied_from": 1010.0}, "no_permission"),
        ({"bits": [(0x40, 1010.0, 1012.0)]}, "throttled"),
        ({"pids": [(1, 1010.0, 1020.0)]}, "shared_gpu"),
    ],
)
def test_a_fault_in_the_stretch_takes_its_joules_away(gpu: dict[str, object], reason: str) -> None:
    bench = Bench(**gpu)
    window = judged(bench.measured(bench.model()), 0, 0, "s", bench.meter.facts, 8)
    assert any(code.startswith(reason) for code in window.reasons), window.reasons


def test_an_answer_that_nobody_asked_for_is_the_models_fault() -> None:
    bench = Bench()
    model = bench.model()
    model._answer = lambda *_: Response("r1", "ok")  # type: ignore[method-assign]
    with pytest.raises(BenchError, match="was not asked"):
        bench.measured(model)


def test_a_loop_gives_nothing_after_its_end() -> None:
    loop = Loop([request(0)])
    assert next(loop).id != next(loop).id
    loop.end()
    with pytest.raises(StopIteration):
        next(loop)


def test_words_are_counted_where_a_script_parts_them() -> None:
    ledger = Ledger("yor_Latn")
    ledger.add(request(0), Response("r0", "ok", "mo wá – sí ilé", prompt_tokens=3, output_tokens=4))
    assert ledger.work().words == 4
    unspaced = Ledger("tha_Thai")
    unspaced.add(request(0), Response("r0", "ok", "ก ข", prompt_tokens=3, output_tokens=4))
    assert unspaced.work().words is None
    assert not parts_words("zho_Hans")
    assert parts_words("amh_Ethi")


def test_a_count_that_one_answer_lacks_is_not_known() -> None:
    ledger = Ledger("yor_Latn")
    assert ledger.work().output_tokens is None  # nothing yet is not nothing
    ledger.add(request(0), Response("r0", "ok", "a", prompt_tokens=3, output_tokens=4))
    ledger.add(request(1), Response("r1", "ok", "a", prompt_tokens=3))
    work = ledger.work()
    assert (work.prompt_tokens, work.output_tokens, work.context_steps) == (6, None, None)


def test_what_idles_while_a_model_computes_is_not_what_it_computes_on() -> None:
    bench = Bench()
    model = bench.model(idle=20.0, each=4.0)  # 52 W of 700 W
    window = judged(bench.measured(model), 0, 0, "s", bench.meter.facts, 8)
    assert "power_implausible" in window.reasons


def test_answers_that_outlast_the_stretch_are_runaway_too() -> None:
    bench = Bench()
    model = bench.model(length=lambda _: 9_999)
    source = Source(SUBJECT, [request(number, max_tokens=900) for number in range(8)])
    found = measure(model, source, "isolated", bench.meter, bench.clock, OPTIONS)
    assert found.steady is not None
    assert found.steady.work.requests == 0
    assert "runaway" in judged(found, 0, 0, "s", bench.meter.facts, 8).reasons


def test_an_engine_that_counts_anew_leaves_no_figure() -> None:
    bench = Bench()
    model = bench.model()
    load, restarts = model.load, bench.clock.now() + 15

    def fallen() -> Load:
        now = load()
        return now if bench.clock.now() < restarts else Load(now.running, 0, (now.output_tokens or 0) // 1000)

    model.load = fallen  # type: ignore[method-assign]
    found = bench.measured(model)
    assert found.restarted
    assert found.steady is not None
    assert found.steady.work.output_tokens is None
    window = judged(found, 0, 0, "s", bench.meter.facts, 8)
    assert "engine_restarted" in window.reasons
    assert joules_per_request(window) is None


def test_an_engine_that_seldom_speaks_is_not_verified() -> None:
    bench = Bench()
    model = bench.model()
    load = model.load
    model.load = lambda: load() if bench.clock.now() < 1010 else Load(None, None, None)  # type: ignore[method-assign]
    found = bench.measured(model)
    assert found.reached is None
    assert "batch_unverified" in judged(found, 0, 0, "s", bench.meter.facts, 8).reasons


def test_prompts_from_a_cache_are_no_work() -> None:
    bench = Bench()
    model = bench.model()
    answer = model._answer
    model._answer = lambda *given: replace(answer(*given), cached_tokens=3)  # type: ignore[method-assign]
    assert "prompts_cached" in judged(bench.measured(model), 0, 0, "s", bench.meter.facts, 8).reasons


def test_a_sampler_that_fails_ends_the_window() -> None:
    bench = Bench()
    sample, calls = bench.meter.sample, iter(range(10**9))

    def failing() -> None:
        if next(calls) > 50:
            raise OSError("the device is gone")
        sample()

    bench.meter.sample = failing  # type: ignore[method-assign]
    with pytest.raises(OSError, match="the device is gone"):
        bench.measured(bench.model())


def test_every_question_counts_alike_however_often_it_was_asked() -> None:
    """Quick questions come round more often; the tokens of an answer are those of the questions."""
    bench = Bench()
    found = bench.measured(bench.model(length=lambda one: 4 if int(one.sample[-1]) % 2 else 40), questions=16)
    assert found.answer_tokens == pytest.approx(22)
    assert found.passes is not None
    assert found.passes >= 1
    assert found.questions == Source(SUBJECT, [request(number) for number in range(16)]).questions
    assert found.questions != Source(SUBJECT, [request(number) for number in range(17)]).questions


def test_a_window_that_did_not_get_round_says_so() -> None:
    bench = Bench()
    assert bench.measured(bench.model(), questions=5000).passes == 0
