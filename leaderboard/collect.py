"""Run file -> what a snapshot takes from it. A run file may come from anybody, so nothing in it is believed unseen."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

import msgspec

import tasks
from bench.cards import facts as cards
from bench.cards.facts import Facts
from bench.energy import keeping
from bench.energy.cells import check as check_windows
from bench.prompting import rotation
from bench.records import BenchError, Cell, UsageError
from bench.runfile import RunFile, reading
from bench.runfile_records import Identity
from bench.scoring import FIDELITY
from bench.summary import ERRORS_ALLOWED, TOO_FEW_ITEMS, UNEVEN, UNREVIEWED, blind_to, pooled, reviewed
from leaderboard import premiums
from leaderboard.checks import (
    Tally,
    check_counts,
    check_facts,
    check_fields,
    check_language,
    check_writable,
    name_of,
    place_of,
    scored_rows,
)
from leaderboard.energy_checks import check_energy
from leaderboard.records import (
    Badge,
    Block,
    DatasetFile,
    PriceFacts,
    PromptFacts,
    Published,
    RunFacts,
    Stamp,
    TaskFacts,
)
from tasks import lock

TOO_MANY_ERRORS, UNLOCKED, TOO_FEW = "too_many_errors", "unlocked_data", "too_few_items"

EMBEDDED = frozenset({"cldr", "rules"})
"""What this program makes itself, from CLDR; its version is part of its tasks' versions, so it needs no lock."""

_DIGEST = re.compile("[0-9a-f]{8,}")

Way = tuple[str, str, str, str, str, str, int]
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
    """What one run file brings to a board. `stamps` holds those of each block's items, `model` what is known of it."""

    path: Path
    identity: Identity
    facts: RunFacts
    tasks: tuple[TaskFacts, ...]
    stamps: dict[Block, dict[str, Stamp]]
    cells: dict[CellKey, Published]
    withheld: tuple[Withheld, ...]
    premiums: tuple[premiums.Source, ...] = ()
    model: Facts = field(default_factory=Facts)


def key(cell: Cell) -> CellKey:
    """A cell's key within its model."""
    return (
        *(cell.task, cell.task_version, cell.language, cell.variety),
        *(cell.mode, cell.prompt_language, cell.shots, cell.metric),
    )


def block(cell: Cell) -> Block:
    """The task and language of a cell."""
    return Block(cell.task, cell.task_version, cell.language, cell.variety)


def collect(path: Path, badge: Badge = "self_reported") -> Contribution:
    """Reads and checks one run file. Raises `BenchError` with one line where it cannot be published.

    `badge` says how far somebody checked the results; nothing in the file can.
    """
    with RunFile.read(path) as run, reading(path):
        return _collect(path, run, badge)


def run_id(run: RunFile) -> str:
    """A run's id: the first 16 hex digits of the SHA-256 over its model's identity, what was asked, said and scored.

    A copy has the same, whatever order it was recorded in. Scored anew with other results, or on items whose content
    was mended, it is another run: pages that show its answers have to agree with the numbers that name it.
    """
    digest = hashlib.sha256(json.dumps(astuple(run.identity())).encode())
    asked = sorted((name, known.hash, known.cluster) for name, known in run.samples().items())
    said = sorted((each.request, each.status, each.text, each.loglikelihoods) for each in run.responses())
    scored = sorted((each.request, each.metric, each.outcome, each.statistics) for each in run.scores())
    for part in (asked, said, scored):
        for row in part:
            digest.update(json.dumps(row).encode() + b"\n")
        digest.update(b"\n")  # so that no row of one part can pass for one of the next
    return digest.hexdigest()[:16]


