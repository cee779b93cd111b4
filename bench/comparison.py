"""Runs compared item by item: which is better, by how much, and what the data could have shown at all.

Pure functions of the scores that run files hold. Two runs are paired where both scored the same item, asked in the same
way; a difference between models is far smaller than what items differ among themselves, and pairing takes that out
(Miller 2024, arXiv 2411.00640). p is from a test that is exact for equal models, and Holm's (1979) over all that one
call compares: with equal models the chance of any false verdict is at most 5 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

import kernels
from bench import joint
from bench.difference import DETECTABLE, ROUNDS, TRIALS, Pair, difference, holm, stretched, within
from bench.records import Cell, UsageError
from bench.runfile import RunFile
from bench.runfile_records import SampleFacts
from bench.statistics import CLUSTERS_NEEDED
from bench.summary import TOO_FEW_ITEMS, UNEVEN, drawn_with, pooled, same_options, seed
from kernels.base import Metric, Scores, Statistics

Verdict = Literal["better", "worse", "not_separable", "too_few_items", "too_few_clusters", "not_comparable"]
LEVEL = 0.05
CLOSE = 1e-9
"""A smaller spread is what floating point makes of none."""
TRIALS_EACH = 40
"""Trials of a test by chance, for each comparison of the call: so that Holm's strictest level can be reached."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one run scored in one language of one task, asked in one way, by one metric.

    `items` maps each item that has a score to what the run keeps of its sample and to its statistics.
    """

    cell: Cell
    items: Mapping[str, tuple[SampleFacts, tuple[int, ...]]]

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Task, language, variety and metric: what can be compared at all."""
        return self.cell.task, self.cell.language, self.cell.variety, self.cell.metric

    @property
    def asked(self) -> dict[str, str | int]:
        """What must be equal besides: else the two runs were asked different things."""
        cell = self.cell
        return {
            "task_version": cell.task_version,
            "mode": cell.mode,
            "prompt_language": cell.prompt_language,
            "shots": cell.shots,
            "repeats": cell.repeats,
        }


