"""A process of its own for what reads an upload, with limits: whatever a file does to it ends there."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

GIBIBYTE = 1 << 30

End = Literal["done", "timeout", "memory", "crash", "stopped"]
"""`stopped`: somebody ended it from outside, such as a machine that shuts down."""
OUT_OF_MEMORY = 3
"""The exit code of a process that says so itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the check of one upload may take. `size` is of the unpacked run file, `ratio` how far a packed one unpacks.

    Bytes, but for `processor` and `wall` in seconds, and `files`, which counts open ones.
    """

    size: int = 2 * GIBIBYTE
    ratio: int = 50
    memory: int = 4 * GIBIBYTE
    processor: int = 1800
    wall: float = 3600.0
    files: int = 256


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and its exit code; negative where a signal ended it."""

    end: End
    code: int


def impose(limits: Limits) -> None:
    """Puts this process, and those that it starts, under the limits. What was lower already stays.

    A file may grow to twice the largest run file, for scores are written into a copy of it. Raises `OSError`.
    """
    for kind, soft, hard in (
        (resource.RLIMIT_AS, limits.memory, limits.memory),
        (resource.RLIMIT_CPU, limits.processor, limits.processor + 5),  # at the hard limit it is killed without a word
        (resource.RLIMIT_FSIZE, 2 * limits.size, 2 * limits.size),
        (resource.RLIMIT_NOFILE, limits.files, limits.files),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        allowed = resource.getrlimit(kind)[1]
        most = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(kind, (min(soft, most), most))
    os.nice(10)


def environment(folder: Path, data: Path | None) -> dict[str, str]:
    """All that such a process knows of the server's environment: nothing in it is secret."""
    known = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "HF_HUB_OFFLINE": "1",
        # Compiled scoring kernels, made once for this machine and not for every check.
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("bench"),
        # A thread takes address space for a stack and for a heap of its own, which here is bounded.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }
    return {**known, "BENCH_DATA": str(data)} if data is not None else known


def run(command: Sequence[str], limits: Limits, folder: Path, environment: Mapping[str, str]) -> Ended:
    """Runs a process that imposes the limits on itself, in a session of its own, and ends it with all that it started.

    It reads nothing and its words go nowhere: what it has to say it writes to a file in `folder`, where it works.
    """
    process = subprocess.Popen(  # noqa: S603 - the command is this program's
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
    )
    try:
        code = process.wait(limits.wall)
    except subprocess.TimeoutExpired:
        return Ended("timeout", _kill(process))
    finally:
        _kill(process)
    return Ended(_end(code), code)


def _kill(process: subprocess.Popen[bytes]) -> int:
    """Ends the whole group; a process that left children behind has a group still."""
    with contextlib.suppress(ProcessLookupError):  # none of it is left
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _end(code: int) -> End:
    if code >= 0:
        return "memory" if code == OUT_OF_MEMORY else "done"
    # Nothing here sends SIGKILL before the time is up: it is the system's word for no memory.
    ends: dict[int, End] = {
        signal.SIGXCPU: "timeout",
        signal.SIGKILL: "memory",
        **dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), "stopped"),
    }
    return ends.get(-code, "crash")
