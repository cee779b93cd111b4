"""What the sender of a rejected file is told: one line in words of her own file, and nothing of the board's machine."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from leaderboard.desk import checking
from leaderboard.desk.limits import DEFAULT
from leaderboard.desk.verdicts import COPY, RUN, UPLOAD, Verdict
from tests.leaderboard.desk.hostile_files import HOSTILE, edited
from tests.leaderboard.desk.test_counts import forged


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def told(folder: Path) -> str:
    found = checking.check(folder, None, DEFAULT)
    assert isinstance(found, Verdict) and found.reason
    for own in (RUN, COPY, str(folder), "\n"):
        assert own not in found.detail
    return found.detail


@pytest.mark.parametrize("name", ["a cell of another value", "another prompt kept", "not a number", "half written"])
def test_no_name_of_the_boards_own_is_told(name: str, runs: list[Path], tmp_path: Path) -> None:
    HOSTILE[name][0](runs[0], tmp_path / UPLOAD)
    told(tmp_path)


def test_the_command_that_mends_it_is_told(runs: list[Path], tmp_path: Path) -> None:
    forged(runs[3], tmp_path / UPLOAD, ci_low=0.0)
    detail = told(tmp_path)
    assert detail.startswith("the run file: ci_low of sib200 yor_Latn accuracy is 0.0, its scores give 0.")
    assert detail.endswith("; `python -m bench rescore FILE` mends it")


def test_a_long_value_does_not_hide_what_would_be_right(runs: list[Path], tmp_path: Path) -> None:
    forged(runs[3], tmp_path / UPLOAD, signature="x" * 5000)
    assert told(tmp_path).endswith("mends it")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *itertools.product(["versions", "hardware", "command_line"], [7, None, "text", [1]]),
        *itertools.product(["versions", "command_line"], [{"one": [None]}]),  # hardware may well be that
    ],
)
def test_json_of_another_kind_is_told_by_its_column(column: str, value: Any, runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[3], tmp_path / UPLOAD) as connection:
        connection.execute(f"UPDATE invocations SET {column} = ?", (json.dumps(value),))
    detail = told(tmp_path)
    assert detail.startswith(f"invocations.{column} is no JSON that a run writes: Expected ")
    assert detail.endswith("; run again")


@pytest.mark.parametrize("statistics", ["[true]", "[1.5]", f"[{2**63}]", '["1"]', "{}", "[null]"])
def test_statistics_are_whole_numbers(statistics: str, runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[3], tmp_path / UPLOAD) as connection:
        connection.execute("UPDATE scores SET statistics = ?", (statistics,))
    assert told(tmp_path).startswith("scores.statistics is no JSON that a run writes: ")


@pytest.mark.parametrize("name", ["model", "revision", "template", "decoding"])
@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_what_a_run_is_of_is_told_where_it_is_no_text(name: str, value: Any, runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[3], tmp_path / UPLOAD) as connection:
        connection.execute("UPDATE manifest SET value = ? WHERE key = ?", (json.dumps(value), name))
    assert told(tmp_path).startswith(f"the {name} of the model should have 1 to ")


@pytest.mark.parametrize("name", ["model", "revision", "template", "decoding"])
def test_what_a_run_is_of_is_told_where_it_is_missing(name: str, runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[3], tmp_path / UPLOAD) as connection:
        connection.execute("DELETE FROM manifest WHERE key = ?", (name,))
    assert told(tmp_path) == f"the run file does not say the {name} of its model; run again"


@pytest.mark.parametrize("name", ["revision", "template", "decoding"])
@pytest.mark.parametrize("value", ["a\u202eb", "a\nb", "a\0b", "\u200b", "x" * 2001])
def test_what_a_run_is_of_is_text_that_a_page_can_show(name: str, value: str, runs: list[Path], tmp_path: Path) -> None:
    with edited(runs[3], tmp_path / UPLOAD) as connection:
        connection.execute("UPDATE manifest SET value = ? WHERE key = ?", (json.dumps(value), name))
    assert told(tmp_path).startswith(f"the {name} of the model ")
