"""A synthetic board as large as asked for, written as `bench publish` writes one, and what that takes.

    python benchmarks/board_build.py                          # 500 models x 300 languages x 20 tasks
    python benchmarks/board_build.py --models 20 --languages 30 --board DIR

Models have skill and languages difficulty; items are shared by all models and, in a task, by its languages. A tenth of
the cells is missing, some models know few languages only, a few have energy. Codes, task declarations and metrics are
real, the names of tasks and models are made up. The same arguments and seed give the same snapshot.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import shutil
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kernels
import tasks
from bench.cards.facts import Facts, Level, stated
from bench.records import Cell
from bench.runfile_records import Identity
from leaderboard import history, reading, slugs, snapshot
from leaderboard.collect import CellKey, key, task_facts
from leaderboard.records import Block, Published, RunFacts, Scored, Stamp, TaskFacts
from leaderboard.writing import Content, Entry, Kept

MAKERS = ("aurora", "baobab", "cedar", "delta", "ember", "fjord")
LICENCES = ("apache-2.0", "mit", "cc-by-4.0", "gemma", "llama3.1", None)
KINDS: tuple[Level, ...] = ("general", "language", "language", "vertical", "institution")
SIZES = (0.5e9, 1e9, 3e9, 7e9, 13e9, 34e9, 70e9)
VERTICALS = ("general", "medical", "legal")
MISSING_SHARE = 0.1
Z = 1.959963984540054
CHRF = 2
"""How many of the tasks are scored as translations are; the others by accuracy."""


@dataclass(frozen=True)
class Made:
    """A board that was made: its snapshot, how many cells it has, and the seconds of each stage."""

    snapshot: str
    cells: int
    seconds: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """One synthetic task: `counts` are the items of each language, `hard` the difficulty of each item."""

    facts: TaskFacts
    metric: kernels.Metric
    signature: str
    difficulty: float
    counts: NDArray[np.int64]
    ids: tuple[tuple[str, ...], ...]
    hard: NDArray[np.float32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class Person:
    """One synthetic model. `energy` is joules per request, None where nobody measured."""

    identity: Identity
    skill: float
    facts: Facts
    known: NDArray[np.bool_]
    energy: float | None
    seed: int


class World:
    """Everything that the cells follow from. Nothing of it grows with models x languages x tasks."""

    def __init__(self, models: int, languages: int, task_count: int, items: int, seed: int) -> None:
        self._seed = seed
        draw = np.random.default_rng(seed)
        self.codes = codes(languages)
        self._difficulty = np.sort(draw.normal(0.0, 1.0, languages)).astype(np.float32)
        self.plans = [
            _plan(facts, index, languages, items, np.random.default_rng((seed, 1, index)))
            for index, facts in enumerate(declared(task_count, self.codes))
        ]
        self.people = {each.identity: each for each in _people(models, languages, draw)}

    def content(self, fresh: Mapping[Identity, Any] | None = None) -> Content:
        """The board's content; entries and items are made when they are asked for."""
        return Content(
            _Entries(self, list(self.people if fresh is None else fresh)),
            {(plan.facts.name, plan.facts.version): plan.facts for plan in self.plans},
            _Stamps(self.plans, self.codes),
        )

    def entry(self, identity: Identity) -> Entry:
        """One model's runs and cells."""
        person = self.people[identity]
        draw = np.random.default_rng((self._seed, 2, person.seed))
        run = hashlib.sha256(repr((self._seed, identity)).encode()).hexdigest()[:16]
        cells: dict[CellKey, Published] = {}
        for plan in self.plans:
            for published in self._cells(person, plan, run, draw):
                cells[key(published.cell)] = published
        facts = RunFacts("2026-01-01T00:00:00Z", "2026-01-01T09:00:00Z", "complete", {"bench": "0.1.0"}, {}, (), id=run)
        return Entry((facts,), cells, person.facts)

    def _cells(self, person: Person, plan: Plan, run: str, draw: np.random.Generator) -> Iterator[Published]:
        languages, widest = len(self.codes), plan.hard.size
        ability = person.skill - self._difficulty - plan.difficulty + draw.normal(0.0, 0.4, languages)
        chance = plan.facts.chance or 0.0
        logits = np.float32(-1.7) * (ability[:, None].astype(np.float32) - plan.hard)
        right = np.float32(chance) + np.float32(1 - chance) / (1 + np.exp(logits))
        statistics = (_proportions if plan.metric.binary else _overlaps)(plan, right, draw)
        asked = np.arange(widest) < plan.counts[:, None]
        there = asked.copy()
        for number in np.flatnonzero(draw.random(languages) < 0.05).tolist():
            there[number] &= draw.random(widest) >= 0.03
        value, low, high = _estimates(plan, statistics, there)
        statistics[~there] = np.iinfo(np.int32).min
        answered = there.sum(axis=1).tolist()
        shown = person.known & (draw.random(languages) >= MISSING_SHARE)
        tokens = draw.integers(3, 60, languages) * plan.counts
        for number in np.flatnonzero(shown).tolist():
            count = int(plan.counts[number])
            cell = Cell(
                model=person.identity.model,
                task=plan.facts.name,
                task_version=plan.facts.version,
                language=self.codes[number],
                variety="",
                vertical=plan.facts.vertical,
                area=plan.facts.area,
                metric=plan.facts.metrics[0],
                signature=plan.signature,
                value=value[number],
                normalised=(value[number] / plan.metric.best - chance) / (1 - chance),
                chance=chance * plan.metric.best,
                n=answered[number],
                ci_low=low[number],
                ci_high=high[number],
                mode="generate",
                prompt_language="english",
                shots=0,
                errors=count - answered[number],
                truncated=0,
                unparsed=number % 3,
                wrong_language=None,
                output_tokens=int(tokens[number]),
                output_tokens_per_joule=None,
                energy_scope=None,
                energy_provenance="none",
                floor=plan.facts.floor,
                reasons={"energy": "no_meter"},
            )
            if person.energy is not None:
                cell = _powered(cell, person.energy * (1 + number / languages))
            if number % 60 == 7:
                cell = replace(cell, reasons={**cell.reasons, "rank": "misaligned"})
            yield Published(cell, Scored(plan.ids[number], statistics[number, :count]), run)


