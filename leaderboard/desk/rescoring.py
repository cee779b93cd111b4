"""Scoring an upload anew: its plan is made again from data of the board's own, its answers are scored again.

Prompts and gold of the upload count for nothing: they are only compared with what the board's own data give.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import tasks
from bench import prompting
from bench.plan import draw, solved
from bench.prompting import Asker, Asking
from bench.records import Cell, Mode, Request
from bench.runfile import RunFile
from bench.runfile_records import Answer, Place
from leaderboard.collect import CellKey, key
from leaderboard.desk.structure import Refused
from tasks import DataError, Repository, Sample, Task, Variety, lock, prompts, store

SHOWN = 3
"""So many differences are named; the rest are counted."""
SHOTS = 64
"""The most solved examples that a run may show."""
_ROOM = re.compile(r"\|reasoning:([0-9]{1,9})(?:\|options:\+[0-9]+)?$")
_MODES = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a run's plan could be made again: ids of its places, and the datasets that the board lacks for others."""

    places: frozenset[int]
    missing: tuple[str, ...]


def check_data(run: RunFile) -> None:
    """Raises `Refused` where the run read another file than the one that the lock pins."""
    for dataset, file, sha256, _ in run.datasets():
        pinned = lock.entry(dataset, file)
        if pinned is not None and pinned.sha256 != sha256:
            raise Refused(
                "wrong_data",
                f"{dataset}/{file} of the run has the SHA-256 {sha256[:12]}..., the locked one "
                f"{pinned.sha256[:12]}...; run again on the locked data",
            )


def check_plan(run: RunFile) -> Plan:
    """Makes the plan anew, place by place, from the board's data, and compares. Raises `Refused` where it differs.

    What a run asks of a language has to be what some limit takes (`bench.plan.draw`): nobody picks his questions.
    """
    identity = run.identity()
    room = _ROOM.search(identity.decoding)
    asker = Asker(identity.revision, identity.template, identity.decoding, int(room[1]) if room else 0)
    found, missing = set(), set()
    for place in run.places():
        task, variety = declared(place)
        answers = run.answers(place)
        _check_names(place, answers)
        if not answers:
            continue
        if _at_hand(task, variety, place.shots):
            _check_place(run, place, answers, task, variety, asker)
            found.add(place.id)
        else:
            missing.add(task.source.dataset)
    return Plan(frozenset(found), tuple(sorted(missing)))


def declared(place: Place) -> tuple[Task, Variety]:
    """The task and the variety that a place is about. Raises `Refused` where nobody could be asked such."""
    name, _, version = place.task.partition("@")
    try:
        task = tasks.get(name)
    except tasks.UnknownTask as error:
        raise Refused("wrong_plan", f"the board does not know the task {name[:60]!r}") from error
    if task.version != version:
        raise Refused("wrong_plan", f"the run asks {place.task[:80]!r}; the board has version {task.version} of it")
    for variety in task.varieties:
        if (variety.language, variety.variety) == (place.language, place.variety):
            break
    else:
        raise Refused("wrong_plan", f"{name} has no language {_language(place)[:60]!r}")
    known = ("generate",) if task.kind != "choice" else _MODES
    if place.mode not in known:
        raise Refused("wrong_plan", f"{name} cannot be asked in the mode {place.mode[:60]!r}")
    if not 0 <= place.shots <= SHOTS:
        raise Refused("wrong_plan", f"{name} is asked after {place.shots} examples, at most {SHOTS} are known")
    if place.prompt_language not in ("english", "native"):
        raise Refused("wrong_plan", f"{name} has no prompts in {place.prompt_language[:60]!r}")
    return task, variety


def _language(place: Place) -> str:
    return f"{place.language}-{place.variety}" if place.variety else place.language


def _check_names(place: Place, answers: Collection[Answer]) -> None:
    start = f"{place.task}/{place.language}/{place.variety}/"
    stray = next((answer.sample for answer in answers if not answer.sample.startswith(start)), None)
    if stray is not None:
        raise Refused("forged_plan", f"the sample {stray[:80]!r} is not one of {place.task} {_language(place)}")


def _at_hand(task: Task, variety: Variety, shots: int) -> bool:
    """Whether the board has the data itself, locked. Nothing is ever downloaded."""
    source = task.source
    try:
        if isinstance(source, Repository) and source.repository and store.mirror() is None:
            return False
        splits: list[tasks.Split] = ["test"]
        if shots and "train" in task.splits and not task.held_out:
            splits.append("train")
        files = [file for split in splits for file in source.fingerprint(variety, split)]
    except DataError:
        return False
    return all(source.is_locked(file) for file in files)


def _check_place(
    run: RunFile, place: Place, answers: Collection[Answer], task: Task, variety: Variety, asker: Asker
) -> None:
    where = f"{place.task} {_language(place)}"
    try:
        every = list(task.samples(variety))
        examples = solved(task, variety, place.shots, every)
    except DataError as error:
        raise Refused("wrong_data", f"{where}: {error}") from error
    prompt = prompts.choose(task, place.language, place.prompt_language)
    if prompt.language != place.prompt_language or len(examples) < place.shots:
        raise Refused(
            "wrong_plan", f"{where} cannot be asked with {place.prompt_language} prompts and {place.shots} shots"
        )
    asking = Asking(prompt, examples[: place.shots])
    samples = {sample.id: sample for sample in every}
    texts = run.prompts(place)
    asked: dict[int, set[str]] = {}
    for answer in answers:
        sample = samples.get(answer.sample)
        if sample is None:
            raise Refused("forged_plan", f"{where} has no sample {answer.sample[:80]!r}")
        if answer.facts.hash != prompting.digest(sample) or answer.facts.cluster != sample.cluster:
            raise Refused(
                "forged_plan", f"{answer.sample[:80]!r} is another text, gold or passage than in the locked data"
            )
        made = prompting.request(task, sample, place.mode, asker, asking, answer.repeat)
        _check_request(where, answer, made, texts[answer.request])
        asked.setdefault(answer.repeat, set()).add(sample.item)
    _check_choice(where, every, asked)


