"""`bench board history`, `diff` and `freeze` as somebody starts them who mistypes, and what an interrupt says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from leaderboard.snapshot import publish
from tests.conftest import REPOSITORY
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.processes import started


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board of one run."""
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    publish([run], tmp_path / "board")
    return tmp_path / "board"


@pytest.mark.parametrize("folder", ["nowhere", "."])
@pytest.mark.parametrize("command", [["history"], ["diff", "0" * 16, "1" * 16], ["warm"], ["freeze", "--output", "x"]])
def test_a_folder_that_is_no_board_is_one_line(
    command: list[str],
    folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["board", *command, "--board", folder]) == 2
    said = capsys.readouterr()
    assert f"no board in {folder}; publish a run first" in said.err and said.err.count("\n") == 1
    assert not said.out and not list(tmp_path.iterdir())


def test_history_is_told_where_the_pointer_is_damaged(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever mends the pointer has to read the names of the snapshots."""
    name = (board / "current").read_text().strip()
    (board / "current").write_text("garbage\n")
    assert main(["board", "history", "--board", str(board), "--json"]) == 0
    assert [entry["snapshot"] for entry in json.loads(capsys.readouterr().out)] == [name]


@pytest.mark.parametrize(
    ("live", "why"),
    [
        ("ftp://board.example", "--live is no address"),
        ("board.example", "--live is no address"),
        ("https://ada:secret@board.example", "--live has a user name or password in it"),
    ],
)
def test_links_to_the_live_board_need_its_address(
    live: str, why: str, board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "site"
    assert main(["board", "freeze", "--board", str(board), "--output", str(output), "--live", live]) == 2
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1 and "secret" not in said
    assert not output.exists()


def test_only_a_run_goes_on_after_an_interrupt(tmp_path: Path) -> None:
    pipe = tmp_path / "hypotheses.txt"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "bench", "score", "--hypotheses", str(pipe), "--references", str(pipe)]
    with started(command, cwd=REPOSITORY, stderr=subprocess.PIPE) as process, pipe.open("w"):  # opens once it reads
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "bench: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_what_cannot_be_exported_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    target = tmp_path / "full.csv"
    target.with_name("full.csv.part").symlink_to("/dev/full")
    assert main(["export", str(run), "--format", "csv", "--output", str(target)]) == 1
    assert capsys.readouterr().err == f"bench: cannot write {target}: No space left on device\n"
    assert not target.exists()