@dataclass(frozen=True, slots=True)
class Scored:
    """A run's answers by one metric a task, with the names under which it is compared."""

    name: str
    model: str
    answers: Sequence[Answers]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A system against the baseline in one language, or (`scope` "macro") their mean over a task's languages.

    Values and differences (system less baseline) are in the metric's own unit. `baseline_only` and `system_only` count
    the items that only one of them scored, which are left out. `p` is two-sided and by itself, `p_adjusted` Holm's
    over the `comparisons` of the call. `minimum_detectable` is the difference that a test of one comparison at 5 %
    finds in 80 % of cases. What is missing is None, and `reasons` maps the field's name to a reason code; `macro` is
    why a language is in no mean.
    """

    scope: Literal["language", "macro"]
    baseline: str
    system: str
    baseline_run: str
    system_run: str
    task: str
    task_version: str
    language: str | None
    variety: str
    languages: int
    metric: str
    signature: str
    mode: str
    prompt_language: str
    shots: int
    n: int = 0
    clusters: int | None = None
    baseline_only: int = 0
    system_only: int = 0
    baseline_value: float | None = None
    system_value: float | None = None
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    standard_error: float | None = None
    minimum_detectable: float | None = None
    test: str | None = None
    p: float | None = None
    p_adjusted: float | None = None
    comparisons: int = 0
    verdict: Verdict | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


NUMBERS = (
    *("clusters", "baseline_value", "system_value", "difference", "ci_low", "ci_high", "standard_error"),
    *("minimum_detectable", "test", "p", "p_adjusted"),
)


def read(run: RunFile, cells: Iterable[Cell], name: str, metric: str | None = None) -> Scored:
    """A run's scores by each task's headline metric, or by `metric` in those tasks that have it."""
    facts = run.samples()
    asked = {request: (sample, how) for request, sample, *how in run.planned()}
    rows: dict[tuple[object, ...], list[tuple[str, tuple[int, ...]]]] = {}
    known: dict[tuple[object, ...], dict[str, SampleFacts]] = {}
    for score in run.scores():
        sample, how = asked[score.request]
        *place, item = sample.split("/", 3)
        rows.setdefault((*place, *how, score.metric), []).append((item, score.statistics))
        known.setdefault((*place, *how, score.metric), {})[item] = facts[sample]
    items = {key: {item: (known[key][item], row) for item, row in pooled(found).items()} for key, found in rows.items()}
    answers = []
    for cell in cells:
        if cell.metric == metric if metric else cell.headline:
            where = f"{cell.task}@{cell.task_version}", cell.language, cell.variety
            key = (*where, cell.mode, cell.prompt_language, cell.shots, cell.metric)
            answers.append(Answers(cell, items.get(key, {})))
    return Scored(name, run.manifest()["model"], answers)


def compare(baseline: Scored, systems: Sequence[Scored]) -> list[Comparison]:
    """Every system against the baseline in every language of every task, then the means over each task's languages.

    Raises `UsageError` where a run's scores are not those of their metric.
    """
    matched = [[_paired(one) for one in _matched(baseline, system)] for system in systems]
    testable = sum(record.verdict is None for found in matched for record, _ in found)
    trials = max(TRIALS, TRIALS_EACH * testable)
    tested = [_tested(record, pair, trials) for found in matched for record, pair in found]
    adjusted = iter(holm([one.p for one in tested if one.p is not None]))
    single = [_judged(one, next(adjusted), testable) if one.p is not None else one for one in tested]
    return [_explained(one) for one in (*single, *_macros(matched))]


@dataclass(frozen=True, slots=True)
class _Match:
    """Answers of the two runs that belong together; one side is missing, or `reason` says why they cannot be paired."""

    runs: tuple[Scored, Scored]
    baseline: Answers | None
    system: Answers | None
    reason: str = ""


def _matched(baseline: Scored, system: Scored) -> Iterator[_Match]:
    runs = (baseline, system)
    wanted = {(one.place, *one.asked.values()) for one in baseline.answers}
    same = {(one.place, *one.asked.values()): one for one in system.answers}
    others: dict[tuple[str, ...], list[Answers]] = {}
    for key, answers in same.items():
        if key not in wanted:
            others.setdefault(answers.place, []).append(answers)
    for one in baseline.answers:
        found = same.get((one.place, *one.asked.values()))
        if found:
            yield _Match(runs, one, found, _reason(one, found))
        elif others.get(one.place):
            found = others[one.place].pop(0)
            differs = next(name for name, value in one.asked.items() if value != found.asked[name])
            yield _Match(runs, one, found, f"other_{differs}")
        else:
            yield _Match(runs, one, None, "only_in_baseline")
    yield from (_Match(runs, None, one, "only_in_system") for left in others.values() for one in left)


def _reason(one: Answers, other: Answers) -> str:
    """Why two runs that were asked in the same way still cannot be paired; empty where they can."""
    shared = one.items.keys() & other.items.keys()
    if UNEVEN in (one.cell.reasons.get("rank"), other.cell.reasons.get("rank")):
        return UNEVEN
    # How many references there are is the data's, whose hashes are compared; a cell sees only those that got answers.
    if not same_options(one.cell.signature, other.cell.signature):
        return "other_signature"
    if any(one.items[item][0].hash != other.items[item][0].hash for item in shared):
        return "other_data"
    return "" if shared else "no_common_items"


def _paired(match: _Match) -> tuple[Comparison, Pair | None]:
    """The record as far as counting goes, and the paired statistics where there are enough to count them."""
    one = match.baseline or match.system
    assert one is not None
    record = _record(match.runs, one.cell)
    if match.reason or not match.baseline or not match.system:
        return replace(record, verdict="not_comparable", reasons={"verdict": match.reason}), None
    ours, theirs = match.baseline.items, match.system.items
    if one.cell.metric not in kernels.METRICS:
        raise UsageError(f"{match.runs[0].name} is scored by {one.cell.metric}, which this program does not know")
    metric = kernels.metric(one.cell.metric)
    shared = [item for item in ours if item in theirs]
    if metric.binary:  # where one repeat failed on one side alone, the item would weigh more on the other
        shared = [item for item in shared if ours[item][1][-1:] == theirs[item][1][-1:]]
    sides = [
        _statistics(run, one.cell, metric, [items[item][1] for item in shared])
        for run, items in zip(match.runs, (ours, theirs), strict=True)
    ]
    pair = Pair(metric, sides[0], sides[1], [drawn_with(item, ours[item][0].cluster) for item in shared])
    first, second = metric.from_statistics(np.stack([side.sum(axis=0) for side in sides])).tolist()
    clusters = len(set(pair.units))
    verdict: Verdict | None = "too_few_clusters" if clusters < CLUSTERS_NEEDED else None
    counted = replace(
        record,
        n=len(shared),
        clusters=clusters,
        baseline_only=len(ours) - len(shared),
        system_only=len(theirs) - len(shared),
        baseline_value=first,
        system_value=second,
        difference=second - first,
        verdict="too_few_items" if len(shared) < TOO_FEW_ITEMS else verdict,
        reasons=_uncounted(one.cell, match.system.cell),
    )
    return counted, pair if counted.verdict != "too_few_items" else None


def _uncounted(*cells: Cell) -> dict[str, str]:
    """Why a language's data count in no mean, though both runs can be compared on them."""
    reasons = {cell.reasons.get("rank", "") for cell in cells} - {"", "too_few_items"}
    return {"macro": min(reasons)} if reasons else {}


