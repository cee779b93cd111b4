"""Intervals: against SciPy's, against simulation, and where there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import kernels
from bench import statistics
from bench.statistics import (
    CLUSTERS_NEEDED,
    Interval,
    Z,
    bootstrap,
    clopper_pearson,
    clustered,
    clustered_shares,
    interval,
    score_interval,
    t_quantile,
    upper_bound,
    wilson,
)
from benchmarks.interval_coverage import CORPORA, ErrorRate, answers, documents, enumerated, errors, fractions
from kernels.base import UNIT
from kernels.proportion import Proportion

ACCURACY = kernels.metric("accuracy")
CHRF = kernels.metric("chrf++")
RATE = ErrorRate("errors", "version:1")


class MeanOfFractions(Proportion):
    """Two columns, as accuracy has, but its items may be right in part."""

    binary = False


F1 = MeanOfFractions("f1", "version:1")


def proportion(right: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([right, np.ones_like(right)], axis=1)


def names(count: int, each: int = 1) -> list[str]:
    return [f"c{number:05d}" for number in range(count) for _ in range(each)]


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


# Wilson's interval


@settings(max_examples=80, deadline=None)
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


@pytest.mark.parametrize("items", [30, 100, 1000])
def test_wilsons_exact_coverage(items: int) -> None:
    lowest, mean, _ = enumerated(items, 0.01)
    assert lowest >= 0.92
    assert 0.94 <= mean <= 0.96


def test_wilson_dips_below_92_percent_in_one_narrow_place() -> None:
    lowest, _, at = enumerated(30, 0.0005)
    assert 0.916 < lowest < 0.917
    assert min(at, 1 - at) == pytest.approx(0.0345)
    assert enumerated(100, 0.0005)[0] > 0.926
    assert enumerated(1000, 0.0005)[0] > 0.939


# Quantiles and exact bounds


def test_t_quantiles_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    degrees = np.concatenate([np.arange(9, 200), [9.5, 28.25, 1e4, 1e9]])
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=2e-5)
    assert t_quantile(9) == pytest.approx(2.262157, abs=2e-5)
    assert t_quantile(1e18) == pytest.approx(Z)


@settings(max_examples=80, deadline=None)
@given(counted=st.integers(1, 20_000), share=st.one_of(st.floats(0, 1), st.floats(0, 0.002)))
def test_clopper_and_pearsons_bounds_are_scipys(counted: int, share: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    right = round(counted * share)
    both = stats.binomtest(right, counted).proportion_ci(0.95, method="exact")
    assert ends(clopper_pearson(right, counted)) == pytest.approx((both.low, both.high), abs=1e-11)
    upper = stats.binomtest(right, counted, alternative="less").proportion_ci(0.99, method="exact").high
    assert upper_bound(right, counted, 0.99) == pytest.approx(upper, abs=1e-11)


@pytest.mark.parametrize("counted", [1, 50, 10_000_000])
def test_the_bound_of_what_was_never_seen(counted: int) -> None:
    assert upper_bound(0, counted) == pytest.approx(1 - 0.05 ** (1 / counted), rel=1e-8)
    assert upper_bound(counted, counted) == 1.0
    assert clopper_pearson(0, counted).low == 0.0


@pytest.mark.parametrize(("right", "counted"), [(0, 0), (3, 2), (-1, 5)])
def test_no_bound_of_what_is_no_proportion(right: int, counted: int) -> None:
    with pytest.raises(ValueError, match=f"no proportion: {right} of {counted}"):
        upper_bound(right, counted)


# Which interval a metric gets


def test_no_items() -> None:
    assert wilson(0, 0) == clopper_pearson(0, 0) == Interval(None, None, "no_items")
    assert interval(ACCURACY, np.zeros((0, 2), dtype=np.int64), [], 1) == Interval(None, None, "no_items")
    nothing = interval(CHRF, np.zeros((0, CHRF.columns), dtype=np.int64), [], 1)
    assert nothing == Interval(None, None, "too_few_clusters")


def test_a_share_without_clusters_is_wilsons() -> None:
    right = np.array([1] * 30 + [0] * 10, dtype=np.int64)
    assert interval(ACCURACY, proportion(right), names(40), 1) == wilson(30, 40)
    assert interval(ACCURACY, proportion(right[:5]), names(5), 1) == wilson(5, 5)
    assert interval(ACCURACY, proportion(right), names(20, 2), 1) == clustered(proportion(right), names(20, 2))


def test_two_columns_are_not_always_a_share_of_right_answers() -> None:
    rows = np.stack([np.arange(30) * UNIT // 40, np.full(30, UNIT)], axis=1)
    assert interval(F1, rows, names(30), 1) == bootstrap(F1, rows, names(30), 1)
    low, high = ends(interval(F1, rows, names(30), 1))
    loose = wilson(30 * 0.3625, 30)
    assert loose.low is not None
    assert loose.low < low < 0.3625 < high


@pytest.mark.parametrize(("clusters", "told"), [(CLUSTERS_NEEDED - 1, False), (CLUSTERS_NEEDED, True)])
def test_too_few_clusters(clusters: int, told: bool) -> None:
    right = np.tile(np.array([1, 0], dtype=np.int64), clusters)
    shares = interval(ACCURACY, proportion(right), names(clusters, 2), 1)
    scores = interval(CHRF, texts(8, clusters * 2), names(clusters, 2), 1)
    for found in (shares, scores):
        assert (found.low is not None) == told
        assert found.reason == ("" if told else "too_few_clusters")


# Shares in clusters


def test_clusters_of_one_item_are_wilsons() -> None:
    right = np.array([1] * 33 + [0] * 7, dtype=np.int64)
    assert ends(clustered(proportion(right), names(40))) == pytest.approx(ends(wilson(33, 40)), abs=1e-7)


def test_a_cluster_whose_items_are_all_alike_is_one_item() -> None:
    right, counted = np.repeat([0.0, 6.0], 10), np.full(20, 6.0)
    one_item_each = np.array(score_interval(0.5, 20, t_quantile(19 / (5 / 6) ** 2)))
    assert np.array(clustered_shares(right, counted)) == pytest.approx(one_item_each)


def test_items_that_rise_and_fall_together_widen_the_interval() -> None:
    drawn = np.random.default_rng(5)
    together = np.repeat((drawn.random(40) < 0.5).astype(np.int64), 10)
    low, high = ends(interval(ACCURACY, proportion(together), names(40, 10), 1))
    alone_low, alone_high = ends(interval(ACCURACY, proportion(together), names(400), 1))
    assert high - low > 2 * (alone_high - alone_low)


@pytest.mark.parametrize("wrong", [1, 2, 5, 20])
def test_few_clusters_with_wrong_answers_say_little_of_how_alike_they_are(wrong: int) -> None:
    right = np.repeat([4.0, 5.0], [wrong, 30 - wrong])  # one wrong answer in each: not alike at all
    effect = 5 ** (1 / wrong)
    quantile = t_quantile(29 / (1 - 1 / effect) ** 2)
    expected = np.array(score_interval(right.sum() / 150, 150 / effect, quantile))
    assert np.array(clustered_shares(right, np.full(30, 5.0))) == pytest.approx(expected)


@settings(max_examples=80, deadline=None)
@given(
    clusters=st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1)), min_size=10, max_size=40),
)
def test_a_clustered_interval_holds_its_value_and_its_mirror_is_that_of_the_wrong_answers(
    clusters: list[tuple[int, float]],
) -> None:
    counted = np.array([size for size, _ in clusters], dtype=np.float64)
    right = np.floor(counted * [share for _, share in clusters])
    low, high = clustered_shares(right, counted)
    assert 0 <= low <= right.sum() / counted.sum() <= high <= 1
    assert low < high
    assert clustered_shares(counted - right, counted) == pytest.approx((1 - high, 1 - low))
    assert (low == 0) == (right.sum() == 0)
    assert (high == 1) == (right.sum() == counted.sum())


@pytest.mark.parametrize("value", [0, 1])
def test_clusters_that_are_all_alike_do_not_make_us_certain(value: int) -> None:
    rows = proportion(np.full(24, value, dtype=np.int64))
    low, high = ends(interval(ACCURACY, rows, names(12, 2), 1))
    assert high - low >= ends(wilson(0, 12))[1]
    assert (high if value else low) == value


CORNERS = [
    ("beta", 0.6, 0.02, 10, (2,)),
    ("beta", 0.3, 0.97, 40, (10,)),
    ("beta", 0.6, 0.05, 40, (1, 1, 2, 2, 3, 4, 5, 8, 12, 1)),
    ("beta", 0.6, 0.98, 100, (10,)),
    ("probit", 0.8, 0.98, 10, (5,)),
    ("probit", 0.8, 0.08, 30, (10,)),
    ("probit", 0.8, 0.02, 200, (5,)),
    ("beta", 0.0, 0.97, 10, (3,)),
    ("beta", 0.0, 0.5, 200, (10,)),
]


@pytest.mark.parametrize(("family", "alike", "share", "clusters", "sizes"), CORNERS)
def test_clustered_shares_are_covered_where_it_is_hardest(
    family: str, alike: float, share: float, clusters: int, sizes: tuple[int, ...]
) -> None:
    counted = np.resize(np.array(sizes, dtype=np.float64), clusters)
    right = answers(np.random.default_rng(11), family, alike, share, counted, 3000)
    low, high = clustered_shares(right, counted)
    assert ((low <= share) & (share <= high)).mean() >= 0.92


def test_clustered_shares_are_covered_on_average() -> None:
    drawn = np.random.default_rng(12)
    held = []
    for clusters in (10, 30, 100):
        for alike in (0.0, 0.1, 0.3, 0.6):
            for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
                counted = np.full(clusters, 4.0)
                low, high = clustered_shares(answers(drawn, "beta", alike, share, counted, 500), counted)
                held.append(((low <= share) & (share <= high)).mean())
    assert 0.945 <= np.mean(held) <= 0.967


def test_clustered_shares_are_covered_where_long_clusters_are_harder() -> None:
    drawn = np.random.default_rng(13)
    sizes = np.array([1, 2, 4, 8])
    chances = np.array([0.95, 0.9, 0.75, 0.6])
    truth = float((sizes * chances).sum() / sizes.sum())
    held = []
    for _ in range(1500):
        which = drawn.integers(4, size=20)
        right = drawn.binomial(sizes[which], drawn.beta(3 * chances[which], 3 * (1 - chances[which])))
        low, high = clustered_shares(right.astype(np.float64), sizes[which].astype(np.float64))
        held.append(bool(low <= truth <= high))
    assert np.mean(held) >= 0.92


# The bootstrap


@pytest.mark.parametrize("name", ["chrf", "chrf++", "bleu", "exact_match"])
def test_the_same_scores_give_the_same_interval(name: str) -> None:
    metric = kernels.metric(name)
    references = [" ".join("abcdefgh"[: 2 + number % 6]) for number in range(30)]
    rows = metric.statistics(["a b c d e"] * 30, [references])
    first, again, other = (bootstrap(metric, rows, names(30), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_renaming_clusters_in_order_changes_nothing() -> None:
    rows = texts(3, 40)
    assert bootstrap(CHRF, rows, [f"{n:03d}" for n in range(40)], 5) == bootstrap(
        CHRF, rows, [f"x{n:03d}" for n in range(40)], 5
    )


def test_the_order_of_the_items_changes_nothing() -> None:
    rows, clusters = texts(3, 60), names(20, 3)
    order = np.random.default_rng(1).permutation(60)
    shuffled = bootstrap(CHRF, rows[order], [clusters[number] for number in order], 5)
    assert shuffled == bootstrap(CHRF, rows, clusters, 5)


def test_a_cluster_is_its_sum() -> None:
    rows = texts(4, 60)
    clusters = [f"{n:03d}" for n in range(20) for _ in range(3)]
    summed = rows.reshape(20, 3, -1).sum(axis=1)
    assert bootstrap(CHRF, rows, clusters, 7) == bootstrap(CHRF, summed, clusters[::3], 7)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("count", [12, 400])
def test_the_bootstrap_of_a_mean_is_students(count: int, shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shared:
        monkeypatch.setattr(statistics, "LARGEST_SHARED", 0)
    values = np.random.default_rng(6).normal(0.5, 0.05, count)
    rows = np.stack([np.rint(values * UNIT), np.full(count, UNIT)], axis=1).astype(np.int64)
    half = t_quantile(count - 1) * values.std(ddof=1) / np.sqrt(count)
    low, high = ends(bootstrap(F1, rows, names(count), 3))
    assert 0.95 <= (high - low) / (2 * half) <= 1.2
    assert abs((high + low) / 2 - values.mean()) < 0.15 * half


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0]), min_size=10, max_size=30),
    best=st.booleans(),
    seed=st.integers(0, 5),
)
def test_a_bootstrapped_interval_holds_its_value_and_stays_on_the_scale(
    scores: list[float], best: bool, seed: int
) -> None:
    rows = np.array([(score * 10, 10) for score in scores], dtype=np.int64)
    found = bootstrap(F1 if best else RATE, rows, names(len(scores)), seed)
    if not best and len(set(scores)) == 1:
        assert found == Interval(None, None, "no_spread")
        return
    low, high = ends(found)
    assert 0 <= low <= np.mean(scores) <= high
    assert low < high
    if best:
        assert high <= 1
        assert low == 0 or sum(scores) > 0
        assert high == 1 or sum(scores) < len(scores)


@pytest.mark.parametrize("score", [0, 1])
def test_scores_that_are_all_alike_do_not_make_us_certain(score: int) -> None:
    low, high = ends(bootstrap(F1, np.array([(score * UNIT, UNIT)] * 15), names(15), 1))
    assert high - low > ends(wilson(0, 15))[1]
    assert (high if score else low) == score


def test_a_perfect_translation_reaches_the_end_of_the_scale() -> None:
    references = [f"sentence number {number} of this text" for number in range(20)]
    low, high = ends(bootstrap(CHRF, CHRF.statistics(references, [references]), names(20), 1))
    assert 50 < low < high == 100


def test_an_error_rate_may_exceed_one() -> None:
    rows = np.array([(9 + number % 5, 10) for number in range(20)], dtype=np.int64)
    low, high = ends(bootstrap(RATE, rows, names(20), 1))
    assert 0.9 < low < 1.1 < high < 1.3


def coverage(name: str, count: int, rounds: int) -> float:
    """How often the bootstrap holds the truth of one of the benchmark's corpora, from so many documents."""
    metric, draw, options = CORPORA[name]
    truth = float(metric.from_statistics(draw(np.random.default_rng(0), 100_000, *options).sum(axis=0)[None])[0])
    drawn = np.random.default_rng(9)
    found = [ends(bootstrap(metric, draw(drawn, count, *options), names(count), number)) for number in range(rounds)]
    return float(np.mean([low <= truth <= high for low, high in found]))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("chrF 48", 10),
        ("chrF 48, uneven length", 20),
        ("chrF 16", 29),
        ("errors", 10),
        ("F1, half at 1", 10),
        ("F1, nine in ten at 1", 10),
        ("F1, 97 % at 1, by threes", 10),
        ("F1, nine in ten at 0", 15),
    ],
)
def test_corpus_scores_are_covered_from_ten_documents_up(name: str, count: int) -> None:
    assert coverage(name, count, 400) >= 0.9  # 92 % less one and a half standard errors of 400 rounds


