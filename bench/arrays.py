"""Score arrays out of run files: what intervals over languages and comparisons of models are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bench.joint import Scored
from bench.records import Cell
from bench.runfile import RunFile
from bench.summary import drawn_with, pooled

CellKey = tuple[str, str, str, str, str, str, str, int, str]
"""Model, task, version, language, variety, mode, prompt language, shots, metric."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The cells of headline metrics of one run or of several, and the scores behind each cell that has any."""

    cells: tuple[Cell, ...]
    arrays: Mapping[CellKey, Scored]

    def __add__(self, other: Evidence) -> Evidence:
        """Both together. Raises `ValueError` where they have a model in common: two runs of it need two names."""
        shared = {cell.model for cell in self.cells} & {cell.model for cell in other.cells}
        if shared:
            raise ValueError(f"{', '.join(sorted(shared))} is there twice; give each run a name of its own")
        return Evidence(self.cells + other.cells, {**self.arrays, **other.arrays})


def key(cell: Cell) -> CellKey:
    """What tells a cell from every other."""
    return (
        *(cell.model, cell.task, cell.task_version, cell.language, cell.variety),
        *(cell.mode, cell.prompt_language, cell.shots, cell.metric),
    )


def read(run: RunFile, label: str = "") -> Evidence:
    """The headline cells of a run and their scores; `label`, where given, stands for the model's name.

    Raises `RunFileError` where the file cannot be read, `ValueError` where it lacks the scores behind a value.
    """
    cells = tuple(replace(cell, model=label or cell.model) for cell in run.cells() if cell.headline)
    known = {key(cell)[1:]: key(cell) for cell in cells}
    clusters = {name: facts.cluster for name, facts in run.samples().items()}
    places = {request: (sample, mode, language, shots) for request, sample, mode, language, shots in run.planned()}
    rows: dict[CellKey, list[tuple[str, tuple[int, ...]]]] = {}
    units: dict[CellKey, dict[str, str]] = {}
    for score in run.scores():
        sample, mode, prompt_language, shots = places[score.request]
        versioned, language, variety, item = sample.split("/", 3)
        task, version = versioned.split("@")
        cell = known.get((task, version, language, variety, mode, prompt_language, shots, score.metric))
        if cell:
            rows.setdefault(cell, []).append((item, score.statistics))
            units.setdefault(cell, {})[item] = drawn_with(item, clusters[sample])
    lost = next((cell for cell in cells if cell.value is not None and key(cell) not in rows), None)
    if lost:
        raise ValueError(f"no scores of {lost.task} {lost.language}")
    arrays = {}
    for cell, scores in rows.items():
        items = pooled(scores)
        drawn = tuple(units[cell][item] for item in items)
        arrays[cell] = Scored(tuple(items), drawn, np.array(list(items.values()), dtype=np.int64))
    return Evidence(cells, arrays)
