"""Intervals: against SciPy's, against simulation, and where there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import kernels
from bench.statistics import CLUSTERS_NEEDED, Interval, bootstrap, interval, wilson
from kernels import Metric

ACCURACY = kernels.metric("accuracy")
CHRF = kernels.metric("chrf++")


def proportion(right: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([right, np.ones_like(right)], axis=1)


def names(count: int, each: int = 1) -> list[str]:
    return [f"c{number}" for number in range(count) for _ in range(each)]


def ends(found: Interval) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def texts(seed: int, count: int) -> NDArray[np.int64]:
    """chrF++ statistics of texts of which a random share of words is right."""
    drawn = np.random.default_rng(seed)
    words = ["alpha", "beta", "gamma", "delta", "omega", "sigma"]
    references = [" ".join(drawn.choice(words, 6)) for _ in range(count)]
    hypotheses = [" ".join(w if drawn.random() < 0.6 else "zzz" for w in text.split()) for text in references]
    return CHRF.statistics(hypotheses, [references])


@settings(max_examples=150, deadline=None)
@given(counted=st.integers(1, 3000), share=st.floats(0, 1))
def test_wilson_is_scipys(counted: int, share: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    right = round(counted * share)
    expected = stats.binomtest(right, counted).proportion_ci(0.95, method="wilson")
    assert ends(wilson(right, counted)) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("counted", [1, 7, 1000])
def test_wilson_at_the_ends(counted: int) -> None:
    low, high = ends(wilson(0, counted))
    assert low == 0.0
    assert 0 < high < 1
    assert ends(wilson(counted, counted)) == pytest.approx((1 - high, 1.0))
    assert wilson(counted, counted).high == 1.0


def test_no_items() -> None:
    assert wilson(0, 0) == Interval(None, None, "no_items")
    assert interval(ACCURACY, np.zeros((0, 2), dtype=np.int64), [], 1) == Interval(None, None, "no_items")
    nothing = interval(CHRF, np.zeros((0, CHRF.columns), dtype=np.int64), [], 1)
    assert nothing == Interval(None, None, "too_few_clusters")


def test_a_share_without_clusters_is_wilsons() -> None:
    right = np.array([1] * 30 + [0] * 10, dtype=np.int64)
    assert interval(ACCURACY, proportion(right), names(40), 1) == wilson(30, 40)
    assert interval(ACCURACY, proportion(right), names(20, 2), 1) != wilson(30, 40)


@pytest.mark.parametrize(("clusters", "told"), [(CLUSTERS_NEEDED - 1, False), (CLUSTERS_NEEDED, True)])
def test_too_few_clusters(clusters: int, told: bool) -> None:
    right = np.tile(np.array([1, 0], dtype=np.int64), clusters)
    found = interval(ACCURACY, proportion(right[: clusters * 2]), names(clusters, 2), 1)
    assert (found.low is not None) == told
    assert found.reason == ("" if told else "too_few_clusters")


@pytest.mark.parametrize("name", ["chrf", "chrf++", "bleu", "exact_match"])
def test_the_same_scores_give_the_same_interval(name: str) -> None:
    metric = kernels.metric(name)
    references = [" ".join("abcdefgh"[: 2 + number % 6]) for number in range(30)]
    statistics = metric.statistics(["a b c d e"] * 30, [references])
    first, again, other = (bootstrap(metric, statistics, names(30), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_renaming_clusters_in_order_changes_nothing() -> None:
    statistics = texts(3, 40)
    assert bootstrap(CHRF, statistics, [f"{n:03d}" for n in range(40)], 5) == bootstrap(
        CHRF, statistics, [f"x{n:03d}" for n in range(40)], 5
    )


def test_a_cluster_is_its_sum() -> None:
    statistics = texts(4, 60)
    clusters = [f"{n:03d}" for n in range(20) for _ in range(3)]
    summed = statistics.reshape(20, 3, -1).sum(axis=1)
    assert bootstrap(CHRF, statistics, clusters, 7) == bootstrap(CHRF, summed, clusters[::3], 7)


def test_items_that_rise_and_fall_together_widen_the_interval() -> None:
    drawn = np.random.default_rng(5)
    together = np.repeat((drawn.random(40) < 0.5).astype(np.int64), 10)
    low, high = ends(interval(ACCURACY, proportion(together), names(40, 10), 1))
    alone_low, alone_high = ends(interval(ACCURACY, proportion(together), names(400), 1))
    assert high - low > 2 * (alone_high - alone_low)


@settings(max_examples=40, deadline=None)
@given(right=st.lists(st.integers(0, 1), min_size=20, max_size=60), each=st.integers(2, 3))
def test_an_interval_holds_its_value(right: list[int], each: int) -> None:
    rows = np.repeat(np.array(right, dtype=np.int64), each)
    low, high = ends(interval(ACCURACY, proportion(rows), names(len(right), each), 1))
    assert 0 <= low <= rows.mean() <= high <= 1


@pytest.mark.parametrize("value", [0, 1])
def test_clusters_that_are_all_alike_do_not_make_us_certain(value: int) -> None:
    rows = proportion(np.full(24, value, dtype=np.int64))
    low, high = ends(interval(ACCURACY, rows, names(12, 2), 1))
    assert high - low > 0.05


def covered(metric: Metric, share: float, clusters: int, each: int, rounds: int) -> float:
    """How often the interval holds the truth, items of a cluster being correlated (a beta-binomial of rho 0.3)."""
    drawn = np.random.default_rng(11)
    scale = 1 / 0.3 - 1
    hits = 0
    for number in range(rounds):
        chances = drawn.beta(share * scale, (1 - share) * scale, clusters)
        right = (drawn.random((clusters, each)) < chances[:, None]).astype(np.int64).ravel()
        low, high = ends(interval(metric, proportion(right), names(clusters, each), number))
        hits += low <= share <= high
    return hits / rounds


@pytest.mark.parametrize(("share", "clusters", "each"), [(0.5, 40, 3), (0.7, 100, 5), (0.5, 200, 1)])
def test_coverage(share: float, clusters: int, each: int) -> None:
    assert 0.91 <= covered(ACCURACY, share, clusters, each, 250) <= 0.985


@pytest.mark.parametrize(("share", "clusters"), [(0.9, 12), (0.97, 20), (0.97, 12), (0.25, 10)])
def test_coverage_with_few_clusters_or_a_share_near_the_end(share: float, clusters: int) -> None:
    assert covered(ACCURACY, share, clusters, 3, 250) >= 0.9


def test_coverage_of_chrf() -> None:
    truth = float(CHRF.from_statistics(texts(0, 5_000).sum(axis=0, keepdims=True))[0])
    pool = texts(1, 2_400).reshape(60, 40, -1)
    hits = sum(low <= truth <= high for low, high in (ends(bootstrap(CHRF, one, names(40), 3)) for one in pool))
    assert 51 <= hits <= 60
