"""Run file -> what a snapshot takes from it. A run file may come from anybody, so nothing in it is believed unseen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import kernels
import languages
import tasks
from bench.records import BenchError, Cell, UsageError
from bench.runfile import Identity, RunFile
from bench.summary import ERRORS_ALLOWED
from leaderboard import arrays
from leaderboard.records import Block, DatasetFile, PromptFacts, Published, RunFacts, Scored, Stamp, TaskFacts

TOLERANCE = 1e-9
"""Two machines may add up floats in another order; a value that its own scores do not give differs by far more."""

TOO_MANY_ERRORS, UNLOCKED = "too_many_errors", "unlocked_data"

CellKey = tuple[str, str, str, str, str, str, int, str]
"""Task, version, language, variety, mode, prompt language, shots, metric: a cell's key within one model."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A cell whose number is not published, and why."""

    model: str
    task: str
    language: str
    variety: str
    metric: str
    reason: str
    errors: int
    asked: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one run file brings to a board. `stamps` holds those of each block's items."""

    path: Path
    identity: Identity
    facts: RunFacts
    tasks: tuple[TaskFacts, ...]
    stamps: dict[Block, dict[str, Stamp]]
    cells: dict[CellKey, Published]
    withheld: tuple[Withheld, ...]


def key(cell: Cell) -> CellKey:
    """A cell's key within its model."""
    return (
        *(cell.task, cell.task_version, cell.language, cell.variety),
        *(cell.mode, cell.prompt_language, cell.shots, cell.metric),
    )


def block(cell: Cell) -> Block:
    """The task and language of a cell."""
    return Block(cell.task, cell.task_version, cell.language, cell.variety)


def collect(path: Path) -> Contribution:
    """Reads and checks one run file. Raises `BenchError` with one line where it cannot be published."""
    with RunFile.read(path) as run:
        try:
            return _collect(path, run)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            # What sqlite finds whole may still hold rows of another shape: edited by hand, or from another program.
            raise UsageError(
                f"{path} does not read as a run of this program ({error}); run again, or rescore it"
            ) from error


def _collect(path: Path, run: RunFile) -> Contribution:
    identity = run.identity()
    cells = run.cells()
    if not cells:
        if not run.answered():
            raise UsageError(f"{path} holds no answers yet; run again before publishing")
        raise UsageError(f"{path} is not scored yet; run again, or `bench rescore {path}`")
    facts = _facts(run)
    first = {(cell.task, cell.task_version): cell for cell in reversed(cells)}
    declared = {name: _declared(path, cell) for name, cell in first.items()}
    unlocked = {file.dataset for file in facts.datasets if not file.locked}
    stamps, scores = _scores(run)
    published: dict[CellKey, Published] = {}
    withheld = []
    for found in cells:
        _check(path, identity, found)
        locked = declared[found.task, found.task_version].dataset not in unlocked
        cell = found if locked else replace(found, reasons={"rank": UNLOCKED, **found.reasons})
        if key(cell) in published:
            raise UsageError(f"{path} has two cells for {_name(cell)}; `bench rescore {path}` mends it")
        asked = cell.n + cell.errors + cell.skipped
        if cell.errors > ERRORS_ALLOWED * asked:
            withheld.append(
                Withheld(
                    cell.model, cell.task, cell.language, cell.variety, cell.metric, TOO_MANY_ERRORS, cell.errors, asked
                )
            )
            published[key(cell)] = Published(_without_value(cell), None)
        elif cell.value is None:
            published[key(cell)] = Published(cell, None)
        else:
            items = tuple(sorted(stamps[block(cell)]))
            published[key(cell)] = Published(cell, _scored(path, cell, scores.get(key(cell), {}), items))
    return Contribution(path, identity, facts, tuple(declared.values()), stamps, published, tuple(withheld))


def _facts(run: RunFile) -> RunFacts:
    """The last invocation; the command line stays in the run file, since it may name private paths."""
    files = tuple(sorted(DatasetFile(*file) for file in run.datasets()))
    invocations = run.invocations()
    if not invocations:
        return RunFacts("", "", "", {}, {}, files)
    last = invocations[-1]
    versions = {str(name): str(version) for name, version in sorted(last["versions"].items())}
    hardware = json.loads(json.dumps(last["hardware"], sort_keys=True))
    return RunFacts(last["started"], last["ended"] or "", last["outcome"] or "", versions, hardware, files)


