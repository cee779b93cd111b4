"""The intake: takes one upload after another from the desk, has it checked, and says what became of it.

`python -m leaderboard.desk.intake BOARD [--data DIR]` works until the queue is empty. One works at a time; a second
one ends at once, and the first looks again before it ends.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from bench.records import BenchError, UsageError
from leaderboard import locking, store
from leaderboard.desk import duplicates, limits, review, structure
from leaderboard.desk.checking import FINGERPRINT, LIMITS, RUN, UPLOAD, VERDICT, Verdict
from leaderboard.desk.limits import DEFAULT, Limits
from leaderboard.desk.records import DeskError, Submission
from leaderboard.desk.store import Desk
from leaderboard.records import Badge
from tasks import lock

ACTOR = "intake"
FINGERPRINTS = "fingerprints"
"""Of the runs that wait, so that one is found that was sent under two names."""
BADGES: tuple[Badge, ...] = get_args(Badge)
"""From the lowest to the highest."""
_WORK = ".checking-"
_LARGEST_VERDICT = 64 << 10
ENDS = {
    "timeout": ("check_timeout", "checking the file took longer than it may"),
    "memory": ("check_memory", "checking the file took more memory than it may"),
    "crash": ("bad_file", "the file is damaged: reading it broke off"),
    "done": ("bad_file", "the file could not be read as a run file"),
}
"""How a check without a verdict ended -> reason and detail."""


def work(board: Path, data: Path | None = None, most: Limits = DEFAULT) -> int:
    """Checks whatever the desk of a board has received; returns how many. Another one at work leaves nothing to do.

    `data` is the mirror of the datasets, that of BENCH_DATA unless told. Raises `BenchError` where the board cannot be
    read or written; what was being checked is checked again the next time.
    """
    named = data or (Path(os.environ[lock.ENVIRONMENT]) if os.environ.get(lock.ENVIRONMENT) else None)
    if named is not None and not named.is_dir():
        raise UsageError(f"data folder {named} does not exist; name one that holds a folder per dataset")
    mirror = named.resolve() if named is not None else None
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
        while (submission := desk.next()) is not None:
            try:
                _handle(board, desk, submission, data, most)
            except DeskError:  # what stands in the way of one stands in that of all
                raise
            except (BenchError, msgspec.MsgspecError) as error:
                # It stays `checking`, so the next pass takes it up again.
                failed = failed or BenchError(f"submission {submission.id} is not checked yet: {error}")
                continue
            done += 1
    if failed is not None:
        raise failed
    return done


def _handle(board: Path, desk: Desk, submission: Submission, data: Path | None, most: Limits) -> None:
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=board) as name:
        folder = Path(name)
        verdict = _checked(folder, desk.upload_path(submission.id), data, most)
        same = _same_run(board, desk, submission, verdict)
        if verdict.reason:
            desk.move(submission.id, "rejected", verdict.reason, verdict.detail, actor=ACTOR, **_facts(verdict))
        elif same:
            detail = f"the board has this very run already: {same}"
            facts = {**_facts(verdict), "duplicate_of": same}
            desk.move(submission.id, "rejected", "duplicate", detail, actor=ACTOR, **facts)
        else:
            twin = _twin(board, desk, submission, folder)
            _keep(board, desk, submission, folder)
            told = f"its scores are those of {twin}" if twin else ""
            detail = "; ".join(filter(None, [told, verdict.detail]))
            facts = {**_facts(verdict), **({"duplicate_of": twin} if twin else {})}
            desk.move(submission.id, "waiting", "", detail, actor=ACTOR, **facts)


def _facts(verdict: Verdict) -> dict[str, str | int]:
    if not verdict.model:
        return {}
    return {
        "model": verdict.model,
        "revision": verdict.revision,
        "run": verdict.run,
        "badge": verdict.badge,
        "cells": verdict.cells,
        "languages": verdict.languages,
        "tasks": verdict.tasks,
    }


def _checked(folder: Path, upload: Path, data: Path | None, most: Limits) -> Verdict:
    """What a process of its own finds in the upload; what ends that process is a finding too."""
    try:
        if not stat.S_ISREG(upload.lstat().st_mode):
            return Verdict("bad_file", "the upload is no regular file")
    except FileNotFoundError:
        return Verdict("bad_file", "the upload is no longer there; send it again")
    _link(upload, folder / UPLOAD)
    (folder / LIMITS).write_bytes(msgspec.json.encode(most))
    command = [sys.executable, "-I", "-m", "leaderboard.desk.checking", *(["--data", str(data)] if data else [])]
    ended = limits.run(command, most, folder, limits.environment(folder, data))
    said = folder / VERDICT
    if ended.end == "done" and ended.code == 0 and said.is_file() and said.stat().st_size <= _LARGEST_VERDICT:
        try:
            return msgspec.json.decode(said.read_bytes(), type=Verdict)
        except msgspec.MsgspecError:
            return Verdict(*ENDS["done"])
    return Verdict(*ENDS[ended.end])


def _link(path: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(path, target, follow_symlinks=False)


def _same_run(board: Path, desk: Desk, submission: Submission, verdict: Verdict) -> str:
    """What has the same content: a submission that waits, or a run of the current snapshot; else "".

    A run that the board has with a lower badge is no duplicate: its sender wants it checked.
    """
    if not verdict.run:
        return ""
    for other in desk.of_run(verdict.run):
        if other.id != submission.id and other.state == "waiting":
            return other.id
    # The folder of copies also has runs that no longer count, and what a killed publish left.
    worn = review.badge_of(board, verdict.run)
    return verdict.run if worn and BADGES.index(worn) >= BADGES.index(verdict.badge) else ""


def _twin(board: Path, desk: Desk, submission: Submission, folder: Path) -> str:
    """Who has the same scores under another name: a published model, or a submission that waits; else ""."""
    found = duplicates.read(folder / FINGERPRINT)
    try:
        published = duplicates.published(found, board)
    except store.Damaged as error:
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
