"""Snapshots: named by content, swapped atomically, merged, and honest about what they leave out."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kernels
import tasks
from bench.records import BenchError, Cell, UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity
from leaderboard import arrays, copies, history, reading, rows, snapshot, writing
from leaderboard.app import create_app
from leaderboard.records import Scored
from leaderboard.snapshot import Info, connect, current, publish, snapshot_path
from tasks import Variety
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.powered import measured, rewrite

REPOSITORY = Path(__file__).parents[2]


def cells(board: Path) -> list[Cell]:
    """Every cell of the current snapshot."""
    with connect(board, current(board)) as connection:
        return [rows.cell_of(row) for row in connection.execute("SELECT * FROM cells")]


def test_same_runs_in_any_order_and_number_of_steps_give_the_same_hash(runs: list[Path], tmp_path: Path) -> None:
    at_once = publish(runs, tmp_path / "a")
    backwards = publish(runs[::-1], tmp_path / "b")
    for path in runs:
        stepwise = publish([path], tmp_path / "c")
    again = publish(runs[:1], tmp_path / "c")
    assert at_once.snapshot == backwards.snapshot == stepwise.snapshot == again.snapshot
    assert at_once.changed and not again.changed
    assert again.published[0].replaced and not at_once.published[0].replaced
    assert at_once.path.name == f"{at_once.snapshot}.db" and len(at_once.snapshot) == 16


def test_another_content_gives_another_hash(tmp_path: Path) -> None:
    blocks = [sentences("yor_Latn")]
    one = publish([run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(5)), blocks)], tmp_path / "a")
    other = publish([run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(6)), blocks)], tmp_path / "b")
    assert one.snapshot != other.snapshot


def scores(board: Path) -> Iterator[tuple[Cell, Scored]]:
    """Every cell of the current snapshot that has scores, with them."""
    with contextlib.closing(connect(board, current(board))) as connection:
        for row in connection.execute("SELECT * FROM cells WHERE value IS NOT NULL"):
            cell = rows.cell_of(row)
            way = (cell.task, cell.task_version, cell.metric, cell.mode, cell.prompt_language, cell.shots)
            yield cell, reading.scores(connection, row["model_id"], way)[cell.language, cell.variety]


def test_scores_in_the_snapshot_give_every_value_again(board: Path) -> None:
    found = 0
    for cell, scored in scores(board):
        there = arrays.present(scored)
        sums = scored.statistics[there].astype(np.int64).sum(axis=0, keepdims=True)
        (value,) = kernels.metric(cell.metric).from_statistics(sums)
        assert value == pytest.approx(cell.value, rel=1e-12)
        assert there.sum() == cell.n
        found += 1
    assert found > 20


@pytest.mark.parametrize("first", [40, 25])
def test_models_share_items_and_a_shorter_run_is_masked(tmp_path: Path, first: int) -> None:
    runs = {
        count: run_sib200(
            tmp_path / f"{count}.run.db", Scripted(f"hf:{count}", knows(5)), [sentences("yor_Latn", count)]
        )
        for count in (40, 25)
    }
    publish([runs.pop(first)], tmp_path / "board")
    publish(list(runs.values()), tmp_path / "board")
    found = {cell.model: scored for cell, scored in scores(tmp_path / "board")}
    assert found["hf:40"].items == found["hf:25"].items == tuple(sorted(map(str, range(40))))
    assert {name: int(arrays.present(each).sum()) for name, each in found.items()} == {"hf:40": 40, "hf:25": 25}
    missing = {
        item for item, there in zip(found["hf:25"].items, arrays.present(found["hf:25"]), strict=True) if not there
    }
    assert missing == set(map(str, range(25, 40)))


def test_a_model_published_again_is_replaced_and_others_stay(tmp_path: Path) -> None:
    blocks = [sentences("yor_Latn")]
    first = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), blocks)
    other = run_sib200(tmp_path / "2.run.db", Scripted("hf:b", knows(4)), blocks)
    better = run_sib200(tmp_path / "3.run.db", Scripted("hf:a", knows(8)), blocks)
    publish([first, other], tmp_path / "board")
    info = publish([better], tmp_path / "board")
    assert (info.models, info.published[0].replaced) == (2, True)
    assert sorted((cell.model, cell.value) for cell in cells(tmp_path / "board")) == [("hf:a", 0.8), ("hf:b", 0.4)]


def test_two_revisions_of_a_model_stand_side_by_side(tmp_path: Path) -> None:
    blocks = [sentences("yor_Latn")]
    paths = [
        run_sib200(tmp_path / f"{revision}.run.db", Scripted("hf:a", knows(3), revision), blocks) for revision in "12"
    ]
    slugs = {model.slug for model in publish(paths, tmp_path / "board").published}
    assert len(slugs) == 2 and all(slug.startswith("hf-a-") for slug in slugs)


def test_one_model_may_come_in_several_files_but_not_with_two_numbers_for_one_cell(tmp_path: Path) -> None:
    one = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    two = run_sib200(tmp_path / "2.run.db", Scripted("hf:a", knows(3)), [sentences("pes_Arab")])
    assert publish([one, two], tmp_path / "board").published[0].languages == 2
    clash = run_sib200(tmp_path / "3.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn")])
    with pytest.raises(UsageError, match="different numbers of hf:a for sib200 yor_Latn"):
        publish([one, clash], tmp_path / "board")


def test_runs_on_different_data_are_not_put_side_by_side(tmp_path: Path) -> None:
    one = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    other = run_sib200(tmp_path / "2.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn", shift=1)])
    publish([one], tmp_path / "board")
    before = current(tmp_path / "board")
    with pytest.raises(BenchError, match="asks another text for sib200@1 yor_Latn item"):
        publish([other], tmp_path / "board")
    assert current(tmp_path / "board") == before


def test_cells_with_too_many_errors_are_withheld_and_named(info: Info, board: Path) -> None:
    (withheld,) = info.withheld
    assert (withheld.model, withheld.language, withheld.errors, withheld.asked) == ("hf:maker/gaps", "yor_Latn", 5, 40)
    (cell,) = [cell for cell in cells(board) if cell.model == "hf:maker/gaps" and cell.language == "yor_Latn"]
    assert (cell.value, cell.worst, cell.reasons["value"]) == (None, None, "too_many_errors")


def test_unlocked_data_are_published_unranked_with_the_reason(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")], locked=False)
    publish([run], tmp_path / "board")
    (cell,) = cells(tmp_path / "board")
    assert cell.value == 0.3 and cell.reasons["rank"] == "unlocked_data"


def test_the_command_line_of_a_run_is_not_published(board: Path) -> None:
    assert b"in-the-command-line" not in snapshot_path(board, current(board)).read_bytes()


@pytest.mark.parametrize("place", ["snapshot.sync", "snapshot.point", "copies.sync", "writing.write"])
def test_a_publish_killed_before_its_rename_leaves_the_old_snapshot(tmp_path: Path, place: str) -> None:
    board = tmp_path / "board"
    old = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    new = run_sib200(tmp_path / "2.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn")])
    before = publish([old], board).snapshot
    program = f"""
