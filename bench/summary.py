"""Scores -> cells: one for each task, language, mode and metric of a run."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import kernels
from bench.records import Cell, Mode, Score
from bench.scoring import Answered, chance, extremes
from bench.statistics import interval
from tasks.records import Sample, Task

TOO_FEW_ITEMS = 20
ERRORS_ALLOWED = 0.005
"""A cell with a larger share of errors is not published."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one cell is about: the answers of one model to one task in one language and mode."""

    model: str
    task: Task
    language: str
    variety: str
    mode: Mode
    prompt_language: str
    shots: int
    answered: Sequence[Answered]


def cells(group: Group, scores: Iterable[Score]) -> Iterator[Cell]:
    """A cell for each metric of the task, the headline first."""
    by_metric: dict[str, dict[str, Score]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, {})[score.request] = score
    for name in group.task.metrics:
        yield _cell(group, name, by_metric.get(name, {}))


def _cell(group: Group, name: str, scores: Mapping[str, Score]) -> Cell:
    task, metric = group.task, kernels.metric(name)
    counted = [one for one in group.answered if one.response.request in scores]
    failed = [one.sample for one in group.answered if one.response.status == "error"]
    skipped = [one.response.reason for one in group.answered if one.response.status == "skipped"]
    outcomes = Counter(score.outcome for score in scores.values())
    references = {len(one.sample.references) for one in counted}
    tokens = [one.response.output_tokens for one in counted if one.response.output_tokens is not None]
    told = bool(counted) and len(tokens) == len(counted)
    reasons = {
        "wrong_language": "not_measured",
        "output_tokens_per_joule": "not_measured",
        "energy_scope": "not_measured",
    }
    if not told:
        reasons["output_tokens"] = "not_reported"
    if skipped:
        reasons["rank"] = skipped[0]
    if any(one.response.reason == "prompt_truncated" for one in counted):
        reasons["prompt"] = "prompt_truncated"
    if counted:
        value = _value(
            group, name, metric, [scores[one.response.request].statistics for one in counted], counted, failed
        )
        reasons |= value.reasons
    else:
        value = Value()
        reasons["value"] = skipped[0] if skipped else "errors"
    return Cell(
        model=group.model,
        task=task.name,
        task_version=task.version,
        language=group.language,
        variety=group.variety,
        vertical=task.vertical,
        area=task.area,
        metric=name,
        signature=f"{metric.name}|{metric.signature(references.pop() if len(references) == 1 else -1)}",
        value=value.value,
        normalised=value.normalised,
        chance=value.chance,
        n=len(counted),
        ci_low=value.low,
        ci_high=value.high,
        mode=group.mode,
        prompt_language=group.prompt_language,
        shots=group.shots,
        errors=len(failed),
        truncated=sum(one.response.finish == "length" for one in counted),
        unparsed=outcomes["unparsed"],
        wrong_language=None,
        output_tokens=sum(tokens) if told else None,
        output_tokens_per_joule=None,
        energy_scope=None,
        energy_provenance="none",
        worst=value.worst,
        best=value.best,
        skipped=len(skipped),
        empty=outcomes["empty"],
        refused=outcomes["refused"],
        headline=name == task.metrics[0],
        floor=task.floor,
        reasons=reasons,
    )


@dataclass(frozen=True, slots=True)
class Value:
    """The numbers of a cell; None and a reason where there is none."""

    value: float | None = None
    normalised: float | None = None
    chance: float | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    best: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def _value(
    group: Group,
    name: str,
    metric: kernels.Metric,
    rows: Sequence[tuple[int, ...]],
    counted: Sequence[Answered],
    failed: Sequence[Sample],
) -> Value:
    statistics = np.array(rows, dtype=np.int64)
    value = _corpus(metric, statistics)
    blind = chance(group.task, [one.sample for one in counted])
    # An item without a cluster stands for itself.
    clusters = [one.sample.cluster or one.sample.item for one in counted]
    found = interval(
        metric, statistics, clusters, seed=zlib.crc32(f"{group.task.name}/{group.language}/{name}".encode())
    )
    reasons = {}
    if found.reason:
        reasons["ci_low"] = reasons["ci_high"] = found.reason
    if len(counted) < TOO_FEW_ITEMS:
        reasons["rank"] = "too_few_items"
    worst = best = value
    if failed:
        reasons["value"] = "incomplete"
        lows, highs = extremes(group.task, name, failed)
        worst = _corpus(metric, np.vstack([statistics, lows]))
        best = _corpus(metric, np.vstack([statistics, highs]))
    return Value(
        value=value,
        normalised=(value - blind * metric.best) / (metric.best - blind * metric.best),
        chance=blind * metric.best,
        low=found.low,
        high=found.high,
        worst=worst,
        best=best,
        reasons=reasons,
    )


def _corpus(metric: kernels.Metric, statistics: NDArray[np.int64]) -> float:
    return float(metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0])