def _record(runs: tuple[Scored, Scored], cell: Cell) -> Comparison:
    return Comparison(
        scope="language",
        baseline=runs[0].model,
        system=runs[1].model,
        baseline_run=runs[0].name,
        system_run=runs[1].name,
        task=cell.task,
        task_version=cell.task_version,
        language=cell.language,
        variety=cell.variety,
        languages=1,
        metric=cell.metric,
        signature=cell.signature,
        mode=cell.mode,
        prompt_language=cell.prompt_language,
        shots=cell.shots,
    )


def _statistics(run: Scored, cell: Cell, metric: Metric, rows: Sequence[tuple[int, ...]]) -> Statistics:
    if any(len(row) != metric.columns for row in rows):
        raise UsageError(
            f"{run.name}: the scores of {cell.task} are not {cell.metric}'s of this version; rescore the run"
        )
    return np.array(rows, dtype=np.int64)


def _tested(record: Comparison, pair: Pair | None, trials: int) -> Comparison:
    if pair is None or record.verdict is not None:
        return record
    tested = difference(pair, seed(record.task, record.language or "", record.metric), trials)
    spread = _spread(tested.low, tested.high, tested.error)
    return replace(record, **spread, test=tested.test, p=tested.p)


def _spread(low: float, high: float, error: float) -> dict[str, Any]:
    """Interval, standard error and what follows from it; none where nothing varies, for that is no certainty."""
    if error < CLOSE:
        return {"standard_error": 0.0} | ({"ci_low": low, "ci_high": high} if high - low > CLOSE else {})
    return {"ci_low": low, "ci_high": high, "standard_error": error, "minimum_detectable": DETECTABLE * error}


def _judged(record: Comparison, adjusted: float, comparisons: int) -> Comparison:
    verdict: Verdict = "not_separable"
    if adjusted <= LEVEL and record.difference:
        higher = kernels.metric(record.metric).higher_is_better
        verdict = "better" if (record.difference > 0) == higher else "worse"
    return replace(record, p_adjusted=adjusted, comparisons=comparisons, verdict=verdict)


