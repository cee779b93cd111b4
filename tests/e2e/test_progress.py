"""What is shown of a run under way: recent rates, whole numbers, lines that fit; and it never ends a run."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console
from wcwidth import wcswidth

from bench.cli import progress
from bench.cli.progress import Board, Meter, Sample, duration, plain, watch
from bench.watch import Standing
from tests.e2e.conftest import environment

STANDING = Standing(
    errors=3,
    output_tokens=120_000,
    cost=12.5,
    currency="USD",
    task="include-base-44-medical-licence",
    language="yor_Latn",
    answered=63,
    asked=1204,
    status="128 at a time, told to wait 12 s",
)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def board(title: str = "openai:some-model", total: int = 102_000) -> tuple[Board, Clock]:
    clock = Clock()
    return Board(title, total, clock), clock


def drawn(shown: Board, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(shown.drawn(width))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_rates_are_of_the_last_seconds_and_not_since_the_start() -> None:
    meter = Meter()
    for second in range(1001):  # quick for 900 s, then slow
        quick = min(second, 900)
        meter.add(Sample(second, 100 * quick + 2 * (second - quick), 1000 * quick + 50 * (second - quick)))
    rate, tokens = meter.rates(30, 1000)
    assert rate == pytest.approx(2)
    assert tokens == pytest.approx(50)


def test_what_an_earlier_invocation_did_is_no_part_of_the_rate() -> None:
    shown, clock = board()
    shown.advance(90_000, None)
    clock.now += 10
    shown.advance(90_100, None)
    assert shown.line() == "openai:some-model: 90,100 of 102,000, 10.0/s, 0:19:50 left"


def test_answers_that_come_in_batches_have_a_rate_between_them() -> None:
    meter = Meter()
    for batch in range(5):
        meter.add(Sample(200 * batch, 1000 * batch, None))
    assert meter.rates(30, 800)[0] == pytest.approx(5)
    assert meter.rates(30, 900)[0] == pytest.approx(1000 / 300)  # it sinks while the next is waited for
    assert meter.rates(30, 1e9)[0] < 1e-5


def test_a_pause_makes_the_rate_sink_and_it_recovers_at_once() -> None:
    meter = Meter()
    for second in range(300):
        meter.add(Sample(second, 10 * second, None))
    paused = [meter.rates(30, 300 + wait)[0] for wait in (0, 10, 60, 600)]
    assert paused == sorted(paused, reverse=True)
    assert paused[0] == pytest.approx(10, rel=0.1)
    for second in range(900, 940):
        meter.add(Sample(second, 3000 + 10 * (second - 900), None))
    assert meter.rates(30, 939)[0] == pytest.approx(10)


def test_memory_stays_flat_however_long_it_is_watched() -> None:
    meter = Meter()
    for tick in range(40_000):
        meter.add(Sample(tick * 0.05, tick, tick))
    for tick in range(4_000):  # nothing new for long
        meter.add(Sample(2000 + tick, 40_000, 40_000))
    assert len(meter._samples) < 2 * progress.LEFT_SECONDS
    assert meter.rates(30, 2000)[0] == pytest.approx(20, rel=0.05)


def test_a_line_says_everything() -> None:
    shown, clock = board()
    shown.advance(12_000, None)
    clock.now += 20
    shown.advance(12_828, STANDING)
    assert shown.line() == (
        "openai:some-model: 12,828 of 102,000, 41.4/s, include-base-44-medical-licence yor_Latn 63/1,204, 6,000 tok/s, "
        "3 errors, 12.50 USD, 128 at a time, told to wait 12 s, 0:35:54 left"
    )


def test_what_is_not_there_is_not_shown() -> None:
    shown, clock = board(total=100)
    assert shown.line() == "openai:some-model: 0 of 100"
    clock.now += 300
    shown.advance(1, Standing(task="ntrex", language="cat_Latn", answered=1, asked=100))
    assert shown.line() == "openai:some-model: 1 of 100, ntrex cat_Latn 1/100"
    clock.now += 60
    shown.advance(2, Standing(task="ntrex", language="cat_Latn", answered=2, asked=100, cost=0.0004, currency="EUR"))
    assert shown.line() == "openai:some-model: 2 of 100, 1.0/min, ntrex cat_Latn 2/100, 0.0004 EUR, 1:38:00 left"
    shown.advance(100, None)
    assert shown.line().endswith("100 of 100, ntrex cat_Latn 2/100, 0.0004 EUR, took 0:06:00")


@pytest.mark.parametrize("title", ["baseline:copy", "openai:accounts/some/llama-3.1-405b-instruct-of-a-very-long-name"])
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_two_lines_fit_into_any_terminal(title: str, width: int) -> None:
    shown, clock = board(title)
    shown.advance(12_000, None)
    clock.now += 20
    shown.advance(12_828, STANDING)
    lines = drawn(shown, width)
    assert len(lines) == 2
    assert max(map(wcswidth, lines)) <= width
    if width >= 60:
        assert "12,828/102,000  41.4/s  0:35:54 left" in lines[0]
        assert "yor_Latn 63/1,204  6,000 tok/s  3 errors  12.50 USD" in lines[1]
    if width >= 80:
        assert lines[0].startswith(title[:20])
        assert "128 at a ti" in lines[1]
    if width == 200:
        assert title in lines[0]
        assert "include-base-44-medical-licence" in lines[1]
        assert "told to wait 12 s" in lines[1]


def test_errors_are_red() -> None:
    shown, clock = board()
    clock.now += 1
    shown.advance(5, STANDING)
    console = Console(width=80, file=io.StringIO(), record=True, force_terminal=True)
    console.print(shown.drawn(80))
    assert "\x1b[31m3 errors\x1b[0m" in console.export_text(styles=True)


def test_without_a_standing_there_is_one_line() -> None:
    shown, _ = board("reading the data", 30)
    shown.advance(3, None)
    (line,) = drawn(shown, 80)
    assert line.startswith("reading the data")
    assert line.endswith("3/30")


@pytest.mark.parametrize(
    "name", ["command:sed 's/[a-z]/[/]/g' [/red] [bold]", "command:\x1b[2Jtr\n\ta b", "日本語のモデル" * 8]
)
def test_a_name_does_nothing_to_a_terminal(name: str) -> None:
    shown, _ = board(plain(name))
    shown.advance(3, Standing(task=name, language=name, status=name))
    lines = drawn(shown, 80)
    assert len(lines) == 2
    assert all(line.isprintable() and wcswidth(line) <= 80 for line in lines)
    assert lines[0].startswith(plain(name)[:5])


def test_durations() -> None:
    assert [duration(s) for s in (0, 59.6, 3599, 90_061)] == ["0:00:00", "0:01:00", "0:59:59", "1 d 1 h"]


def test_a_full_disk_under_the_log_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stream = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", stream)
    with watch("title", 3) as advance:
        for done in range(4):
            advance(done, STANDING)
    with contextlib.suppress(OSError):
        stream.close()


def test_elsewhere_than_in_a_terminal_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a log is no terminal for all that
    with watch("title", 3) as advance:
        advance(1, STANDING)
        assert not capsys.readouterr().err
        monkeypatch.setattr(progress, "LINE_SECONDS", 0)
        advance(2, STANDING)
        said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "title: 2 of 3" in said
    assert "3 errors" in said
    assert not capsys.readouterr().err


def in_a_terminal(command: list[str], width: int, cwd: Path) -> str:
    """What a program writes to a terminal that is so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM="xterm"), close_fds=True
    )
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(ours, 65536):
            written += part
    os.close(ours)
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


@pytest.mark.parametrize("width", [80, 200])
def test_a_real_run_in_a_terminal(tmp_path: Path, data: Path, width: int) -> None:
    program = f"command:sleep 0.2; cat; : {'a program with a name that is far too long ' * 3}"
    asked = ["-m", program, "-t", "ntrex-from-eng", "-l", "cat_Latn", "--limit", "20", "--batch", "5"]
    command = [sys.executable, "-m", "bench", "run", *asked, "--data", str(data), "--output", "a.run.db"]
    written = in_a_terminal(command, width, tmp_path)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    lines = [line for line in re.split(r"[\r\n]+", shown) if "command:sleep" in line and "━" in line]
    assert any(" left" in line for line in lines)
    assert any("20/20" in line and "took" in line for line in lines)
    assert max(map(wcswidth, lines)) <= width
