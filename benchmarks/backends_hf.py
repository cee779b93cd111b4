"""The part `hf` of `backends.py`: options after a long context, against lm_eval's hf on the same items and model."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backends_models
import backends_ours
from backends_measure import Failed, Row, Setup, alternating, call, column, needed, note, tqdm_rate, work

PART = "hf"
ITEMS = 24
PROBED = 6
"""Items with which lm_eval's best batch is found."""
LETTERS = "abcd"
TOLERANCE = 1e-3

OURS = """\
name = "long"
dataset = "long"
title = "Options after a long context"
area = "reading"
kind = "choice"
languages = ["eng_Latn"]
licence = "CC0-1.0"
contamination = "Made anew each time."

[source]
format = "jsonl"
test = "long.jsonl"

[sample]
item = "{id}"
fields = { context = "{context}" }
options = ["{a}", "{b}", "{c}", "{d}"]
answer = { column = "answer", as = "letter" }

[prompt]
text = "{context}"
cue = "Answer:"
"""
THEIRS = """\
task: long
dataset_path: json
dataset_kwargs: {data_files: {test: "$ITEMS"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{context}}\\n\\nAnswer:"
doc_to_choice: "{{[a, b, c, d]}}"
doc_to_target: "{{'ABCD'.index(answer)}}"
metric_list: [{metric: acc}]
"""


def measure(setup: Setup) -> Iterator[Row]:
    """Runs both sides. Raises `Failed`."""
    needed(setup.lm_eval, "--lm-eval")
    folder = setup.folder / PART
    folder.mkdir(parents=True, exist_ok=True)
    model = backends_models.llama(setup.folder / "llama-11m")
    count = setup.count(ITEMS, 4)
    _write(folder, backends_models.items(model, count))
    batch = _best_batch(setup, folder, model)
    note(f"{count} items; {setup.threads} threads and batch {batch} on both sides")
    path = folder / "command.run.db"
    mine = [sys.executable, "-m", "bench", "run", "-m", f"hf:{model}", "-t", str(folder / "long.toml")]
    mine += ["--mode", "loglikelihood", "--output", str(path), "--json"]
    mine += [] if batch.startswith("auto") else ["--batch", batch]

    def ours() -> tuple[float, float]:
        path.unlink(missing_ok=True)
        seconds, _ = call(mine, setup.threads)
        inside = {"model": str(model), "items": str(folder / "long.jsonl"), "path": str(folder / "loop.run.db")}
        number = None if batch.startswith("auto") else int(batch)
        steady = work(sys.executable, PART, "ours", setup.threads, batch=number, **inside)
        return seconds, 4 * count / float(steady["seconds"])

    def theirs() -> tuple[float, float]:
        return _lm_eval(setup, folder, model, batch)

    call([*mine, "--limit", "1"], setup.threads)  # what a first run compiles is not counted; lm_eval ran before
    pairs = list(alternating(setup.pairs or setup.count(5, 1), ours, theirs))
    _compare(folder, path)
    yield Row("recorded run / lm_eval hf, inside the loop", "options/s", column(pairs, 1), wanted=2.5)
    yield Row("bench run / lm_eval hf, command to result", "s", column(pairs, 0), time=True)


def _write(folder: Path, items: list[backends_models.Item]) -> None:
    rows = [
        {
            "id": str(number),
            "context": item.context,
            **dict(zip(LETTERS, item.options, strict=True)),
            "answer": "ABCD"[number % 4],
        }
        for number, item in enumerate(items)
    ]
    (folder / "long.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (folder / "long.toml").write_text(OURS, "utf-8")
    (folder / "long.yaml").write_text(THEIRS.replace("$ITEMS", str(folder / "long.jsonl")), "utf-8")


def _best_batch(setup: Setup, folder: Path, model: Path) -> str:
    """lm_eval's quickest batch of those that may be tried."""
    limit = ["--limit", str(setup.count(PROBED, 2))]
    rates = {batch: _lm_eval(setup, folder, model, batch, limit)[1] for batch in setup.batches}
    note(f"lm_eval's options/s by batch: {', '.join(f'{batch}: {rate:.3g}' for batch, rate in rates.items())}")
    return max(rates, key=lambda batch: rates[batch])


def _lm_eval(setup: Setup, folder: Path, model: Path, batch: str, more: list[str] | None = None) -> tuple[float, float]:
    """(seconds of the whole command, options per second by its own progress bar)."""
    shutil.rmtree(folder / "theirs", ignore_errors=True)
    command = [setup.lm_eval, "run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32"]
    command += ["--device", "cpu", "--tasks", "long", "--include_path", str(folder), "--batch_size", batch]
    command += ["--log_samples", "--output_path", str(folder / "theirs"), *(more or [])]
    seconds, written = call(command, setup.threads)
    return seconds, tqdm_rate(written, "Running loglikelihood requests")


def _compare(folder: Path, path: Path) -> None:
    """Notes how far the two sides' log-likelihoods are apart. Raises `Failed` where they were not asked the same."""
    exported = folder / "command.jsonl"
    call([sys.executable, "-m", "bench", "export", str(path), "--format", "jsonl", "--output", str(exported)], 1)
    mine = {}
    for answer in map(json.loads, exported.read_text("utf-8").splitlines()):
        mine[answer["id"].split("/")[-1]] = (answer["prompt"], answer["loglikelihoods"])
    (logged,) = (folder / "theirs").glob("*/samples_long_*.jsonl")
    apart = []
    for row in map(json.loads, logged.read_text("utf-8").splitlines()):
        prompt, values = mine.pop(row["doc"]["id"])
        if prompt != row["arguments"]["gen_args_0"]["arg_0"]:
            raise Failed(f"item {row['doc']['id']}: the two sides' prompts differ")
        apart += [abs(one - float(two)) for one, ((two, _),) in zip(values, row["resps"], strict=True)]
    if mine:
        raise Failed(f"lm_eval did not log {len(mine)} of the items")
    note(f"largest difference of a log-likelihood over {len(apart)} options: {max(apart):.2g}")
    if max(apart) > TOLERANCE:
        raise Failed(f"log-likelihoods differ by {max(apart):.2g}, more than {TOLERANCE:g}")


def run_side(side: str, model: str, items: str, path: str, batch: int | None) -> dict[str, Any]:
    """One measurement of our side, in this process; loading is not counted."""
    rows = [json.loads(line) for line in Path(items).read_text("utf-8").splitlines()]
    requests = [
        backends_ours.request(number, f"{row['context']}\n\nAnswer:", 0, tuple(f" {row[letter]}" for letter in LETTERS))
        for number, row in enumerate(rows)
    ]
    Path(path).unlink(missing_ok=True)
    began = time.perf_counter()
    with contextlib.closing(backends_ours.opened(f"hf:{model}", {}, batch)) as loaded:
        loading = time.perf_counter() - began
        return {"side": side, "loading": loading, "seconds": backends_ours.record(loaded, requests, Path(path))[0]}
