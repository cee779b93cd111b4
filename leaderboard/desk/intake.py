"""The intake: takes one upload after another from the desk, has it checked, and says what became of it.

`python -m leaderboard.desk.intake BOARD [--data DIR]` works until the queue is empty. One works at a time; a second
one ends at once, and the first looks again before it ends.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.records import BenchError
from leaderboard import locking, reading
from leaderboard.desk import duplicates, known, review, structure, vetting
from leaderboard.desk.limits import DEFAULT, Limits
from leaderboard.desk.records import DeskError, Submission
from leaderboard.desk.store import Desk
from leaderboard.desk.verdicts import FINGERPRINT, RUN, Verdict

ACTOR = "intake"
FINGERPRINTS = "fingerprints"
"""Of the runs that wait, so that one is found that was sent under two names."""
_WORK = ".checking-"


def work(board: Path, data: Path | None = None, most: Limits = DEFAULT) -> int:
    """Checks whatever the desk of a board has received; returns how many. Another one at work leaves nothing to do.

    `data` is the mirror of the datasets, that of BENCH_DATA unless told. Raises `BenchError` where the board cannot be
    read or written; what was being checked is checked again the next time.
    """
    mirror = vetting.mirror(data)
    done = 0
    review.finish(board)
    while _waiting(board):
        try:
            with locking.held(board / ".intake", _Elsewhere()):
                done += _work(board.resolve(), mirror, most)
        except _Elsewhere:
            break
        # What came between the last look and the lock's release started an intake that found it held.
    return done


def _waiting(board: Path) -> bool:
    with Desk.open(board) as desk:
        counts = desk.counts()
    return bool(counts["received"] or counts["checking"])


def _work(board: Path, data: Path | None, most: Limits) -> int:
    done = 0
    with Desk.open(board) as desk:
        desk.recover()
        _sweep(board, desk)
        failed: BenchError | None = None
        while (submission := desk.next(known.by())) is not None:
            try:
                _handle(board, desk, submission, data, most)
            except DeskError:  # what stands in the way of one stands in that of all
                raise
            except (BenchError, msgspec.MsgspecError, OSError) as error:
                # It stays `checking`, so the next pass takes it up again.
                why = error.strerror if isinstance(error, OSError) else error
                failed = failed or BenchError(f"submission {submission.id} is not checked yet: {why}")
                continue
            done += 1
    if failed is not None:
        raise failed
    return done


def _handle(board: Path, desk: Desk, submission: Submission, data: Path | None, most: Limits) -> None:
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=board) as name:
        folder = Path(name)
        verdict = known.same_file(board, desk, submission)
        if verdict is None:
            checked = vetting.vet(
                folder, desk.upload_path(submission.id), data, most, known.held(board, desk, submission)
            )
            # Meanwhile the board or the desk may have got the same.
            verdict = known.same_run(known.held(board, desk, submission), checked)
        if verdict.reason:
            desk.move(submission.id, "rejected", verdict.reason, verdict.detail, actor=ACTOR, **_facts(verdict))
        else:
            twin = _twin(board, desk, submission, folder)
            _keep(board, desk, submission, folder)
            told = f"its scores are those of {twin}" if twin else ""
            detail = "; ".join(filter(None, [told, verdict.detail]))
            facts = _facts(replace(verdict, duplicate_of=twin))
            desk.move(submission.id, "waiting", "", detail, actor=ACTOR, **facts)


def _facts(verdict: Verdict) -> dict[str, str | int]:
    """What the desk keeps of a verdict; of what was not checked because the board has it, no more than what it is."""
    names = {"model": verdict.model, "revision": verdict.revision, "run": verdict.run}
    known_as = {"duplicate_of": verdict.duplicate_of} if verdict.duplicate_of else {}
    if not verdict.model or (verdict.reason and verdict.duplicate_of):
        return {**{name: value for name, value in names.items() if value}, **known_as}
    counts = {"cells": verdict.cells, "languages": verdict.languages, "tasks": verdict.tasks}
    return {**names, "badge": verdict.badge, **counts, **known_as}


def _twin(board: Path, desk: Desk, submission: Submission, folder: Path) -> str:
    """Who has the same scores under another name: a published model, or a submission that waits; else ""."""
    found = duplicates.read(folder / FINGERPRINT)
    try:
        published = duplicates.published(found, board)
    except reading.Damaged as error:
        raise BenchError(f"the current snapshot of {board} {error}; publish all runs to a new board") from error
    states = desk.states()
    others = (
        (path.stem, duplicates.read(path))
        for path in sorted((board / FINGERPRINTS).glob("*.json"))
        if path.stem != submission.id and states.get(path.stem) == "waiting"
    )
    return published or duplicates.like(found, others)


def _keep(board: Path, desk: Desk, submission: Submission, folder: Path) -> None:
    """Keeps the fingerprint, and of an upload that came packed the run file in its place."""
    (board / FINGERPRINTS).mkdir(mode=0o700, exist_ok=True)
    (folder / FINGERPRINT).replace(board / FINGERPRINTS / f"{submission.id}.json")
    if structure.packing(desk.upload_path(submission.id)):
        desk.unpacked(submission.id, folder / RUN)  # what is published has to be the file that was checked


def _sweep(board: Path, desk: Desk) -> None:
    """Removes what a killed intake left, and the fingerprints of what no longer waits."""
    for left in board.glob(f"{_WORK}*"):
        shutil.rmtree(left, ignore_errors=True)
    states = desk.states()
    for path in (board / FINGERPRINTS).glob("*.json"):
        if states.get(path.stem) != "waiting":
            path.unlink(missing_ok=True)


class _Elsewhere(Exception):
    """Another process is at work; it takes up what is there."""


def main(arguments: Sequence[str]) -> int:
    """The command line: one line on standard error and exit code 1 where the board cannot be worked on."""
    parser = argparse.ArgumentParser(prog="python -m leaderboard.desk.intake")
    parser.add_argument("board", type=Path)
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        work(chosen.board, chosen.data)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"cannot work on {chosen.board}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
