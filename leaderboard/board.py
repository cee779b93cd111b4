"""Reading a snapshot: every query of the website is in this file."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.premium.records import Premium, Premiums
from bench.records import Cell
from leaderboard import grid, premiums, reading, rows, snapshot, standings
from leaderboard.grid import Sheet, Way
from leaderboard.invalidations import Invalidation
from leaderboard.invalidations import of as invalidation_of
from leaderboard.records import (
    Badge,
    Block,
    Coverage,
    EnergyRank,
    Items,
    Mean,
    Model,
    Outline,
    Scored,
    TaskFacts,
    Tokenizer,
)
from leaderboard.rows import cell_of, items_in, model_of, premium_of, task_of, tokenizer_of
from leaderboard.standings import Group, Standing


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a table says of a model."""

    slug: str
    name: str
    baseline: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many numbers that count a board has of one language, in benchmarks and in the self-test."""

    language: str
    cells: int
    floor_cells: int


SHOWN = "tokenizer_id IN (SELECT id FROM tokenizers WHERE shown_as = '')"
"""The premiums that pages show: of several that are one tokenizer's, those of one."""


@dataclass(frozen=True, slots=True)
class PremiumRange:
    """The lowest and the highest premium of one language, and over how many tokenizers that is.

    `flawed` says that the text of some corpus in this language is.
    """

    lowest: float
    highest: float
    tokenizers: int
    flawed: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A headline cell with energy, its model's number, and its ranks by figure."""

    model: int
    cell: Cell
    ranks: Mapping[str, EnergyRank]


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Headline cells without energy: their model's number, their task, the languages by code, and the reason code."""

    model: int
    task: str
    version: str
    languages: tuple[str, ...]
    reason: str


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
        return list(map(rows.outline_of, self._tuples(found, *values)))

    def _results(self, where: str, *values: str | None) -> Iterator[Result]:
        return (result for _number, result in self._read(where, *values))

    def _read(self, where: str, *values: str | None) -> Iterator[tuple[int, Result]]:
        names, badges, wrong = self.model_names(), self.badges(), self._wrong()
        for row in self._tuples(f"SELECT * FROM cells WHERE {where}", *values):  # noqa: S608 - never a visitor's words
            cell, run = cell_of(row), row[rows.RUN_OF_CELL]
            invalid = wrong.get((cell.task, cell.task_version), "")
            yield row[1], Result(names[row[0]], cell, run, badges.get(run, "self_reported"), invalid)

    def _tuples(self, sql: str, *values: str | None) -> sqlite3.Cursor:
        """A query's rows as bare tuples, which are read faster than named ones."""
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, values)

    def _wrong(self) -> dict[tuple[str, str], str]:
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

    def measured_models(self) -> set[int]:
        """The numbers of the models that have energy somewhere."""
        rows = self._connection.execute(
            "SELECT DISTINCT model_id FROM results WHERE headline AND energy_provenance != 'none'"
        )
        return {number for (number,) in rows}

    def energy_tasks(self) -> dict[str, int]:
        """How many headline cells of each task have energy."""
        rows = self._connection.execute(
            "SELECT task, count(*) FROM results WHERE headline AND energy_provenance != 'none'"
            " GROUP BY task ORDER BY task"
        )
        return dict(rows.fetchall())

    def energy_of_board(self, task: str | None = None) -> Iterator[Measured]:
        """Every headline cell that has energy, of one task where one is named."""
        return self._energy("task = coalesce(?, task)", task)

    def energy_of_language(self, code: str) -> Iterator[Measured]:
        """Every headline cell of a language that has energy."""
        return self._energy("language = ?", code)

    def energy_of_model(self, slug: str) -> Iterator[Measured]:
        """Every headline cell of a model that has energy."""
        return self._energy("model_id = (SELECT id FROM models WHERE slug = ?)", slug)

    def _energy(self, where: str, *values: str | None) -> Iterator[Measured]:
        chosen = f"(SELECT id FROM cells WHERE headline AND energy_provenance != 'none' AND {where})"  # noqa: S608 - as below
        ranks: dict[int, dict[str, EnergyRank]] = {}
        found = f"SELECT * FROM energy_ranks WHERE cell IN {chosen}"  # noqa: S608 - as below
        for rank in (EnergyRank(*row) for row in self._tuples(found, *values)):
            ranks.setdefault(rank.cell, {})[rank.figure] = rank
        order = "ORDER BY task, task_version, language, variety, model_id"
        wrong = self._wrong()
        for row in self._tuples(f"SELECT * FROM cells WHERE id IN {chosen} {order}", *values):  # noqa: S608 - as below
            cell, own = cell_of(row), ranks[row[1]]
            if (cell.task, cell.task_version) in wrong:
                own = {
                    figure: replace(rank, first=None, last=None, peers=0, reason=rank.reason or standings.INVALID)
                    for figure, rank in own.items()
                }
            yield Measured(row[0], cell, own)

    def without_energy(self, *, model: str | None = None, task: str | None = None) -> list[Unmeasured]:
        """Which headline cells have no energy, and why: those of one model or task where one is named."""
        found = self._tuples(
            "SELECT model_id, task, version, languages, reason FROM without_energy"
            " WHERE task = coalesce(?, task) AND (? IS NULL OR model_id = (SELECT id FROM models WHERE slug = ?))",
            *(task, model, model),
        )
        return [
            Unmeasured(number, name, version, tuple(json.loads(codes)), why)
            for number, name, version, codes, why in found
        ]

    def languages(self) -> list[str]:
        """The codes of all languages that have cells."""
        return [code for (code,) in self._connection.execute("SELECT language FROM counts")]

    def tokenizers(self) -> dict[int, Tokenizer]:
        """Every tokenizer that stands for itself by its number, in the order of their slugs."""
        rows = self._connection.execute("SELECT * FROM tokenizers WHERE shown_as = '' ORDER BY slug")
        return {row["id"]: tokenizer_of(row) for row in rows}

    def stand_ins(self) -> dict[tuple[str, str, str], tuple[str, str, str]]:
        """Tokenizer, revision and corpus of what is not shown -> of what stands for it."""
        rows = self._connection.execute(
            "SELECT own.name, own.revision, own.corpus, other.name, other.revision, other.corpus"
            " FROM tokenizers own JOIN tokenizers other ON own.shown_as = other.slug"
        )
        return {tuple(row)[:3]: tuple(row)[3:] for row in rows}

    def tokenizer(self, tokenizer: Tokenizer) -> Premiums:
        """A tokenizer's premiums."""
        rows = self._connection.execute(
            "SELECT * FROM premiums WHERE tokenizer_id = (SELECT id FROM tokenizers WHERE slug = ?) ORDER BY rowid",
            (tokenizer.slug,),
        )
        return premiums.of_tokenizer(tokenizer, map(premium_of, rows))

    def premiums(self) -> Iterator[tuple[int, Premium]]:
        """Every premium with its tokenizer's number."""
        rows = self._connection.execute(
            f"SELECT * FROM premiums WHERE {SHOWN} ORDER BY tokenizer_id, language, variety"  # noqa: S608 - as below
        )
        for row in rows:
            yield row["tokenizer_id"], premium_of(row)

    def premiums_of_language(self, code: str) -> list[tuple[Tokenizer, Premium]]:
        """The premium of a language by every tokenizer that was counted in it."""
        known = self.tokenizers()
        rows = self._connection.execute(
            f"SELECT * FROM premiums WHERE {SHOWN} AND language = ? ORDER BY tokenizer_id, variety",  # noqa: S608 - as below
            (code,),
        )
        return [(known[row["tokenizer_id"]], premium_of(row)) for row in rows]

    def premium_ranges(self) -> dict[str, PremiumRange]:
        """The lowest and highest premium of every language that has any."""
        rows = self._connection.execute(
            "SELECT language, min(premium), max(premium), count(DISTINCT tokenizer_id),"  # noqa: S608 - as below
            " max(json_extract(reasons, '$.text') IS NOT NULL) FROM premiums"
            f" WHERE {SHOWN} AND premium IS NOT NULL GROUP BY language"
        )
        return {
            language: PremiumRange(lowest, highest, number, bool(flawed))
            for language, lowest, highest, number, flawed in rows
        }

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def newest(known: Iterable[TaskFacts]) -> dict[str, str]:
    """The newest version of each task."""
    return {task.name: task.version for task in sorted(known, key=by_version)}


def by_version(task: TaskFacts) -> list[tuple[bool, int, str]]:
    """What versions of a task are sorted by: numbers within them are taken as numbers, so that 10 comes after 9."""
    parts = re.split(r"(\d+)", task.version)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


@functools.lru_cache(maxsize=1)  # tens of MB where a board is large, in every process
def _sheets(folder: Path, name: str) -> tuple[Sheet, ...]:
    with contextlib.closing(snapshot.connect(folder, name)) as connection:
        rows = connection.execute("SELECT facts, arrays FROM sheets ORDER BY rowid")
        return tuple(grid.unpacked(facts, zlib.decompress(arrays)) for facts, arrays in rows)


@functools.lru_cache(maxsize=8)
def _badges(folder: Path, name: str) -> tuple[tuple[str, Badge], ...]:
    with Board.open(folder, name) as board:
        return tuple((run.id, run.badge) for model in board.models() for run in model.runs)