import os, signal
from pathlib import Path
from leaderboard import copies, snapshot, writing
def kill(*arguments): os.kill(os.getpid(), signal.SIGKILL)
{place} = kill
snapshot.publish([Path({str(new)!r})], Path({str(board)!r}))
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert current(board) == before
    assert [cell.model for cell in cells(board)] == ["hf:a"]
    assert len(history.read(board)) == 1
    publish([new], board)
    assert {cell.model for cell in cells(board)} == {"hf:a", "hf:b"}
    assert not list(board.rglob(".writing-*"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (sqlite3.OperationalError("database or disk is full"), "no room left on the disk of"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no room left on the disk of"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "cannot write the board .*: Read-only file system"),
    ],
)
def test_a_failing_publish_leaves_the_old_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    other = run_sib200(tmp_path / "2.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn")])
    before = publish([run], tmp_path / "board").snapshot

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(writing, "write", fail)
    with pytest.raises(snapshot.BoardError, match=message):
        publish([other], tmp_path / "board")
    assert current(tmp_path / "board") == before and len(cells(tmp_path / "board")) == 1


def test_a_board_that_is_no_folder_is_one_clear_line(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "board").write_text("a file")
    with pytest.raises(snapshot.BoardError, match=r"cannot write the board .*board: "):
        publish(runs[:1], tmp_path / "board")


