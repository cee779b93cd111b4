"""Scores -> cells: one for each task, language, mode and metric of a run."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import add

import numpy as np
from numpy.typing import NDArray

import kernels
from bench.fidelity import identifiable
from bench.prompting import order
from bench.records import Cell, Mode, Score
from bench.scoring import FIDELITY, Answered, Verdicts, chance, metric_for
from bench.statistics import interval, upper_bound
from tasks import prompts
from tasks.records import Task, Variety

TOO_FEW_ITEMS = 20
UNREVIEWED = "unreviewed_prompt"
UNEVEN = "uneven_repeats"
NOT_ANSWERED = "not_answered"
"""The reason of a request that has no answer yet: it was not sent, or was under way when the run ended."""
FEWEST_AT_A_PLACE = 10
ITEMS_FOR_A_CLAIM = 299
"""With fewer items not even a faultless run shows, at 95 %, that under 1 % of all answers break a rule."""
ERRORS_ALLOWED = 0.005
"""A cell with a larger share of errors is not published."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one cell is about: the answers of one model to one task in one language and mode."""

    model: str
    task: Task
    variety: Variety
    mode: Mode
    prompt_language: str
    shots: int
    answered: Sequence[Answered]
    currency: str = ""


def cells(group: Group, scores: Iterable[Score], rotation: int = 0) -> Iterator[Cell]:
    """A cell for each metric of the task, the headline first. Options were shown `rotation` places further on."""
    by_metric: dict[str, dict[str, Score]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, {})[score.request] = score
    verdicts = (score.statistics for score in by_metric.get(FIDELITY, {}).values())
    spoken = language_facts(group.task, group.variety.language, group.mode, verdicts)
    for name in group.task.metrics:
        yield _cell(group, name, by_metric.get(name, {}), spoken, rotation)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a cell says of the language of its answers; None and a reason where it says nothing."""

    wrong_language: float | None = None
    language_verdicts: int | None = None
    script_verdicts: int | None = None
    wrong_script: float | None = None
    word_pass: float | None = None
    identifier_recall: float | None = None
    native_digits: int | None = None
    other_digits: int | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def blind_to(task: Task, language: str) -> bool:
    """Whether a task asks for a language that the identifier cannot tell: then no violation is no evidence."""
    return task.language_rule and not identifiable(language)[0]


def bound(task: Task, language: str, broken: int | None, counted: int) -> float | None:
    """The exact 95 % upper bound of the share of answers that break a rule; None where nothing shows it."""
    return None if not counted or broken is None or blind_to(task, language) else upper_bound(broken, counted)


def reviewed(task: Task, language: str, prompt_language: str) -> bool:
    """Whether a speaker has read the prompt; English ones are read by everybody who works on this."""
    return prompt_language == "english" or prompts.choose(task, language, prompt_language).review != "unreviewed"


def language_facts(task: Task, language: str, mode: str, rows: Iterable[tuple[int, ...]]) -> Spoken:
    """The language of the generated answers of one cell, from the `Verdicts` on each of them."""
    if mode != "generate":
        return Spoken(reasons={"wrong_language": "not_generated"})
    sums = np.zeros(len(fields(Verdicts)), dtype=np.int64)
    for row in rows:
        sums += np.array(row, dtype=np.int64)
    found = Verdicts(*sums.tolist())
    if task.answer_language == "none":
        why = dict.fromkeys(("wrong_language", "wrong_script", "word_pass"), "no_language_wanted")
        return Spoken(native_digits=found.native, other_digits=found.other, reasons=why)
    wanted = language if task.answer_language == "own" else task.answer_language
    known, recall, _ = identifiable(wanted)
    reasons = {}
    if not found.scripted:
        reasons["wrong_script"] = "no_letters"
    if not found.judged:
        reasons["wrong_language"] = "too_short" if known else "identifier_recall"
    if not found.clean:
        reasons["word_pass"] = "no_verdict"  # noqa: S105 - no password
    return Spoken(
        wrong_language=1 - found.right / found.judged if found.judged else None,
        language_verdicts=found.judged,
        script_verdicts=found.scripted,
        wrong_script=1 - found.lettered / found.scripted if found.scripted else None,
        word_pass=found.pure / found.clean if found.clean else None,
        identifier_recall=recall,
        native_digits=found.native,
        other_digits=found.other,
        reasons=reasons,
    )


def position_bias(group: Group, scores: Mapping[str, Score], rotation: int) -> float | None:
    """The standard deviation of the recall over the places where the right option stood; None where none were shown.

    RStd of Zheng et al. (2024), "Large Language Models Are Not Robust Multiple Choice Selectors": 0 for a model that
    does not mind the place. Over the places that had at least ten right options.
    """
    if group.task.kind != "choice" or group.mode == "loglikelihood":
        return None
    hits: dict[int, list[int]] = {}
    for one in group.answered:
        score = scores.get(one.response.request)
        if score is not None and one.sample.answer is not None:
            place = order(group.task, one.sample, rotation).index(one.sample.answer)
            hits.setdefault(place, []).append(score.statistics[0])
    recalls = [sum(right) / len(right) for right in hits.values() if len(right) >= FEWEST_AT_A_PLACE]
    return float(np.std(recalls)) if len(recalls) > 1 else None


def pooled(rows: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """Item -> its statistics, those of its repeats added up, from (item, statistics) of single answers."""
    sums: dict[str, tuple[int, ...]] = {}
    for item, row in rows:
        known = sums.get(item)
        sums[item] = row if known is None else tuple(map(add, known, row))
    return sums


def uneven(items: Iterable[str]) -> bool:
    """Whether some items were asked more often than others, so that they would weigh more."""
    return len(set(Counter(items).values())) > 1


def broken_rules(statistics: NDArray[np.int64]) -> int:
    """How many items were not obeyed every time; `statistics` are (right, counted), shape (items, 2)."""
    return int((statistics[:, 0] < statistics[:, 1]).sum())


def _cell(group: Group, name: str, scores: Mapping[str, Score], spoken: Spoken, rotation: int) -> Cell:
    task, metric = group.task, metric_for(group.task, name, group.variety.language)
    counted = [one for one in group.answered if one.response.request in scores]
    failed = sum(one.response.status == "error" for one in group.answered)
    skipped = [one.response.reason for one in group.answered if one.response.status == "skipped"]
    outcomes = Counter(score.outcome for score in scores.values())
    references = {len(one.sample.references) for one in counted}
    tokens = _total(one.response.output_tokens for one in counted)
    reasons = {"energy": "not_measured", **spoken.reasons}
    if tokens is None:
        reasons["output_tokens"] = "not_reported"
    if skipped:
        reasons["rank"] = skipped[0]
    if not reviewed(task, group.variety.language, group.prompt_language):
        reasons["rank"] = UNREVIEWED
    if group.variety.flaw:
        reasons["rank"] = group.variety.flaw
    if any(one.response.reason == "prompt_truncated" for one in counted):
        reasons["prompt"] = "prompt_truncated"
    known = {one.sample.item: one for one in counted}
    items = pooled((one.sample.item, scores[one.response.request].statistics) for one in counted)
    statistics = np.array(list(items.values()), dtype=np.int64).reshape(len(items), metric.columns)
    if counted:
        value = _value(group, name, metric, statistics, list(known.values()), failed)
        reasons |= value.reasons
        if skipped:
            reasons["value"] = "incomplete"
    else:
        value = Value()
        reasons["value"] = skipped[0] if skipped else "errors"
    broken = broken_rules(statistics) if task.kind == "rules" and counted else None
    if task.kind == "rules" and len(items) < ITEMS_FOR_A_CLAIM:
        reasons["violation_bound"] = "too_few_items_for_1_percent"
    if blind_to(task, group.variety.language):
        reasons["violation_bound"] = reasons["rank"] = "identifier_recall"
    repeats = 1 + max((one.repeat for one in group.answered), default=0)
    if uneven(one.sample.item for one in group.answered):
        reasons["value"] = reasons["rank"] = UNEVEN
    spread = _deviation(metric, scores, counted, repeats)
    if repeats > 1 and spread is None:
        reasons["repeat_deviation"] = "incomplete"
    paid = _paid(group, metric, statistics)
    reasons |= paid.reasons
    return Cell(
        model=group.model,
        task=task.name,
        task_version=task.version,
        language=group.variety.language,
        variety=group.variety.variety,
        vertical=task.vertical,
        area=task.area,
        metric=name,
        signature=f"{metric.name}|{metric.signature(references.pop() if len(references) == 1 else -1)}",
        value=value.value,
        normalised=value.normalised,
        chance=value.chance,
        n=len(items),
        ci_low=value.low,
        ci_high=value.high,
        mode=group.mode,
        prompt_language=group.prompt_language,
        shots=group.shots,
        errors=failed,
        truncated=sum(one.response.finish == "length" for one in counted),
        unparsed=outcomes["unparsed"],
        wrong_language=spoken.wrong_language,
        output_tokens=tokens,
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
        language_verdicts=spoken.language_verdicts,
        script_verdicts=spoken.script_verdicts,
        wrong_script=spoken.wrong_script,
        word_pass=spoken.word_pass,
        identifier_recall=spoken.identifier_recall,
        native_digits=spoken.native_digits,
        other_digits=spoken.other_digits,
        violations=broken,
        violation_bound=bound(task, group.variety.language, broken, len(items)),
        position_bias=position_bias(group, scores, rotation) if name == task.metrics[0] else None,
        repeats=repeats,
        repeat_deviation=spread,
        unfinished=outcomes["truncated"],
        unasked=sum(one.response.reason == NOT_ANSWERED for one in group.answered),
        reasoning_tokens=_total(one.response.reasoning_tokens for one in counted),
        cost=paid.cost,
        currency=group.currency if paid.cost is not None else "",
        cost_per_correct=paid.per_correct,
        reasons=reasons,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum; None where one is not known, or there are none."""
    known = list(counts)
    told = [count for count in known if count is not None]
    return sum(told) if told and len(told) == len(known) else None


