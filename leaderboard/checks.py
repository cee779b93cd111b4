"""What an uploaded run says of itself, held against its own scores and this program's tasks. Each check is one line."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

import kernels
import languages
import tasks
from bench.cards.facts import Facts
from bench.records import Cell, UsageError
from bench.runfile_records import Identity
from bench.scoring import metric_for
from bench.statistics import interval
from bench.summary import bound, bounds, broken_rules, drawn_with, language_facts, on_scale, same_options, seed
from leaderboard import arrays
from leaderboard.records import Block, Published, RunFacts, Scored, Stamp

TOLERANCE = 1e-9
"""Two machines may add up floats in another order; a value that its own scores do not give differs by far more."""

LARGEST = 2**63 - 1
"""No column of a snapshot holds a larger number."""


@dataclass(slots=True)
class Tally:
    """What became of the requests of one task, language and way of asking; one without an answer is an error."""

    asked: int = 0
    errors: int = 0
    skipped: int = 0
    why_skipped: str = ""
    items: set[str] = field(default_factory=set)
    times: Counter[str] = field(default_factory=Counter)


def _mend(path: Path) -> str:
    return f"`python -m bench rescore {path}` mends it"


MOST_PARAMETERS = 10**15
LONGEST_FACT, MOST_LISTED = 1_000, 1_000


def check_facts(path: Path, facts: Facts) -> None:
    """Raises `UsageError` where what is said of a model is no number that a model has, or a text that no page holds."""
    for name, value in asdict(facts).items():
        numbers = isinstance(value, int) and not 0 <= value <= MOST_PARAMETERS
        texts = [value] if isinstance(value, str) else [] if value is None or isinstance(value, int) else list(value)
        if isinstance(value, dict):
            texts += value.values()
        if numbers or len(texts) > MOST_LISTED or any(len(text) > LONGEST_FACT for text in texts):
            raise UsageError(f"{path}: {name} of its model is no {name} that a model has; run again with a right one")


def check_fields(path: Path, identity: Identity, cell: Cell) -> None:
    """Raises `UsageError` unless every field holds what its type says and names what this program knows."""
    for declared in fields(Cell):
        value: Any = getattr(cell, declared.name)
        if not _fits(value, str(declared.type)):
            raise UsageError(
                f"{path}: {declared.name} of {name_of(cell)} is {value!r}, which no run of this program writes"
            )
    if cell.model != identity.model:
        raise UsageError(f"{path}: a cell is of {cell.model!r}, the run of {identity.model!r}")
    try:
        known = languages.get(cell.language).code
    except languages.LanguageError as error:
        raise UsageError(f"{path}: {error}") from error
    if known != cell.language:
        raise UsageError(f"{path}: {cell.language} is no canonical code; the registry has {known}")


def _fits(value: Any, annotation: str) -> bool:
    if value is None:
        return "None" in annotation
    kind = annotation.removesuffix(" | None")
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    if kind.startswith("Mapping"):
        return isinstance(value, dict) and all(isinstance(each, str) for pair in value.items() for each in pair)
    return isinstance(value, {"str": str, "bool": bool}[kind])


def check_counts(path: Path, cell: Cell, tally: Tally) -> None:
    """Raises `UsageError` unless a cell counts its requests as its run's answers do."""
    for name, said, right in (
        ("errors", cell.errors, tally.errors),
        ("skipped", cell.skipped, tally.skipped),
        ("n", cell.n, len(tally.items)),
    ):
        if said != right:
            raise UsageError(f"{path}: {name} of {name_of(cell)} is {said}, its answers give {right}; {_mend(path)}")


