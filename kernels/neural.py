"""COMET (Rei et al. 2020, 2022) and its family, in a process and an environment of their own.

unbabel-comet 2.2 needs NumPy below 2 and this project NumPy 2, so they cannot share an environment. Another Python,
named by `python` or by BENCH_COMET_PYTHON, runs comet_worker.py, which loads the model once and scores what it is sent.
No weights were available where this was written: it was tested against a package that has unbabel-comet 2.2's
interface (`download_model`, `load_from_checkpoint`, `predict(samples, batch_size, gpus)`), never against a model.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import UNIT, References, Result, Scores, Statistics, checked

WORKER = Path(__file__).with_name("comet_worker.py")
VARIABLE = "BENCH_COMET_PYTHON"
SETUP = "python3 -m venv comet && comet/bin/pip install unbabel-comet"
FAILED = {
    "start": "{python} cannot run COMET's worker: {reason}",
    "import": "{python} cannot import COMET: {reason}; install it there: {python} -m pip install unbabel-comet",
    "download": "COMET has no model {model}, or cannot download it (offline, or a gated one without a login): {reason}",
    "load": "COMET cannot load the model {model}: {reason}",
    "ready": "COMET's worker stopped while it was scoring: {reason}",
}
"""What to say of a worker that stopped, by the step that it had come to."""


class NeuralError(RuntimeError):
    """COMET cannot run or gave no scores. The message is one line that says why, and what to do where that is known."""


class Neural:
    """One model of the COMET family. A context manager; its process starts at the first use and ends with `close`.

    `model` is a name on the Hugging Face Hub, such as `Unbabel/wmt22-comet-da`, or the path of a checkpoint; `devices`
    is how many GPUs to use, 0 for the CPU. Statistics: score in billionths (`base.UNIT`), 1; what a score means is the
    model's to say, most give 0 to 1 with 1 the best. Raises `NeuralError` where no interpreter is configured.
    """

    columns = 2
    best = 1.0
    higher_is_better = True
    binary = False

    def __init__(self, model: str, *, python: str | None = None, batch_size: int = 16, devices: int = 0) -> None:
        if batch_size < 1 or devices < 0:
            raise ValueError(f"COMET needs a batch of at least 1 and no fewer devices than 0: {batch_size}, {devices}")
        self.model = model
        self.name = model.rsplit("/", 1)[-1]
        self.python = python or os.environ.get(VARIABLE, "")
        if not self.python:
            raise NeuralError(f"no Python with COMET is configured: {SETUP}, then {VARIABLE}=comet/bin/python")
        self.batch_size = batch_size
        self.devices = devices
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[bytes] | None = None
        self._loaded: dict[str, Any] = {}

    def __enter__(self) -> Neural:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Kills the worker and all that it started. It may be used again, and then starts anew."""
        process, self._process = self._process, None
        if process is not None:
            # Its own children, the loaders of data, are in its group. It may be gone already.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def score(self, sources: Sequence[str], hypotheses: Sequence[str], references: References | None) -> Result:
        """Scores translations of `sources`, against one stream of references or, for a model that needs none, None.

        Raises `NeuralError` where COMET fails, `ValueError` for streams of unequal length, more than one stream of
        references, or none where the model needs them, `TypeError` for what is no text.
        """
        statistics = self.statistics(sources, hypotheses, references)
        (corpus,) = self.from_statistics(statistics.sum(axis=0, keepdims=True))
        return Result(
            name=self.name,
            score=float(corpus),
            segments=self.segment_scores(statistics),
            statistics=statistics,
            signature=self.signature(0 if references is None else 1),
        )

    def statistics(
        self, sources: Sequence[str], hypotheses: Sequence[str], references: References | None
    ) -> Statistics:
        """Each segment's score in billionths, and 1; shape (segments, 2). Raises as `score` does."""
        if references is not None and len(references) != 1:
            raise ValueError(f"COMET compares with one stream of references, not {len(references)}")
        if len(sources) != len(hypotheses):
            raise ValueError(f"{len(hypotheses)} hypotheses but {len(sources)} sources")
        checked(hypotheses, [sources] if references is None else references)
        if not len(hypotheses):
            raise ValueError("nothing to score: no hypotheses")
        columns = {"src": sources, "mt": hypotheses} | ({} if references is None else {"ref": references[0]})
        rows = [
            {key: _encodable(key, number, text) for key, text in zip(columns, texts, strict=True)}
            for number, texts in enumerate(zip(*columns.values(), strict=True), start=1)
        ]
        self._start()
        if references is None and self._loaded["needs_references"]:
            raise ValueError(f"the model {self.model} needs references")
        return _billionths(self._ask(rows).get("scores"), len(rows))

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """The mean score: billionths over segments; nothing counted is not a number."""
        total, counted = np.asarray(sums, dtype=np.float64).T
        with np.errstate(invalid="ignore"):
            scores: Scores = total / counted / UNIT
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """COMET's own, to the nearest billionth."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """The model, the first digits of its checkpoint's SHA-256, and the versions that ran it. Starts the worker."""
        self._start()
        about = [f"{key}:{self._loaded[key]}" for key in ("model", "checkpoint", "comet", "torch")]
        return "|".join([f"nrefs:{references}", *about])

    def _start(self) -> None:
        """Starts the worker where none runs, and waits until its model is loaded."""
        if self._process is not None:
            return
        options = {"--model": self.model, "--batch-size": str(self.batch_size), "--devices": str(self.devices)}
        command = [self.python, str(WORKER), *(word for option in options.items() for word in option)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell; the interpreter is the user's to name
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
                encoding="utf-8",
            )  # fmt: skip
        except OSError as missing:
            self.close()
            raise NeuralError(f"no Python at {self.python}: {missing.strerror}; set {VARIABLE}") from None
        step = "start"
        while step != "ready":
            self._loaded = self._read(step)
            step = str(self._loaded["step"])

    def _ask(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(rows) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._stopped("ready") from None
        except BaseException:
            self.close()
            raise
        return self._read("ready")

    def _read(self, step: str) -> dict[str, Any]:
        """The worker's next message. Whatever happens instead, an interrupt included, ends the worker."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except UnicodeDecodeError:
            self.close()
            raise NeuralError("COMET's worker answered with bytes that are no text") from None
        except BaseException:
            self.close()
            raise
        if not line:
            raise self._stopped(step)
        message = _message(line)
        if message is None:
            self.close()
            raise NeuralError(f"COMET's worker answered with what it never says: {line.strip()[:80]!r}")
        return message

    def _stopped(self, step: str) -> NeuralError:
        """What to raise for a worker that is gone: the last line that it wrote, or how it ended."""
        assert self._process is not None
        assert self._errors is not None
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        reason = lines[-1] if lines else f"it ended with code {code}"
        if code < 0:
            reason = f"killed by signal {-code}" + (f" after it wrote: {lines[-1]}" if lines else "")
        self.close()
        return NeuralError(FAILED[step].format(python=self.python, model=self.model, reason=reason))


def _message(line: str) -> dict[str, Any] | None:
    """A step that is known, or scores; None for any other line."""
    try:
        message = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    return message if message.get("step") in FAILED or isinstance(message.get("scores"), list) else None


def _encodable(what: str, number: int, text: object) -> str:
    """The text as UTF-8 can write it: halves of surrogate pairs joined, lone ones U+FFFD. Tokenizers take no others."""
    if not isinstance(text, str):
        raise TypeError(f"segment {number} is {type(text).__name__}, not text, in COMET's {what!r}")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _billionths(scores: Any, segments: int) -> Statistics:
    if not isinstance(scores, list) or len(scores) != segments:
        found = len(scores) if isinstance(scores, list) else "no"
        raise NeuralError(f"COMET gave {found} scores for {segments} segments")
    for number, score in enumerate(scores, start=1):
        # A score of a billion is none, and its billionths would not fit.
        if not isinstance(score, int | float) or not abs(score) < UNIT:
            raise NeuralError(f"COMET gave segment {number} a score that is no number: {score}")
    values = np.array(scores, dtype=np.float64)
    return np.stack([np.rint(values * UNIT).astype(np.int64), np.ones(segments, dtype=np.int64)], axis=1)
