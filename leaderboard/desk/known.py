"""What the board has of an upload already: the same bytes, or the same run. To find it is cheap; to check is not."""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import bench
import kernels
import languages
import leaderboard
import tasks
from leaderboard.desk import review
from leaderboard.desk.records import Submission
from leaderboard.desk.store import Desk
from leaderboard.desk.verdicts import Held, Verdict
from leaderboard.records import LADDER, Badge

CHECKED: Badge = "re_scored"
"""The highest badge that a check gives."""
REPEATED = frozenset({"too_large", "wrong_structure", "wrong_plan", "forged_scores", "forged_plan", "picked_items"})
"""Reasons that follow from a file's bytes and from the program that reads them, whatever the machine does meanwhile."""

_FILES = frozenset({".py", ".toml", ".tsv", ".lock", ".npz", ".cu"})
_LIBRARIES = ("babel", "msgspec", "numba", "numpy", "regex", "sacrebleu")


def same_file(board: Path, desk: Desk, submission: Submission) -> Verdict | None:
    """The verdict on an upload of which the desk had the same bytes before; None where they have to be checked.

    One that waits, or whose run is on the board with as good a badge as a check could give, makes it a duplicate. One
    that this very program rejected is judged as it was then. What a moderator declined, or its sender withdrew, is
    checked again: somebody may think otherwise now. Raises `BenchError`.
    """
    for other in reversed(desk.of_file(submission.id)):  # the oldest first: a repetition names what it repeats
        worn = review.badge_of(board, other.run) if other.state == "accepted" else ""
        if other.state == "waiting":
            reason, told = "duplicate", f"the same file waits as submission {other.id}"
        elif worn and LADDER.index(worn) >= LADDER.index(CHECKED):
            told = f"the same file came as submission {other.id}, and its run {other.run} is on the board as {worn}"
            reason = "duplicate"
        elif other.reason in REPEATED and not other.duplicate_of and desk.checked_by(other.id) == by():
            reason, told = other.reason, f"the same file was rejected as submission {other.id}: {other.detail}"
        else:
            continue
        return Verdict(reason, told, other.model, other.revision, other.run, duplicate_of=other.id)
    return None


def held(board: Path, desk: Desk, submission: Submission) -> dict[str, Held]:
    """Run -> what has it: the board's current snapshot, or another submission, which waits. Raises `BenchError`."""
    # Not the folder of copies, which also has runs that no longer count.
    found = {run: Held(run, f"is on the board as run {run} ({badge})", badge) for run, badge in _worn(board).items()}
    for run, other in desk.waiting_runs():
        if other != submission.id:
            found[run] = Held(other, f"waits as submission {other}", LADDER[-1])
    return found


def _worn(board: Path) -> Mapping[str, Badge]:
    return {run: badge for run, badge in review.badges(board).items() if run}


def same_run(there: Mapping[str, Held], verdict: Verdict) -> Verdict:
    """The verdict, or that of a duplicate where something has the run with no lower a badge.

    A run that the board has with a lower badge is no duplicate: its sender wants it checked.
    """
    other = there.get(verdict.run)
    if verdict.reason or other is None or LADDER.index(other.badge) < LADDER.index(verdict.badge):
        return verdict
    return replace(verdict, reason="duplicate", detail=f"the same run {other.words}", duplicate_of=other.id)


def by() -> str:
    """The program that checks, in the words of the log."""
    return f"by the program {program()}"


@functools.cache
def program() -> str:
    """Twelve hex digits over all that this program judges with: its files, and the libraries that read and score."""
    digest = hashlib.sha256(platform.python_version().encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\n".encode())
    for package in (bench, kernels, languages, leaderboard, tasks):
        root = Path(package.__path__[0])
        for path in sorted(path for path in root.rglob("*") if path.suffix in _FILES):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{package.__name__}/{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]
