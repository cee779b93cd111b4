"""The page of a run: how it was made, and its answers one by one, as far as the data's licence allows."""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

import tasks
from bench import prompting
from bench.records import BenchError, Outcome, Status
from bench.runfile import SUFFIX, RunFile
from bench.runfile_records import Answer, Place
from leaderboard import history, prefixes, snapshot, wording
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName, Result
from leaderboard.desk import queue
from leaderboard.desk.records import Sent
from leaderboard.naming import by_name, named
from leaderboard.pages import LanguageName
from leaderboard.problems import Link, Missing
from leaderboard.records import Model, RunFacts, TaskFacts
from leaderboard.site import Site
from tasks import DataError, Repository, Sample, store

RUNS = "runs"
"""The folder of a board that holds copies of the published run files."""
ROWS = 25
_ID = re.compile("[0-9a-f]{16}")
LONGEST, MOST_LINES = 2000, 40
"""Characters and lines of a text that are shown."""

Became = Literal["scored", "empty", "unparsed", "refused", "truncated", "error", "skipped", "unanswered", "unscored"]
"""What became of a request: the outcome of its score, or why it has none."""
OUTCOMES: tuple[Became, ...] = get_args(Became)

BECAME = {
    "scored": _l("scored"),
    "empty": _l("empty"),
    "unparsed": _l("unparsed"),
    "refused": _l("refused"),
    "truncated": _l("cut off"),
    "error": _l("failed"),
    "skipped": _l("skipped"),
    "unanswered": _l("not answered"),
    "unscored": _l("not scored"),
}

WITHHELD = {
    "restricted": _l("withheld: the licence of the data does not allow it to be passed on"),
    "no_data": _l("the server has no copy of the data"),
    "other_data": _l("the server’s copy of the data has another question under this name"),
    "no_text": _l("options were scored and no text was written"),
    "no_answer": _l("there is no answer"),
    "not_kept": _l("the board does not keep this run’s file, so its answers cannot be shown"),
    "unreadable": _l("the board’s copy of the run file cannot be read"),
    "no_cells": _l("no result of this run is on the board"),
}
"""Why a text is not shown."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text from outside, cut to what is shown; None where it is not, for `reason`."""

    text: str | None
    cut: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a metric counted in one answer."""

    metric: str
    statistics: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One request of the run and what became of it. `question` and `gold` are the server's own, never the upload's."""

    item: str
    repeat: int
    hash: str
    mode: str
    prompt_language: str
    shots: int
    variety: str
    outcome: Became
    scores: tuple[Scored, ...]
    output_tokens: int | None
    finish: str
    response: Text
    question: Text
    gold: Text


