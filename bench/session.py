"""One model's run from plan to cells: opens the run file, asks, scores. The command line and the tests drive this."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tasks
from bench import prompting, scoring, summary
from bench.execution import Outcome, execute
from bench.models.base import Model
from bench.plan import ENGLISH, Block, Style, requests
from bench.records import BenchError, Cell, Mode, Request, Response, Score, UsageError
from bench.runfile import Identity, Planned, RunFile, SampleFacts
from bench.watch import Watch, unwatched
from tasks import DataError, Sample, Task, Variety


@functools.lru_cache(maxsize=16)
def training(task: str, language: str, variety: str) -> tuple[Sample, ...]:
    """The training samples of one task and language, empty where the task has no training split."""
    declared = tasks.get(task)
    if "train" not in declared.splits or declared.kind == "rules":
        return ()  # what a rule asks for is no answer that could be copied
    try:
        return tuple(declared.samples(_variety(declared, language, variety), "train"))
    except DataError as error:
        raise UsageError(f"{task} {language}: {error}") from error


def asker(model: Model, rotation: int = 0) -> prompting.Asker:
    """What of the model goes into a request's identity."""
    return prompting.Asker(model.revision, model.template, prompting.with_rotation(model.decoding, rotation))


def perform(
    model: Model,
    blocks: Sequence[Block],
    mode: Mode | None,
    path: Path,
    watch: Watch = unwatched,
    *,
    style: Style = ENGLISH,
    rotation: int = 0,
) -> Outcome:
    """Runs a model over the blocks into the run file at `path`, then scores everything that the file holds.

    Options are shown `rotation` places further on.

    Raises `UsageError` for a plan or file that does not fit, `BenchError` where answers cannot be kept; what was
    answered until then is in the file.
    """
    asking = asker(model, rotation)
    planned, left_out = requests(blocks, model.capabilities, asking, mode, style)
    if not planned:
        raise UsageError(
            f"{model.name} can answer none of the tasks: {next(iter(left_out.values()), 'none has items')}"
        )
    model.check(planned)
    with RunFile.open(path, Identity(model.name, model.revision, model.template, asking.decoding)) as run:
        known = {sample.id: sample for block in blocks for sample in block.samples}
        known |= _earlier(run, known)
        run.add_datasets(_fingerprints(blocks))
        run.add_plan(_planned(planned, blocks))
        invocation = run.begin(sys.argv[1:], versions(), hardware())
        ended = "interrupted"
        try:
            with watch(model.name, len(planned)) as progress:
                outcome = execute(model, planned, run, progress)
            if outcome.asked or not run.cells():
                rescore(run, known, watch)
            ended = "errors" if outcome.errors or outcome.stopped else "complete"
        except BenchError:
            ended = "failed"
            raise
        finally:
            _note_end(run, invocation, ended)
    return replace(outcome, left_out=left_out)


def _earlier(run: RunFile, known: Mapping[str, Sample]) -> dict[str, Sample]:
    """The samples of what the file was asked before and is not asked now: they are scored again with the rest.

    Read before anything is asked, so that data which are missing are told now and not hours later.
    """
    found: dict[str, Sample] = {}
    for (versioned, language, variety, *_), members in _asked(run).items():
        if not all(identity in known or identity in found for _, identity in members):
            task = _declared(versioned)
            found |= _samples(task, _variety(task, language, variety))
    return found


def _note_end(run: RunFile, invocation: int, ended: str) -> None:
    # On a full disk this fails too: the reason is on its way to the user already, and the answers need no such note.
    with contextlib.suppress(BenchError):
        run.end(invocation, ended)


def _planned(planned: Iterable[Request], blocks: Iterable[Block]) -> Iterator[Planned]:
    known = {sample.id: (block.task, sample) for block in blocks for sample in block.samples}
    for request in planned:
        task, sample = known[request.sample]
        kept = request.prompt if task.access == "open" else None
        yield Planned(request, SampleFacts(prompting.digest(sample), sample.cluster), kept)


