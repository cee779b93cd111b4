"""The page of a run: its manifest, and its answers as far as they may be shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bench.records import Response
from bench.runfile_records import Answer, Place, SampleFacts
from leaderboard import run_pages
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import HOSTILE
from tests.leaderboard.family import make, opened
from tests.leaderboard.markup import check, words

PLACE = Place(1, "sib200@1", "yor_Latn", "", "generate", "english", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, runs: list[Path]) -> Path:
    """The board of the family, with the runs of the embedded suite, whose data every server has."""
    made = make(tmp_path_factory.mktemp("family"))
    publish([run for run in runs if run.name in ("copy.run.db", "hostile.run.db")], made)
    with opened(made) as board:
        assert all(run.id for model in board.models() for run in model.runs)
    return made


@pytest.fixture
def visitor(folder: Path) -> FlaskClient:
    """A visitor of that board."""
    return create_app(folder).test_client()


def address(folder: Path, name: str) -> str:
    with opened(folder) as board:
        (found,) = (model for model in board.models() if model.name == name)
    return f"/runs/{found.runs[0].id}"


def data(visitor: FlaskClient, path: str, query: str = "") -> Any:
    answer = visitor.get(f"{path}.json{query}")
    assert answer.status_code == 200
    return answer.get_json()


def test_a_run_says_how_it_was_made(folder: Path, visitor: FlaskClient) -> None:
    path = address(folder, "hf:org/base")
    answer = visitor.get(path)
    check(answer.get_data(as_text=True))
    said = words(answer.get_data(as_text=True))
    for part in ("Self-reported", "3 results on the board", "bench 0", "cores 2", "sib200/data", "locked", "complete"):
        assert part in said, part
    assert "in-the-command-line" not in answer.get_data(as_text=True)


def test_answers_are_paged_filtered_and_written(folder: Path, visitor: FlaskClient) -> None:
    path = address(folder, "hf:org/base-yo-health")
    first, second = data(visitor, path), data(visitor, path, "?page=2")
    assert [len(first["rows"]), len(second["rows"])] == [25, 15]
    assert first["part"] == {"number": 1, "pages": 2, "total": 40}
    assert {row["item"] for row in (*first["rows"], *second["rows"])} == {str(number) for number in range(40)}
    (empty,) = data(visitor, path, "?outcome=empty")["rows"]
    assert (empty["item"], empty["response"]["text"], empty["output_tokens"]) == ("1", "", 0)
    lines = list(csv.DictReader(io.StringIO(visitor.get(f"{path}.csv?outcome=scored").get_data(as_text=True))))
    assert 35 < len(lines) < 40 and {line["outcome"] for line in lines} == {"scored"}
    for wrong in ("?outcome=good", "?task=x", "?language=hau_Latn", "?page=3"):
        assert visitor.get(path + wrong).status_code == 400


def test_other_languages_of_a_run_are_a_filter(folder: Path, visitor: FlaskClient) -> None:
    found = data(visitor, address(folder, "hf:org/base"), "?task=sib200&language=amh_Ethi")
    assert found["language"]["code"] == "amh_Ethi" and len(found["rows"]) == 25


def test_hostile_answers_are_text_and_cut(folder: Path, visitor: FlaskClient) -> None:
    path = address(folder, "hf:org/base-yo-health")
    page = visitor.get(path).get_data(as_text=True)
    check(page)
    assert "&lt;b&gt;" in page and "<b>" not in page and "\u202e" not in page and 'dir="auto"' in page
    assert "cut after 2,000 characters or 40 lines" in page
    row = next(row for row in data(visitor, path)["rows"] if row["item"] == "0")
    assert row["response"]["cut"] and len(row["response"]["text"].splitlines()) <= run_pages.MOST_LINES
    attack = visitor.get(address(folder, HOSTILE)).get_data(as_text=True)
    check(attack)
    assert "<img" not in attack and "&lt;img src=x" in attack


def test_the_question_is_the_servers_own(folder: Path, visitor: FlaskClient) -> None:
    """The embedded suite is at hand everywhere; sentences that the test made up are not those of the dataset."""
    rows = data(visitor, address(folder, "baseline:copy"))["rows"]
    assert rows and all(row["question"]["text"] and row["gold"]["text"] for row in rows)
    for row in data(visitor, address(folder, "hf:org/base"))["rows"]:
        assert row["question"]["text"] is None and row["question"]["reason"] in ("no_data", "other_data")
        assert row["gold"]["text"] is None


def test_a_run_whose_file_is_gone_or_broken_still_has_its_facts(tmp_path: Path) -> None:
    folder = make(tmp_path)
    path = address(folder, "hf:other/closed")
    kept = folder / run_pages.RUNS / f"{path.removeprefix('/runs/')}.run.db"
    for broken, said in ((b"nonsense" * 1000, "cannot be read"), (None, "does not keep this run’s file")):
        kept.unlink(missing_ok=True)
        if broken:
            kept.write_bytes(broken)
        answer = create_app(folder).test_client().get(path)
        assert answer.status_code == 200
        assert said in words(answer.get_data(as_text=True)) and "bench 0" in answer.get_data(as_text=True)


def test_an_unknown_run_is_a_404_with_what_is_near(folder: Path, visitor: FlaskClient) -> None:
    path = address(folder, "hf:org/base")
    for wrong in ("/runs/nope", "/runs/..%2f..%2fetc%2fpasswd", "/runs/0000000000000000"):
        assert visitor.get(wrong).status_code == 404
    answer = visitor.get(f"{path[:-1]}x")
    assert answer.status_code == 404 and f'href="{path}"' in answer.get_data(as_text=True)


def answers() -> Iterator[Answer]:
    for status in ("ok", "error"):
        response = Response("1", status, "a text that repeats the question")
        yield Answer("sib200@1/yor_Latn//1", SampleFacts("0" * 32, ""), 0, response, "1", None)
    yield Answer("sib200@1/yor_Latn//2", SampleFacts("0" * 32, ""), 0, None, "2", None)


def test_texts_of_restricted_data_are_withheld() -> None:
    ok, failed, none = answers()
    assert run_pages._said(ok, PLACE, restricted=True).reason == "restricted"
    assert run_pages._said(ok, PLACE, restricted=False).text == "a text that repeats the question"
    assert {run_pages._said(one, PLACE, restricted=False).reason for one in (failed, none)} == {"no_answer"}
    for one in run_pages._ours(ok, {}, restricted=True):
        assert (one.text, one.reason) == (None, "restricted")
    assert {one.reason for one in run_pages._ours(ok, None, restricted=False)} == {"no_data"}
    assert {one.reason for one in run_pages._ours(ok, {}, restricted=False)} == {"other_data"}


def test_what_became_of_a_request() -> None:
    assert [run_pages._became(*one) for one in ((None, None), ("error", None), ("ok", None), ("ok", "empty"))] == [
        "unanswered",
        "error",
        "unscored",
        "empty",
    ]


def test_data_that_are_not_at_hand_are_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    run_pages._samples.cache_clear()
    assert run_pages._samples("sib200@1", "yor_Latn", "") is None
    assert run_pages._samples("nothing@1", "yor_Latn", "") is None
    assert run_pages._samples("sib200@999", "yor_Latn", "") is None
    run_pages._samples.cache_clear()
