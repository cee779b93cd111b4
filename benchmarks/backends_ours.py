"""Our side of `backends.py`: a backend driven as `bench run` drives it, into a run file, on requests made by hand."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends_measure import Failed

from bench.execution import Totals, execute
from bench.models import Model, Settings, load
from bench.records import Request
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from tasks.records import Sample


def opened(name: str, options: Mapping[str, object], batch: int | None = None) -> Model:
    """The model, with options of its backend."""

    def no_training(task: str, language: str, variety: str) -> Sequence[Sample]:
        return ()

    return load(name, Settings(no_training, batch, options=options))


def request(number: int, prompt: str, max_tokens: int, continuations: tuple[str, ...] = ()) -> Request:
    """A request as the plan would make it of a sample."""
    return Request(
        id=hashlib.sha256(f"{number} {prompt}".encode()).hexdigest()[:32],
        sample=f"made@1/eng_Latn//{number}",
        task="made",
        language="eng_Latn",
        variety="",
        mode="loglikelihood" if continuations else "generate",
        prompt=prompt,
        continuations=continuations,
        max_tokens=0 if continuations else max_tokens,
        stop=(),
        input=prompt,
        options=(),
    )


def record(model: Model, requests: Sequence[Request], path: Path) -> tuple[float, float]:
    """Seconds from the first request asked to the last answer on disk, by the clock and of processor time.

    Raises `Failed` unless all are answered.
    """
    with RunFile.open(path, Identity(model.name, model.revision, model.template, model.decoding)) as run:
        run.add_plan(Planned(one, SampleFacts("0", ""), one.prompt) for one in requests)
        wall, spent = time.perf_counter(), time.process_time()
        outcome = execute(model, [requests], run, lambda done, standing=None: None, Totals(len(requests)))
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
    found = statuses(path)
    if outcome.stopped or found != {"ok": len(requests)}:
        why = outcome.stopped or outcome.first_error
        raise Failed(f"{model.name}: {len(requests)} answers with status ok were to come, not {found} ({why})")
    return wall, spent


def generate(
    name: str, options: Mapping[str, object], prompts: Sequence[str], max_tokens: int, path: Path
) -> tuple[float, float]:
    """Loads the model and records its answers to prompts; the seconds do not count the loading."""
    with contextlib.closing(opened(name, options)) as model:
        requests = [request(number, prompt, max_tokens) for number, prompt in enumerate(prompts)]
        model.check(requests)
        return record(model, requests, path)


def statuses(path: Path) -> dict[str, int]:
    """How many answers of each status a run file holds."""
    with RunFile.read(path) as run:
        return dict(Counter(answer.status for answer in run.responses()))
