"""Figures, quality and premium in a cell; whatever is missing has its reason there."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.energy.cells import FIELDS, check, energy, with_energy
from bench.energy.reasons import FATAL, MEANINGS, UNRANKED
from bench.energy.records import Subject, Window
from bench.premium.records import Premium, Premiums
from bench.records import Cell, UsageError
from tests.bench.cells import EMPTY
from tests.energy.windows import ENGLISH, YORUBA, measured, window

CELL = replace(
    EMPTY,
    task="flores200-from-eng",
    language="yor_Latn",
    area="translation",
    metric="chrf++",
    mode="generate",
    value=30.0,
    normalised=0.3,
    chance=0.0,
    ci_low=28.0,
    ci_high=32.0,
    n=100,
    reasons={"energy": "not_measured", "prompt": "prompt_truncated"},
)
TOPIC = replace(CELL, task="sib200", metric="accuracy", area="topic", value=0.5, normalised=0.4, chance=1 / 7)
TOPIC = replace(TOPIC, ci_low=0.4, ci_high=0.6)
SIB = Subject("sib200@1", "yor_Latn", "", "generate", "english", 0)


def premiums(value: float | None = 2.5, corpus: str = "ntrex-from-eng") -> Premiums:
    one = Premium("yor_Latn", "", 10, 250, 100, value, 2.4, 2.6, 3.0, 2.0, 1.2, 0.0, 0.0)
    return Premiums("hf:a", "sha256:1", corpus, "sha256:2", 0.1, (one,))


def filled(cell: Cell, windows: list[Window], known: tuple[Premiums, ...] = (premiums(),)) -> Cell:
    [made] = with_energy([cell], energy(windows, known))
    for name in FIELDS:
        if getattr(made, name) is None:
            code = made.reasons.get(name) or made.reasons.get("energy")
            assert code, name
            assert code.partition(":")[0] in MEANINGS, (name, code)
    return made


def parallel(subject: Subject = YORUBA, *joules: float) -> list[Window]:
    """Three windows at 3 J a token and 20 tokens an answer; English at 2 J a token and 10 tokens an answer."""
    windows = measured(subject, *(joules or (3000.0, 3000.0, 3000.0)))
    english = replace(subject, language="eng_Latn")
    made = [replace(one, subject=english) if one.kind == "sentinel" else one for one in windows]
    shorter = window(english, requests=100)
    assert shorter.steady is not None
    return [
        replace(one, whole=shorter.whole, steady=replace(one.steady, work=shorter.steady.work))
        if one.kind == "sentinel" and one.steady
        else one
        for one in made
    ]


def test_a_measured_cell() -> None:
    cell = filled(CELL, parallel())
    assert (cell.energy_provenance, cell.energy_scope, cell.energy_windows) == ("measured", "gpu_board", 3)
    assert cell.joules_per_request == pytest.approx(60)
    assert cell.output_tokens_per_joule == pytest.approx(1 / 3)
    assert cell.premium == 2.5
    assert cell.english_equivalent_tokens_per_joule == pytest.approx(1 / 3 / 2.5)
    assert cell.joules_per_1000_words == pytest.approx(60 / 16 * 1000)
    assert cell.quality_per_kilojoule == pytest.approx(0.3 / 0.06)
    assert cell.joules_per_correct is None
    assert cell.reasons["joules_per_correct"] == "corpus_metric"
    assert cell.reasons["prompt"] == "prompt_truncated"
    assert "energy" not in cell.reasons
    assert "energy_rank" not in cell.reasons


def test_the_language_energy_ratio_is_the_product_of_its_factors() -> None:
    cell = filled(CELL, parallel())
    # English: 2 J a token, 10 tokens: 20 J. Yoruba: 60 J.
    assert cell.language_energy_ratio == pytest.approx(3.0)
    assert cell.verbosity == pytest.approx(2 / 2.5)
    assert cell.joules_per_token_ratio == pytest.approx(1.5)
    assert cell.premium is not None
    assert cell.verbosity is not None
    assert cell.joules_per_token_ratio is not None
    assert cell.premium * cell.verbosity * cell.joules_per_token_ratio == pytest.approx(cell.language_energy_ratio)


def test_a_ratio_takes_english_asked_the_same() -> None:
    apart = [replace(one, questions="x") if one.kind == "sentinel" else one for one in parallel()]
    assert filled(CELL, apart).reasons["language_energy_ratio"] == "not_parallel"
    alone = [one for one in parallel() if one.kind != "sentinel"]
    assert filled(CELL, alone).reasons["language_energy_ratio"] == "no_english"
    english = filled(replace(CELL, language="eng_Latn"), parallel())
    assert english.reasons["language_energy_ratio"] == "is_english"
    assert english.premium == 1.0
    other = filled(CELL, [*parallel(), window(replace(ENGLISH, shots=2), joules=1.0)])
    assert other.language_energy_ratio == pytest.approx(3.0)


def test_a_right_answer_costs_what_it_took_to_get_one() -> None:
    cell = filled(TOPIC, parallel(SIB))
    assert cell.joules_per_correct == pytest.approx(120)
    assert cell.joules_per_correct_low is not None
    assert cell.joules_per_correct_high is not None
    # Equal windows leave the interval of the accuracy alone.
    assert cell.joules_per_correct_low == pytest.approx(60 / 0.6)
    assert cell.joules_per_correct_high == pytest.approx(60 / 0.4)
    scattered = filled(TOPIC, parallel(SIB, 2950.0, 3000.0, 3050.0))
    assert scattered.joules_per_correct_low is not None
    assert scattered.joules_per_correct_low < 60 / 0.6
    assert cell.reasons["english_equivalent_tokens_per_joule"] == "answer_elsewhere"
    assert cell.reasons["verbosity"] == "answer_elsewhere"
    assert cell.language_energy_ratio == pytest.approx(3.0)


def test_no_joules_for_answers_that_guessing_gives() -> None:
    guessed = filled(replace(TOPIC, value=0.15, ci_low=0.1, ci_high=0.2), parallel(SIB))
    assert (guessed.joules_per_correct, guessed.reasons["joules_per_correct"]) == (None, "not_above_chance")
    nothing = filled(replace(TOPIC, value=0.0, normalised=-0.17, ci_low=0.0, ci_high=0.05), parallel(SIB))
    assert nothing.reasons["joules_per_correct"] == "none_correct"
    assert nothing.reasons["quality_per_kilojoule"] == "below_chance"
    failed = filled(replace(TOPIC, value=None, normalised=None, ci_low=None, ci_high=None), parallel(SIB))
    assert failed.reasons["joules_per_correct"] == failed.reasons["quality_per_kilojoule"] == "no_quality"


@pytest.mark.parametrize("code", FATAL)
def test_every_fatal_code_reaches_the_cell_and_no_number_does(code: str) -> None:
    cell = filled(CELL, measured(YORUBA, 3000.0, 3000.0, 3000.0, reasons=(code,)))
    assert cell.reasons["energy"] == code
    assert cell.energy_provenance == "none"
    assert all(getattr(cell, name) is None for name in FIELDS if name != "premium")
    assert cell.energy_windows == 0
    unmeasured = with_energy([CELL], energy([], [], code))[0]
    assert unmeasured.reasons["energy"] == code
    assert all(getattr(unmeasured, name) is None for name in FIELDS)


@pytest.mark.parametrize(
    "code", [code for code in UNRANKED if code in ("runaway", "batch_unverified", "external_meter")]
)
def test_what_is_not_ranked_says_so_in_the_cell(code: str) -> None:
    cell = filled(CELL, measured(YORUBA, 3000.0, 3000.0, 3000.0, reasons=(code,)))
    assert cell.reasons["energy_rank"] == code
    assert cell.joules_per_request == pytest.approx(60)


def test_without_windows_nothing_is_measured() -> None:
    cell = filled(CELL, [])
    assert cell.reasons["energy"] == "not_measured"
    assert cell.premium == 2.5
    assert filled(CELL, [], ()).reasons["premium"] == "no_premium"


def test_a_premium_is_that_of_the_first_corpus_that_has_one() -> None:
    law = premiums(9.0, "udhr-from-eng")
    assert filled(CELL, [], (law, premiums(2.5))).premium == 2.5
    assert filled(CELL, [], (law, premiums(None))).premium == 9.0


def test_energy_that_windows_do_not_come_to_is_refused() -> None:
    known = energy(parallel(), [premiums()])
    honest = with_energy([CELL], known)
    check(honest, known, "a.run.db")
    for forged in (
        replace(honest[0], joules_per_request=1.0),
        replace(honest[0], energy_setup="another"),
        replace(honest[0], energy_windows=30),
        replace(honest[0], reasons={}),
        replace(honest[0], english_equivalent_tokens_per_joule=math.nan),
    ):
        with pytest.raises(UsageError, match=r"a\.run\.db: the energy of flores200-from-eng in yor_Latn"):
            check([forged], known, "a.run.db")


def test_what_was_in_a_cell_before_does_not_stay() -> None:
    measured_once = filled(CELL, parallel())
    now = filled(measured_once, [])
    assert all(getattr(now, name) is None for name in FIELDS if name != "premium")
    assert now.reasons == {"energy": "not_measured", "prompt": "prompt_truncated"}


def test_what_has_no_scale_and_what_has_no_words() -> None:
    cell = filled(replace(CELL, normalised=None), measured(YORUBA, 3000.0, 3000.0, 3000.0, words=0))
    assert (cell.quality_per_kilojoule, cell.reasons["quality_per_kilojoule"]) == (None, "no_normalised")
    assert (cell.joules_per_1000_words, cell.reasons["joules_per_1000_words"]) == (None, "no_words")
    unparted = filled(CELL, measured(YORUBA, 3000.0, 3000.0, 3000.0, words=None))
    assert unparted.reasons["joules_per_1000_words"] == "no_word_breaks"
