"""The synthetic board: small ones, through the writer that every publish uses."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import kernels
from leaderboard import arrays, digest, reading, rows, snapshot
from leaderboard.app import create_app
from leaderboard.snapshot import connect, current

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
board_build = importlib.import_module("board_build")

SIZE = (7, 9, 4, 30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven models, nine languages, four tasks."""
    board = tmp_path_factory.mktemp("made") / "board"
    board_build.make(board, *SIZE)
    return board


@pytest.fixture
def opened(made: Path) -> Iterator[sqlite3.Connection]:
    """Its snapshot."""
    with closing(connect(made, current(made))) as connection:
        yield connection


def test_the_same_arguments_give_the_same_snapshot(made: Path, tmp_path: Path) -> None:
    assert board_build.make(tmp_path / "b", *SIZE).snapshot == current(made)
    assert board_build.make(tmp_path / "c", *SIZE, seed=1).snapshot != current(made)


def test_a_model_added_to_a_board_gives_the_board_that_has_it_from_the_start(tmp_path: Path) -> None:
    models, *rest = SIZE
    board_build.make(tmp_path / "a", models, *rest)
    whole = board_build.World(models + 1, *rest, 0).content()
    (tmp_path / "b" / "snapshots").mkdir(parents=True)
    at_once = snapshot.write(whole, None, tmp_path / "b", "")
    assert board_build.add(tmp_path / "a", models, *rest).snapshot == at_once.name
    assert at_once.name == "".join(path.stem for path in (tmp_path / "b" / "snapshots").iterdir())


def test_every_value_follows_from_its_scores(opened: sqlite3.Connection) -> None:
    found = 0
    for row in opened.execute("SELECT * FROM cells").fetchall():
        cell = rows.cell_of(row)
        way = (cell.task, cell.task_version, cell.metric, cell.mode, cell.prompt_language, cell.shots)
        scored = reading.scores(opened, row["model_id"], way)[cell.language, cell.variety]
        there = scored.statistics[arrays.present(scored)].astype(np.int64)
        assert kernels.metric(cell.metric).from_statistics(there.sum(axis=0, keepdims=True))[0] == cell.value
        assert len(there) == cell.n
        found += 1
    assert found > 100


def test_no_way_has_no_scores(opened: sqlite3.Connection) -> None:
    assert reading.scores(opened, 0, ("none", "1", "accuracy", "letter", "eng_Latn", 0)) == {}


def test_every_number_is_covered_by_the_name(made: Path, opened: sqlite3.Connection, tmp_path: Path) -> None:
    changes = (
        *("UPDATE means SET value = 0.99", "UPDATE texts SET text = '{}'", "UPDATE models SET facts = '{}'"),
        *("UPDATE models SET digest = ''", "UPDATE coverage SET cells = 1", "DROP INDEX means_by_task"),
        *("DROP VIEW cells", "CREATE TABLE more (a)", "UPDATE items SET count = 1"),
    )
    for number, change in enumerate(changes):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as edited:
            opened.backup(edited)
            assert digest.of_database(edited) == current(made)
            edited.execute(change)
            assert digest.of_database(edited) != current(made), change


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE results SET value = value + 0.001 WHERE id = 3",
        "UPDATE results SET rank = 'misaligned' WHERE id = 3",
        "DELETE FROM results WHERE id = 3",
        "UPDATE scores SET statistics = (SELECT statistics FROM scores WHERE model_id = 2) WHERE model_id = 0",
        "DELETE FROM scores WHERE model_id = 1",
        "UPDATE scores SET statistics = x'00' WHERE model_id = 0",
    ],
)
def test_an_edited_model_is_not_merged(tmp_path: Path, change: str) -> None:
    board = tmp_path / "board"
    board_build.make(board, *SIZE)
    path = snapshot.snapshot_path(board, current(board))
    path.chmod(0o644)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    before = current(board)
    with pytest.raises(snapshot.BoardError, match=r"holds another content than its name says|is damaged"):
        board_build.add(board, *SIZE)
    assert current(board) == before
    assert [each.name for each in (board / "snapshots").iterdir()] == [f"{before}.db"]


def test_its_pages_are_pages(made: Path, opened: sqlite3.Connection) -> None:
    client = create_app(made).test_client()
    (slug,) = opened.execute("SELECT slug FROM models LIMIT 1").fetchone()
    (language,) = opened.execute("SELECT language FROM cells LIMIT 1").fetchone()
    for address in ("/", "/board", f"/models/{slug}", f"/languages/{language}", "/energy"):
        assert client.get(address).status_code == 200, address


def test_the_indexes_serve_the_questions_of_pages(opened: sqlite3.Connection) -> None:
    for question, index in (
        ("language = 'eng_Latn' AND task = 'a' AND headline = 1 ORDER BY value DESC LIMIT 50", "results_by_language"),
        ("model_id = 3 AND task = 'a'", "results_by_model"),
        ("task = 'a' AND task_version = '1' AND headline ORDER BY language, variety, model_id", "results_by_task"),
    ):
        plan = [row["detail"] for row in opened.execute(f"EXPLAIN QUERY PLAN SELECT * FROM cells WHERE {question}")]
        assert index in plan[0] and not any("TEMP B-TREE" in step for step in plan), plan
