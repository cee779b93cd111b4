"""`publish --rescore`: what the board's own people publish goes through the check of an upload, and wears its badge."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from bench.cli import main
from bench.records import UsageError
from leaderboard import snapshot
from leaderboard.board import Board
from leaderboard.collect import collect
from leaderboard.desk.vetting import vetted
from leaderboard.snapshot import publish
from tests.leaderboard.desk.hostile_files import HOSTILE
from tests.leaderboard.desk.test_rescoring import perform


@pytest.fixture(autouse=True)
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be scored anew but what the program makes itself."""
    monkeypatch.delenv("BENCH_DATA", raising=False)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return tmp_path / "board"


def badges(board: Path) -> dict[str, str]:
    with Board.open(board, snapshot.current(board)) as shown:
        return dict(shown.badges())


def test_each_run_wears_the_badge_that_its_check_gives(
    runs: list[Path], board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(runs[0]), str(runs[3]), "--rescore", "--board", str(board)]) == 0
    said = capsys.readouterr()
    floor, good = (collect(path).facts.id for path in (runs[0], runs[3]))
    assert badges(board) == {floor: "re_scored", good: "self_reported"}
    (line,) = [line for line in said.err.splitlines() if "self-reported" in line]
    assert line.startswith(f"{runs[3]}: self-reported: the board has no locked data of sib200")
    assert "2 models" in said.out


def test_what_was_self_reported_is_scored_anew_in_its_place(
    runs: list[Path], board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = publish(runs[:2], board)
    assert main(["publish", str(runs[0]), "--rescore", "--board", str(board), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    run = collect(runs[0]).facts.id
    assert (told["badges"], told["changed"], told["models"]) == ({run: "re_scored"}, True, 2)
    assert told["snapshot"] != before.snapshot
    assert badges(board) == {run: "re_scored", collect(runs[1]).facts.id: "self_reported"}


@pytest.mark.parametrize("name", ["scores of no answers", "items of its choice", "a trigger"])
def test_a_forged_run_keeps_all_off_the_board(
    name: str, runs: list[Path], board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish([runs[1]], board)
    before = snapshot.current(board)
    make, reason = HOSTILE[name]
    forged = make(runs[0], tmp_path / "forged.run.db")
    assert main(["publish", str(runs[3]), str(forged), "--rescore", "--board", str(board)]) != 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(forged) in said and reason in said and "nothing is published" in said
    assert snapshot.current(board) == before


def test_a_run_that_is_not_closed_is_read_as_it_is(runs: list[Path], tmp_path: Path) -> None:
    """As a run leaves its file that was killed: what it had said is still in the journal beside it."""
    path = Path(shutil.copyfile(runs[0], tmp_path / "a.run.db"))
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO notes VALUES ('seen', 'once')")
        connection.commit()
        found = vetted([path])
    finally:
        connection.close()
    assert (found[path].badge, found[path].run) == ("re_scored", collect(runs[0]).facts.id)


def test_real_data_are_scored_anew_where_they_are_named(data: Path, board: Path, tmp_path: Path) -> None:
    if not (data / "sib200").is_dir():
        pytest.skip("the mirror has no sib200")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_DATA", str(data))
        run = perform(tmp_path / "a.run.db", ("sib200",), ("yor_Latn",), 12)
    assert main(["publish", str(run), "--rescore", "--data", str(data), "--board", str(board)]) == 0
    assert list(badges(board).values()) == ["re_scored"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "."], "--data goes with --rescore"),
        (["--rescore", "--data", "nowhere"], "data folder nowhere does not exist"),
        (["--rescore", "--to", "https://board.example"], "leave --rescore out"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], message: str, runs: list[Path], board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(runs[0]), "--board", str(board), *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and not board.exists()


def test_tasks_of_ones_own_are_not_for_the_check(
    runs: list[Path], board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(runs[0]), "--board", str(board), "--rescore", "-t", str(tmp_path / "a.toml")]) == 2
    said = capsys.readouterr().err
    assert "publish runs of your own tasks without it" in said and said.count("\n") == 1


def test_badges_are_of_runs_and_not_of_files(runs: list[Path], board: Path) -> None:
    run = collect(runs[0]).facts.id
    publish(runs[:2], board, badge={run: "re_run", "0" * 16: "sealed_set"})
    assert badges(board) == {run: "re_run", collect(runs[1]).facts.id: "self_reported"}


def test_a_run_that_is_published_again_keeps_its_badge(runs: list[Path], board: Path) -> None:
    run = collect(runs[0]).facts.id
    publish([runs[0]], board, badge="re_run")
    again = publish([runs[0]], board)
    assert badges(board) == {run: "re_run"} and not again.changed and again.published[0].outranked == ""
    publish([runs[0]], board, badge={run: "re_scored"})  # what passes one check does not lose what it has from another
    assert badges(board) == {run: "re_run"}
    publish([runs[0]], board, badge="self_reported")  # said expressly, as who moderates may
    assert badges(board) == {run: "self_reported"}


def test_a_better_badge_that_is_gone_is_said(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = perform(tmp_path / "whole.run.db", ("cldr-dates", "cldr-territories"), ("yor_Latn",), 3)
    other = perform(tmp_path / "other.run.db", ("cldr-dates",), ("yor_Latn",), 2)
    publish([whole], board, badge="re_run")
    assert [each.outranked for each in publish([other], board).published] == ["re_run"]
    publish([whole], board, badge="re_scored")
    assert main(["publish", str(other), "--board", str(board)]) == 0
    assert "replaced, 1 result dropped, was re_scored" in capsys.readouterr().out
    assert [each.outranked for each in publish([whole], board, badge="re_scored").published] == [""]


def test_what_does_not_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.run.db").write_bytes(b"no database")
    with pytest.raises(UsageError) as told:
        vetted([tmp_path / "a.run.db"])
    assert "\n" not in str(told.value) and str(tmp_path / "a.run.db") in str(told.value)
