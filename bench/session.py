"""One model's run from plan to cells: opens the run file, asks, scores. The command line and the tests drive this."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import tasks
from bench import prompting, scoring, summary
from bench.backend import Model, Remembering, worded
from bench.energy import agenda, keeping, measuring
from bench.energy.cells import with_energy
from bench.energy.measuring import Instruments, setup_of
from bench.energy.mixed import Context, Metered, subject_of
from bench.energy.own_premiums import premiums_of
from bench.execution import NO_BOUNDS, Bounds, Outcome, Totals, execute
from bench.plan import ENGLISH, Block, Style, requests
from bench.premium.files import from_json, to_json
from bench.records import BenchError, Mode, Request, Response, UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity, Place, Planned, SampleFacts
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
    room = model.capabilities.reasoning_tokens
    decoding = worded(model.decoding, reasoning=room or None)
    return prompting.Asker(model.revision, model.template, prompting.with_rotation(decoding, rotation), room)


def perform(
    model: Model,
    blocks: Sequence[Block],
    mode: Mode | None,
    path: Path,
    watch: Watch = unwatched,
    *,
    style: Style = ENGLISH,
    rotation: int = 0,
    bounds: Bounds = NO_BOUNDS,
    facts: object = None,
    instruments: Instruments | str | None = None,
) -> Outcome:
    """Runs a model over the blocks into the run file at `path`, then scores everything that the file holds.

    Options are shown `rotation` places further on. `facts`, where given, is what is known of the model, as JSON has it.
    `instruments` measure energy, first of the run as it goes and then in windows of their own; a text is the reason
    code of why there are none.

    Raises `UsageError` for a plan or file that does not fit, `BenchError` where answers cannot be kept; what was
    answered until then is in the file.
    """
    if bounds.max_cost is not None and model.price is None:
        raise UsageError(
            f"{model.name} has no known price to hold --max-cost against; "
            + ("give it in a model file, [price]" if model.capabilities.remote else "only a service has one")
        )
    plan = Plan(model, blocks, mode, style, asker(model, rotation))
    if not any(plan):  # the first request is enough to know
        raise UsageError(
            f"{model.name} can answer none of the tasks: {next(iter(plan.left_out.values()), 'none has items')}"
        )
    model.check(request for group in plan for request in group)
    with RunFile.open(path, Identity(model.name, model.revision, model.template, plan.asker.decoding)) as run:
        _check_currency(run, model)
        _check_earlier(run, blocks)
        run.add_datasets(_fingerprints(blocks))
        totals = plan.write(run)
        _describe(run, model, facts)
        invocation = run.begin(sys.argv[1:], versions(), hardware(instruments))
        ended = "interrupted"
        measured = Measurement(run, plan, instruments) if isinstance(instruments, Instruments) else None
        if instruments is not None:
            run.describe("energy", {"unmeasured": instruments} if isinstance(instruments, str) else {})
        try:
            with watch(model.name, totals.planned) as progress:
                answering = measured.metered(model) if measured else model
                outcome = execute(answering, plan, run, progress, totals, bounds)
            if outcome.asked or isinstance(instruments, str) or not run.cells():
                rescore(run, blocks, watch)
            if measured and not outcome.stopped:
                # Scored before, so that an interruption while measuring hides nothing.
                outcome = replace(outcome, stopped=measured.windows(model, blocks, watch))
                rescore(run, blocks, watch)
            ended = "errors" if outcome.errors or outcome.stopped else "complete"
        except BenchError:
            ended = "failed"
            raise
        finally:
            _note_end(run, invocation, ended)
    return replace(outcome, left_out=plan.left_out)


class Plan(Iterable[list[Request]]):
    """What one model is asked, block by block. Made anew each time it is gone through, so that it may be of any length.

    `left_out` has the tasks that the model cannot be asked, with the reason, once it was gone through.
    """

    def __init__(
        self, model: Model, blocks: Sequence[Block], mode: Mode | None, style: Style, asker: prompting.Asker
    ) -> None:
        self.left_out: dict[str, str] = {}
        self.asker = asker
        self.blocks = blocks
        self._model, self._how = model, (mode, style)

    def requests(self) -> Iterator[tuple[Block, list[Request]]]:
        """Every block with what is asked of it."""
        mode, style = self._how
        return requests(self.blocks, self._model.capabilities, self.asker, mode, style, self.left_out)

    def of(self, blocks: Sequence[Block]) -> Plan:
        """Other blocks, asked in the same way."""
        return Plan(self._model, blocks, *self._how, self.asker)

    def __iter__(self) -> Iterator[list[Request]]:
        return (made for _, made in self.requests())

    def write(self, run: RunFile) -> Totals:
        """Puts the plan into the run file; a longer one extends what is there."""
        planned, earlier = 0, 0
        for block, made in self.requests():
            run.add_plan(_planned(block, made))
            planned += len(made)
            earlier += len(run.answered([request.id for request in made]))
        return Totals(planned, earlier)


class Measurement:
    """The energy of one run: of its own answers as they come, then of windows that are measured apart."""

    def __init__(self, run: RunFile, plan: Plan, instruments: Instruments) -> None:
        self._run = run
        self._plan = plan
        self._instruments = instruments

    def metered(self, model: Model) -> Model:
        """The model, with the energy of its answers measured; as it is where it keeps things from run to run."""
        if isinstance(model, Remembering):
            return model
        meter, options = self._instruments.meter, self._instruments.options
        # A request does not say the version of its task.
        versions = {block.task.name: block.task.version for block in self._plan.blocks}
        context = Context(
            meter,
            self._instruments.clock,
            setup_of(model, meter.facts, options.concurrency),
            options.concurrency,
            lambda request: subject_of(request, versions[request.task]),
            lambda window: keeping.keep(self._run, window),
        )
        return Metered(model, context)

    def windows(self, model: Model, blocks: Sequence[Block], watch: Watch) -> str:
        """Measures what is not measured yet. Returns why that ended early, "" where it did not."""
        english = self._plan.of(agenda.with_english(blocks))
        usable = self._run.usable
        wanted = agenda.agenda(self._plan.requests, english.requests, usable, model, self._instruments.options)
        if wanted is None:
            self._run.describe("energy", {"unmeasured": "no_answers"})
            return ""
        done = keeping.windows(self._run)
        stopped = measuring.perform(
            model, wanted, self._instruments, done, lambda window: keeping.keep(self._run, window), watch
        )
        subjects = (*wanted.subjects, *(window.subject for window in done))
        # What was counted for languages of an earlier invocation stays.
        before = [from_json(one) for one in self._run.manifest().get("premiums", [])]
        known = {(one.language, one.variety) for corpus in before for one in corpus.languages}
        places = dict.fromkeys(
            (*known, *((subject.language, subject.variety) for subject in subjects if subject.language))
        )
        datasets = {block.task.source.dataset for block in blocks}
        counted = premiums_of(model, places, datasets, watch)
        if counted:
            self._run.describe("premiums", [to_json(one) for one in counted])
        return stopped


def _planned(block: Block, made: Iterable[Request]) -> Iterator[Planned]:
    known = {sample.id: sample for sample in block.samples}
    for request in made:
        sample = known[request.sample]
        kept = request.prompt if block.task.access == "open" else None
        yield Planned(request, SampleFacts(prompting.digest(sample), sample.cluster), kept)


def _describe(run: RunFile, model: Model, facts: object) -> None:
    """Keeps what is known of the model; what an earlier invocation knew stays where this one knows nothing."""
    if facts is not None:
        run.describe("facts", facts)
    if model.price is not None:
        run.describe("price", asdict(model.price))


def _check_currency(run: RunFile, model: Model) -> None:
    before = run.manifest().get("price", {}).get("currency")
    if before and model.price and before != model.price.currency:
        raise UsageError(
            f"{run.path} keeps its costs in {before}, and the price is in {model.price.currency} now; give another "
            "--output"
        )


def _check_earlier(run: RunFile, blocks: Iterable[Block]) -> None:
    """Reads what the file was asked before and is not asked now, for it is scored again with the rest.

    Before anything is asked, so that data which are missing are told now and not hours later.
    """
    now = {_about(block) for block in blocks}
    for place in run.places():
        if (place.task, place.language, place.variety) not in now:
            _samples(place)


def _about(block: Block) -> tuple[str, str, str]:
    return f"{block.task.name}@{block.task.version}", block.variety.language, block.variety.variety


def _note_end(run: RunFile, invocation: int, ended: str) -> None:
    # On a full disk this fails too: the reason is on its way to the user already, and the answers need no such note.
    with contextlib.suppress(BenchError):
        run.end(invocation, ended)


def _fingerprints(blocks: Iterable[Block]) -> Iterator[tuple[str, str, str, bool]]:
    seen = set()
    for block in blocks:
        source = block.task.source
        splits: list[tasks.Split] = ["test"]
        if block.shots and "train" in block.task.splits and block.examples and not block.task.held_out:
            splits.append("train")
        for file, sha in (pair for split in splits for pair in source.fingerprint(block.variety, split).items()):
            if (source.dataset, file) not in seen:
                seen.add((source.dataset, file))
                yield source.dataset, file, sha, source.is_locked(file)


def rescore(run: RunFile, blocks: Iterable[Block] = (), watch: Watch = unwatched) -> int:
    """Scores every response of the run from the locked data and stores scores and cells; asks no model anything.

    One task and language at a time; what `blocks` hold is not read again. Returns the number of cells. Raises
    `UsageError` where the data are not those that the run was made with; then the old scores stay.
    """
    manifest = run.manifest()
    rotation = prompting.rotation(manifest["decoding"])
    currency = manifest.get("price", {}).get("currency", "")
    known = keeping.known(run)
    at_hand = {_about(block): block for block in blocks}
    places, count = run.places(), 0
    with watch(f"{manifest['model']} (scoring)", len(places)) as progress, run.rescoring() as keep:
        for done, place in enumerate(places, start=1):
            group = _group(run, manifest["model"], place, at_hand, currency)
            if group.answered:
                scores = scoring.score(group.task, group.answered, rotation)
                cells = with_energy(summary.cells(group, scores, rotation), known)
                keep(scores, cells)
                count += len(cells)
            progress(done)
    return count


def _group(
    run: RunFile, model: str, place: Place, at_hand: Mapping[tuple[str, str, str], Block], currency: str
) -> summary.Group:
    """The answers of one place, each with its sample made anew from the data."""
    task, variety = _declared(place)
    answers = run.answers(place)
    block = at_hand.get((place.task, place.language, place.variety))
    samples = {sample.id: sample for sample in block.samples} if block else {}
    if not all(answer.sample in samples for answer in answers):
        samples = _samples(place)  # an earlier invocation asked more of it
    answered = []
    for answer in answers:
        sample = samples.get(answer.sample)
        if sample is None or prompting.digest(sample) != answer.facts.hash:
            raise UsageError(f"{answer.sample} is no longer what {run.path} was asked; the data of {task.name} changed")
        # A request without an answer counts as an error: its cell is incomplete, and shows the bounds.
        response = answer.response or Response(answer.request, "error", reason=summary.NOT_ANSWERED)
        answered.append(scoring.Answered(sample, place.mode, response, answer.repeat, answer.cost))
    return summary.Group(model, task, variety, place.mode, place.prompt_language, place.shots, answered, currency)


def _declared(place: Place) -> tuple[Task, Variety]:
    name, version = place.task.split("@")
    try:
        task = tasks.get(name)
    except tasks.UnknownTask as error:
        raise UsageError(
            f"the run asks {place.task}, which this program does not know ({error}); a task of your own is made known "
            "with -t FILE.toml"
        ) from error
    if task.version != version:
        raise UsageError(f"the run asks {place.task}; this program has version {task.version} of it")
    return task, _variety(task, place.language, place.variety)


def _variety(task: Task, language: str, variety: str) -> Variety:
    for known in task.varieties:
        if (known.language, known.variety) == (language, variety):
            return known
    named = f"{language}-{variety}" if variety else language
    raise UsageError(f"the run asks {task.name} in {named}, which the task no longer has")


def _samples(place: Place) -> dict[str, Sample]:
    task, variety = _declared(place)
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


def hardware(instruments: Instruments | str | None = None) -> dict[str, Any]:
    """What the run ran on, with the devices whose energy was measured; no name of the machine."""
    known: dict[str, Any] = {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
    if isinstance(instruments, Instruments):
        known["metered"] = [asdict(device) for device in instruments.meter.facts.devices]
    return known
