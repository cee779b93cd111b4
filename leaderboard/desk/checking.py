"""The check of one upload, in a process of its own: `python -m leaderboard.desk.checking` in the folder of the upload.

What it finds it writes to a file there. Here, and nowhere else, what a damaged file makes go wrong becomes one line.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import msgspec

from bench.records import BenchError
from bench.runfile import UNREADABLE, RunFile, reading
from leaderboard.collect import Contribution, collect, run_id
from leaderboard.desk import counts, duplicates, known, limits, rescoring, structure
from leaderboard.desk.limits import Limits
from leaderboard.desk.records import line
from leaderboard.desk.structure import Refused
from leaderboard.desk.verdicts import COPY, FINGERPRINT, HELD, LIMITS, RUN, UPLOAD, VERDICT, Held, Verdict
from leaderboard.records import Badge
from leaderboard.wording import plain
from tasks import DataError

LONGEST_NAME, LONGEST_WORD = 200, 2_000
NAMES = {"model": LONGEST_NAME, **dict.fromkeys(("revision", "template", "decoding"), LONGEST_WORD)}
"""What a run is of -> the longest text that says so, in characters."""
_LONG_WORD = re.compile(r"(\S{60})\S{60,}")
SYSTEM = {
    errno.EFBIG: "too_large",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.ENOMEM: "check_memory",
}
"""What the system refuses -> the reason code."""


def check(folder: Path, data: Path | None, most: Limits, held: Mapping[str, Held] = MappingProxyType({})) -> Verdict:
    """Checks the upload in a folder, which is the working directory, and leaves its fingerprint beside it.

    `held` says what has a run already: its plan and its answers need not be looked at again.
    """
    try:
        return _check(folder, data, most, held)
    except (BenchError, DataError, MemoryError, OSError, *UNREADABLE) as error:
        reason, detail = _explained(error)
        return Verdict(reason, line(_for_sender(detail, folder, data)))


def _for_sender(told: str, folder: Path, data: Path | None) -> str:
    """Words about the file for whoever sent it: without the places of this machine, and without its names for the file.

    A value that takes up all of the line goes short, for what would be right stands behind it.
    """
    told = told.replace(f"{folder}{os.sep}", "")
    told = told.replace(str(data), "the data folder") if data else told
    for name in (RUN, COPY):
        told = told.replace(f"rescore {name}", "rescore FILE").replace(name, "the run file")
    return _LONG_WORD.sub(r"\1…", told)


def _explained(error: Exception) -> tuple[str, str]:
    """The reason code and the words for what went wrong."""
    match error:
        case Refused():
            return error.reason, str(error)
        case DataError():  # which the board's own data may be the cause of
            return "wrong_data", str(error)
        case BenchError():
            # What scoring again would mend are numbers that do not follow from the scores.
            return "forged_scores" if "mends it" in str(error) else "wrong_structure", str(error)
        case MemoryError():
            return "check_memory", "the check takes more memory than it may"
        case OSError():
            return SYSTEM.get(error.errno or 0, "bad_file"), f"the file cannot be checked: {error.strerror}"
        case _:
            return "bad_file", f"the file does not read as a run file ({error})"


def _check(folder: Path, data: Path | None, most: Limits, held: Mapping[str, Held]) -> Verdict:
    upload, path = folder / UPLOAD, Path(RUN)  # what is said of the run names it without the folder
    if not upload.is_symlink() and upload.is_file() and structure.packing(upload) == "gzip":
        structure.unpack(upload, path, most)
    else:
        os.link(upload, path, follow_symlinks=False)
    structure.check(path, most)
    with RunFile.read(path) as run, reading(path):
        _check_identity(run)
        model = run.identity().model
        rescoring.check_data(run)
        # At its best, for only the plan says which badge it would get, and making that again takes long.
        seen = known.same_run(held, Verdict("", "", model, run=run_id(run), badge=known.CHECKED))
        if seen.reason:
            return seen
        plan = rescoring.check_plan(run)
        seen = known.same_run(held, replace(seen, badge=_badge(plan)))
        if seen.reason:
            return seen
    contribution = collect(path)
    with RunFile.read(path) as run, reading(path):
        counts.check(run)
    if plan.places:
        rescoring.rescore(path, Path(COPY), plan, data)
    duplicates.keep(duplicates.fingerprint(contribution), folder / FINGERPRINT)
    return _found(contribution, plan)


def _check_identity(run: RunFile) -> None:
    """Raises `Refused` unless the run says what it is of, in words that a page can show."""
    said = run.manifest()
    for name, most in NAMES.items():
        if name not in said:
            raise Refused("wrong_structure", f"the run file does not say the {name} of its model; run again")
        value = said[name]
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise Refused("wrong_structure", f"the {name} of the model should have 1 to {most:,} characters; run again")
        normal = name != "model" or unicodedata.normalize("NFC", value) == value
        if plain(value) != value or not normal or not value.isprintable():
            raise Refused("wrong_structure", f"the {name} of the model {value!r} has characters that could disguise it")


def _found(contribution: Contribution, plan: rescoring.Plan) -> Verdict:
    valued = [each.cell for each in contribution.cells.values() if each.cell.value is not None]
    badge = _badge(plan)
    return Verdict(
        reason="",
        detail="" if badge == known.CHECKED else _not_rescored(plan),
        model=contribution.identity.model,
        revision=line(contribution.identity.revision, LONGEST_NAME),
        run=contribution.facts.id,
        badge=badge,
        cells=sum(cell.headline for cell in valued),
        languages=len({cell.language for cell in valued}),
        tasks=len({cell.task for cell in valued}),
    )


def _badge(plan: rescoring.Plan) -> Badge:
    """What a run gets whose places can be scored anew, all or some."""
    return known.CHECKED if plan.places and not plan.missing else "self_reported"


def _not_rescored(plan: rescoring.Plan) -> str:
    named = ", ".join(plan.missing[:5]) + (f" and {len(plan.missing) - 5} more" if len(plan.missing) > 5 else "")
    part = "the rest was scored anew with the same results" if plan.places else "nothing was scored anew"
    return f"self-reported: the board has no locked data of {named}; {part}"


def main(arguments: Sequence[str]) -> int:
    """Takes on the limits, then checks the upload in the working directory."""
    parser = argparse.ArgumentParser(prog="python -m leaderboard.desk.checking")
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args(arguments)
    folder = Path.cwd()
    most = msgspec.json.decode((folder / LIMITS).read_bytes(), type=Limits)
    held = msgspec.json.decode((folder / HELD).read_bytes(), type=dict[str, Held])
    limits.impose(most)
    try:
        found = check(folder, chosen.data, most, held)
        (folder / VERDICT).write_bytes(msgspec.json.encode(replace(found, detail=line(found.detail))))
    except MemoryError:  # so little is left that not even a finding could be written
        return limits.OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