@dataclass(frozen=True, slots=True)
class Counted:
    """A task of the run: in how many languages it has results here."""

    task: str
    version: str
    title: str
    access: str
    invalid: str
    languages: tuple[LanguageName, ...]


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run: its manifest, its `cells` by task, and the answers in one task and language. Of the cells, `results`
    have a value in the headline metric of their task, and `others` one in another.

    `sent` says who sent it, where it came from a submission; None where the desk cannot be read. `reason` says why no
    answer can be shown; `shown` and `language` are what the answers are of.
    """

    snapshot: str
    model: ModelName
    revision: str
    template: str
    decoding: str
    run: RunFacts
    sent: tuple[Sent, ...] | None
    cells: int
    results: int
    others: int
    tasks: tuple[Counted, ...]
    reason: str
    shown: Counted | None
    language: LanguageName | None
    outcome: str
    rows: tuple[SampleRow, ...]
    part: Part


def page(board: Board, asked: Asked, run: str) -> RunPage:
    """The run at `/runs/<id>`. Raises `Missing` and `Wrong`."""
    model, facts = _found(board, run)
    results = [one for one in board.results_of_model(model.slug) if one.run == run]
    valued = [one for one in results if one.cell.value is not None]
    counted = _counted(board, results)
    outcome = asked.choice("outcome", OUTCOMES)
    task = asked.choice("task", {one.task for one in counted})
    shown = next((one for one in counted if task in ("", one.task)), None)
    code = asked.choice("language", {one.code for one in shown.languages} if shown else ())
    language = next((one for one in shown.languages if code in ("", one.code)), None) if shown else None
    rows: list[SampleRow] = []
    reason = "no_cells"
    if shown is not None and language is not None:
        rows, reason = _rows(board.folder / RUNS / f"{run}{SUFFIX}", shown, language.code)
    rows = [row for row in rows if outcome in ("", row.outcome)]
    kept, part = asked.part(rows, ROWS)
    return RunPage(
        snapshot=board.name,
        model=ModelName.of(model),
        revision=model.revision,
        template=model.template,
        decoding=model.decoding,
        run=facts,
        sent=queue.sent(board.folder, [run]),
        cells=len(results),
        results=sum(one.cell.headline for one in valued),
        others=sum(not one.cell.headline for one in valued),
        tasks=tuple(counted),
        reason=reason,
        shown=shown,
        language=language,
        outcome=outcome,
        rows=tuple(kept),
        part=part,
    )


def _found(board: Board, run: str) -> tuple[Model, RunFacts]:
    near = []
    for model in board.models():
        for facts in model.runs:
            if facts.id and facts.id == run:
                return model, facts
            if facts.id and len(run) >= 4 and facts.id.startswith(run[:4]):
                near.append(Link(f"/runs/{facts.id}", f"{model.name} {facts.id}"))
    former = _former(board.folder, run)
    if former:
        # From within a snapshot no link leads to another: the root of every link is that snapshot.
        link = [] if prefixes.current().snapshot else [Link(f"/snapshots/{former}/runs/{run}", f"{former}: {run}")]
        message = _("This snapshot does not have that run. The last one that has it is %(snapshot)s.", snapshot=former)
        raise Missing(message, link)
    raise Missing(_("No run on this board has that address."), near[:5])


def _former(folder: Path, run: str) -> str:
    """The newest snapshot with a run that the board keeps a copy of; "" where there is none."""
    if not _ID.fullmatch(run) or not (folder / RUNS / f"{run}{SUFFIX}").is_file():
        return ""
    known: tuple[history.Entry, ...] = ()
    with contextlib.suppress(BenchError):
        known = history.read(folder)
    for name in dict.fromkeys(entry.snapshot for entry in reversed(known)):
        with (
            contextlib.suppress(snapshot.BoardError, sqlite3.DatabaseError),
            contextlib.closing(snapshot.connect(folder, name)) as opened,
        ):
            if opened.execute("SELECT 1 FROM models WHERE instr(runs, ?) LIMIT 1", (f'"{run}"',)).fetchone():
                return name
    return ""


def _counted(board: Board, results: Sequence[Result]) -> list[Counted]:
    facts = board.task_facts()
    found: dict[tuple[str, str], set[str]] = {}
    for one in results:
        found.setdefault((one.cell.task, one.cell.task_version), set()).add(one.cell.language)
    return [_task(facts[place], codes, board.why_invalid(*place)) for place, codes in sorted(found.items())]


def _task(task: TaskFacts, codes: set[str], invalid: str) -> Counted:
    own = sorted(map(named, codes), key=by_name)
    return Counted(task.name, task.version, task.title, task.access, invalid, tuple(own))


def _rows(path: Path, task: Counted, language: str) -> tuple[list[SampleRow], str]:
    """The answers in one task and language; else why there are none."""
    if not path.is_file():
        return [], "not_kept"
    rows: list[SampleRow] = []
    try:
        run = RunFile.read(path)
        try:
            for place in run.places():
                if place.task == f"{task.task}@{task.version}" and place.language == language:
                    rows += _of_place(run, place, task)
        finally:
            run.close()
    except (BenchError, sqlite3.DatabaseError, ValueError, TypeError):  # whatever a sender may have put in it
        return [], "unreadable"
    return rows, ""


def _of_place(run: RunFile, place: Place, task: Counted) -> Iterator[SampleRow]:
    scores: dict[str, list[tuple[Outcome, Scored]]] = {}
    for score in run.scores(place):
        scores.setdefault(score.request, []).append((score.outcome, Scored(score.metric, score.statistics)))
    restricted = task.access != "open"
    known = {} if restricted else _samples(place.task, place.language, place.variety)
    for answer in run.answers(place):
        own = scores.get(answer.request, [])
        question, gold = _ours(answer, known, restricted=restricted)
        response = answer.response
        yield SampleRow(
            item=answer.sample.split("/", 3)[-1],
            repeat=answer.repeat,
            hash=answer.facts.hash,
            mode=place.mode,
            prompt_language=place.prompt_language,
            shots=place.shots,
            variety=place.variety,
            outcome=_became(response.status if response else None, own[0][0] if own else None),
            scores=tuple(scored for _outcome, scored in own),
            output_tokens=response.output_tokens if response else None,
            finish=response.finish if response else "",
            response=_said(answer, place, restricted=restricted),
            question=question,
            gold=gold,
        )


def _became(status: Status | None, outcome: Outcome | None) -> Became:
    if status is None:
        return "unanswered"
    if status != "ok":
        return status
    return outcome or "unscored"


def _said(answer: Answer, place: Place, *, restricted: bool) -> Text:
    """What the model wrote. It may have copied the question, so it falls under the licence of the data too."""
    if answer.response is None or answer.response.status != "ok":
        return Text(None, reason="no_answer")
    if place.mode != "generate":
        return Text(None, reason="no_text")
    return Text(None, reason="restricted") if restricted else _cut(answer.response.text)


def _ours(answer: Answer, known: Mapping[str, Sample] | None, *, restricted: bool) -> tuple[Text, Text]:
    """The question and its right answer, from the server's own locked data."""
    why = ""
    sample = (known or {}).get(answer.sample)
    if restricted:
        why = "restricted"
    elif known is None:
        why = "no_data"
    elif sample is None or prompting.digest(sample) != answer.facts.hash:
        why = "other_data"
    if why or sample is None:
        return Text(None, reason=why), Text(None, reason=why)
    right = [sample.options[at] for at in (sample.answer, *sample.answers) if at is not None and sample.options]
    return _cut(sample.input), _cut("\n".join(right or sample.references))


