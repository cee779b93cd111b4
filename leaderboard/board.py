"""Reading a snapshot: its models, tasks, results and means.

What else it knows is asked in `energy_queries`, `premium_queries` and `run_queries`; no other module of the website
asks it in SQL.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.records import Cell
from leaderboard import grid, reading, rows, snapshot, standings
from leaderboard.grid import Sheet, Way
from leaderboard.invalidations import Invalidation
from leaderboard.invalidations import of as invalidation_of
from leaderboard.records import (
    Badge,
    Block,
    Coverage,
    Items,
    Mean,
    Model,
    Outline,
    Scored,
    TaskFacts,
)
from leaderboard.rows import cell_of, items_in, model_of, task_of
from leaderboard.standings import Group, Standing
from leaderboard.versions import by_version, newest


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a table says of a model."""

    slug: str
    name: str
    baseline: bool

    @classmethod
    def of(cls, model: Model) -> Self:
        """What of a model a table says."""
        return cls(model.slug, model.name, model.baseline)


@dataclass(frozen=True, slots=True)
class Count:
    """How many numbers that count a board has of one language, in benchmarks and in the self-test."""

    language: str
    cells: int
    floor_cells: int


@dataclass(frozen=True, slots=True)
class Result:
    """A cell with its model, the id of its run, how far that was checked, and what was found wrong with it since."""

    model: ModelName
    cell: Cell
    run: str
    badge: Badge
    invalid: str = ""


