"""Cells of metrics that are no share of right answers: what has a scale, bounds and a chance, and what has not."""

from __future__ import annotations

from dataclasses import replace

import pytest

import kernels
import tasks
from bench import summary
from bench.records import Cell, Response, Score
from bench.scoring import Answered
from bench.statistics import interval
from tasks.records import Sample


class Changed:
    """A metric whose scores are shares of right answers, and which says something else of itself."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> object:
        return getattr(ACCURACY, name)


ACCURACY = kernels.metric("accuracy")


def cell(monkeypatch: pytest.MonkeyPatch, **attributes: object) -> Cell:
    """The cell of 30 answers of which 20 score 1, and one that failed, in a metric with these attributes."""
    task = replace(tasks.get("cldr-territories"), chance=0.25)
    variety = task.varieties[0]
    monkeypatch.setattr(kernels, "metric", lambda _: Changed(**attributes))
    answered, scores = [], []
    for number in range(31):
        sample = Sample(task.name, task.version, variety.language, "", f"i{number}", "", {})
        response = Response(f"r{number}", "error" if number == 30 else "ok")
        answered.append(Answered(sample, "generate", response))
        if number < 30:
            scores.append(Score(f"r{number}", task.metrics[0], "scored", (int(number < 20), 1)))
    group = summary.Group("hf:a", task, variety, "generate", "english", 0, answered)
    return next(summary.cells(group, scores))


def test_a_share_of_right_answers_has_a_scale_and_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cell(monkeypatch)
    assert (found.chance, found.normalised) == pytest.approx((0.25, (2 / 3 - 0.25) / 0.75))
    assert (found.worst, found.best) == pytest.approx((20 / 31, 21 / 31))


def test_an_error_rate_has_no_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cell(monkeypatch, higher_is_better=False, best=0.0, binary=False)
    assert found.value == pytest.approx(2 / 3)
    assert found.chance is found.normalised is found.worst is found.best is None
    assert found.reasons["normalised"] == found.reasons["chance"] == "error_rate"
    assert found.reasons["worst"] == found.reasons["best"] == "corpus_metric"
    assert found.ci_low is not None and found.ci_high is not None


def test_a_mean_of_fractions_up_to_1_has_a_scale_and_no_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cell(monkeypatch, binary=False)
    assert found.normalised == pytest.approx((2 / 3 - 0.25) / 0.75)
    assert found.worst is None and found.reasons["worst"] == "corpus_metric"


def test_a_perfect_text_is_100_and_no_more() -> None:
    metric, text = kernels.metric("bleu"), "a b c d e f"
    statistics = metric.statistics([text] * 12, [[text] * 12])
    assert metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0] > 100  # sacreBLEU's own number
    assert summary._corpus(metric, statistics) == 100.0
    found = interval(metric, statistics, [f"c{number}" for number in range(12)], 1)
    assert found.low is not None and found.low < 100 and found.high == 100.0
