"""Languages: found by every filter, their results ranked as ranges, and what is missing said."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from flask.testing import FlaskClient

import languages
import tasks
from bench.records import Cell
from leaderboard import invalidations, snapshot, wording
from leaderboard.app import create_app
from leaderboard.asking import Asked
from leaderboard.board import Board, Result
from leaderboard.cell_tables import CellTable, Line, drafts, drawn, known, paged, ranks, top
from leaderboard.grid import error_of
from leaderboard.language_list import FILTERS
from leaderboard.naming import by_name
from leaderboard.problems import Wrong
from leaderboard.snapshot import publish
from tests.leaderboard import markup
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, words

MOST_NODES = 3000
PAGES = (
    "/languages/",
    "/languages/?page=5",
    "/languages/?q=yor&area=Africa",
    "/languages/?q=nothing-is-called-so",
    "/languages/yor_Latn",
    "/languages/yor_Latn?task=sib200",
    "/languages/pes_Arab",
    "/languages/amh_Ethi",
    "/languages/hau_Latn",
    "/languages/eng_Latn",
    "/languages/yor_Latn/general",
    "/languages/yor_Latn/legal",
    "/languages/kin_Latn/medical",
)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A board with more models than a table shows."""
    folder = tmp_path_factory.mktemp("crowded")
    block = sentences("yor_Latn")
    runs = [
        run_sib200(folder / f"{number}.run.db", Scripted(f"hf:m{number:02}", knows(number % 11)), [block])
        for number in range(55)
    ]
    runs.append(run_sib200(folder / "floor.run.db", Scripted("baseline:majority", knows(2)), [block]))
    publish(runs, folder / "board")
    return create_app(folder / "board").test_client()


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def data(client: FlaskClient, path: str) -> Any:
    path, mark, query = path.partition("?")
    answer = client.get(f"{path.rstrip('/')}.json{mark}{query}")
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), path
    return answer.get_json()


def rows(client: FlaskClient, path: str) -> list[dict[str, str]]:
    path, mark, query = path.partition("?")
    return list(csv.DictReader(io.StringIO(text(client, f"{path.rstrip('/')}.csv{mark}{query}"))))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_small_and_valid_in_both_directions(client: FlaskClient, path: str) -> None:
    for root in ("", "/ar"):
        assert len(check(text(client, root + path))) < MOST_NODES
    assert data(client, path)["snapshot"]


@pytest.mark.parametrize("path", PAGES)
def test_links_among_the_pages_lead_somewhere(client: FlaskClient, path: str) -> None:
    elements = check(text(client, path))
    ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
    links = {attributes["href"] or "" for _, attributes in elements if "href" in attributes}
    for href in sorted(links):
        if href.startswith("#"):
            assert href[1:] in ids
        elif href.startswith(("/languages/?", "/families", "/coverage")) or href.count("/") == 3:
            assert client.get(href).status_code == 200, href


def test_every_language_stands_once_over_all_pages(client: FlaskClient) -> None:
    first = data(client, "/languages/")
    found = [
        row["language"]["code"]
        for number in range(1, first["part"]["pages"] + 1)
        for row in data(client, f"/languages/?page={number}")["rows"]
    ]
    known = sorted(languages.all_languages(), key=by_name)
    assert found == [one.code for one in known]
    assert [row["language.code"] for row in rows(client, "/languages/?page=2")] == found  # data have no pages
    assert client.get(f"/languages/?page={first['part']['pages'] + 1}").status_code == 400


@pytest.mark.parametrize("word", ["yor", "Yoruba", "Èdè Yorùbá", "YORUBÁ"])
def test_a_language_is_found_by_name_autonym_and_code(client: FlaskClient, word: str) -> None:
    found = data(client, f"/languages/?{urlencode({'q': word})}")["rows"]
    assert [row["language"]["code"] for row in found] == ["yor_Latn"]


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("yo", ["yor_Latn"]),
        ("Ede Yoruba", ["yor_Latn"]),
        ("espanol", ["spa_Latn"]),
        ("espagnol", ["spa_Latn"]),
        ("castellano", ["spa_Latn"]),
        ("Farsi", ["pes_Arab"]),
        ("Mandarin", ["zho_Hans", "zho_Hant"]),
    ],
)
def test_what_people_write_finds_their_language_first(client: FlaskClient, word: str, codes: list[str]) -> None:
    found = data(client, f"/languages/?{urlencode({'q': word})}")
    assert [row["language"]["code"] for row in found["rows"]][: len(codes)] == codes
    assert found["near"] == []


