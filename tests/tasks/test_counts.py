"""The table of items: counted on files, stated by upstream, or unknown; and the command that makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tasks
from tasks import counts
from tasks.counts import Count, count
from tasks.records import DataError
from tasks.sources import Files
from tests.conftest import REPOSITORY
from tests.tasks.declaring import CHOICE, declare, put_rows

HEADER = "task\tlanguage\tcode\ttest\ttrain\n"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A table of this test's own in the place of the package's."""
    monkeypatch.setattr(counts, "TABLE", tmp_path / "counts.tsv")
    monkeypatch.setattr(counts, "GENERATED", ())
    counts._counted.cache_clear()
    yield tmp_path / "counts.tsv"
    counts._counted.cache_clear()


@pytest.mark.parametrize(
    ("items", "line", "found"),
    [
        ("", "", Count(None, "unknown")),
        ("items = 7\n", "", Count(7, "stated")),
        ("items = { ha = 7 }\n", "", Count(None, "unknown")),
        ("items = { yo = 8 }\n", "", Count(8, "stated")),
        ("items = 7\n", "tiny\tyor_Latn\tyo\t5\t3\n", Count(5, "counted")),
        ("items = 7\n", "tiny\tyor_Latn\tyo\t0\t0\n", Count(0, "counted")),
        ("items = 7\n", "tiny\thau_Latn\tha\t5\t3\n", Count(7, "stated")),
        ("items = 7\n", "other\tyor_Latn\tyo\t5\t3\n", Count(7, "stated")),
    ],
)
def test_where_a_count_comes_from(table: Path, tmp_path: Path, items: str, line: str, found: Count) -> None:
    table.write_text(HEADER + line, "utf-8")
    (task,) = declare(tmp_path, items + CHOICE)
    assert count(task, task.varieties[0]) == found


def test_nothing_stated_is_never_zero(table: Path) -> None:
    for task in tasks.all_tasks().values():
        for variety in task.varieties:
            found = count(task, variety)
            assert (found.items is None) == (found.basis == "unknown")


def test_what_lies_here_is_counted_and_the_rest_stays(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CHOICE.replace('format = "jsonl"', 'kind = "files"\nrepository = "o/n"\ncommit = "c"\nformat = "jsonl"')
    tasks_of = declare(tmp_path / "declarations", f"held_out = 2\n{text}", languages='languages = ["yo"]')
    (absent,) = declare(tmp_path / "declarations" / "away", text, name='name = "away"', dataset='dataset = "away"')
    monkeypatch.setattr(tasks, "all_tasks", lambda: {task.name: task for task in (*tasks_of, absent)})
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    rows = [{"id": str(n), "question": f"{n}?", "a": "x", "b": "y", "answer": "A"} for n in range(5)]
    put_rows(tmp_path / "tiny-set" / "yo.jsonl", rows)
    table.write_text(HEADER + "away\tyor_Latn\tyo\t9\t1\ngone\tyor_Latn\tyo\t1\t1\n", "utf-8")
    assert counts.table() == HEADER + "tiny\tyor_Latn\tyo\t3\t2\naway\tyor_Latn\tyo\t9\t1\n"
    put_rows(tmp_path / "tiny-set" / "yo.jsonl", [*rows, rows[0]])
    with pytest.raises(DataError, match="the item '0' was"):
        counts.table()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "BENCH_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "tasks.counts", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=kept,
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = command("--data", str(tmp_path / "nowhere"), "--check")
    assert done.returncode == 1
    assert "nowhere does not exist" in done.stdout
    assert "Traceback" not in done.stderr
    assert command().returncode == 2


def test_with_no_data_the_table_stays_as_it_is(tmp_path: Path) -> None:
    done = command("--data", str(tmp_path), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cells" in done.stdout


@pytest.mark.parametrize("name", [name for name, task in tasks.all_tasks().items() if isinstance(task.source, Files)])
def test_the_committed_counts_are_those_of_the_files(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    task = tasks.get(name)
    if not (data / task.source.dataset).is_dir():
        pytest.skip(f"the mirror has no {task.source.dataset}")
    for variety in {task.varieties[0], task.varieties[-1]}:
        assert count(task, variety) == Count(sum(1 for _ in task.samples(variety)), "counted")
