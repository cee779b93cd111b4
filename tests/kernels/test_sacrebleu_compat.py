"""Means, intervals and p-values equal sacreBLEU's to the last bit, however its arithmetic rounds them."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric as Theirs
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, _bootstrap_resample

from kernels import sacrebleu_compat
from kernels.base import Metric
from kernels.bleu_score import Bleu
from kernels.chrf_score import Chrf
from kernels.proportion import Proportion
from kernels.sacrebleu_compat import Comparison, confidence, confidences, environment_seed, paired
from kernels.ter_score import Ter

logging.getLogger("sacrebleu").setLevel(logging.ERROR)
PAIRS: list[tuple[type[Theirs], type[Any], dict[str, Any]]] = [
    (CHRF, Chrf, {}),
    (CHRF, Chrf, {"word_order": 2, "beta": 3}),
    (CHRF, Chrf, {"eps_smoothing": True}),
    (CHRF, Chrf, {"eps_smoothing": True, "word_order": 2, "char_order": 4}),
    (BLEU, Bleu, {}),
    (BLEU, Bleu, {"smooth_method": "floor", "smooth_value": 0.3}),
    (BLEU, Bleu, {"smooth_method": "add-k"}),
    (BLEU, Bleu, {"smooth_method": "add-k", "smooth_value": 1.7}),
    (BLEU, Bleu, {"smooth_method": "none", "max_ngram_order": 2}),
    (BLEU, Bleu, {"effective_order": True}),
    (TER, Ter, {}),
]
TESTS: list[tuple[sacrebleu_compat.Test, int, int]] = [("bs", 60, 0), ("ar", 70, 40), ("ar", 45, 0)]
WORDS = "a b the cat, sat. on 1,000 ሰላም 日本語 (hi)".split()
Corpus = tuple[list[list[str]], list[list[str]]]


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """(systems, references): from good to hopeless, from one short segment to many."""
    generator = random.Random(draw(st.integers(0, 2**32)))
    segments, longest = draw(st.sampled_from([1, 2, 5, 30])), draw(st.sampled_from([2, 5, 20]))
    noise = draw(st.sampled_from([0.0, 0.3, 0.9]))
    # The mean of two lengths is exact in floating point; see the test of three references.
    references = [
        [" ".join(generator.choices(WORDS, k=generator.randrange(longest))) for _ in range(segments)]
        for _ in range(draw(st.sampled_from([1, 2])))
    ]
    systems = [
        [
            " ".join(word for word in generator.choice(references)[i].split() if generator.random() >= noise)
            + generator.choice(["", "", " x"])
            for i in range(segments)
        ]
        for _ in range(3)
    ]
    systems[1] = draw(st.sampled_from([systems[1], systems[0], ["zzz"] * segments, [""] * segments]))
    return systems, references


def statistics(metric: Metric, corpus: Corpus) -> list[NDArray[np.int64]]:
    systems, references = corpus
    return [metric.statistics(system, references) for system in systems]


def theirs(metric: Theirs, corpus: Corpus, test: str, rounds: int, confidence_rounds: int) -> list[Any]:
    systems, references = corpus
    named: list[tuple[str, Sequence[str]]] = [(str(number), system) for number, system in enumerate(systems)]
    _, columns = PairedTest(named, {"it": metric}, references, test, rounds, confidence_rounds)()
    _, results = columns.values()
    return [
        tuple(None if value is None else float(value) for value in (made.score, made.p_value, made.mean, made.ci))  # type: ignore[union-attr]
        for made in results
    ]


@pytest.mark.parametrize(("peer", "own", "options"), PAIRS, ids=[f"{own.__name__} {o}" for _, own, o in PAIRS])
@settings(deadline=None, max_examples=12)
@given(corpus=corpora())
def test_paired_tests_equal_sacrebleus(peer: Any, own: Any, options: dict[str, Any], corpus: Corpus) -> None:
    metric = own(**options)
    systems = statistics(metric, corpus)
    for test, rounds, confidence_rounds in TESTS:
        (found,) = paired([Comparison(metric, systems)], test, rounds, confidence_rounds=confidence_rounds)
        want = theirs(peer(**options), corpus, test, rounds, confidence_rounds or -1)
        assert [(made.score, made.p, made.mean, made.ci) for made in found] == want


@pytest.mark.parametrize(("peer", "own", "options"), PAIRS, ids=[f"{own.__name__} {o}" for _, own, o in PAIRS])
@settings(deadline=None, max_examples=8)
@given(corpus=corpora())
def test_confidence_equals_sacrebleus(peer: Any, own: Any, options: dict[str, Any], corpus: Corpus) -> None:
    (system, *_), references = corpus
    metric = own(**options)
    found = confidence(metric, metric.statistics(system, references), 50)
    try:
        want = peer(**options).corpus_score(system, references, n_bootstrap=50)
    except TypeError:  # Python's numbers and NumPy's among the rounds: sacreBLEU cannot take their mean
        assert found.scores.dtype == np.float64
        return
    assert (found.mean, found.ci) == (float(want._mean), float(want._ci))


def test_several_metrics_share_the_draws_and_keep_their_numbers() -> None:
    generator = random.Random(5)
    references = [[" ".join(generator.choices(WORDS, k=9)) for _ in range(20)]]
    systems = [[line.replace(word, "") for line in references[0]] for word in ("cat", "the", "a")]
    metrics: list[Metric] = [Proportion("exact_match", "version:1"), Chrf(), Ter(), Proportion("again", ""), Bleu()]
    comparisons = [Comparison(metric, statistics(metric, (systems, references))) for metric in metrics]
    for test, _, _ in TESTS:
        together = paired(comparisons, test, 40, confidence_rounds=9)
        alone = [paired([one], test, 40, confidence_rounds=9)[0] for one in comparisons]
        assert together == alone
    tasks = [(one.metric, one.systems[0]) for one in comparisons]
    for joint, (metric, rows) in zip(confidences(tasks, 30), tasks, strict=True):
        assert (joint.mean, joint.ci) == (confidence(metric, rows, 30).mean, confidence(metric, rows, 30).ci)


def test_sums_that_float32_cannot_hold_are_rounded_as_sacrebleu_rounds_them() -> None:
    generator = np.random.default_rng(3)
    sides = generator.integers(50_000, 200_000, size=(400, 6, 2))
    rows = np.concatenate([sides, sides.min(axis=2, keepdims=True) * 7 // 10], axis=2).reshape(400, 18)
    assert rows.sum(axis=0).max() > 2**25
    _, want = _bootstrap_resample(rows.tolist(), CHRF(), 50)
    found = confidence(Chrf(), rows, 50)
    assert found.scores.dtype == np.float32
    assert found.scores.tolist() == [float(made.score) for made in want]
    exact = confidence(Chrf(), rows // 1000, 50).scores  # the same draws without the rounding
    assert found.scores.tolist() != exact.tolist()


def test_mean_lengths_of_three_references_are_rounded_as_sacrebleu_rounds_them() -> None:
    generator = random.Random(2)
    references = [[" ".join(generator.choices(WORDS, k=generator.randrange(1, 12))) for _ in range(50)] for _ in "123"]
    rows = Ter().statistics(references[0][::-1], references)
    _, want = _bootstrap_resample(TER()._extract_corpus_statistics(references[0][::-1], references), TER(), 80)
    assert confidence(Ter(), rows, 80).scores.tolist() == [float(made.score) for made in want]


@pytest.mark.parametrize("segments", [1, 7, 33])
def test_blocks_change_no_number(segments: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(segments)
    systems = [np.sort(generator.integers(1, 90, size=(segments, 6, 3)), axis=2)[..., ::-1] for _ in range(2)]
    one = [Comparison(Chrf(), [rows.reshape(segments, 18) for rows in systems])]
    whole = [paired(one, "bs", 100), paired(one, "ar", 100, confidence_rounds=50)]
    monkeypatch.setattr(sacrebleu_compat, "BLOCK", 8)
    assert [paired(one, "bs", 100), paired(one, "ar", 100, confidence_rounds=50)] == whole


@pytest.mark.parametrize("segments", [1, 2, 3, 1000, 4097])
def test_the_draws_are_those_of_choice(segments: int) -> None:
    want = np.random.default_rng(1).choice(segments, size=(50, segments), replace=True)
    blocks = list(sacrebleu_compat._draws(segments, 50, np.random.default_rng(1)))
    assert np.concatenate([drawn for _, drawn, _ in blocks]).tolist() == want.tolist()
    assert all(int(counts[0, 0]) == int((drawn[0] == 0).sum()) for _, drawn, counts in blocks)


def test_a_metric_that_sacrebleu_lacks_is_resampled_exactly() -> None:
    metric = Proportion("exact_match", "version:1")
    hits = np.array([1] * 30 + [0] * 10)
    rows = np.stack([hits, np.ones(40, dtype=np.int64)], axis=1)
    want = hits[np.random.default_rng(12345).choice(40, size=(200, 40))].mean(axis=1)
    found = confidence(metric, rows, 200)
    assert found.scores.tolist() == want.tolist()
    assert found.mean == pytest.approx(0.75, abs=0.02)
    # Numbers beyond float32 and, for the shuffles, beyond float64.
    for large in (2**25 + 1, 2**52 + 1):
        huge = [rows * large, rows[::-1] * large]
        (results,) = paired([Comparison(metric, huge)], "ar", 60)
        (small,) = paired([Comparison(metric, [rows, rows[::-1]])], "ar", 60)
        assert [made.score for made in results] == [0.75, 0.75]
        assert results[1].p == small[1].p


def test_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    assert environment_seed() == 12345
    monkeypatch.setenv("SACREBLEU_SEED", "17")
    assert environment_seed() == 17
    monkeypatch.setenv("SACREBLEU_SEED", "None")
    assert environment_seed() is None
    monkeypatch.setenv("SACREBLEU_SEED", "1.5")
    with pytest.raises(ValueError, match=r"SACREBLEU_SEED is '1\.5'"):
        environment_seed()


def test_what_cannot_be_resampled_says_why() -> None:
    rows = np.ones((3, 18), dtype=np.int64)
    with pytest.raises(ValueError, match="systems of unequal length: 3, 2 segments"):
        paired([Comparison(Chrf(), [rows, rows[:2]])])
    with pytest.raises(ValueError, match="nothing to resample"):
        confidence(Chrf(), rows[:0])
    with pytest.raises(ValueError, match="nothing to resample"):
        paired([])
    with pytest.raises(ValueError, match="at least 1 round, not -5"):
        confidence(Chrf(), rows, -5)