def _declared(path: Path, cell: Cell) -> TaskFacts:
    try:
        task = tasks.get(cell.task)
    except tasks.UnknownTask as error:
        raise UsageError(f"{path} asks {cell.task}, which this program does not know: {error}") from error
    if task.version != cell.task_version:
        raise UsageError(f"{path} asks {cell.task}@{cell.task_version}; this program has version {task.version} of it")
    return TaskFacts(
        name=task.name,
        version=task.version,
        title=task.title,
        area=task.area,
        kind=task.kind,
        vertical=task.vertical,
        group=task.group,
        suites=task.suites,
        dataset=task.source.dataset,
        metrics=task.metrics,
        chance=task.chance,
        floor=task.floor,
        origin=task.origin,
        licence=task.licence,
        citation=task.citation,
        access=task.access,
        notes=task.notes,
        prompt=PromptFacts(task.prompt.text, task.prompt.cue, task.prompt.language, task.prompt.version),
        languages=tuple(dict.fromkeys(variety.language for variety in task.varieties)),
    )


def _scores(run: RunFile) -> tuple[dict[Block, dict[str, Stamp]], dict[CellKey, dict[str, tuple[int, ...]]]]:
    """Item -> hash of its content for each block, and item -> statistics for each cell."""
    samples = run.samples()
    stamps: dict[Block, dict[str, Stamp]] = {}
    asked: dict[str, tuple[tuple[str, str, str, str], str, tuple[str, str, int]]] = {}
    for request, sample, mode, prompt_language, shots in run.planned():
        task_version, language, variety, item = sample.split("/", 3)
        task, version = task_version.split("@")
        known = samples[sample]
        stamps.setdefault(Block(task, version, language, variety), {})[item] = Stamp(known.hash[:8], known.cluster)
        asked[request] = ((task, version, language, variety), item, (mode, prompt_language, shots))
    scores: dict[CellKey, dict[str, tuple[int, ...]]] = {}
    for score in run.scores():
        place, item, way = asked[score.request]
        scores.setdefault((*place, *way, score.metric), {})[item] = score.statistics
    return stamps, scores


def _check(path: Path, identity: Identity, cell: Cell) -> None:
    """Raises `UsageError` unless every field holds what its type says and names what this program knows."""
    for field in fields(Cell):
        value: Any = getattr(cell, field.name)
        if not _fits(value, str(field.type)):
            raise UsageError(f"{path}: {field.name} of {_name(cell)} is {value!r}, which no run of this program writes")
    if cell.model != identity.model:
        raise UsageError(f"{path}: a cell is of {cell.model}, the run of {identity.model}")
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
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind.startswith("Mapping"):
        return isinstance(value, dict) and all(isinstance(each, str) for pair in value.items() for each in pair)
    return isinstance(value, {"str": str, "bool": bool}[kind])


def _scored(path: Path, cell: Cell, rows: Mapping[str, Sequence[int]], items: tuple[str, ...]) -> Scored:
    """The scores along the items. Raises `UsageError` where the cell's value does not follow from them."""
    metric = kernels.metric(cell.metric)
    scored = arrays.align(rows, items, metric.columns)
    there = arrays.present(scored)
    sums = scored.statistics[there].astype(np.int64).sum(axis=0, keepdims=True)
    found = float(metric.from_statistics(sums)[0])
    if int(there.sum()) != cell.n or not math.isclose(found, cell.value or 0.0, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        raise UsageError(
            f"{path}: {_name(cell)} says {cell.value} over {cell.n} items, its scores give {found} over "
            f"{int(there.sum())}; `bench rescore {path}` mends it"
        )
    return scored


def _without_value(cell: Cell) -> Cell:
    return replace(
        cell,
        value=None,
        normalised=None,
        ci_low=None,
        ci_high=None,
        worst=None,
        best=None,
        reasons={**cell.reasons, "value": TOO_MANY_ERRORS},
    )


def _name(cell: Cell) -> str:
    return f"{cell.task} {cell.language}{cell.variety and '-' + cell.variety} {cell.metric}"


def check_same_items(
    contributions: Iterable[tuple[str, dict[Block, dict[str, Stamp]]]],
) -> dict[Block, dict[str, Stamp]]:
    """Every block's items together. Raises `BenchError` where two sources mean different content by one item."""
    together: dict[Block, dict[str, Stamp]] = {}
    for source, blocks in contributions:
        for place, items in blocks.items():
            known = together.setdefault(place, {})
            for item, stamp in items.items():
                if known.setdefault(item, stamp) != stamp:
                    raise BenchError(
                        f"{source} asks another text for {place.task}@{place.version} {place.language} item {item} "
                        "than a run that is published beside it; the data changed, so run both again on the same data"
                    )
    return together