def _explained(record: Comparison) -> Comparison:
    """The record with a reason for every number that it lacks."""
    told = record.reasons.get("verdict") or record.verdict or ""
    lacking = {name: told for name in NUMBERS if getattr(record, name) is None}
    if record.standard_error == 0:
        lacking |= dict.fromkeys({"ci_low", "ci_high", "minimum_detectable"} & lacking.keys(), "no_spread")
    return replace(record, reasons={**lacking, **record.reasons})


Found = list[tuple[Comparison, Pair | None]]


def _macros(matched: Sequence[Found]) -> Iterator[Comparison]:
    """For each task and system the mean over the languages that all runs with the task have."""
    tasks: dict[tuple[str | int, ...], dict[int, dict[tuple[str, str], tuple[Comparison, Pair]]]] = {}
    for number, found in enumerate(matched):
        for record, pair in found:
            key = (record.task, record.task_version, record.mode, record.prompt_language, record.shots, record.metric)
            if pair is not None and "macro" not in record.reasons:
                place = (record.language or "", record.variety)
                tasks.setdefault(key, {}).setdefault(number, {})[place] = (record, pair)
    for systems in tasks.values():
        complete = [place for place in next(iter(systems.values())) if all(place in one for one in systems.values())]
        for blocks in systems.values():
            first, _ = next(iter(blocks.values()))
            yield _macro(first, [blocks[place] for place in complete])


def _macro(like: Comparison, blocks: Sequence[tuple[Comparison, Pair]]) -> Comparison:
    why = "interval_only" if blocks else "no_language_in_all_runs"
    reasons = {"language": "macro", "verdict": why}
    empty = _record_of_mean(like, [record for record, _ in blocks])
    if not blocks:
        return replace(empty, reasons=reasons)
    names = sorted({unit for _, pair in blocks for unit in pair.units})
    known = replace(empty, clusters=len(names), reasons=reasons)
    if len(names) < CLUSTERS_NEEDED:
        few = dict.fromkeys(("ci_low", "ci_high", "standard_error", "minimum_detectable"), "too_few_clusters")
        return replace(known, reasons={**reasons, **few})
    varieties = Counter(record.language for record, _ in blocks)
    weights = np.array([1 / varieties[record.language] / len(varieties) for record, _ in blocks])
    drawn = _jointly([pair for _, pair in blocks], weights, names, seed(like.task, "", like.metric))
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    mean = known.difference or 0.0
    low, high, error = stretched(mean, low, high, float(drawn.std(ddof=1)), len(names))
    return replace(known, **_spread(*within(blocks[0][1].metric, mean, low, high), error))


def _record_of_mean(like: Comparison, records: Sequence[Comparison]) -> Comparison:
    """A record over many languages: what they have in common, counts added up, values averaged."""

    names = Counter(one.language for one in records)

    def mean(values: Iterable[float | None]) -> float | None:
        # Varieties of a language are one language together.
        shares = [(value or 0.0) / names[one.language] for one, value in zip(records, values, strict=True)]
        return sum(shares) / len(names) if records else None

    return replace(
        like,
        scope="macro",
        language=None,
        variety="",
        languages=len(names),
        n=sum(one.n for one in records),
        clusters=None,
        baseline_only=sum(one.baseline_only for one in records),
        system_only=sum(one.system_only for one in records),
        baseline_value=mean(one.baseline_value for one in records),
        system_value=mean(one.system_value for one in records),
        difference=mean(one.difference for one in records),
        verdict=None,
        reasons={},
    )


def _jointly(pairs: Sequence[Pair], weights: Scores, units: Sequence[str], seeded: int) -> Scores:
    """The mean difference over languages in each round, an item or passage being drawn for all languages at once."""

    def scores(side: Sequence[Statistics]) -> Scores:
        scored = [joint.Scored((), tuple(pair.units), rows) for pair, rows in zip(pairs, side, strict=True)]
        return joint.draws(pairs[0].metric, scored, units, ROUNDS, seeded)

    gained = scores([pair.system for pair in pairs]) - scores([pair.baseline for pair in pairs])
    mean: Scores = weights @ gained
    return mean