def test_missing_damaged_empty_and_unscored_runs_are_one_clear_line(tmp_path: Path) -> None:
    board = tmp_path / "board"
    with pytest.raises(UsageError, match="no run file"):
        publish([tmp_path / "none.run.db"], board)
    (tmp_path / "damaged.run.db").write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(UsageError, match="is damaged"):
        publish([tmp_path / "damaged.run.db"], board)
    empty = tmp_path / "empty.run.db"
    RunFile.open(empty, Identity("hf:a", "1", "none", "greedy")).close()
    with pytest.raises(UsageError, match="holds no answers yet"):
        publish([empty], board)
    unscored = run_sib200(tmp_path / "unscored.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with RunFile.open(unscored, Identity("hf:a", "1", "none", "greedy")) as run, run.rescoring():
        pass  # the old scores go, and no new ones come
    with pytest.raises(UsageError, match="is not scored yet"):
        publish([unscored], board)
    with pytest.raises(UsageError, match="no run to publish"):
        publish([], board)
    assert not board.exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("value", 0.99, "says 0.99 over 40 items, its scores give 0.3"),
        ("n", "many", "n of sib200 yor_Latn accuracy is 'many'"),
        ("ci_low", float("nan"), "ci_low of sib200 yor_Latn accuracy is nan"),
        ("language", "yo", "yo is no canonical code"),
        ("task", "sib2000", "which this program does not know"),
        ("task_version", "9", "this program has version 1"),
        ("model", "hf:other", "a cell is of 'hf:other', the run of 'hf:a'"),
        ("nonsense", 1, "does not read as a run of this program"),
        ("ci_low", 0.29, "ci_low of sib200 yor_Latn accuracy is 0.29, its scores give"),
        ("ci_high", None, "ci_high of sib200 yor_Latn accuracy is None, its scores give"),
        ("normalised", 0.9, "normalised of sib200 yor_Latn accuracy is 0.9"),
        ("chance", 2.0, "lies outside its metric's scale|chance of sib200 yor_Latn accuracy is 2.0"),
        ("headline", False, "headline of sib200 yor_Latn accuracy is False"),
        ("floor", True, "floor of sib200 yor_Latn accuracy is True"),
        ("best", 1.0, "best of sib200 yor_Latn accuracy is 1.0"),
        ("errors", 1, "errors of sib200 yor_Latn accuracy is 1, its answers give 0"),
        ("skipped", 1, "skipped of sib200 yor_Latn accuracy is 1, its answers give 0"),
        ("value", None, "has no value and yet scores"),
        ("mode", "first_token", "n of sib200 yor_Latn accuracy is 40, its answers give 0"),
        ("output_tokens", 2**63, "output_tokens of sib200 yor_Latn accuracy is 9223372036854775808"),
        ("signature", "accuracy|version:0", "was scored as 'accuracy|version:0'"),
    ],
)
def test_an_edited_run_is_refused(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with sqlite3.connect(path) as connection:
        (cell,) = connection.execute("SELECT cell FROM cells").fetchone()
        connection.execute("UPDATE cells SET cell = ?", (json.dumps({**json.loads(cell), field: value}),))
    connection.close()
    with pytest.raises(UsageError, match=message) as refused:
        publish([path], tmp_path / "board")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE manifest SET value = '{\"a\": 1}' WHERE key = 'decoding'", "the decoding of its model is"),
        ("UPDATE manifest SET value = '\"\"' WHERE key = 'model'", "the model of its model is ''"),
        ("UPDATE invocations SET hardware = '[1]'", "its hardware is no list of names and values"),
        ("UPDATE invocations SET hardware = '{\"a\": NaN}'", "not JSON compliant"),
        (f"UPDATE invocations SET hardware = '{'[' * 9999}{']' * 9999}'", "recursion"),
        ("UPDATE samples SET hash = 'zz' || hash", "not hexadecimal digits"),
        ("UPDATE samples SET hash = 'abc'", "not hexadecimal digits"),
        ("UPDATE responses SET status = 'error' WHERE request = (SELECT id FROM requests LIMIT 1)", "errors of sib200"),
        ("DELETE FROM responses WHERE request = (SELECT id FROM requests LIMIT 1)", "errors of sib200 .* answers give"),
        ("UPDATE scores SET statistics = '[3, 1]'", "lies outside its metric's scale|says 0.3 over 40 items"),
    ],
)
def test_a_forged_run_is_refused(tmp_path: Path, statement: str, message: str) -> None:
    path = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(UsageError, match=message) as refused:
        publish([path], tmp_path / "board")
    assert "\n" not in str(refused.value)