def _deviation(
    metric: kernels.Metric, scores: Mapping[str, Score], counted: Sequence[Answered], repeats: int
) -> float | None:
    """The standard deviation (n - 1) of the values of single repeats; None unless all repeats have the same items."""
    rows: list[list[tuple[int, ...]]] = [[] for _ in range(repeats)]
    for one in counted:
        rows[one.repeat].append(scores[one.response.request].statistics)
    if repeats == 1 or len({len(found) for found in rows}) > 1 or not rows[0]:
        return None
    return float(np.std([_corpus(metric, np.array(found, dtype=np.int64)) for found in rows], ddof=1))


@dataclass(frozen=True, slots=True)
class Paid:
    """What the answers of a cell cost; None and a reason where that is not known."""

    cost: float | None = None
    per_correct: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def _paid(group: Group, metric: kernels.Metric, statistics: NDArray[np.int64]) -> Paid:
    """The cost of all answers; one that was given before a price was known leaves the sum unknown."""
    if not group.currency:
        return Paid(reasons=dict.fromkeys(("cost", "cost_per_correct"), "no_price"))
    costs = [one.cost for one in group.answered if one.response.status == "ok"]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return Paid(reasons=dict.fromkeys(("cost", "cost_per_correct"), "not_reported"))
    cost = math.fsum(known)
    if not metric.binary:
        return Paid(cost, reasons={"cost_per_correct": "corpus_metric"})
    right = int(statistics[:, 0].sum())
    return Paid(cost, cost / right) if right else Paid(cost, reasons={"cost_per_correct": "none_correct"})


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
    statistics: NDArray[np.int64],
    counted: Sequence[Answered],
    failed: int,
) -> Value:
    value = _corpus(metric, statistics)
    blind = chance(group.task, [one.sample for one in counted])
    clusters = [drawn_with(one.sample.item, one.sample.cluster) for one in counted]
    found = interval(metric, statistics, clusters, seed(group.task.name, group.variety.language, name))
    reasons = {}
    if found.reason:
        reasons["ci_low"] = reasons["ci_high"] = found.reason
    floor, normalised, lacking = on_scale(metric, value, blind)
    if lacking:
        reasons["normalised"] = lacking
    if floor is None:
        reasons["chance"] = lacking
    if len(counted) < TOO_FEW_ITEMS:
        reasons["rank"] = "too_few_items"
    worst: float | None = value
    best: float | None = value
    if failed:
        reasons["value"] = "incomplete"
        worst, best = bounds(statistics, failed) if metric.binary else (None, None)
        if worst is None:  # one more text can move a corpus score anywhere
            reasons["worst"] = reasons["best"] = "corpus_metric"
    return Value(
        value=value,
        normalised=normalised,
        chance=floor,
        low=found.low,
        high=found.high,
        worst=worst,
        best=best,
        reasons=reasons,
    )


