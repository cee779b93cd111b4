"""Choices, probabilities and calibration against plain loops and lm-evaluation-harness's definitions."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.choices import (
    NORMALISATIONS,
    accuracy,
    brier,
    choose,
    expected_calibration_error,
    option_lengths,
    probabilities,
)

Item = list[tuple[float, int, float]]
"""Of each option its log-likelihood, its length and its log-likelihood after a neutral prompt."""
INFINITE = math.inf
numbers = st.one_of(
    st.sampled_from([-INFINITE, INFINITE, math.nan, -1.0, -2.0, 0.0, -1e300, -745.2, -5e-324]), st.floats(-1e4, 0)
)
ragged = st.lists(st.lists(st.tuples(numbers, st.integers(0, 4), numbers), max_size=8), max_size=9)


def flat(items: list[list[Any]]) -> tuple[list[Any], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, items)]).astype(np.int64)
    return [option for item in items for option in item], offsets


def arrays(items: list[Item]) -> tuple[NDArray[np.float64], NDArray[np.int64], dict[str, Any]]:
    options, offsets = flat(items)
    columns = np.array(options, dtype=np.float64).reshape(-1, 3).T
    return columns[0], offsets, {"lengths": columns[1].astype(np.int64), "unconditional": columns[2]}


def plain_choice(item: Item, normalisation: str) -> int:
    scores = []
    for loglikelihood, length, unconditional in item:
        if normalisation == "raw":
            scores.append(loglikelihood)
        elif normalisation == "pmi":
            scores.append(loglikelihood - unconditional)
        elif length == 0:
            return -1
        else:
            scores.append(loglikelihood / length)
    if not scores or any(math.isnan(score) for score in scores) or max(scores) == -INFINITE:
        return -1
    return scores.index(max(scores))


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@settings(max_examples=80, deadline=None)
@given(items=ragged)
def test_choices_are_those_of_a_plain_loop(normalisation: Any, items: list[Item]) -> None:
    values, offsets, others = arrays(items)
    chosen = choose(values, offsets, normalisation=normalisation, **others)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == [plain_choice(item, normalisation) for item in items]


def harness(lls: list[float], choices: list[str], unconditional: list[float]) -> dict[str, int]:
    """What lm-evaluation-harness's `process_results` predicts in a multiple choice task."""
    characters = np.array([float(len(choice)) for choice in choices])
    sizes = np.array([float(len(choice.encode("utf-8"))) for choice in choices])
    return {
        "raw": int(np.argmax(lls)),
        "character": int(np.argmax(np.array(lls) / characters)),
        "byte": int(np.argmax(np.array(lls) / sizes)),
        "pmi": int(np.argmax([ll - other for ll, other in zip(lls, unconditional, strict=True)])),
    }


@settings(max_examples=80, deadline=None)
@given(
    items=st.lists(
        st.lists(
            st.tuples(
                st.floats(-500, 0),
                st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
                st.floats(-500, 0),
            ),
            min_size=1,
            max_size=8,
        ),
        max_size=6,
    )
)
def test_choices_are_those_of_the_harness(items: list[list[tuple[float, str, float]]]) -> None:
    options, offsets = flat(items)
    texts = [text for _, text, _ in options]
    values, neutral = (np.array([option[column] for option in options], dtype=np.float64) for column in (0, 2))
    expected = [harness([o[0] for o in item], [o[1] for o in item], [o[2] for o in item]) for item in items]
    assert choose(values, offsets).tolist() == [one["raw"] for one in expected]
    for unit in ("character", "byte"):
        lengths = option_lengths(texts, unit)
        chosen = choose(values, offsets, normalisation=unit, lengths=lengths)
        assert chosen.tolist() == [one[unit] for one in expected]
    chosen = choose(values, offsets, normalisation="pmi", unconditional=neutral)
    assert chosen.tolist() == [one["pmi"] for one in expected]


