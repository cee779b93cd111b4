"""`bench publish` and `bench serve` as a user starts them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bench.cli import main
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.processes import started

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One small run."""
    return run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])


def test_publish_says_what_it_did(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(run), "--board", str(tmp_path / "board")]) == 0
    said = capsys.readouterr().out
    assert "hf:a" in said and "/models/hf-a" in said and "is current: 1 model, 1 result," in said
    assert main(["publish", str(run), "--board", str(tmp_path / "board"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["published"][0]["replaced"]) == (False, True)


def test_publish_says_how_many_results_are_dropped(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn"), sentences("hau_Latn")])
    publish([both], tmp_path / "board")
    assert main(["publish", str(run), "--board", str(tmp_path / "board")]) == 0
    assert "replaced, 1 result dropped" in capsys.readouterr().out


def test_publish_names_what_it_withheld(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", *map(str, runs), "--board", str(tmp_path / "board")]) == 0
    told = "withheld: hf:maker/gaps sib200, too many errors: yor_Latn (5 of 40 without an answer)"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["publish"], "Missing argument"),
        (["publish", "none.run.db"], "no run file none.run.db"),
        (["serve", "--board", "nowhere"], "no board in nowhere; publish a run first"),
        (["serve", "--port", "70000"], "70000 is not in the range"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_taken_port_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish([run], tmp_path / "board")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--board", str(tmp_path / "board"), "--port", port]) == 1
    said = capsys.readouterr().err
    assert f"port {port}: Address already in use; give another --port" in said and said.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_its_address_and_ends_cleanly(run: Path, tmp_path: Path, number: signal.Signals) -> None:
    publish([run], tmp_path / "board")
    command = [sys.executable, "-m", "bench", "serve", "--board", str(tmp_path / "board"), "--port", "0"]
    with started(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stderr is not None
        address = server.stdout.readline().split()[4]
        with urllib.request.urlopen(address, timeout=10) as page:
            assert b"hf:a" in page.read()
        server.send_signal(number)
        assert server.wait(timeout=10) in (0, 130)
        assert "Traceback" not in server.stderr.read()
