"""Tables of what follows from the cells: filled while the models stream by, one model at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

from bench.records import Cell
from leaderboard import aggregate, efficiency
from leaderboard.records import Coverage, EnergyRank, Mean, Model, Published, TaskFacts
from leaderboard.rows import Row, columns


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
    """The macro means and the coverage of every model. `tasks` are all that the snapshot has."""

    def __init__(self, tasks: Mapping[tuple[str, str], TaskFacts]) -> None:
        self._declared = {name: task.languages for name, task in tasks.items()}
        self._means: list[Mean] = []
        self._coverage: list[Coverage] = []

    def add(self, number: int, model: Model, cells: Mapping[int, Published]) -> None:
        """Takes one model."""
        found = [each.cell for each in cells.values()]
        self._means += aggregate.means(model, found, self._declared)
        self._coverage.append(aggregate.coverage(model, found))

    def tables(self) -> Iterator[Table]:
        """`means` and `coverage`."""
        yield Table("means", columns(Mean), map(astuple, self._means))
        yield Table("coverage", columns(Coverage), map(astuple, self._coverage))


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


def consumers(tasks: Mapping[tuple[str, str], TaskFacts]) -> Sequence[Derived]:
    """Everything that a snapshot derives from its cells."""
    return (Means(tasks), EnergyRanks())