def test_each_normalisation_can_choose_differently() -> None:
    values, offsets = np.array([-4.0, -5.0, -6.0, -6.6]), np.array([0, 4])
    assert choose(values, offsets).tolist() == [0]
    lengths = option_lengths(["a", "abcd", "ሀሀሀ", "ab"], "character")
    assert choose(values, offsets, normalisation="character", lengths=lengths).tolist() == [1]
    lengths = option_lengths(["a", "abcd", "ሀሀሀ", "ab"], "byte")
    assert choose(values, offsets, normalisation="byte", lengths=lengths).tolist() == [2]
    neutral = np.array([-1.0, -2.0, -3.0, -9.0])
    assert choose(values, offsets, normalisation="pmi", unconditional=neutral).tolist() == [3]


def test_lengths_of_hostile_options() -> None:
    options = ["", "a", "é", "e\u0301", "ሀ", "🧬", "\ud800", "\ud83e\uddec"]
    assert option_lengths(options, "character").tolist() == [0, 1, 1, 2, 1, 1, 1, 2]
    assert option_lengths(options, "byte").tolist() == [0, 1, 2, 3, 3, 4, 3, 6]
    assert option_lengths([], "byte").tolist() == []


@settings(max_examples=80, deadline=None)
@given(items=ragged)
def test_probabilities_are_those_of_a_plain_loop(items: list[Item]) -> None:
    values, offsets, _ = arrays(items)
    expected = []
    for item in items:
        scores = [loglikelihood for loglikelihood, _, _ in item]
        if any(math.isnan(score) or score == INFINITE for score in scores) or max(scores, default=0) == -INFINITE:
            expected += [math.nan] * len(scores)
            continue
        weights = [math.exp(score - max(scores)) for score in scores]
        expected += [weight / sum(weights) for weight in weights]
    np.testing.assert_allclose(probabilities(values, offsets), expected, rtol=1e-12, atol=1e-300)


def test_probabilities_of_very_unlikely_options() -> None:
    found = probabilities(np.array([-1e6, -1e6, -math.inf, -3000.0]), np.array([0, 3, 3, 4]))
    assert found.tolist() == [0.5, 0.5, 0.0, 1.0]


@settings(max_examples=100, deadline=None)
@given(items=ragged, data=st.data())
def test_brier_is_that_of_a_plain_loop(items: list[Item], data: st.DataObject) -> None:
    values, offsets, _ = arrays(items)
    gold = [data.draw(st.integers(-1, len(item) - 1)) for item in items]
    chances = probabilities(values, offsets)
    expected = []
    for start, end, right in zip(offsets[:-1], offsets[1:], gold, strict=True):
        row = chances[start:end].tolist()
        whole = bool(row) and right >= 0
        expected.append(sum((p - (i == right)) ** 2 for i, p in enumerate(row)) if whole else math.nan)
    np.testing.assert_allclose(brier(chances, offsets, np.array(gold, dtype=np.int64)), expected, rtol=1e-12)


def test_brier_of_known_forecasts() -> None:
    chances, offsets = np.array([1.0, 0.0, 0.0, 1.0, 0.5, 0.5]), np.array([0, 2, 4, 6])
    assert brier(chances, offsets, np.array([0, 0, 1])).tolist() == [0.0, 2.0, 0.5]
    with pytest.raises(ValueError, match="gold option lies outside"):
        brier(chances, offsets, np.array([0, 2, 1]))
    with pytest.raises(ValueError, match="3 items but 2 gold options"):
        brier(chances, offsets, np.array([0, 1]))


@settings(max_examples=80, deadline=None)
@given(items=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), bins=st.integers(1, 20))
def test_calibration_error_is_that_of_a_plain_loop(items: list[tuple[float, bool]], bins: int) -> None:
    expected = 0.0
    for number in range(bins):
        inside = [(c, hit) for c, hit in items if max(0, math.ceil(c * bins) - 1) == number]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            share = sum(hit for _, hit in inside) / len(inside)
            expected += len(inside) / len(items) * abs(share - confidence)
    confidences, right = (np.array(column) for column in zip(*items, strict=True))
    assert expected_calibration_error(confidences, right, bins) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_known_forecasts() -> None:
    assert expected_calibration_error(np.array([1.0, 1.0, 0.0]), np.array([True, True, False])) == 0.0
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    # 0.5 is the upper edge of the first of two bins, so the two items do not meet in one bin.
    assert expected_calibration_error(np.array([0.5, 0.6]), np.array([0, 1]), bins=2) == pytest.approx(0.45)
    assert math.isnan(expected_calibration_error(np.array([]), np.array([])))


