"""SIGKILL at any moment loses nothing that was answered, and changes no score."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.runfile import RunFile
from tests.e2e.conftest import environment

KILLS = 10


def answers(path: Path) -> dict[str, str]:
    if not path.is_file() or not path.stat().st_size:
        return {}
    with RunFile.read(path) as run:
        return {response.request: response.text for response in run.responses()}


def killed_and_whole(tmp_path: Path, arguments: list[str], seconds: float, seed: int) -> tuple[list[int], Path, Path]:
    """Runs the command never killed, then killed at random moments and finished; answers on disk after each kill.

    Every other moment is counted from the first new answer on disk: a busy machine would still be starting.
    """
    whole, broken = tmp_path / "whole.run.db", tmp_path / "broken.run.db"
    command = [sys.executable, "-m", "bench", "run", *arguments]
    subprocess.run([*command, "--output", str(whole)], check=True, capture_output=True, env=environment())
    generator = random.Random(seed)
    kept: list[int] = []
    seen: dict[str, str] = {}
    for number in range(KILLS):
        process = subprocess.Popen(
            [*command, "--output", str(broken)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        while number % 2 and len(answers(broken)) <= len(seen) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(generator.uniform(0.2, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = answers(broken)
        assert {request: found.get(request) for request in seen} == seen, (
            "an answer that was on disk is gone or changed"
        )
        seen = found
        kept.append(len(found))
    subprocess.run([*command, "--output", str(broken)], check=True, capture_output=True, env=environment())
    return kept, whole, broken


def assert_same(whole: Path, broken: Path) -> None:
    with RunFile.read(whole) as one, RunFile.read(broken) as other:
        assert other.scores() == one.scores()
        assert other.cells() == one.cells()
        recorded = Counter(response.request for response in other.responses())
        assert set(recorded.values()) == {1}
        assert recorded.keys() == {request for request, *_ in one.planned()}
    assert not list(whole.parent.glob("*-wal"))


def test_ten_kills_of_a_baseline(tmp_path: Path) -> None:
    arguments = ["-m", "baseline:copy", "-t", "cldr-dates", "-t", "cldr-territories"]
    _, whole, broken = killed_and_whole(tmp_path, arguments, seconds=3.0, seed=1)
    assert_same(whole, broken)


def test_ten_kills_of_a_slow_program(tmp_path: Path, data: Path) -> None:
    arguments = ["-m", "command:sleep 0.1; cat", "-t", "ntrex-from-eng", "-l", "cat_Latn", "-l", "ibo_Latn"]
    arguments += ["--batch", "10", "--limit", "400", "--data", str(data)]
    kept, whole, broken = killed_and_whole(tmp_path, arguments, seconds=1.6, seed=2)
    assert_same(whole, broken)
    assert len(set(kept)) > 3, f"the kills were to fall amid the answers, and left {kept}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_answered_and_says_so(tmp_path: Path, data: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.run.db"
    arguments = ["-m", "command:sleep 0.1; cat", "-t", "ntrex-from-eng", "-l", "cat_Latn", "--batch", "10"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *arguments, "--data", str(data), "--output", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    deadline = time.monotonic() + 60
    while not answers(path) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint == "bench: interrupted; a run goes on where it was when the same command is given again\n"
    assert answers(path)
    with RunFile.read(path) as run:
        assert [made["outcome"] for made in run.invocations()] == ["interrupted"]
