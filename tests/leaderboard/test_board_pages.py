"""The board, the start page and the history: one number wherever it is shown, filters, and what is not ranked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient

import languages
from leaderboard import asking, wording
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, tables, words

CHOICES = tuple(f"language={code}" for code in LANGUAGES)
ALL = "&".join(CHOICES)


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    page = answer.get_data(as_text=True)
    check(page)
    return page


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), path
    return answer.get_json()


def test_one_number_on_the_board_its_data_and_the_task(client: FlaskClient) -> None:
    told = data(client, "/board.json?task=sib200")
    rows = [*told["ranked"], *told["unranked"], *told["floors"]]
    task = data(client, "/tasks/sib200.json")
    shown = {
        line["row"]["traits"]["model"]["slug"]: line["row"]["standing"] for line in task["models"] + task["floors"]
    }
    assert len(rows) == len(shown) == 3
    page, task_page = words(text(client, "/board?task=sib200")), words(text(client, "/tasks/sib200"))
    for row in rows:
        assert row["standing"] == shown[row["traits"]["model"]["slug"]]
        assert row["tasks"][0]["normalised"] == row["standing"]["normalised"]
        points = wording.points(row["standing"]["normalised"])
        assert points in page and points in task_page


def test_a_model_is_ranked_where_it_has_the_whole_block(client: FlaskClient) -> None:
    everything = data(client, "/board.json")
    assert everything["ranked"] == [] and everything["unranked_models"] == 2
    assert "they lack results of this choice" in words(text(client, "/board"))
    chosen = data(client, f"/board.json?task=sib200&{ALL}")
    (good,) = chosen["ranked"]
    assert (good["traits"]["model"]["slug"], good["standing"]["first"], good["standing"]["last"]) == (
        "hf-maker-good",
        1,
        1,
    )
    assert (good["standing"]["covered"], good["standing"]["cells"], good["standing"]["items"]) == (3, 3, 120)
    (gaps,) = chosen["unranked"]
    assert (gaps["standing"]["reason"], gaps["standing"]["covered"]) == ("partial", 1)
    page = words(text(client, f"/board?task=sib200&{ALL}"))
    assert "3 of 3" in page and "1 of 3" in page and "n 120" in page


def test_ranks_are_ranges_with_ties(tmp_path: Path) -> None:
    models = [
        run_sib200(tmp_path / f"{share}.run.db", Scripted(f"hf:m/{share}", knows(share)), [sentences("yor_Latn")])
        for share in (2, 8, 9)
    ]
    publish(models, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    told = data(visitor, "/board.json?language=yo")
    ranks = {
        row["traits"]["model"]["name"]: (row["standing"]["first"], row["standing"]["last"]) for row in told["ranked"]
    }
    assert ranks == {"hf:m/9": (1, 2), "hf:m/8": (1, 2), "hf:m/2": (3, 3)}
    rows = tables(text(visitor, "/board?language=yo"))[0]
    assert [row.split()[0] for row in rows if "hf:m/" in row] == ["1–2", "1–2", "3"]


def test_filters_of_models_hide_rows_and_keep_ranks(tmp_path: Path) -> None:
    models = [
        run_sib200(tmp_path / f"{share}.run.db", Scripted(f"hf:m/{share}", knows(share)), [sentences("yor_Latn")])
        for share in (2, 9)
    ]
    publish(models, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    told = data(visitor, "/board.json?language=yo&badge=self_reported&energy=not_measured")
    assert [row["standing"]["last"] for row in told["ranked"]] == [1, 2] and told["hidden"] == 0
    assert visitor.get("/board?language=yo&licence=mit").status_code == 400  # no model on this board has it
    chips = {(chip["name"], chip["value"]): chip["query"] for chip in told["chips"]}
    assert chips["badge", "self_reported"] == "?energy=not_measured&language=yo"
    page = text(visitor, "/board?language=yo&badge=self_reported")
    assert "Take all away" in page and 'rel="nofollow"' in page


def test_every_filter_link_and_tab_of_the_board_works(client: FlaskClient) -> None:
    for path in ("/board", f"/board?task=sib200&{ALL}", "/board?suite=embedded", "/ar/board?area=Africa"):
        for tag, attributes in check(client.get(path).get_data(as_text=True)):
            href = attributes.get("href") or ""
            if tag == "a" and "/board" in href:
                assert client.get(href).status_code == 200, href


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("language=yo&script=Ethi", "No task that you chose has a language that fits all of these filters."),
        ("suite=embedded&task=sib200", "No task on this board fits all of these filters."),
        ("language=hau_Latn", "No model has a result for this choice yet."),
        # What this program knows, and nothing on this board has.
        ("vertical=medical", "No task on this board fits all of these filters."),
        ("suite=turkic&task=belebele", "No task on this board fits all of these filters."),
        ("script=Mong", "No task that you chose has a language that fits all of these filters."),
        ("family=maya1287", "No task that you chose has a language that fits all of these filters."),
        ("size=under-1b", "No model fits all of these filters."),
        ("energy=measured", "No model fits all of these filters."),
        ("badge=re_run&level=institution", "No model fits all of these filters."),
    ],
)
def test_an_empty_result_says_why_and_how_to_widen(client: FlaskClient, query: str, said: str) -> None:
    page = text(client, f"/board?{query}")
    assert said in words(page) and "Take away" in words(page)
    asked = {(name, value) for name, value in parse_qsl(query) if name != "language"}
    chosen = {a.get("value") for tag, a in check(page) if tag == "option" and "selected" in a}
    assert {value for _name, value in asked} <= chosen
    told = data(client, f"/board.json?{query}")
    assert asked <= {(chip["name"], chip["value"]) for chip in told["chips"]}
    assert told["ranked"] == [] and not any(row["standing"]["covered"] for row in told["unranked"])
    for suffix in ("csv", "parquet"):
        assert client.get(f"/board.{suffix}?{query}").status_code == 200


def test_a_language_without_results_is_no_error(client: FlaskClient) -> None:
    """Any language of the registry may be asked for; the page says why there is no number."""
    for one in languages.all_languages()[::25]:
        told = data(client, f"/board.json?language={one.code}")
        assert told["ranked"] or told["unranked"] or told["empty"] in ("no_language", "no_results"), one.code
        assert told["named"] == [one.code]


def test_sorted_by_a_task_that_nobody_has_the_board_is_in_the_order_of_ranks(tmp_path: Path) -> None:
    shares = (2, 9, 5)
    models = [
        run_sib200(tmp_path / f"{share}.run.db", Scripted(f"hf:m/{share}", knows(share)), [sentences("yor_Latn")])
        for share in shares
    ]
    publish(models, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    told = data(visitor, "/board.json?language=yo&sort=xcopa")["ranked"]
    assert [row["traits"]["model"]["name"] for row in told] == ["hf:m/9", "hf:m/5", "hf:m/2"]


@pytest.mark.parametrize(
    "query", ["task=nothing", "family=x", "group=x", "sort=x", "page=0", "page=99", "language=zzz"]
)
def test_what_the_board_does_not_know_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/board?{query}").status_code == 400
    assert "error" in client.get(f"/board.json?{query}").get_json()


def test_a_value_that_nobody_knows_leads_to_those_like_it(client: FlaskClient) -> None:
    told = client.get("/fr/board.json?area=Africa&script=ethy&script=Latn&page=3").get_json()
    assert {"href": "/board.json?area=Africa&script=Ethi&script=Latn", "text": "Ethi"} in told["near"]
    for near in told["near"]:
        assert client.get(f"/fr{near['href']}").status_code == 200
    page = client.get("/board?area=africa")
    assert page.status_code == 400 and "Did you mean:" in page.text
    assert ("a", "/board?area=Africa") in {(tag, a.get("href")) for tag, a in check(page.text)}
    assert client.get("/board.json?area=%F0%9F%90%98").get_json()["near"] == []


def test_a_message_does_not_pass_off_some_known_values_as_all(client: FlaskClient) -> None:
    some = client.get("/board.json?script=zzzzzzzz").get_json()["error"]
    assert some.endswith(", ….") and some.count(",") == asking.MOST_TOLD
    assert "closed, open, unknown." in client.get("/board.json?open=perhaps").get_json()["error"]
    assert "rank, name, size, " in client.get("/board.json?sort=x").get_json()["error"]


def test_floors_stand_apart_and_are_labelled(client: FlaskClient) -> None:
    benchmarks = data(client, "/board.json")
    assert [column["name"] for column in benchmarks["columns"]] == ["sib200"]
    assert not benchmarks["group"]["floor"]
    floor_tabs = [tab for tab in benchmarks["tabs"] if tab["group"]["floor"]]
    assert floor_tabs and all(tab["ranked"] == 0 for tab in floor_tabs)
    assert [row["traits"]["model"]["name"] for row in benchmarks["floors"]] == ["baseline:majority"]
    assert not any(row["traits"]["model"]["baseline"] for row in benchmarks["ranked"] + benchmarks["unranked"])
    rows = tables(text(client, "/board"))[0]
    labelled = next(number for number, row in enumerate(rows) if row.startswith("Floors: "))
    assert all("baseline:" in row for row in rows[labelled + 1 :])
    own = data(client, f"/board.json?group={floor_tabs[0]['name']}")
    assert own["group"]["floor"] and own["ranked"] == []
    assert "floor, not ranked" in text(client, f"/board?group={floor_tabs[0]['name']}")


def test_sorting_puts_what_has_no_value_last(client: FlaskClient) -> None:
    rows = tables(text(client, "/board?sort=name"))[0]
    names = [row for row in rows if "hf:maker" in row]
    assert "hf:maker/gaps" in names[0] and "hf:maker/good" in names[1]
    by_task = data(client, "/board.json?sort=sib200")["unranked"]
    assert [row["traits"]["model"]["slug"] for row in by_task] == ["hf-maker-good", "hf-maker-gaps"]
    assert 'aria-sort="descending"' in text(client, "/board?sort=sib200")


def test_models_can_be_sent_to_be_compared(client: FlaskClient) -> None:
    elements = check(text(client, "/board"))
    boxes = [a for tag, a in elements if tag == "input" and a.get("type") == "checkbox"]
    assert {box["name"] for box in boxes} == {"model"}
    assert {"hf-maker-good", "hf-maker-gaps"} <= {box["value"] for box in boxes}
    assert [a["action"] for tag, a in elements if tag == "form"][1] == "/compare"


def test_the_board_as_csv_has_a_line_a_model(client: FlaskClient) -> None:
    lines = client.get(f"/board.csv?task=sib200&{ALL}").get_data(as_text=True).splitlines()
    assert len(lines) == 4 and "sib200@1:normalised" in lines[0]
    (good,) = [line for line in lines if line.startswith("hf-maker-good,")]
    (gaps,) = [line for line in lines if line.startswith("hf-maker-gaps,")]
    assert ",1,1,1," in good and "partial" in gaps


def test_counts_on_the_start_page_are_those_of_its_json(client: FlaskClient) -> None:
    told, said = data(client, "/index.json"), words(text(client, "/"))
    assert (told["tasks"], told["floor_tasks"], told["languages"]) == (1, 2, 3)
    assert [one["name"] for one in told["floors"]] == ["baseline:copy", "baseline:majority", "baseline:random"]
    for name in ("items", "cells", "floor_items", "floor_cells", "floor_languages", "known_languages"):
        assert f"{told[name]:,}" in said
    assert told["cells"] == 7
    assert sum(area["covered"] for area in told["areas"]) == told["languages"]
    assert sum(area["languages"] for area in told["areas"]) == told["known_languages"]


def test_the_start_page_shows_a_block_that_ranks(client: FlaskClient) -> None:
    top = data(client, "/index.json")["top"]
    assert top["language"] is not None and top["rows"][0]["standing"]["first"] == 1
    same = data(client, f"/board.json?language={top['language']['code']}")["ranked"][0]
    assert same["standing"] == top["rows"][0]["standing"]
    assert "No model has every result on this board" in words(text(client, "/"))


def test_the_history_lists_publishes_and_passes_over_a_torn_line(tmp_path: Path) -> None:
    board = tmp_path / "board"
    names = []
    for share, model in ((3, "hf:a"), (8, "hf:b")):
        run = run_sib200(tmp_path / f"{share}.run.db", Scripted(model, knows(share)), [sentences("yor_Latn")])
        names.append(publish([run], board).snapshot)
    with (board / "history.jsonl").open("a") as file:
        file.write('{"at": "2026-01-')
    visitor = create_app(board).test_client()
    told = data(visitor, "/history.json")["lines"]
    assert [(line["snapshot"], line["previous"]) for line in told] == [(names[1], names[0]), (names[0], "")]
    assert [[one["name"] for one in line["models"]] for line in told] == [["hf:b"], ["hf:a"]]
    assert f'href="/snapshots/{names[0]}/"' in text(visitor, "/history") and "hf:b" in text(visitor, "/")
    for tag, attributes in check(text(visitor, "/history")):
        if tag == "a" and "/diff" in (attributes["href"] or ""):
            assert visitor.get(attributes["href"] or "").status_code == 200
    (board / "history.jsonl").write_text("no JSON\n")
    assert data(create_app(board).test_client(), "/history.json")["lines"] == []


def test_two_snapshots_can_be_held_against_each_other(tmp_path: Path) -> None:
    board = tmp_path / "board"
    names = []
    for number, (share, model) in enumerate(((3, "hf:a"), (8, "hf:a"), (8, "hf:b"))):
        run = run_sib200(tmp_path / f"{number}.run.db", Scripted(model, knows(share)), [sentences("yor_Latn")])
        names.append(publish([run], board).snapshot)
    visitor = create_app(board).test_client()
    changed = data(visitor, f"/diff.json?from={names[0]}&to={names[1]}")["difference"]
    assert (changed["added"], changed["removed"], changed["changed"], changed["models_added"]) == (0, 0, 1, [])
    assert (changed["cells_changed"][0]["before"], changed["cells_changed"][0]["after"]) == (0.3, 0.8)
    page = words(text(visitor, f"/diff?from={names[0]}&to={names[1]}"))
    assert re.search(r"30\.0% [0-9.]+% to [0-9.]+%; n 40 80\.0% [0-9.]+% to [0-9.]+%; n 40", page)
    early = data(visitor, f"/diff.json?to={names[1]}")
    assert (early["old"], early["difference"]["changed"]) == (names[0], 1)
    assert data(visitor, f"/snapshots/{names[1]}/diff.json")["old"] == names[0]
    last = data(visitor, "/diff.json")
    assert (last["old"], last["new"], last["difference"]["models_added"]) == (names[1], names[2], ["hf-b"])
    backwards = data(visitor, f"/diff.json?from={names[2]}&to={names[1]}")["difference"]
    assert backwards["models_removed"] == ["hf-b"] and backwards["removed"] == 1
    for wrong in ("0" * 16, "../../etc/passwd", "x"):
        assert visitor.get("/diff", query_string={"from": wrong}).status_code == 404
