"""One count of results, wherever it is shown: values in headline metrics; those of other metrics are named apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main
from bench.runfile import RunFile
from leaderboard import history
from leaderboard.app import create_app
from leaderboard.history import diff
from leaderboard.snapshot import connect, publish
from tests.leaderboard.markup import words


@pytest.fixture
def copying(runs: list[Path]) -> Path:
    """A run of a task with one metric and of a task with two."""
    return runs[1]


@pytest.fixture
def expected(copying: Path) -> tuple[int, int]:
    """How many values of the run are in headline metrics, and in others."""
    with RunFile.read(copying) as run:
        valued = [cell for cell in run.cells() if cell.value is not None]
    own = sum(cell.headline for cell in valued)
    assert 0 < own < len(valued)
    return own, len(valued) - own


def test_a_publish_its_history_and_the_page_of_the_run_count_alike(
    copying: Path, expected: tuple[int, int], tmp_path: Path
) -> None:
    info = publish([copying], tmp_path)
    (one,) = info.published
    assert (info.results, one.results, one.cells - one.results) == (expected[0], *expected)
    (line,) = history.read(tmp_path)
    assert line.results == expected[0]
    (copy,) = (tmp_path / "runs").glob("*.run.db")
    client = create_app(tmp_path).test_client()
    page = words(client.get(f"/runs/{copy.name.partition('.')[0]}").get_data(as_text=True))
    assert f"{expected[0]} results on the board. Numbers by other metrics: {expected[1]}." in page
    assert "its sender’s word under every badge" in page
    row = words(client.get("/history").get_data(as_text=True))
    assert f"baseline:copy {expected[0]} the first" in row


def test_a_difference_counts_results_apart(
    runs: list[Path], copying: Path, expected: tuple[int, int], tmp_path: Path
) -> None:
    old = publish([runs[3]], tmp_path).snapshot
    new = publish([copying], tmp_path).snapshot
    before, after = connect(tmp_path, old), connect(tmp_path, new)
    found = diff(before, after)
    before.close()
    after.close()
    assert found.results_added == expected[0]
    assert found.added >= sum(expected)
    assert sum(one.result for one in found.cells_added) == expected[0]
    page = words(create_app(tmp_path).test_client().get("/diff").get_data(as_text=True))
    assert f"Results added {expected[0]} and {found.added - expected[0]} entries for other metrics" in page
    assert "Models added baseline:copy" in page


def test_publish_names_other_metrics_apart(
    copying: Path, expected: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(copying), "--board", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "results" in said and "other metrics" in said
    (row,) = [line.split() for line in said.splitlines() if line.startswith("baseline:copy")]
    assert row[3:5] == [str(expected[0]), str(expected[1])]
    assert f"1 model, {expected[0]} results," in said
