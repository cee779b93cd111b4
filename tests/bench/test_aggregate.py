"""Aggregates over languages: which languages they are taken over, how those weigh, and what is said of the rest."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import languages
from bench.aggregate import Aggregate, Aggregates, aggregates, macro, why_left_out
from bench.arrays import CellKey
from bench.joint import Scored
from bench.records import Cell
from tests.bench.cells import EMPTY, answered

Made = tuple[Cell, dict[CellKey, Scored]]


def together(*made: Made, rounds: int = 200) -> Aggregates:
    arrays: dict[CellKey, Scored] = {}
    for _, scores in made:
        arrays |= scores
    return aggregates([cell for cell, _ in made], arrays, rounds)


def single(*made: Made) -> Aggregate:
    (found,) = together(*made).models
    return found


def share(right: int, of: int = 40, **more: Any) -> Made:
    """So many right answers, spread evenly."""
    return answered([int(number * right // of != (number + 1) * right // of) for number in range(of)], **more)


def test_a_language_counts_once_whatever_its_items_and_varieties() -> None:
    found = single(
        share(30, language="yor_Latn"),
        share(400, 400, language="swh_Latn"),
        share(10, language="por_Latn", variety="BR"),
        share(20, language="por_Latn", variety="PT"),
    )
    assert found.languages == ("por_Latn", "swh_Latn", "yor_Latn")
    assert found.value == pytest.approx((0.75 + 1 + 0.375) / 3)
    assert found.macro == pytest.approx(((0.75 + 1 + 0.375) / 3 - 0.25) / 0.75)
    assert (found.items, found.left_out, found.reasons) == (520, {}, {})


def test_speakers_weigh_and_scripts_of_a_language_share_them() -> None:
    codes = ("srp_Cyrl", "srp_Latn", "yor_Latn")
    serbian, yoruba = (languages.get(code).speakers for code in codes[1:])
    assert serbian and yoruba
    found = single(*(share(right, language=code) for right, code in zip((40, 20, 10), codes, strict=True)))
    weights = np.array([serbian / 2, serbian / 2, yoruba])
    expected = (weights @ np.array([1.0, 0.5, 0.25]) / weights.sum() - 0.25) / 0.75
    assert found.speaker_weighted == pytest.approx(expected)


def test_a_language_without_a_known_number_of_speakers_is_named_and_weighs_nothing() -> None:
    unknown = next(one.code for one in languages.all_languages() if one.speakers is None)
    found = single(share(30, language="yor_Latn"), share(10, language=unknown))
    assert found.speakers_unknown == (unknown,)
    assert found.speaker_weighted == pytest.approx((0.75 - 0.25) / 0.75)
    alone = single(share(10, language=unknown))
    assert alone.macro == pytest.approx(0.0)
    assert alone.speaker_weighted is None and alone.reasons["speaker_weighted"] == "speakers_unknown"


def test_the_worst_decile_is_the_lowest_tenth_and_at_least_one() -> None:
    codes = [one.code for one in languages.all_languages()][:25]
    found = single(*(share(12 + number, language=code) for number, code in enumerate(codes)))
    assert found.worst_decile == pytest.approx((12.5 / 40 - 0.25) / 0.75)
    assert single(*(share(12 + number, language=codes[number]) for number in range(3))).worst_decile == pytest.approx(
        (12 / 40 - 0.25) / 0.75
    )


LEFT_OUT = {
    "too_few_items": share(9, 19),
    "legacy_encoding": share(20, reasons={"rank": "legacy_encoding"}),
    "too_long": share(20, reasons={"rank": "too_long"}, skipped=3),
    "too_many_errors": share(20, errors=3),
    "errors": (replace(EMPTY, errors=40, reasons={"value": "errors"}), {}),
    "no_choice": (replace(share(20)[0], normalised=None, reasons={"normalised": "no_choice"}), share(20)[1]),
}


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_what_does_not_count_is_left_out_with_its_reason(reason: str) -> None:
    cell, arrays = LEFT_OUT[reason]
    assert why_left_out(cell) == reason
    found = single((cell, arrays), share(30, language="hau_Latn"))
    assert (found.languages, found.left_out) == (("hau_Latn",), {"yor_Latn": reason})
    alone = single((cell, arrays))
    assert (alone.macro, alone.value, alone.languages) == (None, None, ())
    assert alone.reasons["macro"] == alone.reasons["value"] == alone.reasons["worst_decile_low"] == "no_languages"


def test_a_few_errors_are_no_reason() -> None:
    assert why_left_out(share(300, 600, errors=3)[0]) == ""


def test_the_block_is_where_every_model_counts() -> None:
    first, second = together(
        *(share(30, model="hf:a", language=code) for code in ("hau_Latn", "swh_Latn", "yor_Latn")),
        share(20, model="hf:b", language="hau_Latn"),
        share(9, 19, model="hf:b", language="swh_Latn"),
    ).models
    assert first.languages == second.languages == ("hau_Latn",)
    assert first.left_out == {"swh_Latn": "too_few_items", "yor_Latn": "not_asked"}
    assert second.left_out == {"swh_Latn": "too_few_items", "yor_Latn": "not_asked"}
    assert (first.macro, second.macro) == pytest.approx((2 / 3, 1 / 3))


def test_runs_of_other_items_are_not_held_against_each_other() -> None:
    (first, second) = together(
        share(30, 400, model="hf:a"), share(30, 40, model="hf:b"), share(9, model="hf:a", language="hau_Latn"),
        share(7, model="hf:b", language="hau_Latn"),
    ).models  # fmt: skip
    assert first.left_out == second.left_out == {"yor_Latn": "other_items"}
    assert first.languages == ("hau_Latn",)


def test_no_block_waits_for_a_baseline() -> None:
    floor, model, other = together(
        share(10, model="baseline:random", language="hau_Latn"),
        *(share(30, model="hf:a", language=code) for code in ("hau_Latn", "yor_Latn")),
        *(share(10, model="baseline:copy", language=code) for code in ("hau_Latn", "yor_Latn")),
    ).models
    assert (model.languages, other.languages) == (("hau_Latn", "yor_Latn"),) * 2
    assert (floor.macro, floor.reasons["macro"], floor.baseline) == (None, "not_asked", True)
    assert other.macro == pytest.approx(0.0)


def test_of_several_tasks_a_language_needs_all_and_their_mean_is_its_score() -> None:
    found = single(
        share(40, language="yor_Latn"),
        share(10, language="yor_Latn", task="u"),
        share(20, language="hau_Latn"),
    )
    assert (found.tasks, found.languages, found.left_out) == (("t", "u"), ("yor_Latn",), {"hau_Latn": "other_task"})
    assert found.macro == pytest.approx(0.5)
    assert found.macro_low is not None and found.macro_low < 0.5


def test_what_has_no_mean_is_refused() -> None:
    cell, arrays = share(20)
    for other in (replace(cell, metric="chrf++"), replace(cell, mode="loglikelihood"), replace(cell, shots=5)):
        with pytest.raises(ValueError, match="different metrics or ways"):
            aggregates([cell, other], arrays)
    with pytest.raises(ValueError, match="several versions"):
        aggregates([cell, replace(cell, task_version="2")], arrays)
    with pytest.raises(ValueError, match="no cells"):
        aggregates([], {})


def test_an_error_rate_is_shown_and_has_no_normalised_mean() -> None:
    cell, arrays = share(20)
    rate = replace(cell, normalised=None, chance=None, reasons={"normalised": "error_rate"})
    found = single((rate, arrays))
    assert (found.value, found.macro, found.languages) == (0.5, None, ("yor_Latn",))
    assert found.reasons["macro"] == found.reasons["worst_decile_high"] == "error_rate"


def test_too_few_passages_leave_means_without_intervals() -> None:
    units = [f"p{number % 9}" for number in range(40)]
    found = single(answered([1, 0, 1, 1] * 10, units))
    assert found.macro is not None and found.units == 9
    assert (found.macro_low, found.reasons["macro_low"]) == (None, "too_few_clusters")


def test_what_is_missing_has_a_reason_and_nothing_else_has() -> None:
    for made in ([share(40)], [share(20)], [share(9, 19)], [LEFT_OUT["errors"]], [answered([1, 0] * 20, ["p"] * 40)]):
        found = single(*made)
        missing = {name for name, value in asdict(found).items() if value is None}
        assert missing == set(found.reasons)
        assert all(found.reasons.values())


def test_models_are_drawn_alike_so_that_equal_answers_differ_in_no_round() -> None:
    made = [
        (replace(cell, model=model), {(model, *name[1:]): scores for name, scores in arrays.items()})
        for model in ("hf:a", "hf:b")
        for cell, arrays in (share(30), share(10, language="hau_Latn"))
    ]
    draws = together(*made).draws
    np.testing.assert_array_equal(draws[0], draws[1])
    assert draws[0].std() > 0


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(6)), seed=st.integers(0, 50))
def test_the_order_of_cells_changes_no_aggregate(order: list[int], seed: int) -> None:
    drawn = np.random.default_rng(seed)
    made = [
        answered(drawn.integers(2, size=25).tolist(), model=model, language=code)
        for model in ("hf:a", "hf:b")
        for code in ("hau_Latn", "swh_Latn", "yor_Latn")
    ]
    found = {one.model: one for one in together(*made).models}
    again = {one.model: one for one in together(*(made[number] for number in order)).models}
    assert found == again


def test_the_macro_mean_of_cells_is_none_without_any_and_leaves_nulls_out() -> None:
    assert macro([], "value") is None
    assert macro([EMPTY, share(10, language="hau_Latn")[0]], "value") == 0.25


def test_numbers_of_other_versions_of_the_metric_are_in_no_block() -> None:
    signatures: list[dict[str, Any]] = [
        {"signature": f"accuracy|nrefs:{n}|version:{version}"} for n, version in ((1, 1), (1, 2), (2, 2))
    ]
    old, new, same = signatures
    found = together(
        share(30, language="yor_Latn", model="hf:a", **old),
        share(30, language="hau_Latn", model="hf:a", **new),
        share(20, language="yor_Latn", model="hf:b", **new),
        share(20, language="hau_Latn", model="hf:b", **same),
    )
    for one in found.models:
        assert (one.languages, one.left_out) == (("hau_Latn",), {"yor_Latn": "other_signature"})


def test_no_interval_reaches_below_what_can_be_scored() -> None:
    found = single(share(1, 20, language="yor_Latn"))
    assert found.macro_low is not None and found.worst_decile_low is not None
    assert min(found.macro_low, found.worst_decile_low) >= -1 / 3