def _check_request(where: str, answer: Answer, made: Request, text: str | None) -> None:
    if answer.request != made.id:
        raise Refused(
            "forged_plan",
            f"the request for {answer.sample[:80]!r} is not what this program asks such a model; run again",
        )
    if text is not None and text != made.prompt:
        raise Refused("forged_plan", f"the prompt kept for {answer.sample[:80]!r} is not the one of {where}")


def _check_choice(where: str, every: list[Sample], asked: Mapping[int, set[str]]) -> None:
    """Raises `Refused` where the items are not those that a limit draws, or a repeat asks more than the one before."""
    if sorted(asked) != list(range(len(asked))):
        raise Refused("picked_items", f"{where} leaves out repeats; run again")
    before: set[str] | None = None
    for _, items in sorted(asked.items()):
        drawn = {sample.item for sample in draw(every, len(items))}
        if items != drawn or (before is not None and not items <= before):
            raise Refused(
                "picked_items",
                f"{where} asks {len(items):,} of {len(every):,} items, and not those that --limit {len(items)} takes: "
                f"it lacks {min(drawn - items or drawn)[:60]!r}; run again with --limit, or without",
            )
        before = items


def rescore(path: Path, copy: Path, plan: Plan, data: Path | None) -> None:
    """Scores the answers of the plan's places anew in a copy, in a process of its own, and compares all numbers.

    `copy` is written. Raises `Refused` where the scores or the cells of the upload are others, and `OSError`.
    """
    shutil.copyfile(path, copy)
    _keep_only(copy, plan.places)
    command = [sys.executable, "-I", "-m", "bench", "rescore", copy.name, *(["--data", str(data)] if data else [])]
    # It inherits the limits; the whole session has one clock, so none is set here.
    ended = subprocess.run(command, cwd=copy.parent, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    if ended.returncode == -signal.SIGXCPU:
        raise Refused("check_timeout", "scoring its answers takes longer than a check may")
    if ended.returncode == -signal.SIGKILL:
        raise Refused("check_memory", "scoring its answers takes more memory than a check may")
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        if "not enough memory" in said[0] or "MemoryError" in said[0]:
            raise Refused("check_memory", "scoring its answers takes more memory than a check may")
        if "no room left" in said[0]:
            raise Refused("disk_full", "the board has no room left to check the run; send it again later")
        raise Refused("bad_file", f"its answers cannot be scored: {said[0]}")
    with RunFile.read(path) as said_by, RunFile.read(copy) as made:
        found = list(differences(said_by, made, plan.places))
    if found:
        more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
        raise Refused(
            "forged_scores",
            f"its answers give other numbers: {'; '.join(found[:SHOWN])}{more}; `python -m bench rescore` of the "
            "board's version mends an honest run",
        )


def _keep_only(copy: Path, places: Collection[int]) -> None:
    """Leaves only these places in a run file."""
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        others = [(place,) for (place,) in connection.execute("SELECT id FROM places") if place not in places]
        for table in ("scores", "responses"):
            connection.executemany(
                f"DELETE FROM {table} WHERE request IN (SELECT id FROM requests WHERE place = ?)",  # noqa: S608
                others,
            )
        connection.executemany("DELETE FROM requests WHERE place = ?", others)
        connection.executemany("DELETE FROM places WHERE id = ?", others)


def differences(said: RunFile, made: RunFile, places: Collection[int]) -> Iterator[str]:
    """What two files of one run say otherwise of these places: cells first, then scores of single answers."""
    kept = [place for place in said.places() if place.id in places]
    ways = {(place.task, *_way(place)) for place in kept}
    before, after = (
        {key(cell): cell for cell in run.cells() if (f"{cell.task}@{cell.task_version}", *_way(cell)) in ways}
        for run in (said, made)
    )
    for name in dict.fromkeys([*before, *after]):
        yield from _between(name, before.get(name), after.get(name))
    for place in kept:
        for one, other in zip_longest(said.scores(place), made.scores(place)):
            if one != other:
                told = [f"{each.metric} {list(each.statistics)}" if each else "nothing" for each in (one, other)]
                yield f"{place.task} {_language(place)}, an answer: said {told[0]}, re-scored {told[1]}"


def _way(one: Place | Cell) -> tuple[str, str, str, str, int]:
    return one.language, one.variety, one.mode, one.prompt_language, one.shots


def _between(name: CellKey, said: Cell | None, made: Cell | None) -> Iterator[str]:
    where = f"{name[0]} {name[2]} {name[-1]}"
    if said is None or made is None:
        told = ["nothing" if one is None else "a result" for one in (said, made)]
        yield f"{where}: said {told[0]}, re-scored {told[1]}"
        return
    after = _comparable(made)
    for field, before in _comparable(said).items():
        if not _same(before, after[field]):
            yield f"{where}: said {field} {_short(before)}, re-scored {_short(after[field])}"


def _comparable(cell: Cell) -> dict[str, Any]:
    """A cell's fields; without the words for its rank, which the board finds itself, and for costs that it lacks.

    A price that a later invocation brings, which asks nothing new, makes another word of why there are none.
    """
    told = {name: why for name, why in cell.reasons.items() if name not in ("rank", "cost", "cost_per_correct")}
    return {**asdict(cell), "reasons": told}


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one; two machines may add up floats in another order."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]
