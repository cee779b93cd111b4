"""What windows come to."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.energy.cells import FIELDS, check, energy, with_energy
from bench.energy.figures import figures, log_interval
from bench.energy.reasons import FATAL, UNRANKED
from bench.energy.records import Reading, Share, Stretch, Window, Work
from bench.premium.records import Premium, Premiums
from bench.statistics import t_quantile
from tests.bench.cells import EMPTY
from tests.energy.windows import ENGLISH, YORUBA, measured, window


def test_a_request_costs_its_tokens_at_the_steady_rate() -> None:
    found = figures(measured(YORUBA, 3000.0, 3030.0, 2970.0))[YORUBA]
    # 3 J a token; 20 tokens an answer.
    assert found.joules_per_request == pytest.approx(60.0)
    assert found.output_tokens_per_joule == pytest.approx(1 / 3)
    assert found.output_tokens_per_request == 20
    assert found.words_per_request == 16
    assert (found.provenance, found.scope, found.windows) == ("measured", "gpu_board", 3)
    assert found.whole_joules_per_request == pytest.approx((3000 * 4 / 3 + 500) / 100)
    assert found.rank_reason == ""
    assert found.low is not None
    assert found.high is not None
    assert found.low < 60 < found.high


def test_the_interval_is_students_on_logarithms() -> None:
    values = [60.0, 61.0, 63.5]
    logs = [math.log(value) for value in values]
    expected = stats.t.ppf(0.975, 2) * stats.sem(logs)
    low, high = log_interval(values)
    assert low is not None
    assert high is not None
    assert math.log(high / low) / 2 == pytest.approx(expected, rel=1e-3)
    assert log_interval([60.0]) == log_interval([60.0, 61.0]) == (None, None)
    for count in range(3, 15):
        one, other = log_interval([math.exp(0.01 * number) for number in range(count)])
        assert one is not None
        assert other is not None
        half = stats.t.ppf(0.975, count - 1) * stats.sem([0.01 * number for number in range(count)])
        assert math.log(other / one) / 2 == pytest.approx(half, rel=1e-3)
    assert t_quantile(9.0) == pytest.approx(stats.t.ppf(0.975, 9), abs=2e-5)


@pytest.mark.parametrize("code", FATAL)
def test_no_fatal_code_leaves_a_figure(code: str) -> None:
    windows = measured(YORUBA, 3000.0, 3000.0, 3000.0, reasons=(code,))
    found = figures(windows)[YORUBA]
    assert found.provenance == "none"
    assert found.joules_per_request is None
    assert found.output_tokens_per_joule is None
    assert found.reasons["energy"] == code
    # A reading that has no joules says so even where the window forgot to.
    forgot = [replace(one, reasons=()) if one.subject == YORUBA else one for one in measured(YORUBA, 3000.0)]
    [bare] = [one for one in forgot if one.subject == YORUBA]
    assert bare.steady is not None
    none = replace(bare, steady=Stretch(replace(bare.steady.reading, joules=None, reasons=(code,)), bare.steady.work))
    assert figures([none])[YORUBA].reasons["energy"] == code


@pytest.mark.parametrize(
    "code", [code for code in UNRANKED if code in ("runaway", "batch_unverified", "external_meter")]
)
def test_what_is_not_ranked_keeps_its_figure(code: str) -> None:
    found = figures(measured(YORUBA, 3000.0, 3000.0, 3000.0, reasons=(code,)))[YORUBA]
    assert found.joules_per_request == pytest.approx(60)
    assert found.rank_reason == code


def test_drift_few_repeats_and_scatter_are_not_ranked() -> None:
    steady = measured(YORUBA, 3000.0, 3000.0, 3000.0)
    warmer = [*steady[:-1], window(ENGLISH, kind="sentinel", number=4, joules=2100.0)]
    assert figures(warmer)[YORUBA].rank_reason == "drift"
    assert figures(steady[:-1])[YORUBA].rank_reason == "no_sentinel"
    assert figures(measured(YORUBA, 3000.0, 3000.0))[YORUBA].rank_reason == "too_few_repeats"
    assert figures(measured(YORUBA, 3000.0, 3300.0, 3600.0))[YORUBA].rank_reason == "repeats_vary"
    alone = figures([window()])[YORUBA]
    assert (alone.low, alone.reasons["joules_per_request_low"]) == (None, "too_few_repeats")


def test_one_bad_window_of_several_is_left_out() -> None:
    windows = measured(YORUBA, 3000.0, 3000.0, 3000.0)
    windows.append(window(YORUBA, joules=9e9, number=9, reasons=("throttled",)))
    found = figures(windows)[YORUBA]
    assert found.joules_per_request == pytest.approx(60)
    assert found.windows == 3


def test_what_writes_nothing_is_counted_by_its_requests() -> None:
    found = figures([window(output=0, joules=3000.0, requests=50)])[YORUBA]
    assert found.joules_per_request == 60
    assert (found.output_tokens_per_joule, found.reasons["output_tokens_per_joule"]) == (None, "no_output_tokens")
    unknown = figures([window(output=None, joules=3000.0, requests=50)])[YORUBA]
    assert unknown.joules_per_request == 60
    assert unknown.reasons["output_tokens_per_joule"] == "tokens_unknown"


def test_nothing_done_is_no_energy_of_a_request() -> None:
    found = figures([window(output=0, requests=0)])[YORUBA]
    assert found.joules_per_request is None
    assert found.reasons["energy"] == "no_valid_window"


def test_only_the_setup_that_was_measured_last_counts() -> None:
    old = measured(YORUBA, 9000.0, 9000.0, 9000.0, setup="another card")
    found = figures([*old, *measured(YORUBA, 3000.0, 3000.0, 3000.0)])[YORUBA]
    assert found.joules_per_request == pytest.approx(60)


def test_a_subject_that_was_only_mixed_is_attributed_and_not_ranked() -> None:
    """Costs of 100 W, 1 J for a token of a prompt and 2 J for one of an answer, told apart from eight windows."""
    thai = replace(YORUBA, language="tha_Thai")

    def work(prompt: int, output: int) -> Work:
        return Work(10, prompt, output, words=10, context_steps=0.0)

    windows = []
    for number in range(8):
        shares = (
            Share(YORUBA, work(100 * (number + 1), 500 + 90 * number**2)),
            Share(thai, work(700 - 50 * number, 300 + 17 * number)),
        )
        prompt = sum(share.work.prompt_tokens or 0 for share in shares)
        output = sum(share.work.output_tokens or 0 for share in shares)
        seconds = 20.0 + number % 3
        reading = window().whole.reading
        whole = Stretch(
            replace(reading, seconds=seconds, joules=100 * seconds + prompt + 2 * output), work(prompt, output)
        )
        windows.append(window(kind="mixed", number=number, whole=whole, shares=shares))
    found = figures(windows)
    assert {found[YORUBA].provenance, found[thai].provenance} == {"attributed"}
    assert found[YORUBA].doubts == ("attributed", "not_validated")
    total = math.fsum(one.whole.reading.joules or 0 for one in windows)
    parts = [(found[subject].joules_per_request or 0) * 80 for subject in (YORUBA, thai)]
    assert math.fsum(parts) == pytest.approx(total, rel=1e-6)
    # Measured apart, it is measured.
    assert figures([*windows, *measured(YORUBA, 3000.0)])[YORUBA].provenance == "measured"


def test_a_mixed_window_without_joules_attributes_nothing() -> None:
    whole = Stretch(replace(window().whole.reading, joules=None, reasons=("gpu_lost",)), window().whole.work)
    shares = (Share(YORUBA, window().whole.work),)
    found = figures([window(kind="mixed", whole=whole, shares=shares)])[YORUBA]
    assert (found.joules_per_request, found.provenance, found.reasons["energy"]) == (None, "none", "gpu_lost")


WORKS = st.builds(
    Work,
    requests=st.integers(0, 50),
    prompt_tokens=st.none() | st.integers(0, 5000),
    output_tokens=st.none() | st.integers(0, 5000),
    words=st.none() | st.integers(0, 900),
    failed=st.just(0),
    context_steps=st.none() | st.floats(0, 1e6),
)
READINGS = st.builds(
    Reading,
    seconds=st.floats(0.1, 100),
    joules=st.none() | st.floats(1e-6, 1e6),
    reasons=st.just(()) | st.just(("gpu_lost",)),
)
STRETCHES = st.builds(Stretch, READINGS, WORKS)


@st.composite
def any_windows(draw: st.DrawFn) -> list[Window]:
    made = []
    for number in range(draw(st.integers(0, 9))):
        kind = draw(st.sampled_from(["isolated", "sentinel", "control", "mixed", "idle"]))
        shares = draw(st.lists(st.builds(Share, st.sampled_from([YORUBA, ENGLISH]), WORKS), max_size=3))
        one = window(
            draw(st.sampled_from([YORUBA, ENGLISH])),
            kind=kind,
            number=number,
            whole=draw(STRETCHES),
            shares=tuple(shares) if kind == "mixed" else (),
            reasons=draw(st.sampled_from([(), ("runaway",), ("throttled",)])),
            questions=draw(st.sampled_from(["q", "r"])),
            passes=draw(st.sampled_from([0.0, 3.0])),
        )
        steady = None if kind in ("mixed", "idle") else draw(st.none() | STRETCHES)
        made.append(replace(one, steady=steady, answer_tokens=draw(st.none() | st.floats(0, 500))))
    return made


@settings(max_examples=400, deadline=None)
@given(any_windows(), st.sampled_from([None, 0.0, 0.3, 1.0]))
def test_whatever_was_measured_no_figure_is_zero_or_less(windows: list[Window], value: float | None) -> None:
    cell = replace(
        EMPTY,
        task="flores200-from-eng",
        language="yor_Latn",
        mode="generate",
        value=value,
        normalised=value,
        ci_low=value and value * 0.9,
        ci_high=value and min(1.0, value * 1.1),
    )
    premium = Premium("yor_Latn", "", 10, 250, 100, 2.5, 2.4, 2.6, 3.0, 2.0, 1.2, 0.0, 0.0)
    known = energy(windows, [Premiums("hf:a", "sha256:1", "ntrex-from-eng", "sha256:2", 0.1, (premium,))])
    for asked in (cell, replace(cell, language="eng_Latn")):
        [made] = with_energy([asked], known)
        for name in FIELDS:
            found = getattr(made, name)
            if isinstance(found, float):
                assert found > 0, name
            elif found is None:
                assert made.reasons.get(name) or made.reasons.get("energy"), name
        low, mean, high = (getattr(made, f"joules_per_request{end}") for end in ("_low", "", "_high"))
        if low is not None:
            assert low <= mean <= high
        check([made], known, "a.run.db")


def test_windows_of_other_questions_are_not_pooled() -> None:
    old = [replace(one, questions="old") for one in measured(YORUBA, 9000.0, 9000.0, 9000.0)]
    found = figures([*old, *measured(YORUBA, 3000.0, 3000.0, 3000.0)])[YORUBA]
    assert found.joules_per_request == pytest.approx(60)
    assert found.windows == 3


def test_equal_windows_have_an_interval_that_holds_them() -> None:
    for value in range(1, 1000):
        low, high = log_interval([value * 0.0371] * 3)
        assert low is not None
        assert high is not None
        assert low <= fmean([value * 0.0371] * 3) <= high


def test_what_is_scored_and_not_written_is_counted_by_requests() -> None:
    """An engine may show a token that it makes after a text that it only scored."""
    quiet = window(output=0, joules=3000.0, requests=50)
    assert quiet.steady is not None
    steady = Stretch(quiet.steady.reading, replace(quiet.steady.work, output_tokens=3))
    assert figures([replace(quiet, steady=steady)])[YORUBA].joules_per_request == 60


def test_windows_that_were_measured_again_take_the_place_of_those_that_drifted() -> None:
    first = measured(YORUBA, 9000.0, 9000.0, 9000.0)
    warmer = [*first[:-1], window(ENGLISH, kind="sentinel", number=4, joules=2100.0)]
    assert figures(warmer)[YORUBA].doubts == ("drift",)
    again = [replace(one, number=one.number + 10) for one in measured(YORUBA, 3000.0, 3000.0, 3000.0)]
    found = figures([*warmer, *again])[YORUBA]
    assert found.joules_per_request == pytest.approx(60)
    assert found.doubts == ()