def _powered(cell: Cell, joules: float) -> Cell:
    correct = max(cell.normalised or 0.0, 0.01)
    return replace(
        cell,
        energy_provenance="measured",
        energy_scope="gpu_board",
        energy_setup="one GPU, 700 W; engine 1; bfloat16; 16 at once; gpu_board",
        energy_windows=3,
        joules_per_request=joules,
        joules_per_request_low=joules / 1.03,
        joules_per_request_high=joules * 1.03,
        joules_per_correct=joules / correct,
        joules_per_correct_low=joules / correct / 1.08,
        joules_per_correct_high=joules / correct * 1.08,
        output_tokens_per_joule=200 / joules,
        quality_per_kilojoule=1000 * (cell.normalised or 0.0) / joules,
        reasons={"english_equivalent_tokens_per_joule": "no_premium"},
    )


def _proportions(plan: Plan, right: NDArray[Any], draw: np.random.Generator) -> NDArray[np.int32]:
    """Right or wrong, and how often asked."""
    made = np.ones((*right.shape, 2), dtype=np.int32)
    made[..., 0] = draw.random(right.shape, dtype=np.float32) < right
    return made


def _overlaps(plan: Plan, right: NDArray[Any], draw: np.random.Generator) -> NDArray[np.int32]:
    """N-grams of answer, reference and both: answers about as long as references, longer n-grams match more rarely."""
    shape = right.shape
    made = np.empty((*shape, plan.metric.columns), dtype=np.int32)
    written = np.maximum(1, plan.lengths * (1 + 0.08 * draw.standard_normal(shape, dtype=np.float32))).astype(np.int32)
    for order in range(plan.metric.columns // 3):
        word = order >= 6  # chrF++ counts words after characters
        scale, length = (6, order - 5) if word else (1, order + 1)
        hypothesis = np.maximum(written // scale - length + 1, 0)
        reference = np.maximum(np.broadcast_to(plan.lengths, shape) // scale - length + 1, 0)
        match = np.minimum(hypothesis, reference) * (0.25 + 0.7 * right) ** length
        for place, counts in enumerate((hypothesis, reference, match)):
            made[..., 3 * order + place] = counts
    return made


def _estimates(
    plan: Plan, statistics: NDArray[np.int32], there: NDArray[np.bool_]
) -> tuple[list[float], list[float], list[float]]:
    """Each language's value with its 95 % interval: Wilson's, and the normal one around a corpus score."""
    sums = np.einsum("lic,li->lc", statistics, there.astype(np.int32)).astype(np.int64)
    value = np.asarray(plan.metric.from_statistics(sums), dtype=np.float64)
    n = np.maximum(there.sum(axis=1), 1)
    if not plan.metric.binary:
        half = Z * 14 / np.sqrt(n)
        return value.tolist(), np.maximum(value - half, 0).tolist(), np.minimum(value + half, plan.metric.best).tolist()
    middle = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return value.tolist(), np.maximum(middle - half, 0).tolist(), np.minimum(middle + half, 1).tolist()


class _Entries(Mapping[Identity, Entry]):
    """Each model is made when it is asked for, and the next ones meanwhile in a process of its own."""

    def __init__(self, world: World, fresh: list[Identity]) -> None:
        self._order = [identity for identity in slugs.of_models(world.people) if identity in set(fresh)]
        self._place = {identity: place for place, identity in enumerate(self._order)}
        self._made: dict[int, Future[Entry]] = {}
        # The process gets the world by being forked from this one.
        self._maker = ProcessPoolExecutor(
            1, multiprocessing.get_context("fork"), initializer=_remember, initargs=(world,)
        )

    def __getitem__(self, identity: Identity) -> Entry:
        place = self._place[identity]
        for number in range(place, min(place + AHEAD, len(self._order))):
            if number not in self._made:
                self._made[number] = self._maker.submit(_entry, self._order[number])
        made = self._made.pop(place).result()
        if place == len(self._order) - 1:
            self._maker.shutdown()
        return made

    def __contains__(self, identity: object) -> bool:
        return identity in self._place

    def __iter__(self) -> Iterator[Identity]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


AHEAD = 3
_known: list[World] = []


def _remember(world: World) -> None:
    _known[:] = [world]


def _entry(identity: Identity) -> Entry:
    return _known[0].entry(identity)


class _Stamps(Mapping[Block, Mapping[str, Stamp]]):
    """Each block's items are made when they are asked for."""

    def __init__(self, plans: list[Plan], known: list[str]) -> None:
        self._places = {
            Block(plan.facts.name, plan.facts.version, code, ""): plan.ids[number]
            for plan in plans
            for number, code in enumerate(known)
        }

    def __getitem__(self, place: Block) -> Mapping[str, Stamp]:
        name = f"{place.task}/{place.language}/"
        return {item: Stamp(f"{zlib.crc32(f'{name}{item}'.encode()):08x}", "") for item in self._places[place]}

    def __iter__(self) -> Iterator[Block]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def codes(languages: int) -> list[str]:
    """The languages that most tasks have, by code."""
    counted = Counter(variety.language for task in tasks.all_tasks().values() for variety in task.varieties)
    ordered = sorted(counted, key=lambda code: (-counted[code], code))
    if languages > len(ordered):
        raise SystemExit(f"there are {len(ordered)} languages with tasks, not {languages}")
    return sorted(ordered[:languages])


def declared(count: int, known: list[str]) -> list[TaskFacts]:
    """Declarations like those of real tasks under names of their own, the last ones scored as translations are."""
    real = sorted(tasks.all_tasks().values(), key=lambda task: (-len(task.varieties), task.name))
    choices = [task for task in real if task.metrics[0] == "accuracy" and task.chance and not task.floor]
    written = [task for task in real if task.metrics[0] == "chrf++"]
    few = min(CHRF, count // 2)
    chosen = [
        *(choices[n % len(choices)] for n in range(count - few)),
        *(written[n % len(written)] for n in range(few)),
    ]
    return [
        replace(
            task_facts(task),
            name=f"made-{number:02}-{task.name}",
            title=f"{task.title} (synthetic {number})",
            metrics=task.metrics[:1],
            vertical=task.vertical or VERTICALS[number % len(VERTICALS)],
            languages=tuple(known),
        )
        for number, task in enumerate(chosen)
    ]


def _plan(facts: TaskFacts, index: int, languages: int, items: int, draw: np.random.Generator) -> Plan:
    metric = kernels.metric(facts.metrics[0])
    counts = draw.integers(max(1, items * 2 // 3), items * 4 // 3 + 1, languages)
    widest = int(counts.max())
    ids = [tuple(sorted(str(number) for number in range(count))) for count in range(widest + 1)]
    return Plan(
        facts=facts,
        metric=metric,
        signature=f"{metric.name}|{metric.signature(-1)}",
        difficulty=float(draw.normal(0.0, 0.6)) + 0.02 * index,
        counts=counts,
        ids=tuple(ids[count] for count in counts.tolist()),
        hard=draw.normal(0.0, 0.8, widest).astype(np.float32),
        lengths=np.maximum(20, draw.lognormal(4.7, 0.4, widest)).astype(np.int32),
    )


def _people(models: int, languages: int, draw: np.random.Generator) -> Iterator[Person]:
    """Families of five: a general model, two for languages, one for a vertical, one for an institution."""
    base = Facts()
    name = ""
    for number in range(models):
        floor = number % 100 == 99 or number == 1
        maker = MAKERS[number // 5 % len(MAKERS)]
        place = number % 5
        size = SIZES[number // 5 % len(SIZES)]
        level = KINDS[place]
        if place == 0:
            name = f"hf:{maker}/{maker}-{number // 5}-{size / 1e9:g}b"
            base = stated(
                "model file",
                licence=LICENCES[number // 5 % len(LICENCES)],
                open_weights=LICENCES[number // 5 % len(LICENCES)] is not None,
                parameters=int(size),
                organisation=maker,
                level=level,
            )
        facts = base if place == 0 else replace(base, base=(name,), relation="finetune", level=level)
        known = np.ones(languages, dtype=np.bool_)
        if place == 1 or number % 17 == 5:
            known = draw.random(languages) < max(0.05, 2 / languages)
        own = f"baseline:made-{number}" if floor else name if place == 0 else f"{name}-{level}-{place}"
        skill = float(np.log10(size / 1e9) * 0.9 + draw.normal(0.2 * (place > 0), 0.3))
        yield Person(
            identity=Identity(own, "0" * 40, "none", "greedy"),
            skill=-9.0 if floor else skill,
            facts=Facts() if floor else facts,
            known=known,
            energy=size / 1e9 * 3 if number % 25 == 3 else None,
            seed=number,
        )


def make(
    board: Path, models: int = 500, languages: int = 300, task_count: int = 20, items: int = 150, seed: int = 0
) -> Made:
    """Writes the board and makes it current."""
    start = time.perf_counter()
    world = World(models, languages, task_count, items, seed)
    prepared = time.perf_counter()
    made = _put(board, world.content(), None, "")
    return replace(made, seconds={"prepare": prepared - start, "write": time.perf_counter() - prepared})


def add(board: Path, models: int, languages: int, task_count: int, items: int, seed: int = 0) -> Made:
    """Adds the model that a board with one more model would have to the board that `make` made."""
    start = time.perf_counter()
    world = World(models + 1, languages, task_count, items, seed)
    before = snapshot.current(board)
    connection = snapshot.connect(board, before)
    numbers = reading.identities(connection)
    fresh = {identity: None for identity in world.people if identity not in numbers}
    made = _put(board, world.content(fresh), Kept(connection, numbers), before)
    connection.close()
    return replace(made, seconds={"add one model": time.perf_counter() - start})


def _put(board: Path, content: Content, kept: Kept | None, before: str) -> Made:
    (board / snapshot.SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    written = snapshot.write(content, kept, board, before)
    snapshot.point(board, written.name)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    published = tuple(model.slug for identity, model in written.models.items() if identity in content.entries)
    history.append(board, history.Entry(at, written.name, before, published, written.cells, written.results))
    return Made(written.name, written.cells, {})


def main() -> None:
    """Makes a board, adds a model, and says what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, help="where it goes, and stays; default: a folder that is removed")
    for name, usual in (("models", 500), ("languages", 300), ("tasks", 20), ("items", 150), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    told = parser.parse_args()
    board = told.board or Path(tempfile.mkdtemp())
    size = (told.models, told.languages, told.tasks, told.items, told.seed)
    try:
        for work in (make, add):
            made = work(board, *size)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            disk = snapshot.snapshot_path(board, made.snapshot).stat().st_size
            for stage, seconds in made.seconds.items():
                print(f"{stage}: {seconds:.1f} s")
            print(f"{made.cells:,} cells, {disk / 1e6:,.0f} MB on disk, peak memory {peak:,.0f} MiB so far")
    finally:
        if told.board is None:
            shutil.rmtree(board)


if __name__ == "__main__":
    main()