def _collect(path: Path, run: RunFile, badge: Badge) -> Contribution:
    identity = run.identity()
    for name, value in asdict(identity).items():
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{path}: the {name} of its model is {value!r}, which is no name; run again")
    if rotation(identity.decoding):
        raise UsageError(f"{path} shows options in another order, to see what their places do; publish the usual run")
    cells = run.cells()
    if not cells:
        if not run.answered():
            raise UsageError(f"{path} holds no answers yet; run again before publishing")
        raise UsageError(f"{path} is not scored yet; run again, or `python -m bench rescore {path}`")
    kept = premiums.of_run(path, run.manifest())
    facts = replace(_facts(run, kept), id=run_id(run), badge=badge)
    first = {(cell.task, cell.task_version): cell for cell in reversed(cells)}
    declared = {name: _declared(path, cell) for name, cell in first.items()}
    locked = {file.dataset for file in facts.datasets} - {file.dataset for file in facts.datasets if not file.locked}
    stamps, tallies, scores = _scores(path, run)
    published: dict[CellKey, Published] = {}
    withheld = []
    for found in cells:
        check_fields(path, identity, found)
        check_energy(path, found)
        tally = tallies.get(key(found)[:-1], Tally())
        check_counts(path, found, tally)
        cell = _ranked(found, tally, locked=declared[found.task, found.task_version].dataset in locked)
        if key(cell) in published:
            raise UsageError(f"{path} has two cells for {name_of(cell)}; `python -m bench rescore {path}` mends it")
        scored = scored_rows(path, cell, scores.get(key(cell), {}), stamps[block(cell)])
        check_language(path, cell, scores.get((*key(cell)[:-1], FIDELITY), {}).values())
        if cell.errors > ERRORS_ALLOWED * tally.asked:
            withheld.append(
                Withheld(
                    cell.model,
                    cell.task,
                    cell.language,
                    cell.variety,
                    cell.metric,
                    TOO_MANY_ERRORS,
                    cell.errors,
                    tally.asked,
                )
            )
            published[key(cell)] = Published(_without_value(cell), None, facts.id)
        else:
            published[key(cell)] = Published(cell, scored, facts.id)
    check_windows(cells, keeping.known(run), path)
    model = _model(path, run)
    check_writable(identity, facts, stamps, published.values())
    check_writable(identity, model, {}, ())
    return Contribution(
        path, identity, facts, tuple(declared.values()), stamps, published, tuple(withheld), kept, model
    )


def _model(path: Path, run: RunFile) -> Facts:
    """What the run says of its model, nothing where it was recorded before that was kept."""
    said = run.manifest().get("facts")
    try:
        found = cards.from_json(said) if said is not None else Facts()
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    check_facts(path, found)
    return found


def _facts(run: RunFile, kept: Iterable[premiums.Source]) -> RunFacts:
    """The last invocation; the command line stays in the run file, since it may name private paths."""
    files = tuple(
        sorted(DatasetFile(name, file, sha, _locked(name, file, sha)) for name, file, sha, _ in run.datasets())
    )
    tokenizers = tuple(sorted({premiums.key(each.premiums) for each in kept}))
    price = _price(run.manifest().get("price"))
    invocations = run.invocations()
    if not invocations:
        return RunFacts("", "", "", {}, {}, files, tokenizers, price)
    last = invocations[-1]
    versions = {str(name): str(version) for name, version in sorted(last["versions"].items())}
    hardware = json.loads(json.dumps(last["hardware"], sort_keys=True, allow_nan=False))
    if not isinstance(hardware, dict):
        raise TypeError("its hardware is no list of names and values")
    started, ended, outcome = last["started"], last["ended"] or "", last["outcome"] or ""
    return RunFacts(started, ended, outcome, versions, hardware, files, tokenizers, price)


def _price(said: object) -> PriceFacts | None:
    """What the run says that its model costs. Raises `ValueError` where that is no price."""
    if said is None:
        return None
    price = msgspec.convert(said, PriceFacts)
    if not (0 <= price.input < math.inf and 0 <= price.output < math.inf and price.currency.isalpha()):
        raise ValueError("its price should be amounts of money")
    return price


def _locked(dataset: str, file: str, sha256: str) -> bool:
    """Whether this program's own lock vouches for a file; what the run says of it counts for nothing."""
    entry = lock.entry(dataset, file)
    return dataset in EMBEDDED or (entry is not None and entry.sha256 == sha256)