def test_the_reason_not_to_rank_is_this_programs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE cells SET cell = json_set(cell, '$.reasons.rank', 'of my own')")
    connection.close()
    publish([path], tmp_path / "a")
    assert "rank" not in cells(tmp_path / "a")[0].reasons
    task = tasks.get("sib200")
    flawed = replace(task, varieties=(Variety("yor_Latn", flaw="legacy_encoding"),))
    monkeypatch.setattr(tasks, "get", lambda name: flawed)
    publish([path], tmp_path / "b")
    assert cells(tmp_path / "b")[0].reasons["rank"] == "legacy_encoding"


def test_a_dataset_that_a_run_does_not_name_is_unlocked(tmp_path: Path) -> None:
    path = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM datasets")
    connection.close()
    publish([path], tmp_path / "board")
    assert cells(tmp_path / "board")[0].reasons["rank"] == "unlocked_data"


def test_an_edited_snapshot_is_not_merged(tmp_path: Path) -> None:
    one, two = (
        run_sib200(tmp_path / f"{name}.run.db", Scripted(f"hf:{name}", knows(3)), [sentences("yor_Latn")])
        for name in "ab"
    )
    info = publish([one], tmp_path / "board")
    info.path.chmod(0o644)
    with sqlite3.connect(info.path) as connection:
        connection.execute("UPDATE results SET value = 0.99")
    connection.close()
    with pytest.raises(snapshot.BoardError, match="holds another content than its name says .*; publish all runs"):
        publish([two], tmp_path / "board")


def test_energy_that_no_window_gives_is_refused(tmp_path: Path) -> None:
    path = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    with pytest.raises(UsageError, match="is not what its windows come to; `python -m bench rescore") as refused:
        publish([rewrite(path, measured())], tmp_path / "board")
    assert "\n" not in str(refused.value) and not (tmp_path / "board").exists()


def test_a_snapshot_of_another_format_is_one_clear_line(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    info = publish([run], tmp_path / "board")
    info.path.chmod(0o644)
    with sqlite3.connect(info.path) as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    told = "of format 3, and this program reads format 5; move .*/current away and publish its runs again .*board/runs"
    for read in (lambda: publish([run], tmp_path / "board"), lambda: create_app(tmp_path / "board")):
        with pytest.raises(snapshot.OtherFormat, match=told) as no:
            read()
        assert "\n" not in str(no.value)


def test_a_file_that_is_no_snapshot_is_one_clear_line(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    info = publish([run], tmp_path / "board")
    info.path.unlink()
    with sqlite3.connect(info.path) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    with pytest.raises(snapshot.BoardError, match="is no snapshot; publish all runs to a new board, or write the name"):
        publish([run], tmp_path / "board")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"0123456789abcdef"])
def test_a_board_that_points_nowhere_names_a_way_out(tmp_path: Path, content: bytes) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    publish([run], tmp_path / "board")
    (tmp_path / "board" / snapshot.CURRENT).write_bytes(content)
    with pytest.raises(snapshot.BoardError, match="publish all runs to a new board, or write the name of one in") as no:
        publish([run], tmp_path / "board")
    assert "\n" not in str(no.value)


def test_publishing_the_same_again_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    publish([run], tmp_path / "board")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*") if path.is_file()}
    for place in (snapshot, copies):
        monkeypatch.setattr(place, "sync", lambda path: pytest.fail("wrote"))
    assert not publish([run], tmp_path / "board").changed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*") if path.is_file()} == before


def test_a_name_that_looks_like_another_models_address_gets_its_own(tmp_path: Path) -> None:
    blocks = [sentences("yor_Latn")]
    twins = [run_sib200(tmp_path / f"{n}.run.db", Scripted("hf:a", knows(3), n), blocks) for n in "12"]
    taken = publish(twins, tmp_path / "board").published[0].slug
    like = run_sib200(tmp_path / "3.run.db", Scripted(taken, knows(3)), blocks)
    slugs = {model.slug for model in publish([*twins, like], tmp_path / "board").published}
    assert len(slugs) == 3 and taken not in slugs


def test_two_publishes_at_once_are_refused(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    with snapshot._locked(tmp_path / "board"), pytest.raises(snapshot.BoardError, match="another process publishes"):
        publish(runs[:1], tmp_path / "board")


def test_baselines_are_flagged_and_every_language_is_there(board: Path) -> None:
    with connect(board, current(board)) as connection:
        flags = dict(connection.execute("SELECT name, baseline FROM models").fetchall())
    assert {name for name, flag in flags.items() if flag} == {"baseline:random", "baseline:copy", "baseline:majority"}
    assert {cell.language for cell in cells(board)} == set(LANGUAGES)
