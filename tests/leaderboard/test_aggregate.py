"""Aggregates: means over languages, what counts in them, and what is said of what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.records import Cell
from leaderboard import aggregate, remarks, wording
from leaderboard.records import Mean, Model

MODEL = Model("a", "hf:a", "1", "none", "greedy", False, ())
FLOOR = Model("f", "baseline:f", "1", "none", "greedy", True, ())


def cell(language: str, value: float | None, n: int = 50, **more: object) -> Cell:
    """A cell of one accuracy task with a chance of a quarter."""
    made = Cell(
        model="hf:a",
        task="t",
        task_version="1",
        language=language,
        variety="",
        vertical="",
        area="topic",
        metric="accuracy",
        signature="",
        value=value,
        normalised=None if value is None else (value - 0.25) / 0.75,
        chance=0.25,
        n=n,
        ci_low=None,
        ci_high=None,
        mode="generate",
        prompt_language="english",
        shots=0,
        errors=0,
        truncated=0,
        unparsed=0,
        wrong_language=None,
        output_tokens=None,
        output_tokens_per_joule=None,
        energy_scope=None,
        energy_provenance="none",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def means(*cells: Cell, model: Model = MODEL, declared: tuple[str, ...] = ("x", "y")) -> list[Mean]:
    return aggregate.means(model, cells, {("t", "1"): declared})


def test_a_mean_gives_every_language_the_same_weight() -> None:
    (mean,) = means(cell("x", 0.5, n=1000), cell("y", 1.0, n=20))
    assert (mean.value, mean.languages, mean.items) == (0.75, 2, 1020)
    assert mean.normalised == pytest.approx(2 / 3)
    assert (mean.lowest, mean.highest, mean.reason) == (0.5, 1.0, "")


def test_varieties_of_a_language_count_as_one_language() -> None:
    (mean,) = means(cell("x", 0.2, variety="BR"), cell("x", 0.4, variety="PT"), cell("y", 0.9))
    assert mean.value == pytest.approx(0.6) and mean.languages == 2


def test_small_and_missing_cells_are_left_out_and_counted() -> None:
    (mean,) = means(cell("x", 0.5), cell("y", 1.0, n=19), cell("z", None, reasons={"value": "too_many_errors"}))
    assert (mean.value, mean.languages, mean.too_few, mean.missing) == (0.5, 1, 1, 1)
    assert (mean.why_missing, mean.reason) == ("too_many_errors", "partial")


def test_nothing_to_average_is_none_and_not_zero() -> None:
    (mean,) = means(cell("x", None, reasons={"value": "errors"}))
    assert (mean.value, mean.normalised, mean.reason) == (None, None, "no_numbers")


def test_metrics_modes_and_other_metrics_than_the_headline_are_kept_apart() -> None:
    made = means(
        cell("x", 0.5),
        cell("y", 0.5, mode="loglikelihood"),
        cell("x", 40.0, metric="chrf++"),
        cell("y", 1.0, headline=False),
    )
    assert [(mean.metric, mean.mode, mean.languages) for mean in made] == [
        ("accuracy", "generate", 1),
        ("accuracy", "loglikelihood", 1),
        ("chrf++", "generate", 1),
    ]


def test_why_a_mean_is_not_ranked() -> None:
    full = (cell("x", 0.5), cell("y", 0.5))
    assert means(*full)[0].reason == ""
    assert means(*full, model=FLOOR)[0].reason == "baseline"
    assert means(*full, declared=("x", "y", "z"))[0].reason == "partial"
    assert means(cell("x", 0.5, reasons={"rank": "unlocked_data"}), full[1])[0].reason == "unlocked_data"
    assert means(cell("x", 0.5, floor=True), cell("y", 0.5, floor=True))[0].reason == "self_test"


def test_a_language_with_flawed_text_is_named_and_marks_no_mean() -> None:
    flawed = cell("y", 0.9, reasons={"rank": "legacy_encoding"}, errors=1)
    (mean,) = means(cell("x", 0.5), flawed)
    assert (mean.value, mean.languages, mean.flawed, mean.too_few, mean.reason) == (0.5, 1, 1, 0, "")
    assert remarks.of_mean(mean) == [
        "1 language not counted: the dataset's text in this language is in a legacy encoding, not in Unicode"
    ]
    assert means(cell("x", 0.5), flawed, declared=("x", "y", "z"))[0].reason == "partial"


def test_a_mean_over_cells_with_errors_or_skips_says_so() -> None:
    (mean,) = means(cell("x", 0.5, skipped=3), cell("y", 0.5))
    assert remarks.of_mean(mean) == ["in 1 of its languages requests failed or were skipped"]


def test_coverage_keeps_the_self_test_apart() -> None:
    found = aggregate.coverage(MODEL, [cell("x", 0.5), cell("x", 0.5, floor=True), cell("y", 0.5, floor=True)])
    assert (found.languages, found.items, found.floor_languages, found.floor_items) == (1, 50, 2, 100)


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.5, 0.6, "above"), (0.3, 0.6, "not_separable"), (0.1, 0.2, "below")]
)
def test_a_model_beside_the_highest_floor(low: float, high: float, verdict: str) -> None:
    floor = aggregate.highest_floor([cell("x", 0.4), cell("x", 0.1), cell("x", None)])
    assert floor is not None and floor.value == 0.4
    assert aggregate.against_floor(cell("x", 0.5, ci_low=low, ci_high=high), floor) == verdict
    assert aggregate.against_floor(cell("x", 0.5), floor) == ""
    beside = cell("x", 0.5, ci_low=low, ci_high=high)
    assert aggregate.against_floor(beside, None) == ""
    assert aggregate.against_floor(replace(beside, n=49), floor) == ""
    assert aggregate.against_floor(replace(beside, reasons={"rank": "unlocked_data"}), floor) == ""
    assert aggregate.against_floor(replace(beside, n=19), replace(floor, n=19)) == ""
    assert aggregate.highest_floor([cell("x", 0.9, n=19), cell("x", 0.9, reasons={"rank": "too_long"})]) is None


def test_numbers_in_words() -> None:
    assert wording.number(0.1234, "accuracy") == "12.3 %"
    assert wording.number(45.67, "chrf++") == "45.7"
    assert wording.number(None, "bleu") == "–"
    assert (wording.points(0.5), wording.points(-0.04), wording.points(-0.0001)) == ("50.0", "−4.0", "0.0")
    assert [wording.people(n) for n in (None, 500, 39_000, 1_500_000, 28_000_000)] == [
        *("–", "500", "39 thousand", "1.5 million", "28 million"),
    ]
    assert wording.plain("a\u202eb\x00") == "a�b�"
    assert wording.plain("\u200b\u00ad\u034f\u3164\u2028\ufe0f\U000e0041") == "�" * 7
    assert wording.interval(cell("x", 0.5)) == "not stated"


def test_remarks_in_words() -> None:
    lost = cell("x", 0.5, errors=2, reasons={"worst": "corpus_metric"})
    assert remarks.of_cell(lost) == ["2 failed; no bounds: one more text can move this score anywhere"]
    assert remarks.of_cell(cell("x", 0.5, skipped=3)) == ["3 of 53 skipped, not in the value"]
    skipped = cell("x", None, n=0, skipped=3, reasons={"value": "too_long", "rank": "too_long"})
    assert remarks.of_cell(skipped) == ["3 of 3 skipped"]


def test_a_way_of_asking_in_words() -> None:
    assert wording.way(cell("x", 0.5)) == "writes the answer, prompt in English"
    other = cell("x", 0.5, mode="first_token", prompt_language="native", shots=5)
    assert wording.way(other) == "likelihood of letters, prompt in native, 5 examples"
