"""A whole measurement on a scripted GPU: the order, the sentinels, what is measured again, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.energy.figures import figures
from bench.energy.measuring import Agenda, Instruments, perform, setup_of
from bench.energy.mixed import SLICE_SECONDS, Context, Metered
from bench.energy.options import Options
from bench.energy.reasons import FATAL
from bench.energy.records import Subject, Window
from bench.records import Request
from tests.energy.test_window import Bench, request

ENGLISH = Subject("t@1", "eng_Latn", "", "generate", "english", 0)
YORUBA, THAI = replace(ENGLISH, language="yor_Latn"), replace(ENGLISH, language="tha_Thai")
OPTIONS = Options(seconds=30, repeats=3, concurrency=8, control=False, warmup=2)


def questions(subject: Subject, count: int = 32) -> list[Request]:
    return [
        replace(request(number), language=subject.language, id=f"{subject.language}/{number}")
        for number in range(count)
    ]


def agenda(control: Mapping[Subject, Sequence[Request]] | None = None) -> Agenda:
    subjects = {subject: questions(subject) for subject in (ENGLISH, YORUBA, THAI)}
    return Agenda(subjects, ENGLISH, control or {})


def run(
    bench: Bench, options: Options = OPTIONS, done: Sequence[Window] = (), **how: object
) -> tuple[list[Window], str]:
    kept: list[Window] = []
    length = {"eng_Latn": 20, "yor_Latn": 30, "tha_Thai": 40}
    model = bench.model(length=lambda one: length[one.language], **how)
    stopped = perform(model, agenda(), Instruments(bench.meter, bench.clock, options), done, kept.append)
    return kept, stopped


def test_windows_come_to_the_energy_that_the_script_spends() -> None:
    kept, stopped = run(Bench(), prompt_seconds=0.0)
    assert stopped == ""
    assert [window.number for window in kept] == list(range(len(kept)))
    assert kept[0].kind == "idle"
    assert kept[0].whole.reading.watts == pytest.approx(100, rel=0.1)
    assert kept[1].kind == kept[-1].kind == "sentinel"
    assert all(window.reasons == () for window in kept), [window.reasons for window in kept]
    found = figures(kept)
    # 500 W over 8 rows and 20 steps a second: 3.125 J a token, whatever the language.
    for subject, length in ((ENGLISH, 20), (YORUBA, 30), (THAI, 40)):
        assert found[subject].joules_per_request == pytest.approx(3.125 * length, rel=0.03)
        assert found[subject].rank_reason == ""
        assert found[subject].variation == pytest.approx(0, abs=0.03)
    # All languages were asked the same items, each of them in every window.
    assert len({window.questions for window in kept[1:]}) == 1
    assert all((window.passes or 0) >= 1 for window in kept[1:])


def test_a_second_measurement_takes_up_what_is_missing() -> None:
    bench = Bench()
    first, stopped = run(bench, stops_after=400)
    assert stopped == "the engine died"
    assert "interrupted" in first[-1].reasons
    second, stopped = run(bench, done=first)
    assert stopped == ""
    everything = [*first, *second]
    assert len({window.number for window in everything}) == len(everything)
    valid = [window for window in everything if not any(code in FATAL for code in window.reasons)]
    for subject in (YORUBA, THAI):
        repeats = [window.repeat for window in valid if window.subject == subject]
        assert set(repeats) == {0, 1, 2}
    assert run(bench, done=everything) == ([], "")


def test_another_setup_is_measured_anew() -> None:
    bench = Bench()
    first, _ = run(bench)
    second, _ = run(bench, Options(seconds=30, repeats=3, concurrency=6, control=False, warmup=2), first, rows=6)
    assert second
    assert {window.setup for window in first}.isdisjoint(window.setup for window in second)


def test_the_setup_names_what_figures_must_share() -> None:
    bench = Bench()
    said = setup_of(bench.model(), bench.meter.facts, 8)
    assert said == "1x NVIDIA H100 80GB HBM3, 700 W, scripted 1.0, bfloat16, 8 at a time, gpu_board, counter"


def test_windows_of_a_fixed_length_are_of_that_length() -> None:
    bench = Bench()
    control = replace(ENGLISH, task="", prompt_language="", language="yor_Latn")
    exact = [replace(one, exact=True, max_tokens=16) for one in questions(control)]
    kept: list[Window] = []
    options = Options(seconds=30, repeats=1, concurrency=8, warmup=0)
    perform(bench.model(), agenda({control: exact}), Instruments(bench.meter, bench.clock, options), [], kept.append)
    [window] = [window for window in kept if window.kind == "control"]
    assert window.whole.work.output_tokens == 16 * window.whole.work.requests
    assert window.whole.work.truncated == 0
    assert window.reasons == ()


def test_a_run_that_is_measured_as_it_goes_has_mixed_windows() -> None:
    bench = Bench()
    kept: list[Window] = []
    model = bench.model(length=lambda one: 20 if one.language == "yor_Latn" else 40)

    def subject(one: Request) -> Subject:
        return YORUBA if one.language == "yor_Latn" else THAI

    metered = Metered(model, Context(bench.meter, bench.clock, "s", 8, subject, kept.append))
    plan = [*questions(YORUBA, 600), *questions(THAI, 600)]
    answers = list(metered.respond(iter(plan)))
    assert {answer.request for answer in answers} == {one.id for one in plan}
    assert len(kept) >= 4
    for window in kept[:-1]:
        assert window.whole.reading.seconds == pytest.approx(SLICE_SECONDS, abs=2)
        assert window.whole.reading.joules == pytest.approx(500 * window.whole.reading.seconds, rel=0.02)
    assert sum(window.whole.work.requests for window in kept) == len(plan)
    assert {share.subject for window in kept for share in window.shares} == {YORUBA, THAI}
    total = sum(window.whole.reading.joules or 0.0 for window in kept)
    assert total == pytest.approx(bench.gpu.joules(1000.0, bench.clock.now()), rel=0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.floats(0.01, 0.2), st.floats(20, 200), st.floats(5, 40), st.integers(4, 60))
def test_whatever_the_model_the_meter_is_near_the_truth(
    rows: int, step: float, idle: float, each: float, length: int
) -> None:
    """|meter - integral of power| <= P_max x 0.2 s, through the whole machinery."""
    bench = Bench()
    model = bench.model(rows=rows, step=step, idle=idle, each=each, length=lambda _: length, prompt_seconds=0.0005)
    found = bench.measured(model, Options(seconds=20, concurrency=rows))
    assert found.steady is not None
    reading = found.steady.reading
    assert reading.joules is not None
    highest = idle + each * rows
    # While it is steady, power is between full and one row less, but for a moment when a row is taken anew.
    assert reading.joules <= highest * (reading.seconds + 0.2)
    assert reading.joules >= idle * (reading.seconds - 0.2)
