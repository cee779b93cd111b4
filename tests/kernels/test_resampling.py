"""Resampling: against scoring each sample anew, against sacreBLEU's tests, and against counting every pattern."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, _bootstrap_resample

import kernels
from kernels import gpu, resampling
from kernels.resampling import (
    approximate_randomisation,
    draws,
    multiplicities,
    numbered,
    paired_bootstrap,
    paired_scores,
    resampled,
    sign_flip,
    summed,
)

ACCURACY = kernels.metric("accuracy")
CHRF2 = kernels.metric("chrf")
SEED = 12345  # sacreBLEU's
WORDS = "ni ile ti a wa se pelu omo naa fun won gbogbo awon eniyan".split()


def texts(seed: int, count: int, noise: float) -> tuple[list[str], list[str]]:
    """Hypotheses and references; the larger the noise, the worse the hypotheses."""
    drawn = np.random.default_rng(seed)
    references = [drawn.choice(WORDS, drawn.integers(4, 12)).tolist() for _ in range(count)]
    written = [[word if drawn.random() > noise else str(drawn.choice(WORDS)) for word in one] for one in references]
    return [" ".join(one) for one in written], [" ".join(one) for one in references]


def systems(metric: kernels.Metric, count: int, *noises: float) -> list[NDArray[np.int64]]:
    return [metric.statistics(written, [references]) for written, references in (texts(1, count, n) for n in noises)]


def shares(*rights: list[int]) -> list[NDArray[np.int64]]:
    return [np.array([(one, 1) for one in right], dtype=np.int64) for right in rights]


@settings(deadline=None, max_examples=40)
@given(units=st.integers(1, 50), rounds=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_each_round_draws_as_many_as_there_are(units: int, rounds: int, seed: int) -> None:
    counts = multiplicities(units, rounds, seed)
    assert counts.shape == (rounds, units)
    assert counts.dtype == np.int64
    assert (counts.sum(axis=1) == units).all()
    drawn = np.random.default_rng(seed).integers(units, size=(rounds, units))
    assert (counts == [np.bincount(one, minlength=units) for one in drawn]).all()


def test_fewer_rounds_are_the_first_ones_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = multiplicities(37, 150, 3)
    assert (multiplicities(37, 41, 3) == whole[:41]).all()
    assert not (multiplicities(37, 150, 4) == whole).all()
    monkeypatch.setattr(resampling, "BLOCK", 37 * 32)
    blocks = list(draws(37, 150, 3))
    assert [block for block, _ in blocks] == [slice(start, min(start + 32, 150)) for start in range(0, 150, 32)]
    assert (np.concatenate([counts for _, counts in blocks]) == whole).all()


def test_units_are_drawn_alike() -> None:
    counts = multiplicities(20, 5_000, 1)
    assert counts.mean(axis=0) == pytest.approx(1.0, abs=0.06)
    assert counts.var() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("name", ["accuracy", "chrf", "chrf++", "bleu"])
def test_a_rounds_score_is_that_of_the_items_it_drew(name: str) -> None:
    metric = kernels.metric(name)
    (statistics,) = systems(metric, 60, 0.4)
    counts = multiplicities(60, 40, 9)
    again = [metric.from_statistics(np.repeat(statistics, one, axis=0).sum(axis=0, keepdims=True))[0] for one in counts]
    assert resampled(metric, statistics, counts).tolist() == again


def test_sums_that_a_float_cannot_hold_stay_exact() -> None:
    seen: list[NDArray[Any]] = []

    class Large:
        columns = 1

        def from_statistics(self, sums: NDArray[Any]) -> NDArray[np.float64]:
            seen.append(sums)
            return np.zeros(len(sums))

    large = np.array([[2**55 + 1], [3]], dtype=np.int64)
    resampled(cast("kernels.Metric", Large()), large, np.array([[1, 1], [2, 0]]))
    assert seen[0].ravel().tolist() == [2**55 + 4, 2**56 + 2]


def test_statistics_add_up_by_cluster() -> None:
    rows = np.arange(12, dtype=np.int64).reshape(6, 2)
    assert summed(rows, np.array([2, 0, 2, 0, 0, 2]), 4).tolist() == [[16, 19], [0, 0], [14, 17], [0, 0]]


def test_a_cluster_is_resampled_as_one_item_with_its_sums() -> None:
    first, second = systems(CHRF2, 60, 0.3, 0.4)
    names = [f"{number // 3:02d}" for number in range(60)]
    joined = [one.reshape(20, 3, -1).sum(axis=1) for one in (first, second)]
    assert paired_bootstrap(CHRF2, first, [second], clusters=names, seed=1) == paired_bootstrap(
        CHRF2, joined[0], [joined[1]], seed=1
    )
    assert approximate_randomisation(CHRF2, first, [second], clusters=names, seed=1) == approximate_randomisation(
        CHRF2, joined[0], [joined[1]], seed=1
    )


def test_several_systems_get_what_each_gets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = systems(CHRF2, 50, 0.3, 0.32, 0.6)
    alone = [paired_bootstrap(CHRF2, first, [one], seed=4, rounds=200)[0] for one in others]
    swapped = [approximate_randomisation(CHRF2, first, [one], seed=4, rounds=500)[0] for one in others]
    monkeypatch.setattr(resampling, "BLOCK", 50 * 64)  # and in blocks what it is at once
    assert paired_bootstrap(CHRF2, first, others, seed=4, rounds=200) == alone
    assert approximate_randomisation(CHRF2, first, others, seed=4, rounds=500) == swapped


@pytest.mark.parametrize(("name", "oracle"), [("chrf", CHRF()), ("bleu", BLEU())])
def test_samples_are_sacrebleus(name: str, oracle: CHRF | BLEU) -> None:
    written, references = texts(1, 150, 0.4)
    metric = kernels.metric(name)
    statistics = oracle._extract_corpus_statistics(written, [references])
    theirs = [one.score for one in _bootstrap_resample(statistics, oracle, 200)[1]]
    ours = paired_scores(metric, [metric.statistics(written, [references])], rounds=200, seed=SEED)[0]
    assert ours == pytest.approx(theirs, rel=1e-5)  # its sums are float32


def sacrebleus_p(oracle: CHRF | BLEU, noise: float, test: str, rounds: int) -> float:
    """What sacreBLEU says of 200 texts with noise against those with 0.3 of it."""
    (first, references), (second, same) = texts(1, 200, 0.3), texts(1, 200, noise)
    assert references == same
    named: list[tuple[str, Sequence[str]]] = [("first", first), ("second", second)]
    _, found = PairedTest(named, {"any": oracle}, [references], test_type=test, n_samples=rounds)()
    (results,) = (results for name, results in found.items() if name != "System")
    return float(cast("Any", results[1]).p_value)


@pytest.mark.parametrize("noise", [0.31, 0.33, 0.36, 0.5])
@pytest.mark.parametrize("name", ["chrf", "bleu"])
def test_approximate_randomisation_is_sacrebleus(name: str, noise: float) -> None:
    first, second = systems(kernels.metric(name), 200, 0.3, noise)
    theirs = sacrebleus_p({"chrf": CHRF, "bleu": BLEU}[name](), noise, "ar", 700)
    assert approximate_randomisation(kernels.metric(name), first, [second], rounds=700, seed=SEED) == [theirs]


def test_the_bootstraps_p_is_two_sided_where_sacrebleus_is_half_of_it() -> None:
    theirs = sacrebleus_p(CHRF(), 0.34, "bs", 2000)
    first, second = systems(CHRF2, 200, 0.3, 0.34)
    scores_drawn = paired_scores(CHRF2, [first, second], rounds=2000, seed=SEED)
    (found,) = paired_bootstrap(CHRF2, first, [second], rounds=2000, seed=SEED)
    apart = np.abs(scores_drawn[1] - scores_drawn[0])
    as_sacrebleu = (np.count_nonzero(apart - apart.mean() > abs(found.difference)) + 1) / 2001
    assert as_sacrebleu == pytest.approx(theirs, abs=1 / 2000)  # float32 may move one sample over the edge
    assert 0.001 < theirs < 0.2
    assert found.p == pytest.approx(2 * theirs, rel=0.35)


def test_the_interval_and_error_of_the_bootstrap_are_those_of_a_mean() -> None:
    drawn = np.random.default_rng(3)
    first, second = shares(
        (drawn.random(400) < 0.5).astype(int).tolist(), (drawn.random(400) < 0.6).astype(int).tolist()
    )
    gained = second[:, 0] - first[:, 0]
    (found,) = paired_bootstrap(ACCURACY, first, [second], rounds=4000, seed=5)
    error = gained.std(ddof=1) / 20
    assert found.difference == pytest.approx(gained.mean())
    assert found.error == pytest.approx(error, rel=0.06)
    assert (found.low, found.high) == pytest.approx(
        (gained.mean() - 1.96 * error, gained.mean() + 1.96 * error), abs=0.006
    )


def test_a_system_against_itself_is_not_different() -> None:
    for metric in (ACCURACY, CHRF2):
        (one,) = systems(metric, 40, 0.4)
        (found,) = paired_bootstrap(metric, one, [one.copy()], seed=1, rounds=50)
        assert (found.difference, found.low, found.high, found.error, found.p) == (0, 0, 0, 0, 1)
        assert approximate_randomisation(metric, one, [one.copy()], seed=1, rounds=50) == [1]


def test_a_clear_difference_gets_the_smallest_p() -> None:
    first, second = systems(CHRF2, 80, 0.1, 0.6)
    assert approximate_randomisation(CHRF2, first, [second], rounds=999, seed=2) == [0.001]
    (found,) = paired_bootstrap(CHRF2, first, [second], rounds=999, seed=2)
    assert found.p == 0.001
    assert found.low < found.high < 0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-4, 4), max_size=9))
def test_sign_flips_are_counted_one_by_one(differences: list[int]) -> None:
    patterns = list(itertools.product((-1, 1), repeat=len(differences)))
    sums = [sum(sign * one for sign, one in zip(signs, differences, strict=True)) for signs in patterns]
    wanted = sum(abs(one) >= abs(sum(differences)) for one in sums) / len(patterns)
    assert sign_flip(np.array(differences, dtype=np.int64)) == pytest.approx(wanted, rel=1e-12)


def test_sign_flips_of_many_units_neither_vanish_nor_exceed_one() -> None:
    assert 0 < sign_flip(np.ones(3_000, dtype=np.int64)) < 1e-300
    assert sign_flip(np.tile(np.array([1, -1], dtype=np.int64), 1_000)) == pytest.approx(1.0)
    assert sign_flip(np.zeros(5, dtype=np.int64)) == 1.0


@pytest.mark.parametrize("seed", range(6))
def test_swapping_at_random_nears_swapping_every_way(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    first, second = shares(*((drawn.random(60) < share).astype(int).tolist() for share in (0.4, 0.6)))
    index = np.repeat(np.arange(15), 4)
    exact = sign_flip(summed(second - first, index, 15)[:, 0])
    (p,) = approximate_randomisation(ACCURACY, first, [second], clusters=index, rounds=20_000, seed=seed)
    assert p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 20_000) ** 0.5 + 1e-4)


def test_what_cannot_be_resampled_is_said_in_one_line() -> None:
    first, second = shares([1, 0, 1], [1, 0])
    with pytest.raises(ValueError, match="unequal length: 3, 2"):
        paired_bootstrap(ACCURACY, first, [second], seed=1)
    with pytest.raises(ValueError, match="3 items but 2 clusters"):
        approximate_randomisation(ACCURACY, first, [first], clusters=["a", "b"], seed=1)
    with pytest.raises(ValueError, match="no items"):
        paired_bootstrap(ACCURACY, first[:0], [first[:0]], seed=1)
    with pytest.raises(ValueError, match="no items"):
        multiplicities(0, 10, 1)


def test_on_a_gpu_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the device, which has NumPy's arrays."""
    sent: list[tuple[int, ...]] = []

    class StandIn:
        def upload(self, array: NDArray[Any]) -> NDArray[Any]:
            sent.append(array.shape)
            return array.copy()

        def download(self, array: NDArray[Any], out: NDArray[Any]) -> None:
            out[:] = array

    first, second = systems(CHRF2, 50, 0.3, 0.4)
    wanted = paired_bootstrap(CHRF2, first, [second], seed=1, rounds=40, backend="cpu")
    monkeypatch.setattr(gpu, "required", StandIn)
    assert paired_bootstrap(CHRF2, first, [second], seed=1, rounds=40, backend="gpu") == wanted
    assert sent == [(40, 50), (50, 2 * CHRF2.columns)]
    assert paired_bootstrap(CHRF2, first, [second], seed=1, rounds=40) == wanted
    assert len(sent) == 2


