"""`bench run --energy` as a user runs it: a scripted GPU, an outside meter, no meter at all, a kill in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.energy.cells import FIELDS
from bench.energy.keeping import windows
from bench.energy.records import Window
from bench.records import BenchError
from bench.runfile import RunFile
from tests.e2e.conftest import Bench
from tests.e2e.test_energy_cli import scripted
from tests.processes import started

TASK = """
name = "our-letters"
dataset = "our-letters"
title = "Letters that we wrote"
area = "translation"
kind = "generation"
languages = ["yo", "en"]
licence = "private"
contamination = "Written for this test."
raw_input = true

[prompt]
text = "Write in {language}: {text}"

[source]
format = "csv"
test = "{code}.csv"

[sample]
item = "{id}"
fields = { text = "{text}" }
references = ["{text}"]
"""


@pytest.fixture(autouse=True)
def letters(tmp_path: Path) -> None:
    """A task of our own in Yoruba and English, the same twenty-four items in both."""
    (tmp_path / "task.toml").write_text(TASK)
    for code, text in (("yo", "lẹ́tà ẹ̀kejì ni"), ("en", "the second letter")):
        rows = "".join(f"{number},{text} {number}\n" for number in range(24))
        (tmp_path / f"{code}.csv").write_text(f"id,text\n{rows}")


PLAN = ("run", "-m", "command:cat", "-t", "task.toml", "-l", "yor", "--energy")
SHORT = ("-E", "seconds=1", "-E", "repeats=1", "-E", "concurrency=4", "-E", "warmup=0")
FILE = Path("runs") / "command-cat.run.db"


def kept(path: Path) -> list[Window]:
    with RunFile.read(path) as run:
        return windows(run)


def headline(cells: list[dict[str, Any]]) -> dict[str, Any]:
    [cell] = [cell for cell in cells if cell["headline"]]
    return cell


def test_measured_shown_explained_scored_anew_and_published(bench: Bench, tmp_path: Path) -> None:
    gpu = scripted(gpus=[{"power": 350.0, "uuid": "GPU-1"}])
    long = (*PLAN, "--json", "-E", "seconds=20.5", "-E", "repeats=1", "-E", "concurrency=4", "-E", "warmup=0")
    done = bench(*long, **gpu)
    assert "after the run up to 3 windows of 20.5 s at 4 at a time" in done.stderr
    assert "NVIDIA H100 80GB HBM3 (gpu_board)" in done.stderr
    cell = headline(json.loads(done.stdout))
    assert (cell["energy_provenance"], cell["energy_scope"], cell["energy_windows"]) == ("measured", "gpu_board", 1)
    assert cell["energy_setup"].startswith("1x NVIDIA H100 80GB HBM3, 700 W, command")
    assert cell["joules_per_request"] > 0
    assert cell["reasons"]["energy_rank"] == "batch_unverified"
    assert cell["reasons"]["output_tokens_per_joule"] == "tokens_unknown"
    assert all(cell[name] is not None or name in cell["reasons"] for name in FIELDS)
    found = kept(tmp_path / FILE)
    [window] = [one for one in found if one.kind == "isolated"]
    assert window.steady is not None
    assert window.steady.reading.joules == pytest.approx(350 * window.steady.reading.seconds, rel=0.03)
    shown = bench("show", str(FILE)).stdout
    assert "J an answer (gpu_board)" in " ".join(shown.split())
    assert "yor_Latn" in bench("energy", "report", str(FILE)).stdout
    # Scoring anew changes nothing.
    bench("rescore", str(FILE), "-t", "task.toml")
    assert headline(json.loads(bench("show", str(FILE), "--json").stdout)) == cell
    assert "command:cat" in bench("publish", str(FILE), "-t", "task.toml").stdout


def test_a_forged_energy_does_not_reach_the_board(bench: Bench, tmp_path: Path) -> None:
    bench(*PLAN, *SHORT, **scripted())
    with RunFile.open(tmp_path / FILE, None) as run, run._writing() as connection:
        connection.execute(
            "UPDATE cells SET cell = json_set(cell, '$.joules_per_request', 1.0, '$.energy_provenance', 'measured',"
            " '$.energy_scope', 'gpu_board', '$.energy_setup', 'mine', '$.energy_windows', 3)"
        )
    refused = bench("publish", str(FILE), "-t", "task.toml", expect=2)
    assert "energy" in refused.stderr
    assert not (tmp_path / "board" / "current").exists()


def test_without_a_meter_the_run_goes_on_and_says_why(bench: Bench) -> None:
    done = bench(*PLAN, *SHORT)
    assert "command:cat: no energy is measured" in done.stderr
    assert "no energy" in done.stdout
    cell = headline(json.loads(bench("show", str(FILE), "--json").stdout))
    assert cell["value"] is not None
    assert cell["reasons"]["energy"].startswith("no_meter")
    assert all(cell[name] is None for name in FIELDS)
    required = bench(*PLAN, *SHORT, "--require-energy", expect=2)
    assert "command:cat: no energy is measured" in required.stderr


def test_windows_that_are_too_short_leave_no_figure(bench: Bench, tmp_path: Path) -> None:
    bench(*PLAN, *SHORT, **scripted())
    cell = headline(json.loads(bench("show", str(FILE), "--json").stdout))
    assert cell["reasons"]["energy"] == "window_short"
    assert cell["joules_per_request"] is None
    assert [window.kind for window in kept(tmp_path / FILE) if window.kind != "mixed"].count("sentinel") == 2


@contextlib.contextmanager
def outside(path: Path, watts: float) -> Iterator[None]:
    """A meter that writes a reading to a file ten times a second."""
    done = threading.Event()
    path.write_text("time,watts\n")

    def write() -> None:
        while not done.wait(0.1):
            with path.open("a") as file:
                file.write(f"{time.time():.3f},{watts}\n")

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        done.set()
        writing.join()


def test_an_outside_meter(bench: Bench, tmp_path: Path) -> None:
    with outside(tmp_path / "power.csv", 200.0):
        time.sleep(0.5)
        done = bench(*PLAN, *SHORT, "-E", "meter=csv:power.csv", "-E", "scope=wall")
    assert "(wall)" in done.stderr
    [window] = [one for one in kept(tmp_path / FILE) if one.kind == "isolated"]
    assert window.steady is not None
    assert window.steady.reading.joules == pytest.approx(200 * window.steady.reading.seconds, rel=0.02)
    assert "external_meter" in window.reasons


def test_a_kill_while_measuring_loses_no_answer_and_no_window(tmp_path: Path) -> None:
    environment = {**os.environ, **scripted(), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "bench", *PLAN, *SHORT[2:], "-E", "seconds=2"]
    path = tmp_path / FILE
    deadline = time.monotonic() + 120
    quiet = subprocess.DEVNULL
    with started(command, cwd=tmp_path, env=environment, stderr=quiet, stdout=quiet) as process:
        while time.monotonic() < deadline and process.poll() is None:
            if path.exists():
                with contextlib.suppress(BenchError), RunFile.read(path) as run:
                    if sum(one.kind == "sentinel" for one in windows(run)):
                        break
            time.sleep(0.1)
    before = kept(path)
    assert any(window.kind == "sentinel" for window in before)
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=120)
    after = kept(path)
    assert after[: len(before)] == before
    assert any(window.kind == "isolated" for window in after)
    with RunFile.read(path) as run:
        assert run.counts() == (24, 24)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("-E", "secs=3"), "-E: no option 'secs'"),
        (("-E", "seconds=-1"), "option seconds should be a number above 0"),
        (("-E", "seconds"), "-E takes NAME=VALUE, such as -E seconds=60"),
        (("-E", "seconds=1", "-E", "seconds=2"), "-E seconds is given twice"),
        (("-E", "processes=abc"), "process ids joined by commas"),
        (("-E", "concurrency=100000000"), "up to 65536"),
        (("--batch", "2", "-E", "concurrency=8"), "--batch 2 cannot keep 8 requests under way"),
        (("--max-cost", "1"), "--max-cost does not bound the windows of --energy"),
        (("-E", "meter=nvlm"), "did you mean"),
        (("-E", "repeats=0"), "option repeats should be a whole number of at least 1"),
        (("-E", "meter=csv:power.csv"), "scope=node or scope=wall"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(bench: Bench, given: tuple[str, ...], message: str) -> None:
    refused = bench(*PLAN, *given, expect=2, **scripted())
    assert message in refused.stderr
    assert len([line for line in refused.stderr.splitlines() if line.startswith("bench:")]) == 1


@pytest.mark.parametrize("model", ["baseline:copy", "replies:made.jsonl"])
def test_answers_that_nobody_computed_took_no_energy(bench: Bench, tmp_path: Path, model: str) -> None:
    lines = [{"id": f"our-letters@1/yor_Latn//{number}", "text": "ẹ"} for number in range(24)]
    (tmp_path / "made.jsonl").write_text("\n".join(map(json.dumps, lines)))
    plan = ("run", "-m", model, *PLAN[3:], *SHORT, "--output", "made.run.db")
    done = bench(*plan, **scripted(gpus=[{"power": 350.0, "uuid": "GPU-1"}]))
    assert "no energy is measured: the answers are rules or were made elsewhere" in done.stderr
    cell = headline(json.loads(bench("show", "made.run.db", "--json").stdout))
    assert cell["reasons"]["energy"] == "nothing_computed"
    assert kept(tmp_path / "made.run.db") == []


def test_energy_options_belong_to_energy(bench: Bench) -> None:
    refused = bench(*PLAN[:-1], "-E", "seconds=3", expect=2)
    assert "--energy" in refused.stderr