def test_chrf_of_real_strings_is_covered() -> None:
    truth = float(CHRF.from_statistics(texts(0, 5_000).sum(axis=0, keepdims=True))[0])
    pool = texts(1, 2_400).reshape(60, 40, -1)
    hits = sum(low <= truth <= high for low, high in (ends(bootstrap(CHRF, one, names(40), 3)) for one in pool))
    assert 51 <= hits <= 60


def test_the_benchmarks_draws_are_what_they_say() -> None:
    drawn = np.random.default_rng(1)
    counted = np.array([2.0, 5.0])
    for family in ("beta", "probit"):
        right = answers(drawn, family, 0.5, 0.3, counted, 40_000)
        assert right.mean(axis=0) / counted == pytest.approx(0.3, abs=0.01)
        assert right.max(axis=0) == pytest.approx(counted)
    pairs = answers(drawn, "beta", 0.4, 0.3, np.array([2.0]), 100_000)[:, 0]
    assert np.mean(pairs == 2) == pytest.approx(0.09 + 0.4 * 0.21, abs=0.005)
    hypothesis, reference, match = documents(drawn, 1000, 0.65, 30, 0.5).reshape(1000, 6, 3).transpose(2, 0, 1)
    assert (match <= np.minimum(hypothesis, reference)).all() and (match >= 0).all()
    score, whole = fractions(drawn, 1000, 3, 0.9, 0.3).T
    assert (whole == 3 * UNIT).all() and (score <= whole).all()
    assert np.mean(score == whole) == pytest.approx(0.83, abs=0.08)
    wrong, words = errors(drawn, 1000, 0.7, 0.05).T
    assert 0.01 < np.mean(wrong > words) < 0.06
