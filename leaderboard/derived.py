"""Tables of what follows from the cells: filled while the models stream by, one model at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import compress
from typing import Protocol

import numpy as np

import kernels
from bench.records import Cell
from bench.summary import drawn_with
from leaderboard import aggregate, arrays, efficiency, grid
from leaderboard.collect import block
from leaderboard.efficiency import GENERAL_REASONS
from leaderboard.grid import Builder, Correlation, Way
from leaderboard.records import Block, Coverage, EnergyRank, Mean, Model, Published, TaskFacts
from leaderboard.rows import Row, columns, to_json
from leaderboard.standings import Standing, standings

Clusters = Callable[[Block], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table's name, its columns in SQL, and its rows. A value of type bytes is stored compressed."""

    name: str
    columns: str
    rows: Iterable[Row]


class Derived(Protocol):
    """Makes tables from cells. It sees every model once, in the order of their numbers, and holds what it needs."""

    def add(self, number: int, model: Model, cells: Mapping[int, Published]) -> None:
        """Takes one model's headline cells by their numbers, in the order of their keys, with their scores."""

    def tables(self) -> Iterator[Table]:
        """The tables, after the last model. The same content must give the same rows in the same order."""


class Means:
    """The arrays that all means are computed from, the macro mean of every model, and the coverage.

    `tasks` are all that the snapshot has; `clusters` names what each item of a block is drawn with.
    """

    def __init__(self, tasks: Mapping[tuple[str, str], TaskFacts], clusters: Clusters) -> None:
        self._declared = {name: task.languages for name, task in tasks.items()}
        self._clusters = clusters
        self._builders: dict[Way, Builder] = {}
        self._correlations: dict[Way, Correlation] = {}
        self._means: list[tuple[int, Mean]] = []
        self._coverage: list[Coverage] = []
        self._baselines: set[int] = set()

    def add(self, number: int, model: Model, cells: Mapping[int, Published]) -> None:
        """Takes one model."""
        found = [each.cell for each in cells.values()]
        self._means += [(number, mean) for mean in aggregate.means(model, found, self._declared)]
        self._coverage.append(aggregate.coverage(model, found))
        if model.baseline:
            self._baselines.add(number)
        groups: dict[Way, list[Published]] = {}
        for each in cells.values():
            groups.setdefault(grid.way_of(each.cell), []).append(each)
        for way, own in groups.items():
            if way not in self._builders:
                self._builders[way] = Builder(way, self._declared[way.task, way.version])
                self._correlations[way] = Correlation()
            self._builders[way].add(number, [each.cell for each in own])
            correlation = self._correlations[way]
            if not model.baseline and not correlation.full:
                correlation.add([self._values(each) for each in Correlation.some(own) if grid.counts(each.cell)])

    def _values(self, published: Published) -> dict[str, float]:
        """The mean score of each item, or of the items of each passage, of one cell."""
        scored, cell = published.scored, published.cell
        if scored is None:
            return {}
        there = arrays.present(scored)
        values = kernels.metric(cell.metric).from_statistics(scored.statistics[there].astype(np.int64))
        drawn = zip(scored.items, self._clusters(block(cell)), strict=True)
        together: dict[str, list[float]] = {}
        for (item, cluster), value in zip(compress(drawn, there), values.tolist(), strict=True):
            together.setdefault(drawn_with(item, cluster), []).append(value)
        return {unit: sum(own) / len(own) for unit, own in together.items()}

    def tables(self) -> Iterator[Table]:
        """`sheets`, `means` and `coverage`."""
        stored = [
            grid.packed(builder.sheet(self._correlations[way].value()))
            for way, builder in sorted(self._builders.items())
        ]
        yield Table("sheets", "facts TEXT NOT NULL, arrays BLOB NOT NULL", stored)
        # What is stored is rounded, so the means are made of what pages read.
        sheets = [grid.unpacked(*each) for each in stored]
        numbers: dict[tuple[int, Way], Standing] = {}
        for sheet in sheets:
            for own in standings([sheet], self._baselines).values():
                numbers |= {(one.model, sheet.way): one for one in own}
        yield Table("means", columns(Mean), (astuple(_mean(mean, numbers, number)) for number, mean in self._means))
        yield Table("coverage", columns(Coverage), map(astuple, self._coverage))


def _mean(mean: Mean, numbers: Mapping[tuple[int, Way], Standing], model: int) -> Mean:
    """A mean with the numbers that every page shows of it."""
    found = numbers[model, grid.way_of_mean(mean)]
    return replace(
        mean,
        normalised=found.normalised,
        low=found.low,
        high=found.high,
        first=found.first,
        last=found.last,
        peers=found.peers,
        reason=found.reason,
    )


class EnergyRanks:
    """The ranks by energy, over all models; it holds only the cells that have energy."""

    def __init__(self) -> None:
        self._measured: list[tuple[int, bool, Cell]] = []

    def add(self, number: int, model: Model, cells: Mapping[int, Published]) -> None:
        """Takes one model."""
        self._measured += [
            (place, model.baseline, each.cell) for place, each in cells.items() if each.cell.energy_provenance != "none"
        ]

    def tables(self) -> Iterator[Table]:
        """`energy_ranks`."""
        yield Table("energy_ranks", columns(EnergyRank), map(astuple, efficiency.ranks(self._measured)))


class Counts:
    """How many numbers that count each language has, and which tasks of which models have no energy."""

    def __init__(self) -> None:
        self._languages: dict[str, list[int]] = {}
        self._without: dict[tuple[int, str, str, str], set[str]] = {}

    def add(self, number: int, model: Model, cells: Mapping[int, Published]) -> None:
        """Takes one model."""
        for each in cells.values():
            cell = each.cell
            count = self._languages.setdefault(cell.language, [0, 0])
            count[cell.floor] += grid.counts(cell)
            if cell.energy_provenance == "none":
                why = next((cell.reasons[name] for name in GENERAL_REASONS if name in cell.reasons), "not_stated")
                self._without.setdefault((number, cell.task, cell.task_version, why), set()).add(cell.language)

    def tables(self) -> Iterator[Table]:
        """`counts` and `without_energy`."""
        yield Table(
            "counts",
            "language TEXT PRIMARY KEY, cells INTEGER NOT NULL, floor_cells INTEGER NOT NULL",
            ((language, *count) for language, count in sorted(self._languages.items())),
        )
        yield Table(
            "without_energy",
            "model_id INTEGER NOT NULL, task TEXT NOT NULL, version TEXT NOT NULL, reason TEXT NOT NULL,"
            " languages TEXT NOT NULL",
            ((*key, to_json(sorted(codes))) for key, codes in sorted(self._without.items())),
        )


def consumers(tasks: Mapping[tuple[str, str], TaskFacts], clusters: Clusters) -> Sequence[Derived]:
    """Everything that a snapshot derives from its cells."""
    return (Means(tasks, clusters), EnergyRanks(), Counts())