def test_a_misspelt_language_is_suggested(client: FlaskClient) -> None:
    assert [one["code"] for one in data(client, "/languages/?q=yourba")["near"]][:1] == ["yor_Latn"]
    page = text(client, "/languages/?q=yourba")
    assert "Did you mean:" in words(page) and 'href="/languages/yor_Latn"' in page
    for hostile in ("%CC%81", "%25%25", "x" * 200, "%27%3B--"):
        assert data(client, f"/languages/?q={hostile}")["rows"] == []
    answer = client.get("/board?language=yourba")
    assert answer.status_code == 400 and 'href="/board?language=yor_Latn"' in answer.get_data(as_text=True)


def test_the_counts_of_the_filters_are_what_they_leave(client: FlaskClient) -> None:
    asked = {"area": "Africa", "script": "Latn"}
    told = data(client, f"/languages/?{urlencode(asked)}")
    for each in told["filters"]:
        assert each["value"] == asked.get(each["name"], "")
        for choice in each["choices"][:4]:
            query = urlencode({**asked, each["name"]: choice["value"]})
            assert data(client, f"/languages/?{query}")["part"]["total"] == choice["languages"]
    assert {each["name"] for each in told["filters"]} == FILTERS.keys()
    states = next(each for each in told["filters"] if each["name"] == "state")
    assert {choice["value"] for choice in states["choices"]} == {"benchmarks", "none"}


def test_each_filter_that_is_set_can_be_taken_away(client: FlaskClient) -> None:
    page = text(client, "/languages/?q=a&family=atla1278&resource=2")
    links = {a["href"] for tag, a in check(page) if tag == "a" and "remove" in (a.get("aria-label") or "")}
    assert links == {
        "/languages/?family=atla1278&resource=2",
        "/languages/?family=atla1278&q=a",
        "/languages/?q=a&resource=2",
    }
    assert client.get("/languages/?family=nowhere").status_code == 400
    assert "No language of the registry is like that." in words(text(client, "/languages/?q=nothing-is-called-so"))


def test_the_list_can_be_sorted(client: FlaskClient) -> None:
    speakers = [row["language"]["speakers"] for row in data(client, "/languages/?sort=speakers")["rows"]]
    assert speakers == sorted(speakers, reverse=True)
    counted = data(client, "/languages/?sort=results")["rows"]
    assert {row["language"]["code"] for row in counted[:3]} == {"yor_Latn", "pes_Arab", "amh_Ethi"}
    heads = [a for tag, a in check(text(client, "/languages/?sort=results")) if tag == "th" and "aria-sort" in a]
    assert [head["aria-sort"] for head in heads] == ["descending"]
    assert client.get("/languages/?sort=size").status_code == 400


def rows_of(cell: dict[str, Any]) -> list[str]:
    """How a cell's numbers stand in a row."""
    if cell["value"] is None:
        return [wording.reason(cell["reasons"]["value"]).replace(" %", "%")]
    said = [
        wording.number(cell["value"], cell["metric"]),
        wording.number(cell["chance"], cell["metric"]),
        str(cell["n"]),
    ]
    shown = [*said, wording.interval(Cell(**cell)), "Self-reported"]
    return [each.replace(" %", "%") for each in shown]  # as English writes a per cent