def same_options(one: str, other: str) -> bool:
    """Whether two signatures are of the same metric, version and options. How many references is up to the data."""
    first, second = ([part for part in text.split("|") if not part.startswith("nrefs:")] for text in (one, other))
    return first == second


def on_scale(metric: kernels.Metric, value: float, blind: float) -> tuple[float | None, float | None, str]:
    """What blind choice scores, where a value lies between that and the best, and why there is none of the two.

    Nothing bounds an error rate from above, so there is no worst score to measure it from.
    """
    if not metric.higher_is_better:
        return None, None, "error_rate"
    floor = blind * metric.best
    if blind == 1:
        return floor, None, "no_choice"
    return floor, (value - floor) / (metric.best - floor), ""


def drawn_with(item: str, cluster: str) -> str:
    """The name of what is drawn together with an item; one without a cluster stands for itself."""
    return f"/{cluster}" if cluster else item


def seed(task: str, language: str, metric: str) -> int:
    """The seed of a cell's interval: the same wherever it is computed anew."""
    return zlib.crc32(f"{task}/{language}/{metric}".encode())


def bounds(statistics: NDArray[np.int64], lost: int) -> tuple[float, float]:
    """The share of right answers if all lost ones were wrong, and if all were right."""
    right, counted = statistics.sum(axis=0).tolist()
    return right / (counted + lost), (right + lost) / (counted + lost)


def _corpus(metric: kernels.Metric, statistics: NDArray[np.int64]) -> float:
    """The corpus value; sacreBLEU's perfect BLEU is 100.00000000000004, which no scale here goes up to."""
    value = float(metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0])
    return min(value, metric.best) if metric.higher_is_better else value
