"""A number that leaves the board as data takes along what it says nothing without."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bench.cards.facts import Facts, to_json
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.powered import believing, describe, measured, rewrite

NEEDED: Mapping[str, tuple[str, ...]] = {
    "number": ("value", "normalised", "after"),
    "items": ("items", "n", "after_items"),
    "lower end": ("low", "ci_low", "after_low"),
    "upper end": ("high", "ci_high", "after_high"),
    "task": ("task",),
    "version": ("version", "task_version"),
    "metric": ("metric",),
    "mode": ("mode",),
    "prompt language": ("prompt_language",),
    "shots": ("shots",),
    "provenance": ("badge", "run", "after_run"),
}
"""What every number needs -> the last part of the names of the columns that may hold it."""

PAGES = (
    "/diff",
    "/energy",
    "/languages/yor_Latn",
    "/languages/yor_Latn/general",
    "/models/hf-maker-small/sib200",
    "/plots/energy",
    "/plots/heatmap",
    "/plots/size",
    "/tasks/sib200",
)


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A visitor of a board with sizes and energy, that was published in two steps."""
    folder = tmp_path_factory.mktemp("everything")
    blocks = [sentences(code) for code in LANGUAGES]
    with believing():
        for number, (name, share) in enumerate((("small", 4), ("large", 8))):
            run = run_sib200(folder / f"{name}.run.db", Scripted(f"hf:maker/{name}", knows(share)), blocks)
            known = Facts(parameters=10**9 * (number + 1), origin={"parameters": "model file"})
            publish([describe(rewrite(run, measured()), facts=to_json(known))], folder / "board")
        yield create_app(folder / "board").test_client()


def table(visitor: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = visitor.get(address)
    assert answer.status_code == 200, address
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


@pytest.mark.parametrize("page", PAGES)
def test_a_row_of_data_says_what_its_number_is_of(visitor: FlaskClient, page: str) -> None:
    """Whoever has only the row knows the task, its version, the way of asking, n, the interval, and who vouches."""
    rows = table(visitor, f"{page}.csv")
    assert rows
    with_number = 0
    for row in rows:
        told = {
            what: [value for name, value in row.items() if name.rsplit(".", 1)[-1] in names and value]
            for what, names in NEEDED.items()
        }
        if told["number"]:
            with_number += 1
            assert not [what for what, values in told.items() if not values], (page, row)
    assert with_number


def test_a_difference_has_the_interval_and_the_run_of_each_side(visitor: FlaskClient) -> None:
    rows = table(visitor, "/diff.csv")
    assert {row["slug"] for row in rows} == {"hf-maker-large"}
    cells = {row["cell.language"]: row for row in table(visitor, "/models/hf-maker-large/sib200.csv") if row["run"]}
    for row in rows:
        own = cells[row["language"]]
        assert (row["before"], row["before_low"], row["before_items"], row["before_run"]) == ("", "", "0", "")
        assert row["after"] == own["cell.value"] and row["after_items"] == own["cell.n"]
        assert (row["after_low"], row["after_high"]) == (own["cell.ci_low"], own["cell.ci_high"])
        assert row["after_run"] == own["run"]
    page = visitor.get("/diff").get_data(as_text=True)
    assert page.count("n 40</small>") == len(rows)


def test_who_vouches_stands_beside_every_number_of_a_plot(visitor: FlaskClient) -> None:
    for address in ("/plots/energy", "/plots/heatmap", "/plots/size", "/energy"):
        page = visitor.get(address).get_data(as_text=True)
        told = page[page.index("<table") :]
        assert told.count('class="badge self-reported"') >= 2, address


def test_the_start_page_tells_its_data_what_the_top_is_over(board: Path) -> None:
    """Where no model has every result, the top is that of one task or language, and a row that hides it misleads."""
    client = create_app(board).test_client()
    top = client.get("/index.json").get_json()["top"]
    task, language = top["task"] or {"name": "", "version": ""}, top["language"] or {"code": ""}
    rows = table(client, "/index.csv")
    assert rows and (top["task"] or top["language"])
    assert {(row["task"], row["version"], row["language"]) for row in rows} == {
        (task["name"], task["version"], language["code"])
    }
