"""Starting vLLM so that it says nothing on the terminal, and finding what it said when it does not start."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import IO

# A log line of a process of vLLM's ("(EngineCore pid=7) ERROR 11-22 04:15:11 [core.py:866] "), then an exception's last
# line. The first in a log is the root: Python prints causes before what they led to, workers die before their engine.
_RAISED = re.compile(
    r"^(?:\([^)]*pid=\d+\)\s*)?(?:(?:ERROR|CRITICAL) [^\]]*\]\s*)?"
    r"(?P<kind>(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt))(?:: (?P<message>.*))?$",
    re.MULTILINE,
)
# What the parent of a process that failed says of it: true, and no help.
_SECONDHAND = re.compile(
    r"see (?:root cause|stack trace) \(?above|initialization failed|engine core.{0,20} died|: cancelled$", re.IGNORECASE
)
_DIED = re.compile(r"(?P<process>[Ww]orker proc \S+) died unexpectedly(?: \(exit code: -(?P<signal>\d+)\))?")
_PYDANTIC = re.compile(r"^\s*(?:Value|Assertion) error, (?P<message>.*?)(?: \[type=.*)?$", re.MULTILINE)
_MEMORY = re.compile(
    r"out of memory|OutOfMemory|No available memory for the cache|KV cache.{0,80}(?:needed|larger than)|"
    r"[Ff]ree memory on device|less than (?:desired|requested) (?:GPU )?memory|can't allocate memory",
)
_WIDTH = 240


class Log:
    """What processes wrote to their stdout and stderr, in a file that has no name and goes with the last of them."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()

    def text(self) -> str:
        """Everything so far; its last megabyte where there is more."""
        size = os.fstat(self.fileno()).st_size
        return os.pread(self.fileno(), 1_000_000, max(0, size - 1_000_000)).decode("utf-8", "replace")

    def close(self) -> None:
        """Closes this process's end."""
        self._file.close()


@contextlib.contextmanager
def silenced(log: Log) -> Iterator[None]:
    """Everything that this process writes meanwhile goes to the log, and what its new children write for ever.

    Native code and the progress bars of worker processes know nothing of `sys.stderr`: the descriptors are what counts.
    """
    _flush()
    kept = os.dup(1), os.dup(2)
    try:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _flush()
        for descriptor, before in zip((1, 2), kept, strict=True):
            os.dup2(before, descriptor)
            os.close(before)


def cause(error: BaseException, log: Log) -> str:
    """In one line, what an exception of vLLM's is about: what its processes logged first, else its own message."""
    message = str(error).strip()
    if found := _PYDANTIC.search(message):
        return _line(found["message"])
    if message and not _SECONDHAND.search(message):
        return _line(f"{type(error).__name__}: {message}" if isinstance(error, KeyError) else message)
    for raised in _RAISED.finditer(log.text()):
        text = f"{raised['kind'].rpartition('.')[2]}: {raised['message'] or ''}".rstrip(": ")
        if not _SECONDHAND.search(text):
            return _line(text)
    if died := _DIED.search(log.text()):
        return (
            f"{died['process']} was ended by signal {died['signal']}" if died["signal"] else f"{died['process']} died"
        )
    return "a process of it ended without a word, as one does that the system kills for its memory"


def about_memory(text: str) -> bool:
    """Whether a cause is that the memory is too small."""
    return _MEMORY.search(text) is not None


@contextlib.contextmanager
def environment(**defaults: str) -> Iterator[None]:
    """Sets what is not set yet, for good; takes back what is changed inside.

    vLLM writes LD_PRELOAD and more into this process's environment, for its own children; other programs that are
    started from here later have no use for it.
    """
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _line(text: str) -> str:
    line = next(iter(text.strip().splitlines()), "").strip()
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
