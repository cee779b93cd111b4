"""What the cells of a run count, held against its answers where the board cannot score them anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.runfile import RunFile
from leaderboard.desk import checking, counts
from leaderboard.desk.limits import DEFAULT
from leaderboard.desk.structure import Refused
from leaderboard.desk.verdicts import UPLOAD
from tests.leaderboard.desk.hostile_files import edited

LARGE = 2**63 - 1
COUNTED = (
    *("truncated", "unparsed", "empty", "refused", "unfinished", "unasked", "output_tokens", "reasoning_tokens"),
    *("repeats", "violations"),
)
FORGED: list[tuple[str, Any]] = [
    *((name, LARGE) for name in COUNTED),
    ("violation_bound", -1.0),
    ("position_bias", 1e308),
    ("repeat_deviation", 0.1),
    ("cost", -1.0),
    ("cost", 1e308),
    ("cost_per_correct", 2.0),
    ("currency", "=1+1"),
    ("vertical", "legal"),
    ("area", "<script>\u202e"),
]


def forged(run: Path, target: Path, **changes: Any) -> Path:
    """A run whose first cell says something else."""
    with edited(run, target) as connection:
        ((position, text),) = connection.execute("SELECT position, cell FROM cells ORDER BY position LIMIT 1")
        cell = json.dumps({**json.loads(text), **changes})
        connection.execute("UPDATE cells SET cell = ? WHERE position = ?", (cell, position))
    return target


@pytest.mark.parametrize(("name", "value"), FORGED)
def test_a_count_that_the_answers_do_not_give_is_forged(
    name: str, value: Any, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    forged(runs[3], tmp_path / UPLOAD, **{name: value})
    found = checking.check(tmp_path, None, DEFAULT)
    assert found.reason == "forged_scores", found
    assert found.detail.startswith(f"{name} of sib200 yor_Latn accuracy is ")
    assert "rescore FILE" in found.detail and "\u202e" not in found.detail


def test_honest_runs_count_as_their_answers_do(runs: list[Path]) -> None:
    for path in runs:
        with RunFile.read(path) as run:
            counts.check(run)


@pytest.mark.parametrize("repeat", [-1, 1, 2**63 - 1])
def test_repeats_are_all_there(repeat: int, runs: list[Path], tmp_path: Path) -> None:
    forged(runs[3], tmp_path / "run", repeats=1)
    with edited(tmp_path / "run", tmp_path / "other") as connection:
        connection.execute("UPDATE requests SET repeat = ?", (repeat,))
    with RunFile.read(tmp_path / "other") as run, pytest.raises(Refused, match="leaves out repeats"):
        counts.check(run)


@pytest.mark.parametrize("column", ["scores.outcome", "responses.status", "responses.finish"])
def test_what_became_of_an_answer_is_a_word_that_runs_have(column: str, runs: list[Path], tmp_path: Path) -> None:
    table, _, name = column.partition(".")
    with edited(runs[3], tmp_path / "run") as connection:
        connection.execute(f"UPDATE {table} SET {name} = 'a\u202eb'")
    with RunFile.read(tmp_path / "run") as run, pytest.raises(Refused, match=f"the {name} "):
        counts.check(run)


def priced(run: Path, target: Path, cell: dict[str, Any]) -> Path:
    """A run whose answers in Yoruba cost a quarter each, and its first cell says what that comes to."""
    shutil.copyfile(run, target)
    forged(run, target, **cell)
    with edited(target, target.with_suffix(".paid")) as connection:
        connection.execute(
            "UPDATE responses SET cost = 0.25 WHERE request IN (SELECT requests.id FROM requests"
            " JOIN places ON places.id = place WHERE language = 'yor_Latn')"
        )
        price = json.dumps({"currency": "EUR", "input": 1.0, "output": 1.0})
        connection.execute("INSERT INTO manifest VALUES ('price', ?)", (price,))
    return target.with_suffix(".paid")


def test_costs_add_up(runs: list[Path], tmp_path: Path) -> None:
    right = {"cost": 10.0, "currency": "EUR", "cost_per_correct": 10 / 36}
    with RunFile.read(priced(runs[3], tmp_path / "one", right)) as run:
        counts.check(run)
    for name, value in {"cost_per_correct": 10 / 37, "currency": "USD", "cost": None}.items():
        wrong = priced(runs[3], tmp_path / name, {**right, name: value})
        with RunFile.read(wrong) as run, pytest.raises(Refused, match=f"^{name} of sib200"):
            counts.check(run)


def test_a_cell_of_what_was_not_asked_has_no_answers(runs: list[Path], tmp_path: Path) -> None:
    with RunFile.read(forged(runs[3], tmp_path / "run", shots=5)) as run, pytest.raises(Refused, match="no answers"):
        counts.check(run)
