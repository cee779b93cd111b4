"""Any program that reads a line and writes a line, a translation engine say.

Some programs, Apertium among them, answer only when their input ends. So a program is started anew for each chunk of
lines, and a crash loses one chunk.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from bench.backend import Capabilities, Model, ModelStopped, Settings
from bench.prices import Price
from bench.records import Request, Response, UsageError
from bench.text import one_line

CHUNK = 100
MOST_OUTPUT = 64 << 20
"""Bytes that one batch may bring: a program that never stops writing is stopped."""
FAILURES = 3
"""So many failed chunks in a row and the command is given up."""


def load(command: str, settings: Settings) -> Model:
    """The shell command. Raises `UsageError` where the shell does not know its first word."""
    word = command.split(maxsplit=1)[0]
    # The shell is asked, not the path: the word may be a builtin. Running what the user typed is what this is for.
    asked = ["/bin/sh", "-c", 'command -v -- "$1"', "sh", word]
    found = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603
    if found.returncode and "=" not in word and word.isascii() and word.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"command not found: {word}; install it, or give its path")
    return Command(command, settings.batch or CHUNK, settings.timeout)


class Command:
    """A shell command. Its revision is the hash of the command's text: what it runs is the user's to keep the same."""

    template = "none"
    decoding = "as the program does"
    capabilities = Capabilities(modes=("generate",), raw=True, choices=False)
    price: Price | None = None

    def __init__(self, command: str, chunk: int, timeout: float) -> None:
        self.name = f"command:{command}"
        self.revision = "sha256:" + hashlib.sha256(command.encode()).hexdigest()[:16]
        self._command = command
        self._chunk = chunk
        self._timeout = timeout

    def check(self, requests: Iterable[Request]) -> None:
        """Any line will do."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Chunk by chunk. Raises `ModelStopped` after `FAILURES` failed chunks in a row."""
        failures = 0
        for chunk in _chunks(requests, self._chunk):
            started = time.monotonic()
            try:
                lines = _run(self._command, [one_line(request.input) for request in chunk], self._timeout)
            except _Failed as failed:
                failures += 1
                yield from (Response(request.id, "error", reason=str(failed)) for request in chunk)
                if failures == FAILURES:
                    raise ModelStopped(f"the command failed {FAILURES} times in a row: {failed}") from failed
            else:
                failures = 0
                seconds = (time.monotonic() - started) / len(chunk)
                for request, line in zip(chunk, lines, strict=True):
                    yield Response(request.id, "ok", line, finish="stop", seconds=seconds)

    def status(self) -> str:
        """Nothing to tell."""
        return ""

    def close(self) -> None:
        """A chunk's processes end with it, but for one that left its process group."""


def _chunks(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    remaining = iter(requests)
    while chunk := list(itertools.islice(remaining, size)):
        yield chunk


class _Failed(Exception):
    """A chunk came back wrong; the message says how."""


def _run(command: str, lines: Sequence[str], timeout: float) -> list[str]:
    # Files, no pipes: a child in the background holds a pipe open for ever, and an endless one fills the memory.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        given.write("".join(f"{line}\n" for line in lines).encode())
        given.seek(0)
        # A session of its own, so that a hanging pipeline is killed whole and not only the shell.
        process = subprocess.Popen(  # noqa: S602
            command, shell=True, stdin=given, stdout=said, stderr=told, start_new_session=True
        )
        try:
            _wait(process, timeout, (said, told))
        finally:
            _kill(process)
        said.seek(0)
        told.seek(max(0, os.fstat(told.fileno()).st_size - 4096))
        output, complaints = said.read(MOST_OUTPUT + 1), told.read(4096)
    last = complaints.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit status {process.returncode}"
        raise _Failed(f"{how}: {last[0][:200]}")
    try:
        answers = output.decode().removesuffix("\n").split("\n") if output else []
    except UnicodeDecodeError as error:
        raise _Failed(f"its output is not UTF-8 (byte {error.start})") from error
    if len(answers) != len(lines):
        raise _Failed(f"{len(answers)} lines out for {len(lines)} in: {last[0][:200]}")
    return [answer.removesuffix("\r") for answer in answers]


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # the usual case: it has ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process: subprocess.Popen[bytes], timeout: float, written: Sequence[IO[bytes]]) -> None:
    due = time.monotonic() + timeout
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(0.2, max(0.0, due - time.monotonic())))
            return
        if time.monotonic() >= due:
            raise _Failed(f"no end after {timeout:g} s (--timeout)")
        if sum(os.fstat(file.fileno()).st_size for file in written) > MOST_OUTPUT:
            raise _Failed(f"more than {MOST_OUTPUT >> 20} MiB of output for one batch; does it end?")