def _cut(text: str) -> Text:
    lines = text[:LONGEST].splitlines()
    return Text("\n".join(lines[:MOST_LINES]), len(text) > LONGEST or len(lines) > MOST_LINES)


@functools.lru_cache(maxsize=4)
def _samples(task: str, language: str, variety: str) -> Mapping[str, Sample] | None:
    """The server's own samples of a task (name@version) in one language by id; None where it lacks the locked data.

    Nothing is ever downloaded.
    """
    name, _at, version = task.partition("@")
    try:
        declared = tasks.get(name)
    except tasks.UnknownTask:
        return None
    places = [one for one in declared.varieties if (one.language, one.variety) == (language, variety)]
    source = declared.source
    if declared.version != version or not places:
        return None
    try:
        if isinstance(source, Repository) and source.repository and store.mirror() is None:
            return None
        if not all(source.is_locked(file) for file in source.fingerprint(places[0], "test")):
            return None
        return {sample.id: sample for sample in declared.samples(places[0])}
    except DataError:
        return None


def became(outcome: str) -> str:
    """What became of a request, in words."""
    return str(BECAME.get(outcome, outcome))


def withheld(code: str) -> str:
    """Why a text is not shown, in words."""
    return str(WITHHELD[code])


def said(text: str) -> str:
    """A text from outside line by line, without the characters that could disguise it."""
    return "\n".join(map(wording.plain, text.split("\n")))


def register(site: Site) -> None:
    """Puts the page under its address, and what its words need into the templates."""
    site.app.jinja_env.filters.update(became=became, withheld=withheld, said=said)
    site.app.jinja_env.globals.update(run_outcomes=OUTCOMES, longest_text=LONGEST, most_lines=MOST_LINES)
    site.page(
        "/runs/<run>",
        "run.html",
        page,
        RunPage,
        rows=lambda page: page.rows,
        row=SampleRow,
        parameters=("task", "language", "outcome", "page"),
        variables=lambda board: ({"run": one.id} for model in board.models() for one in model.runs if one.id),
    )