@pytest.mark.parametrize("code", ["yor_Latn", "pes_Arab", "amh_Ethi", "hau_Latn"])
def test_a_language_page_has_the_numbers_of_its_json(client: FlaskClient, code: str) -> None:
    path = f"/languages/{code}"
    shown, told = markup.tables(text(client, path)), data(client, path)
    made = [*told["benchmarks"], *told["self_test"]]
    for body, table in zip(shown[: len(made)], made, strict=True):
        lines = [*table["models"], *table["floors"]]
        own = [row for row in body[1:] if row != "Floors, not ranked" and not row.startswith("not run ")]
        run = [line for line in lines if line["cell"]]
        for row, line in zip(own, run, strict=True):
            assert row.startswith(wording.plain(line["model"]["name"]))
            expected = rows_of(line["cell"])
            assert all(part in row for part in expected), (row, expected)
        unasked = " ".join(row for row in body if row.startswith("not run "))
        for lines in (table["models"], table["floors"]):
            named = [wording.plain(line["model"]["name"]) for line in lines if not line["cell"]]
            assert all(name in unasked for name in named[:5])
            assert len(named) <= 5 or f"and {len(named) - 5} more model" in unasked


def test_a_language_page_has_the_best_models_and_a_way_to_all(crowded: FlaskClient) -> None:
    (table,) = data(crowded, "/languages/yor_Latn")["benchmarks"]
    assert (len(table["models"]), table["total"], table["ranked"]) == (10, 55, 55)
    values = [line["cell"]["value"] for line in table["models"]]
    assert values == sorted(values, reverse=True)
    best = table["models"][0]
    assert best["first"] == 1 and best["last"] > 1  # five models answer alike
    page = text(crowded, "/languages/yor_Latn")
    assert 'href="/languages/yor_Latn?task=sib200"' in page and "All of SIB-200" in words(page)
    parts = [data(crowded, f"/languages/yor_Latn?task=sib200&page={number}") for number in (1, 2)]
    models = [line["model"]["slug"] for told in parts for table in told["benchmarks"] for line in table["models"]]
    assert len(models) == len(set(models)) == 55
    assert [len(told["benchmarks"][0]["floors"]) for told in parts] == [0, 1]
    assert len(rows(crowded, "/languages/yor_Latn")) == len(rows(crowded, "/languages/yor_Latn?task=sib200")) == 56
    assert crowded.get("/languages/yor_Latn?task=sib200&page=3").status_code == 400
    assert crowded.get("/languages/yor_Latn?task=flores").status_code == 400