@pytest.mark.parametrize(
    ("confidences", "right", "bins", "message"),
    [
        ([1.1], [1], 15, "outside 0 to 1"),
        ([math.nan], [1], 15, "outside 0 to 1"),
        ([0.5], [1, 0], 15, "1 confidences but 2 items"),
        ([0.5], [1], 0, "at least 1 bin"),
    ],
)
def test_calibration_refuses(confidences: list[float], right: list[int], bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(np.array(confidences), np.array(right), bins)


def test_accuracy_counts_no_choice_as_wrong_and_no_gold_not_at_all() -> None:
    rows = accuracy(np.array([0, 1, -1, 2, -1]), np.array([0, 2, 1, -1, -1]))
    assert rows.dtype == np.int64
    assert rows.tolist() == [[1, 1], [0, 1], [0, 1], [0, 0], [0, 0]]
    with pytest.raises(ValueError, match="1 choices but 2 gold options"):
        accuracy(np.array([0]), np.array([0, 1]))


@pytest.mark.parametrize(
    ("offsets", "options", "message"),
    [
        ([0, 1], {}, "from 0 to the number of options, 2"),
        ([1, 2], {}, "from 0 to the number of options, 2"),
        ([], {}, "from 0 to the number of options, 2"),
        ([0, 2, 1, 2], {}, "must not decrease"),
        ([0, 2], {"normalisation": "words"}, "unknown normalisation 'words'; known are raw, "),
        ([0, 2], {"normalisation": "byte"}, "by byte needs the options' lengths"),
        ([0, 2], {"normalisation": "pmi"}, "needs unconditional log-likelihoods"),
        ([0, 2], {"normalisation": "token", "lengths": [1]}, "2 options but 1 lengths"),
        ([0, 2], {"normalisation": "token", "lengths": [1, -1]}, "below 0"),
        ([0, 2], {"normalisation": "pmi", "unconditional": [[1.0, 2.0]]}, "one flat array, not of 2 dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(offsets: list[int], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(np.array([-1.0, -2.0]), np.array(offsets, dtype=np.int64), **options)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown unit 'word'"):
        option_lengths(["a"], "word")  # type: ignore[arg-type]


def test_no_items_at_all() -> None:
    nothing, offsets = np.array([], dtype=np.float64), np.array([0])
    assert choose(nothing, offsets).tolist() == []
    assert probabilities(nothing, offsets).tolist() == []
    assert brier(nothing, offsets, np.array([], dtype=np.int64)).tolist() == []


class Function:
    """An array module's function that can be called and has `at`, as CuPy's `add` and `maximum`, and nothing else."""

    def __init__(self, function: Any) -> None:
        self.at = function.at
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


def test_nothing_is_called_that_cupy_lacks() -> None:
    names = "abs arange asarray ceil diff exp full isinf isnan nonzero ones searchsorted stack where zeros".split()
    functions: dict[str, Any] = {name: getattr(np, name) for name in names}
    constants = {"inf": np.inf, "nan": np.nan, "int64": np.int64, "float64": np.float64}
    xp = SimpleNamespace(**functions, **constants, add=Function(np.add), maximum=Function(np.maximum))
    values, offsets, gold = np.array([-1.0, -2.0, -3.0]), np.array([0, 2, 2, 3]), np.array([0, -1, 0])
    for normalisation in NORMALISATIONS:
        others = {"lengths": np.array([1, 9, 1]), "unconditional": np.array([-1.0, -9.0, -1.0])}
        expected = [0 if normalisation == "raw" else 1, -1, 0]
        assert choose(values, offsets, normalisation=normalisation, xp=xp, **others).tolist() == expected  # type: ignore[arg-type]
    chances = probabilities(values, offsets, xp=xp)
    assert chances.tolist() == probabilities(values, offsets).tolist()
    assert brier(chances, offsets, gold, xp=xp).tolist()[2] == 0.0
    assert accuracy(gold, gold, xp=xp).tolist() == [[1, 1], [0, 0], [1, 1]]
    assert expected_calibration_error(chances, np.ones(3), xp=xp) == expected_calibration_error(chances, np.ones(3))