def _fingerprints(blocks: Iterable[Block]) -> Iterator[tuple[str, str, str, bool]]:
    seen = set()
    for block in blocks:
        source = block.task.source
        splits: list[tasks.Split] = ["test", "train"] if block.examples and not block.task.held_out else ["test"]
        for file, sha in (pair for split in splits for pair in source.fingerprint(block.variety, split).items()):
            if (source.dataset, file) not in seen:
                seen.add((source.dataset, file))
                yield source.dataset, file, sha, source.is_locked(file)


def rescore(run: RunFile, known: Mapping[str, Sample] = MappingProxyType({}), watch: Watch = unwatched) -> list[Cell]:
    """Scores every response of the run from the locked data and stores scores and cells; asks no model anything.

    `known` are samples by id that were read already; the others are read from the data. Raises `UsageError` where the
    data are not those that the run was made with.
    """
    manifest = run.manifest()
    model, places = manifest["model"], _asked(run)
    rotation = prompting.rotation(manifest["decoding"])
    scores: list[Score] = []
    cells: list[Cell] = []
    with watch(f"{model} (scoring)", len(places)) as progress:
        for done, group in enumerate(_groups(run, model, places, known), start=1):
            made = scoring.score(group.task, group.answered, rotation)
            scores.extend(made)
            cells.extend(summary.cells(group, made, rotation))
            progress(done)
    run.replace_scores(scores, cells)
    return cells


Place = tuple[str, str, str, Mode, str, int]
"""task@version, language, variety, mode, prompt language, shots: what a cell is about."""


def _asked(run: RunFile) -> dict[Place, list[tuple[str, str]]]:
    """(request, sample) of everything that was planned, by what it is about."""
    places: dict[Place, list[tuple[str, str]]] = {}
    for request, identity, mode, prompt_language, shots in run.planned():
        versioned, language, variety, _ = identity.split("/", 3)
        places.setdefault((versioned, language, variety, mode, prompt_language, shots), []).append((request, identity))
    return places


def _groups(
    run: RunFile, model: str, places: Mapping[Place, Sequence[tuple[str, str]]], known: Mapping[str, Sample]
) -> Iterator[summary.Group]:
    """The run's answers by what they are about, each with its sample made anew from the data."""
    responses = {response.request: response for response in run.responses()}
    facts = run.samples()
    for (versioned, language, variety, mode, prompt_language, shots), members in places.items():
        task = _declared(versioned)
        place = _variety(task, language, variety)
        samples = known if all(identity in known for _, identity in members) else _samples(task, place)
        answered = []
        for request, identity in members:
            sample = samples.get(identity)
            if sample is None or prompting.digest(sample) != facts[identity].hash:
                raise UsageError(f"{identity} is no longer what {run.path} was asked; the data of {task.name} changed")
            # A request without an answer counts as an error: its cell is incomplete, and shows the bounds.
            response = responses.get(request) or Response(request, "error", reason="not_answered")
            answered.append(scoring.Answered(sample, mode, response))
        yield summary.Group(model, task, place, mode, prompt_language, shots, answered)


def _declared(versioned: str) -> Task:
    name, version = versioned.split("@")
    try:
        task = tasks.get(name)
    except tasks.UnknownTask as error:
        raise UsageError(
            f"the run asks {versioned}, which this program does not know ({error}); a task of your own is made known "
            "with -t FILE.toml"
        ) from error
    if task.version != version:
        raise UsageError(f"the run asks {versioned}; this program has version {task.version} of it")
    return task


def _variety(task: Task, language: str, variety: str) -> Variety:
    for known in task.varieties:
        if (known.language, known.variety) == (language, variety):
            return known
    named = f"{language}-{variety}" if variety else language
    raise UsageError(f"the run asks {task.name} in {named}, which the task no longer has")


def _samples(task: Task, variety: Variety) -> dict[str, Sample]:
    try:
        return {sample.id: sample for sample in task.samples(variety)}
    except DataError as error:
        raise UsageError(f"{task.name} {variety.language}: {error}") from error


def versions() -> dict[str, str]:
    """Versions of the program, of Python and of what computes the scores."""
    named = {"python": platform.python_version()}
    for package in ("bench", "numpy", "sacrebleu", "babel", "torch", "transformers"):
        try:
            named[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return named


def hardware() -> dict[str, Any]:
    """What the run ran on; no name of the machine."""
    return {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
