"""Scores from sums that stand in NumPy arrays, as sacreBLEU computes them when it resamples.

sacreBLEU adds up resampled statistics in float32, and since NumPy 2 (NEP 50) what is computed with a float32 scalar
and Python's numbers stays float32. The score of a resample is therefore a float32 number, except where sacreBLEU's
code returns a number of Python's own; one such number among the rounds makes NumPy hold all of them as float64. Both
are repeated here over whole arrays, operation by operation in sacreBLEU's order, so every bit is its.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import bleu_cpu
from kernels.base import Metric
from kernels.bleu_score import Bleu
from kernels.chrf_score import EPSILON, Chrf
from kernels.ter_score import WORD, Ter

Single = NDArray[np.float32]
NO_LOGARITHM = -9999999999
"""What sacreBLEU takes for the logarithm of 0."""


def single(metric: Metric, statistics: NDArray[np.int64]) -> Single | None:
    """Statistics in the precision in which sacreBLEU resamples them; None for a metric that it does not have."""
    match metric:
        case Ter():
            lengths: Single = (statistics / np.array([1, WORD])).astype(np.float32)
            return lengths
        case Chrf() | Bleu():
            return statistics.astype(np.float32)
    return None


def resampled_scores(metric: Metric, sums: NDArray[Any]) -> NDArray[Any]:
    """The score of each row of sums of `single` statistics; shape (rounds, columns) -> (rounds,).

    float32 or float64, whichever NumPy makes of sacreBLEU's scores. Sums of a metric that sacreBLEU does not have are
    taken for what they are.
    """
    match metric:
        case Chrf(eps_smoothing=True):
            return _eased_chrf(metric, sums)
        case Chrf():
            return _chrf(metric, sums)
        case Ter():
            return _ter(sums)
        case Bleu():
            return _bleu(metric, sums)
    return metric.from_statistics(sums)


def shuffled_scores(metric: Metric, sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """The score of each row of integer sums, as sacreBLEU's approximate randomisation has it.

    Its sums stand in an integer array there, where what add-k smoothing adds loses its fraction.
    """
    if isinstance(metric, Bleu) and metric.smooth_method == "add-k" and metric.smooth_value is not None:
        added = float(math.trunc(metric.smooth_value))
        return bleu_cpu.scores(sums, metric.max_ngram_order, "add-k", added, metric.effective_order)
    return metric.from_statistics(sums)


def _held(numbers: NDArray[Any], own: NDArray[Any] | float, pythons: NDArray[np.bool_]) -> NDArray[Any]:
    """What NumPy makes of a list of float32 `numbers` with Python's `own` in some places."""
    return np.where(pythons, own, numbers.astype(np.float64)) if pythons.any() else numbers


def _chrf(metric: Chrf, sums: Single) -> NDArray[Any]:
    factor = metric.beta**2
    precision, recall, effective = np.zeros((3, len(sums)), dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        for order in range(metric.columns // 3):
            hypothesis, reference, match = sums[:, 3 * order : 3 * order + 3].T
            both = (hypothesis > 0) & (reference > 0)
            precision += np.where(both, match / hypothesis, np.float32(0))
            recall += np.where(both, match / reference, np.float32(0))
            effective += both
        precision, recall = precision / effective, recall / effective
        f_score = (1 + factor) * precision * recall / (factor * precision + recall)
    return _held(100 * f_score, 0.0, ~(precision + recall > 0))


def _eased_chrf(metric: Chrf, sums: Single) -> NDArray[Any]:
    """A round's score is Python's own until the first order whose F-score is a float32."""
    factor = metric.beta**2
    absent = (1 + factor) * EPSILON * EPSILON / (factor * EPSILON + EPSILON)
    score, own = np.zeros(len(sums), dtype=np.float32), np.zeros(len(sums))
    pythons = np.ones(len(sums), dtype=np.bool_)
    with np.errstate(divide="ignore", invalid="ignore"):
        for order in range(metric.columns // 3):
            hypothesis, reference, match = sums[:, 3 * order : 3 * order + 3].T
            found = np.where(hypothesis > 0, match / hypothesis, np.float32(EPSILON))
            wanted = np.where(reference > 0, match / reference, np.float32(EPSILON))
            below = factor * found + wanted
            neither = (hypothesis == 0) & (reference == 0)
            computed = ~neither & (below > 0)
            term = np.where(neither, absent, EPSILON)
            f_score = (1 + factor) * found * wanted / below
            score = np.where(pythons, own, score).astype(np.float32)
            score += np.where(computed, f_score, term.astype(np.float32))
            pythons &= ~computed
            own += term
    orders = metric.columns // 3
    return _held(100 * score / np.float32(orders), 100 * own / orders, pythons)


def _ter(sums: Single) -> NDArray[Any]:
    edits, length = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return _held(100 * (edits / length), np.where(edits > 0, 100.0, 0.0), ~(length > 0))


def _bleu(metric: Bleu, sums: Single) -> NDArray[np.float64]:
    """The logarithms are libm's and their sum is Python's: NumPy's differ in the last bit."""
    orders = metric.max_ngram_order
    value = bleu_cpu.SMOOTHING[metric.smooth_method] if metric.smooth_value is None else metric.smooth_value
    value = value or 0.0
    correct, total = sums[:, 2 : 2 + orders].copy(), sums[:, 2 + orders :].copy()
    matched = correct.any(axis=1)
    if metric.smooth_method == "add-k":
        correct[:, 1:] += value
        total[:, 1:] += value
    reached = np.logical_and.accumulate(total != 0, axis=1)
    missed = reached & (correct == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = 100.0 * correct / total
        if metric.smooth_method == "exp":
            halved = np.ldexp(1.0, np.cumsum(missed, axis=1)).astype(np.float32)
            precision = np.where(missed, 100.0 / (halved * total), precision)
        elif metric.smooth_method == "floor":
            precision = np.where(missed, 100.0 * value / total, precision)
        precision = np.where(reached, precision, 0)
    counted = reached.sum(axis=1) if metric.effective_order else np.full(len(sums), orders)
    scores = np.zeros(len(sums))
    for row in np.flatnonzero(matched):
        scores[row] = _geometric(int(sums[row, 0]), int(sums[row, 1]), precision[row, : counted[row]].tolist())
    return scores


def _geometric(length: int, reference: int, precisions: list[float]) -> float:
    """The brevity penalty times the geometric mean of the precisions. What matches has a length."""
    brevity = math.exp(1 - reference / length) if length < reference else 1.0
    logarithms = [math.log(precision) if precision else NO_LOGARITHM for precision in precisions]
    return brevity * math.exp(sum(logarithms) / len(precisions))