def _ranked(cell: Cell, tally: Tally, *, locked: bool) -> Cell:
    """The cell with this program's own word for why it is not ranked.

    A flaw comes first: unlike the others, it keeps the cell out of every mean.
    """
    varieties = tasks.get(cell.task).varieties
    places = [one for one in varieties if (one.language, one.variety) == (cell.language, cell.variety)]
    if not places:
        raise ValueError(f"{cell.task} has no {place_of(cell)}")
    few = TOO_FEW if cell.value is not None and cell.n < TOO_FEW_ITEMS else ""
    read = reviewed(tasks.get(cell.task), cell.language, cell.prompt_language)
    blind = "identifier_recall" if blind_to(tasks.get(cell.task), cell.language) else ""
    why = (
        places[0].flaw
        or blind
        or (UNEVEN if len(set(tally.times.values())) > 1 else "")
        or ("" if read else UNREVIEWED)
        or ("" if locked else UNLOCKED)
        or few
        or tally.why_skipped
    )
    reasons = {name: code for name, code in cell.reasons.items() if name != "rank"}
    return replace(cell, reasons={**reasons, "rank": why} if why else reasons)


def _declared(path: Path, cell: Cell) -> TaskFacts:
    try:
        task = tasks.get(cell.task)
    except tasks.UnknownTask as error:
        raise UsageError(
            f"{path} asks {cell.task!r}, which this program does not know: {error}; a task of your own is made known "
            "with -t FILE.toml"
        ) from error
    if task.version != cell.task_version:
        raise UsageError(
            f"{path} asks {cell.task}@{cell.task_version!r}; this program has version {task.version} of it"
        )
    return task_facts(task)


def task_facts(task: tasks.Task) -> TaskFacts:
    """What a snapshot keeps of a task's declaration."""
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


def _scores(
    path: Path, run: RunFile
) -> tuple[dict[Block, dict[str, Stamp]], dict[Way, Tally], dict[CellKey, dict[str, tuple[int, ...]]]]:
    """Item -> hash of its content for each block, what became of its requests, and item -> statistics for each cell."""
    samples = run.samples()
    responses = {response.request: response for response in run.responses()}
    tallies: dict[Way, Tally] = {}
    stamps: dict[Block, dict[str, Stamp]] = {}
    asked: dict[str, tuple[tuple[str, str, str, str], str, tuple[str, str, int]]] = {}
    for request, sample, mode, prompt_language, shots in run.planned():
        task_version, language, variety, item = sample.split("/", 3)
        task, version = task_version.split("@")
        known = samples[sample]
        if not _DIGEST.fullmatch(known.hash):
            raise UsageError(f"{path}: the hash of the sample {sample!r} is {known.hash!r}, not hexadecimal digits")
        tally = tallies.setdefault((task, version, language, variety, mode, prompt_language, shots), Tally())
        tally.asked += 1
        tally.times[item] += 1
        response = responses.get(request)
        if response is None or response.status == "error":
            tally.errors += 1
        elif response.status == "skipped":
            tally.skipped += 1
            tally.why_skipped = tally.why_skipped or response.reason
        else:
            tally.items.add(item)
        stamps.setdefault(Block(task, version, language, variety), {})[item] = Stamp(known.hash[:8], known.cluster)
        asked[request] = ((task, version, language, variety), item, (mode, prompt_language, shots))
    rows: dict[CellKey, list[tuple[str, tuple[int, ...]]]] = {}
    for score in run.scores():
        place, item, way = asked[score.request]
        rows.setdefault((*place, *way, score.metric), []).append((item, score.statistics))
    return stamps, tallies, {name: pooled(found) for name, found in rows.items()}


def _without_value(cell: Cell) -> Cell:
    return replace(
        cell,
        value=None,
        normalised=None,
        ci_low=None,
        ci_high=None,
        worst=None,
        best=None,
        violations=None,
        violation_bound=None,
        joules_per_correct=None,
        joules_per_correct_low=None,
        joules_per_correct_high=None,
        quality_per_kilojoule=None,
        reasons={
            **cell.reasons,
            "value": TOO_MANY_ERRORS,
            "joules_per_correct": TOO_MANY_ERRORS,
            "quality_per_kilojoule": TOO_MANY_ERRORS,
        },
    )


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
