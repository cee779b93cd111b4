"""`bench run --energy` as a user runs it: a scripted GPU, an outside meter, no meter at all, a kill in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
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

PLAN = ("run", "-m", "baseline:copy", "-t", "cldr-dates", "-l", "yor", "--limit", "40", "--energy")
SHORT = ("-E", "seconds=1", "-E", "repeats=1", "-E", "concurrency=4", "-E", "warmup=0")
FILE = Path("runs") / "baseline-copy.run.db"


def kept(path: Path) -> list[Window]:
    with RunFile.read(path) as run:
        return windows(run)


def headline(cells: list[dict[str, Any]]) -> dict[str, Any]:
    [cell] = [cell for cell in cells if cell["headline"]]
    return cell


def test_measured_shown_explained_published_and_not_measured_twice(bench: Bench, tmp_path: Path) -> None:
    gpu = scripted(gpus=[{"power": 350.0, "uuid": "GPU-1"}])
    long = (*PLAN, "-E", "seconds=20.5", "-E", "repeats=1", "-E", "concurrency=4", "-E", "warmup=0", "--json")
    done = bench(*long, **gpu)
    assert "after the run itself 3 windows of 20.5 s at 4 at a time" in done.stderr
    assert "NVIDIA H100 80GB HBM3 (gpu_board)" in done.stderr
    cell = headline(json.loads(done.stdout))
    assert (cell["energy_provenance"], cell["energy_scope"], cell["energy_windows"]) == ("measured", "gpu_board", 1)
    assert cell["energy_setup"].startswith("1x NVIDIA H100 80GB HBM3, 700 W, baseline")
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
    # The same command has nothing to measure any more, and scoring anew changes nothing.
    again = headline(json.loads(bench(*long, **gpu).stdout))
    assert again == cell
    assert len(kept(tmp_path / FILE)) == len(found)
    bench("rescore", str(FILE))
    assert headline(json.loads(bench("show", str(FILE), "--json").stdout)) == cell
    assert "baseline:copy" in bench("publish", str(FILE)).stdout


def test_a_forged_energy_does_not_reach_the_board(bench: Bench, tmp_path: Path) -> None:
    bench(*PLAN, *SHORT, **scripted())
    with RunFile.open(tmp_path / FILE, None) as run, run._writing() as connection:
        connection.execute(
            "UPDATE cells SET cell = json_set(cell, '$.joules_per_request', 1.0, '$.energy_provenance', 'measured',"
            " '$.energy_scope', 'gpu_board', '$.energy_setup', 'mine', '$.energy_windows', 3)"
        )
    refused = bench("publish", str(FILE), expect=2)
    assert "energy" in refused.stderr
    assert not (tmp_path / "board" / "current").exists()


def test_without_a_meter_the_run_goes_on_and_says_why(bench: Bench) -> None:
    done = bench(*PLAN, *SHORT)
    assert "no energy is measured" in done.stderr
    assert "no energy" in done.stdout
    cell = headline(json.loads(bench("show", str(FILE), "--json").stdout))
    assert cell["value"] is not None
    assert cell["reasons"]["energy"].startswith("no_meter")
    assert all(cell[name] is None for name in FIELDS)
    required = bench(*PLAN, *SHORT, "--require-energy", expect=2)
    assert len(required.stderr.strip().splitlines()) == 1 or "no energy is measured" in required.stderr


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
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    path = tmp_path / FILE
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            with contextlib.suppress(BenchError), RunFile.read(path) as run:
                if sum(one.kind == "sentinel" for one in windows(run)):
                    break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = kept(path)
    assert any(window.kind == "sentinel" for window in before)
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=120)
    after = kept(path)
    assert after[: len(before)] == before
    assert any(window.kind == "isolated" for window in after)
    with RunFile.read(path) as run:
        assert run.counts() == (20, 20)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("-E", "secs=3"), "-E: no option 'secs'"),
        (("-E", "seconds=-1"), "option seconds should be a number above 0"),
        (("-E", "seconds"), "takes NAME=VALUE"),
        (("-E", "meter=nvlm"), "did you mean"),
        (("-E", "repeats=0"), "option repeats should be a whole number of at least 1"),
        (("-E", "meter=csv:power.csv"), "scope=node or scope=wall"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(bench: Bench, given: tuple[str, str], message: str) -> None:
    refused = bench(*PLAN, *given, expect=2, **scripted())
    assert message in refused.stderr
    assert len([line for line in refused.stderr.splitlines() if line.startswith("bench:")]) == 1


def test_energy_options_belong_to_energy(bench: Bench) -> None:
    refused = bench(*PLAN[:-1], "-E", "seconds=3", expect=2)
    assert "--energy" in refused.stderr