def test_ranks_are_those_of_the_one_function_for_standings(client: FlaskClient, board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        for code in ("yor_Latn", "pes_Arab", "amh_Ethi"):
            outlines = [one for one in opened.outlines_of_language(code) if one.task == "sib200"]
            models = {one.id: opened.model_names()[one.model].slug for one in outlines}
            places = ranks(outlines, known(opened))
            (own,) = opened.standings({("sib200", "1")}, {code}).values()
            expected = {opened.model_names()[one.model].slug: (one.first, one.last) for one in own if one.first}
            assert {models[number]: place for number, place in places.items()} == expected
            assert len(expected) == (2 if code == "pes_Arab" else 1)


def test_what_is_not_ranked_says_why(board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        why = {
            (one.task, one.language, opened.model_names()[one.model].slug): known(opened).unranked(one)
            for code in opened.languages()
            for one in opened.outlines_of_language(code)
        }
    assert why["sib200", "pes_Arab", "hf-maker-good"] == ""
    assert why["sib200", "pes_Arab", "baseline-majority"] == "baseline"
    assert why["sib200", "yor_Latn", "hf-maker-gaps"] == "too_many_errors"
    assert why["sib200", "amh_Ethi", "hf-maker-gaps"] == "too_few_items"
    assert why["cldr-calendar", "yor_Latn", "command-script-alert-x-script"] == "self_test"


@pytest.mark.parametrize("code", ["yor_Latn", "pes_Arab"])  # of the self-test, no model was asked in the second
def test_tables_are_cut_and_paged_without_losing_a_row(board: Path, code: str) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        shared = known(opened)
        planned = drafts(opened.outlines_of_language(code), shared)
        cut, part = paged(planned, Asked(), shared)
        every, shown = drawn(opened, planned, shared), drawn(opened, cut, shared)
        firsts = drawn(opened, [top(draft, 1) for draft in planned], shared)

    def lines(found: tuple[CellTable, ...]) -> list[Line]:
        return [line for table in found for line in (*table.models, *table.floors)]

    assert lines(shown) == lines(every) and part.total == len(lines(every))
    for table, short in zip(every, firsts, strict=True):
        assert all(line.model.baseline for line in table.floors)
        run = tuple(line for line in table.floors if line.cell is not None)
        valued = table.measured > 0
        assert short.floors == run[: 1 if valued else 2]
        assert short.models == table.models[: 1 if valued else 2 - len(short.floors)]
        assert table.measured == sum(line.cell is not None and line.cell.value is not None for line in table.models)
        assert {line.model.slug for line in (*table.models, *table.floors)} == {one.slug for one in opened_names(board)}
        errors = [error_of(line.cell) for line in table.models if line.cell is not None and not line.unranked]
        assert not np.isnan(errors).any()
    with pytest.raises(Wrong):
        paged(planned, Asked((("page", "2"),)), shared)


def test_an_outline_says_of_a_result_what_its_cell_does(board: Path) -> None:
    shared = ("task", "task_version", "language", "variety", "metric", "headline", "floor", "mode", "prompt_language")
    numbers = ("shots", "value", "normalised", "n", "ci_low", "ci_high", "energy_provenance", "chance", "reasons")
    with Board.open(board, snapshot.current(board)) as opened:
        for code in opened.languages():
            outlines = opened.outlines_of_language(code)
            results = opened.results(one.id for one in outlines)
            assert sorted(map(_place, results.values())) == _places(opened, code)
            assert len(outlines) == len(results)
            for one in outlines:
                cell = results[one.id].cell
                assert opened.model_names()[one.model] == results[one.id].model
                for name in (*shared, *numbers):
                    assert getattr(one, name) == getattr(cell, name), name


def _place(one: Result) -> tuple[str, str, str, str]:
    return one.model.slug, one.cell.task, one.cell.metric, one.cell.variety


def _places(opened: Board, code: str) -> list[tuple[str, str, str, str]]:
    """Every result of a language, found model by model."""
    every = (one for name in opened.model_names().values() for one in opened.results_of_model(name.slug))
    return sorted(_place(one) for one in every if one.cell.language == code)


def opened_names(board: Path) -> list[Any]:
    with Board.open(board, snapshot.current(board)) as opened:
        return list(opened.model_names().values())


def test_the_data_of_a_language_are_all_of_its_cells(client: FlaskClient, board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        expected = [place[:3] for place in _places(opened, "yor_Latn")]
    made = rows(client, "/languages/yor_Latn")
    assert sorted((row["model.slug"], row["cell.task"], row["cell.metric"]) for row in made) == expected
    assert {row["badge"] for row in made} == {"self_reported"}


def test_neighbours_are_of_the_same_family_and_counted(client: FlaskClient) -> None:
    told = data(client, "/languages/yor_Latn")
    family = [one for one in languages.all_languages() if one.family_id == "atla1278"]
    assert len(told["neighbours"]) == 24
    assert told["more_neighbours"] == len(family) - 1 - 24
    assert {one["language"]["code"] for one in told["neighbours"]} < {one.code for one in family} - {"yor_Latn"}
    persian = next(
        one for one in data(client, "/languages/kmr_Latn")["neighbours"] if one["language"]["code"] == "pes_Arab"
    )
    assert (persian["kilometres"], persian["cells"], persian["state"]) == (1043, 3, "benchmarks")


def test_neighbours_come_with_the_nearest_first(client: FlaskClient) -> None:
    catalan = data(client, "/languages/cat_Latn")
    first = [one["language"]["code"] for one in catalan["neighbours"][:6]]
    assert catalan["neighbours_of"] == "family" and {"arg_Latn", "spa_Latn", "oci_Latn"} < set(first)
    assert "hin_Deva" not in [one["language"]["code"] for one in catalan["neighbours"]]
    far = [one["kilometres"] for one in catalan["neighbours"]]
    assert far == sorted(far)
    page = words(text(client, "/languages/cat_Latn"))
    assert "Languages of the same family, Indo-European, the nearest first" in page


def test_a_language_without_relatives_has_those_around_it(client: FlaskClient) -> None:
    basque = data(client, "/languages/eus_Latn")
    first = [one["language"]["code"] for one in basque["neighbours"][:6]]
    assert basque["neighbours_of"] == "anywhere" and {"arg_Latn", "spa_Latn", "cat_Latn"} < set(first)
    assert (len(basque["neighbours"]), basque["more_neighbours"]) == (24, 0)
    page = text(client, "/languages/eus_Latn")
    assert "No other language of our registry is of its family. These are spoken nearest" in words(page)
    assert "The best models over" not in words(page)


def test_gaps_name_what_the_board_and_the_program_lack(client: FlaskClient) -> None:
    gaps = data(client, "/languages/yor_Latn")["gaps"]
    having = {
        task.name
        for task in tasks.all_tasks().values()
        if not task.floor and any(one.language == "yor_Latn" and not one.flaw for one in task.varieties)
    }
    assert len(gaps["program"]) + gaps["more"] == len(having - {"sib200"})
    assert {one["name"] for one in gaps["program"]} <= having - {"sib200"}
    assert gaps["board"] == []
    assert [task["name"] for task in data(client, "/languages/hau_Latn")["gaps"]["board"]] == [
        "sib200",
        "cldr-calendar",
        "cldr-names-write",
    ]
    assert "it has the language, and no model was asked yet" in words(text(client, "/languages/hau_Latn"))


def test_a_vertical_shows_the_standing_of_the_one_function(client: FlaskClient, board: Path) -> None:
    told = data(client, "/languages/pes_Arab/general")
    (table,) = told["tables"]
    with Board.open(board, snapshot.current(board)) as opened:
        (own,) = opened.standings({("sib200", "1")}, {"pes_Arab"}).values()
    expected = {one.model: (one.normalised, one.low, one.high, one.first, one.last) for one in own}
    shown = [row["standing"] for row in (*table["models"], *table["floors"])]
    assert {
        row["model"]: tuple(row[name] for name in ("normalised", "low", "high", "first", "last")) for row in shown
    } == expected
    said = words(text(client, "/languages/pes_Arab/general"))
    for row in shown:
        assert wording.points(row["normalised"]) in said
    assert told["state"] == {
        "vertical": "general",
        "state": "evaluated",
        "models": 2,
        "board_tasks": 1,
        "program_tasks": told["state"]["program_tasks"],
    }
    assert table["not_asked"] == 1
    made = rows(client, "/languages/pes_Arab/general")
    assert {row["task"] for row in made} == {"sib200"} and len(made) == 3


def test_a_vertical_without_results_says_so_and_what_could_be_run(client: FlaskClient) -> None:
    page = words(text(client, "/languages/yor_Latn/legal"))
    assert "nobody can say from this board how well any model does it" in page
    assert "Not evaluated; 4 tasks exist" in page
    assert data(client, "/languages/yor_Latn/legal")["gaps"]["program"][0]["vertical"] == "legal"
    assert client.get("/languages/yo/legal.csv").headers["Location"] == "/languages/yor_Latn/legal.csv"
    wrong = client.get("/languages/yor_Latn/astrology")
    assert wrong.status_code == 404 and 'href="/languages/yor_Latn/legal"' in wrong.get_data(as_text=True)
    assert client.get("/languages/yorub/legal").status_code == 404


def test_a_redirect_keeps_what_was_asked(client: FlaskClient) -> None:
    answer = client.get("/fr/languages/yo?task=sib200")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/fr/languages/yor_Latn?task=sib200")


def test_numbers_that_were_found_wrong_are_marked_and_not_ranked(runs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "board"
    publish(runs, folder)
    invalidations.add(folder, "sib200", (), "the key was shifted")
    visitor = create_app(folder).test_client()
    for path in ("/languages/pes_Arab", "/languages/pes_Arab/general"):
        assert "the key was shifted" in words(text(visitor, path))
    (table,) = data(visitor, "/languages/pes_Arab")["benchmarks"]
    assert table["ranked"] == 0 and {line["unranked"] for line in table["models"]} == {"invalidated", "not_run"}
