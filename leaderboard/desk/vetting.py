"""How far a run file can be believed: one check, for what somebody sent and for what the board's own people publish.

A process of its own reads the file, with limits. What ends that process is a finding too.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from bench.records import BenchError, UsageError
from bench.runfile import RunFile, reading
from bench.watch import Watch, unwatched
from leaderboard.desk import limits
from leaderboard.desk.limits import DEFAULT, Limits
from leaderboard.desk.verdicts import HELD, LIMITS, UPLOAD, VERDICT, Held, Verdict
from tasks import lock

_LARGEST_VERDICT = 64 << 10
ENDS = {
    "timeout": ("check_timeout", "checking the file took longer than it may"),
    "memory": ("check_memory", "checking the file took more memory than it may"),
    "crash": ("bad_file", "the file is damaged: reading it broke off"),
    "done": ("bad_file", "the file could not be read as a run file"),
}
"""How a check without a verdict ended -> reason and detail."""


def mirror(data: Path | None) -> Path | None:
    """The folder of the datasets: the one named, that of BENCH_DATA, or none. Raises `UsageError`."""
    named = data or (Path(os.environ[lock.ENVIRONMENT]) if os.environ.get(lock.ENVIRONMENT) else None)
    if named is not None and not named.is_dir():
        raise UsageError(f"data folder {named} does not exist; name one that holds a folder per dataset")
    return named.resolve() if named is not None else None


def vet(
    folder: Path,
    upload: Path,
    data: Path | None,
    most: Limits = DEFAULT,
    held: Mapping[str, Held] = MappingProxyType({}),
) -> Verdict:
    """What a process of its own, which works in an empty folder, finds in a file; `held` says what has a run already.

    Raises `BenchError` where somebody ended that process from outside: the file is not to blame.
    """
    try:
        if not stat.S_ISREG(upload.lstat().st_mode):
            return Verdict("bad_file", "the upload is no regular file")
    except FileNotFoundError:
        return Verdict("bad_file", "the upload is no longer there; send it again")
    _link(upload, folder / UPLOAD)
    (folder / LIMITS).write_bytes(msgspec.json.encode(most))
    (folder / HELD).write_bytes(msgspec.json.encode(dict(held)))
    command = [sys.executable, "-I", "-m", "leaderboard.desk.checking", *(["--data", str(data)] if data else [])]
    ended = limits.run(command, most, folder, limits.environment(folder, data))
    said = folder / VERDICT
    if ended.end == "stopped":
        raise BenchError(f"signal {-ended.code} ended the check from outside")
    if ended.end == "done" and ended.code == 0 and said.is_file() and said.stat().st_size <= _LARGEST_VERDICT:
        try:
            return msgspec.json.decode(said.read_bytes(), type=Verdict)
        except msgspec.MsgspecError:
            return Verdict(*ENDS["done"])
    return Verdict(*ENDS[ended.end])


def vetted(runs: Sequence[Path], data: Path | None = None, watch: Watch = unwatched) -> dict[Path, Verdict]:
    """Checks run files as uploads are checked, and says what each holds and which badge it gets.

    Raises `UsageError` with one line for the first that would be rejected, and `BenchError`.
    """
    folders = mirror(data)
    found: dict[Path, Verdict] = {}
    with watch("runs checked", len(runs)) as progress:
        for done, path in enumerate(runs, 1):
            with tempfile.TemporaryDirectory() as name:
                copy, folder = Path(name) / "copy", Path(name) / "check"
                folder.mkdir()
                with RunFile.read(path) as run, reading(path):
                    run.copy(copy)
                verdict = vet(folder, copy, folders)
            if verdict.reason:
                raise UsageError(f"{path} does not pass ({verdict.reason}): {verdict.detail}; nothing is published")
            found[path] = verdict
            progress(done)
    return found


def _link(path: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(path, target, follow_symlinks=False)