class Board:
    """An open snapshot. It never changes, so any number of them may be open and none can be in another's way.

    `invalid` are the invalidations that hold today, whatever the age of the snapshot; `folder` is the board's.
    """

    def __init__(
        self, name: str, connection: sqlite3.Connection, folder: Path, invalid: Sequence[Invalidation] = ()
    ) -> None:
        self.name = name
        self.folder = folder
        self.invalid = tuple(invalid)
        self._connection = connection

    @classmethod
    def open(cls, folder: Path, name: str, invalid: Sequence[Invalidation] = ()) -> Self:
        """Opens a snapshot of a board. Raises `snapshot.BoardError`."""
        return cls(name, snapshot.connect(folder, name), folder, invalid)

    def why_invalid(self, task: str, version: str) -> str:
        """What was found wrong with a task's version after it was published; empty where nothing was."""
        found = invalidation_of(self.invalid, task, version)
        return found.reason if found is not None else ""

    def sheets(self) -> tuple[Sheet, ...]:
        """Every number that counts, as arrays; kept from the last time."""
        return _sheets(self.folder, self.name)

    def standings(
        self, tasks: Collection[tuple[str, str]] | None = None, languages: Collection[str] | None = None
    ) -> dict[Group, tuple[Standing, ...]]:
        """Every model over some tasks (name and version) and languages. The one way to a mean.

        Without `tasks` those of the board in their newest versions, without `languages` all that the tasks declare.
        """
        names = self.model_names()
        if tasks is None:
            tasks = {(name, version) for name, version in newest(self.tasks()).items()}
        return standings.standings(
            [one for one in self.sheets() if (one.way.task, one.way.version) in tasks],
            {number for number, one in names.items() if one.baseline},
            languages,
            {(task.name, task.version) for task in self.tasks() if self.why_invalid(task.name, task.version)},
        )

    def results_of_model(self, slug: str, task: str | None = None) -> Iterator[Result]:
        """Every result of a model, in one task where one is named."""
        return self._results(
            "model_id = (SELECT id FROM models WHERE slug = ?) AND task = coalesce(?, task)"
            " ORDER BY task, task_version DESC, headline DESC, metric, language, variety",
            slug,
            task,
        )

    def results_of_task(self, task: str, version: str) -> Iterator[Result]:
        """Every result of a task in its headline metric, by language."""
        return self._results(
            "task = ? AND task_version = ? AND headline ORDER BY language, variety, model_id", task, version
        )

    def results(self, chosen: Iterable[int]) -> dict[int, Result]:
        """Some results by their numbers, which their outlines have."""
        found = self._read("id IN (SELECT value FROM json_each(?))", json.dumps(list(chosen)))
        return dict(found)

    def outlines_of_language(self, code: str) -> list[Outline]:
        """What decides over the place of every result of a language, by task, the headline metric first."""
        return self._outlines(
            "language = ? ORDER BY task, task_version, variety, headline DESC, metric, model_id", code
        )

    def outlines_of_model(self, slug: str, task: str) -> list[Outline]:
        """What is known of every result of a model in a task without reading its cell."""
        return self._outlines("model_id = (SELECT id FROM models WHERE slug = ?) AND task = ?", slug, task)

    def _outlines(self, where: str, *values: str) -> list[Outline]:
        found = f"SELECT {', '.join(rows.OUTLINED)} FROM cells WHERE {where}"  # noqa: S608 - never a visitor's words
        return list(map(rows.outline_of, self.tuples(found, *values)))

    def _results(self, where: str, *values: str | None) -> Iterator[Result]:
        return (result for _number, result in self._read(where, *values))

    def _read(self, where: str, *values: str | None) -> Iterator[tuple[int, Result]]:
        names, badges, wrong = self.model_names(), self.badges(), self.wrong()
        for row in self.tuples(f"SELECT * FROM cells WHERE {where}", *values):  # noqa: S608 - never a visitor's words
            cell, run = cell_of(row), row[rows.RUN_OF_CELL]
            invalid = wrong.get((cell.task, cell.task_version), "")
            yield row[1], Result(names[row[0]], cell, run, badges.get(run, "self_reported"), invalid)

    def rows(self, sql: str, *values: str | None) -> sqlite3.Cursor:
        """A query's rows, whose values have their columns' names."""
        return self._connection.execute(sql, values)

    def tuples(self, sql: str, *values: str | None) -> sqlite3.Cursor:
        """A query's rows as bare tuples, which are read faster than named ones."""
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, values)

    def wrong(self) -> dict[tuple[str, str], str]:
        """What was found wrong with each task of the board, by name and version; without those that are sound."""
        found = self._connection.execute("SELECT name, version FROM tasks") if self.invalid else ()
        return {(name, version): why for name, version in found if (why := self.why_invalid(name, version))}

    def badges(self) -> dict[str, Badge]:
        """How far each run was checked, by its id."""
        return dict(_badges(self.folder, self.name))

    def scores(self, slug: str, way: Way) -> dict[tuple[str, str], Scored]:
        """A model's scores in one way of a task, by language and variety."""
        row = self._connection.execute("SELECT id FROM models WHERE slug = ?", (slug,)).fetchone()
        wanted = (way.task, way.version, way.metric, way.mode, way.prompt_language, way.shots)
        return reading.scores(self._connection, row["id"], wanted) if row else {}

    def items(self, block: Block) -> Items:
        """The items of a task in a language."""
        row = self._connection.execute(
            "SELECT * FROM items WHERE (task, version, language, variety) = (?, ?, ?, ?)",
            (block.task, block.version, block.language, block.variety),
        ).fetchone()
        return items_in(row)

    def varied(self, task: str, version: str) -> frozenset[str]:
        """The languages that a task has in several varieties, which count as one in every mean."""
        rows = self._connection.execute(
            "SELECT language FROM items WHERE (task, version) = (?, ?) GROUP BY language HAVING count(*) > 1",
            (task, version),
        )
        return frozenset(code for (code,) in rows)

    def model_names(self) -> Mapping[int, ModelName]:
        """Every model by its number, in the order of their slugs."""
        return self._names

    def number(self, slug: str) -> int:
        """A model's number. Raises `KeyError` for one that the board lacks."""
        return self._numbers[slug]

    @functools.cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {one.slug: number for number, one in self._names.items()}

    @functools.cached_property
    def _names(self) -> Mapping[int, ModelName]:
        rows = self._connection.execute("SELECT id, slug, name, baseline FROM models ORDER BY slug")
        return {row["id"]: ModelName(row["slug"], row["name"], bool(row["baseline"])) for row in rows}

    def model(self, slug: str) -> Model | None:
        """One model with everything known of it."""
        row = self._connection.execute("SELECT * FROM models WHERE slug = ?", (slug,)).fetchone()
        return model_of(row) if row else None

    def models(self) -> list[Model]:
        """Every model with everything known of it."""
        return [model_of(row) for row in self._connection.execute("SELECT * FROM models ORDER BY slug")]

    def tasks(self) -> list[TaskFacts]:
        """Every task that has cells: benchmarks before floor tasks, then by name."""
        rows = self._connection.execute("SELECT * FROM tasks ORDER BY floor, name, version")
        return [task_of(row) for row in rows]

    def task_facts(self) -> dict[tuple[str, str], TaskFacts]:
        """Every task that has cells by its name and version."""
        return {(task.name, task.version): task for task in self.tasks()}

    def task(self, name: str) -> list[TaskFacts]:
        """Every published version of a task, the newest first."""
        rows = self._connection.execute("SELECT * FROM tasks WHERE name = ?", (name,))
        return sorted(map(task_of, rows), key=by_version, reverse=True)

    def means(self, *, model: str | None = None, task: str | None = None) -> list[Mean]:
        """The macro means, of one model or of one task where one is named.

        None of a task that was found wrong since is ranked, as in `standings`.
        """
        rows = self._connection.execute(
            "SELECT * FROM means WHERE model = coalesce(?, model) AND task = coalesce(?, task)"
            " ORDER BY task, version, metric, model, mode, prompt_language, shots",
            (model, task),
        )
        made = (replace(mean, floor=bool(mean.floor)) for mean in (Mean(*row) for row in rows))
        return [self._unranked(mean) if self.why_invalid(mean.task, mean.version) else mean for mean in made]

    @staticmethod
    def _unranked(mean: Mean) -> Mean:
        """A mean of a task that was found wrong: what its model is, and that it has no number, comes before that."""
        known = mean.reason in (standings.BASELINE, standings.NO_NUMBERS, standings.SELF_TEST)
        return replace(mean, first=None, last=None, peers=0, reason=mean.reason if known else standings.INVALID)

    def coverage(self) -> dict[str, Coverage]:
        """The coverage of every model by slug."""
        return {row["model"]: Coverage(*row) for row in self._connection.execute("SELECT * FROM coverage")}

    def counts(self) -> dict[str, Count]:
        """How many numbers that count there are of each language that has any, in headline metrics."""
        rows = self._connection.execute("SELECT * FROM counts WHERE cells + floor_cells")
        return {row[0]: Count(*row) for row in rows}

    def languages(self) -> list[str]:
        """The codes of all languages that have cells."""
        return [code for (code,) in self._connection.execute("SELECT language FROM counts")]

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@functools.lru_cache(maxsize=1)  # tens of MB where a board is large, in every process
def _sheets(folder: Path, name: str) -> tuple[Sheet, ...]:
    with contextlib.closing(snapshot.connect(folder, name)) as connection:
        rows = connection.execute("SELECT facts, arrays FROM sheets ORDER BY rowid")
        return tuple(grid.unpacked(facts, zlib.decompress(arrays)) for facts, arrays in rows)


@functools.lru_cache(maxsize=8)
def _badges(folder: Path, name: str) -> tuple[tuple[str, Badge], ...]:
    with Board.open(folder, name) as board:
        return tuple((run.id, run.badge) for model in board.models() for run in model.runs)