def test_no_gpu_and_no_such_backend_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "found", lambda: "CuPy found no CUDA device")
    (one,) = systems(CHRF2, 20, 0.3)
    with pytest.raises(ValueError, match="no GPU to score on: CuPy found no CUDA device"):
        resampled(CHRF2, one, multiplicities(20, 3, 1), backend="gpu")
    with pytest.raises(ValueError, match="unknown backend 'tpu'"):
        resampled(CHRF2, one, multiplicities(20, 3, 1), backend=cast("Any", "tpu"))


def test_what_counts_nothing_in_a_round_leaves_no_nan_and_no_small_p() -> None:
    metric = kernels.metric("glossary_recall")
    statistics = np.zeros((40, 2), dtype=np.int64)
    statistics[:2] = [[1, 1], [0, 1]]
    (found,) = paired_bootstrap(metric, statistics, [statistics], seed=1)
    assert (found.low, found.high, found.error, found.p) == (0, 0, 0, 1)
    nothing = np.zeros_like(statistics)
    assert approximate_randomisation(metric, nothing, [nothing], seed=1, rounds=100) == [1.0]


@pytest.mark.parametrize("rounds", [0, -5])
def test_no_rounds_are_refused(rounds: int) -> None:
    statistics = np.ones((20, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="at least 1 round"):
        paired_bootstrap(kernels.metric("accuracy"), statistics, [statistics], rounds=rounds, seed=1)
    with pytest.raises(ValueError, match="at least 1 round"):
        approximate_randomisation(kernels.metric("accuracy"), statistics, [statistics], rounds=rounds, seed=1)


def test_clusters_that_differ_in_a_nul_are_two() -> None:
    index, clusters = numbered(["a\0", "a", "a\0"])
    assert (index.tolist(), clusters) == ([1, 0, 1], 2)