def scored_rows(
    path: Path, cell: Cell, rows: Mapping[str, Sequence[int]], stamps: Mapping[str, Stamp]
) -> Scored | None:
    """The scores along the items. Raises `UsageError` where the cell's numbers do not follow from them."""
    metric = kernels.metric(cell.metric)
    if cell.value is None:
        numbers = (
            *(cell.normalised, cell.chance, cell.ci_low, cell.ci_high, cell.worst, cell.best),
            *(cell.violations, cell.violation_bound),
        )
        if rows or cell.n or numbers != (None,) * len(numbers):
            raise UsageError(f"{path}: {name_of(cell)} has no value and yet scores; {_mend(path)}")
        _compare(path, cell, _from_task(cell))
        return None
    scored = arrays.align(rows, tuple(sorted(stamps)), metric.columns)
    there = arrays.present(scored)
    statistics = scored.statistics[there].astype(np.int64)
    found = float(metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0])
    found = min(found, metric.best) if metric.higher_is_better else found
    now = f"{metric.name}|{metric_for(tasks.get(cell.task), cell.metric, cell.language).signature(-1)}"
    if not same_options(cell.signature, now):
        raise UsageError(
            f"{path}: {name_of(cell)} was scored as {cell.signature!r}, this program scores as {now!r}; {_mend(path)}"
        )
    if len(statistics) != cell.n or not math.isclose(found, cell.value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        raise UsageError(
            f"{path}: {name_of(cell)} says {cell.value} over {cell.n} items, its scores give {found} over "
            f"{len(statistics)}; {_mend(path)}"
        )
    blind = _blind(cell, metric)
    most = metric.best if metric.higher_is_better else math.inf
    if (statistics < 0).any() or blind is None or not (0 <= blind <= 1 and 0 <= found <= most):
        raise UsageError(f"{path}: {name_of(cell)} lies outside its metric's scale; {_mend(path)}")
    clusters = [drawn_with(item, stamps[item].cluster) for item, here in zip(scored.items, there, strict=True) if here]
    drawn = interval(metric, statistics, clusters, seed(cell.task, cell.language, cell.metric))
    worst: float | None = cell.value
    best: float | None = cell.value
    if cell.errors:
        worst, best = bounds(statistics, cell.errors) if metric.binary else (None, None)
    chance, normalised, _ = on_scale(metric, cell.value, blind)
    numbers_of = {
        "chance": chance,
        "normalised": normalised,
        "ci_low": drawn.low,
        "ci_high": drawn.high,
        "worst": worst,
        "best": best,
    }
    if tasks.get(cell.task).kind == "rules":
        broken = broken_rules(statistics)
        shown = bound(tasks.get(cell.task), cell.language, broken, cell.n)
        numbers_of |= {"violations": broken, "violation_bound": shown}
    _compare(path, cell, {**numbers_of, **_from_task(cell)})
    if cell.reasons.get("ci_low", "") != drawn.reason:
        raise UsageError(f"{path}: {name_of(cell)} gives another reason for its interval; {_mend(path)}")
    return scored


SPOKEN = (
    *("wrong_script", "script_verdicts", "wrong_language", "language_verdicts", "word_pass"),
    *("identifier_recall", "native_digits", "other_digits"),
)


def check_language(path: Path, cell: Cell, rows: Iterable[tuple[int, ...]]) -> None:
    """Raises `UsageError` where what a cell says of its answers' language does not follow from the verdicts on them."""
    found = language_facts(tasks.get(cell.task), cell.language, cell.mode, rows)
    _compare(path, cell, {name: getattr(found, name) for name in SPOKEN})


def _blind(cell: Cell, metric: kernels.Metric) -> float | None:
    """The task's word for what blind choice scores; the cell's own only where the options of each question decide."""
    task = tasks.get(cell.task)
    if task.chance is not None:
        return task.chance
    if task.kind != "choice":
        return 0.0
    return None if cell.chance is None else cell.chance / metric.best


def _from_task(cell: Cell) -> dict[str, float | None]:
    """What a cell says of its task, as the task declares it."""
    task = tasks.get(cell.task)
    if cell.metric not in task.metrics:
        raise ValueError(f"{task.name} has no metric {cell.metric!r}")
    return {"headline": cell.metric == task.metrics[0], "floor": task.floor}


def _compare(path: Path, cell: Cell, derived: Mapping[str, float | None]) -> None:
    """Raises `UsageError` where a cell says another number than follows from its scores and its task."""
    for name, right in derived.items():
        said = getattr(cell, name)
        same = said is right if said is None or right is None else math.isclose(said, right, rel_tol=1e-6, abs_tol=1e-9)
        if not same:
            raise UsageError(f"{path}: {name} of {name_of(cell)} is {said}, its scores give {right}; {_mend(path)}")


def check_writable(
    identity: Identity,
    facts: RunFacts | Facts,
    stamps: Mapping[Block, Mapping[str, Stamp]],
    published: Iterable[Published],
) -> None:
    """Raises `ValueError` where a text or number could not be written: half a surrogate pair, or not a number."""
    every = [
        astuple(identity),
        asdict(facts),
        [asdict(each.cell) for each in published],
        [[astuple(place), [[item, stamp.cluster] for item, stamp in each.items()]] for place, each in stamps.items()],
    ]
    json.dumps(every, ensure_ascii=False, allow_nan=False).encode()


def name_of(cell: Cell) -> str:
    """A cell in a message: metric, task and language."""
    # One line and no half characters, whatever the file says.
    return " ".join(f"{cell.task} {place_of(cell)} {cell.metric}".encode(errors="replace").decode().split())


def place_of(cell: Cell) -> str:
    """A cell's task and language in a message."""
    return f"{cell.language}{cell.variety and '-' + cell.variety}"
