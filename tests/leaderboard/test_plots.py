"""The pages with plots: the board's own numbers, energy that was measured in one setup, and a table beneath each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient

from bench.cards.facts import Facts, to_json
from bench.records import Cell
from leaderboard import wording
from leaderboard.app import create_app
from leaderboard.board import ModelName
from leaderboard.plots import QualityPoint, marked
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import HOSTILE, LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, tables, words
from tests.leaderboard.powered import SETUP, Change, believing, describe, measured, rewrite, without


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.get_data(as_text=True))
    page = answer.get_data(as_text=True)
    check(page)
    return page


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), path
    return answer.get_json()


def chart(page: str) -> ET.Element:
    """The one chart of a page."""
    start = page.index('<svg xmlns="http://www.w3.org/2000/svg" class="chart ')
    assert page.count('class="chart ') == 1
    return ET.fromstring(page[start : page.index("</svg>", start) + 6])


def marks(root: ET.Element) -> list[str]:
    """The names of the marks of a chart."""
    return [
        title.text or ""
        for path in root.iter("{http://www.w3.org/2000/svg}path")
        for title in path.iter("{http://www.w3.org/2000/svg}title")
    ]


NO_INTERVAL: dict[str, Any] = {
    **dict.fromkeys(f"joules_per_{each}_{end}" for each in ("request", "correct") for end in ("low", "high")),
    "reasons": {"joules_per_request_low": "too_few_repeats", "joules_per_correct_low": "too_few_repeats"},
}

Maker = Callable[..., FlaskClient]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Maker]:
    """Publishes runs of models: so many of ten answers right, a change of the cells, and facts."""

    def make(*models: tuple[str, int, Change, Facts | None], codes: tuple[str, ...] = ("eng_Latn",)) -> FlaskClient:
        runs = []
        for number, (name, share, change, facts) in enumerate(models):
            blocks = [sentences(code) for code in codes]
            run = rewrite(run_sib200(tmp_path / f"{number}.run.db", Scripted(name, knows(share)), blocks), change)
            runs.append(describe(run, facts=to_json(facts)) if facts is not None else run)
        publish(runs, tmp_path / "board")
        return create_app(tmp_path / "board").test_client()

    with believing():
        yield make


def same(cell: Cell) -> Cell:
    return cell


def sized(parameters: int, level: Any = None) -> Facts:
    return Facts(parameters=parameters, level=level, origin={"parameters": "model file"})


def test_the_list_links_every_plot(client: FlaskClient) -> None:
    page = text(client, "/plots/")
    for address in ("/plots/size", "/plots/energy", "/plots/heatmap", "/map", "/tokens"):
        assert f'href="{address}"' in page
        text(client, address)


def test_size_shows_the_numbers_of_the_board(made: Maker) -> None:
    client = made(
        ("hf:big", 6, same, sized(70_000_000_000, "general")),
        ("hf:small", 8, same, sized(500_000_000, "language")),
        ("hf:middle", 9, same, sized(7_000_000_000, None)),
        (HOSTILE, 5, same, None),
    )
    told = data(client, "/plots/size.json")
    board = data(client, "/board.json?task=sib200")
    known = {row["traits"]["model"]["slug"]: row["standing"] for row in [*board["ranked"], *board["unranked"]]}
    points = {one["model"]["slug"]: one for one in told["points"]}
    assert set(points) == {"hf-big", "hf-small", "hf-middle"}
    for slug, one in points.items():
        standing = known[slug]
        assert (one["normalised"], one["low"], one["high"]) == (
            standing["normalised"],
            standing["low"],
            standing["high"],
        )
        assert (one["items"], one["covered"], one["cells"]) == (
            standing["items"],
            standing["covered"],
            standing["cells"],
        )
    page = text(client, "/plots/size?task=sib200&language=eng_Latn")
    alone = data(client, "/plots/size.json?task=sib200&language=eng_Latn")
    frontier = {one["model"]["slug"]: one["frontier"] for one in alone["points"]}
    assert frontier == {"hf-small": True, "hf-middle": True, "hf-big": False}
    (table,) = tables(page)
    assert len(table) == 4
    for row, one in zip(table[1:], alone["points"], strict=True):
        assert wording.points(one["normalised"]) in row and one["model"]["name"] in row
    assert "on the frontier" in table[1] and "surpassed" in table[3]
    assert sorted(marks(chart(page))) == ["hf:big", "hf:middle", "hf:small"]
    assert "size unknown: nobody says" in words(page)
    assert "<script>alert" not in page


def test_a_mean_over_fewer_languages_is_shown_and_not_compared(made: Maker) -> None:
    client = made(("hf:a", 6, same, sized(7_000_000_000)))
    told = data(client, "/plots/size.json")
    (point,) = told["points"]
    assert (point["compared"], point["frontier"], point["reason"]) == (False, False, "partial")
    assert told["fullest"]["code"] == "eng_Latn"
    page = text(client, "/plots/size")
    assert "it lacks results of this choice" in words(page)
    assert 'href="/plots/size?language=eng_Latn"' in page
    assert data(client, "/plots/size.json?language=eng")["points"][0]["compared"]


def test_an_axis_has_the_numbers_of_the_reader(made: Maker) -> None:
    client = made(("hf:a", 6, same, sized(1_000_000_000)))

    def said(path: str) -> set[str | None]:
        texts = chart(text(client, path)).iter("{http://www.w3.org/2000/svg}text")
        return {one.text for one in texts}

    assert "0.7" in said("/plots/size?language=eng")
    assert "0,7" in said("/fr/plots/size?language=eng")


def test_the_highest_floor_is_a_line(client: FlaskClient) -> None:
    told = data(client, "/plots/size.json?task=sib200&language=yor_Latn")
    floors = data(client, "/board.json?task=sib200&language=yor_Latn")["floors"]
    assert told["floor"] == max(row["standing"]["normalised"] for row in floors)
    assert all(not one["model"]["baseline"] for one in told["points"])


def test_energy_is_only_compared_in_one_setup(made: Maker) -> None:
    other = f"2x {SETUP}"
    client = made(
        ("hf:a", 9, measured(20.0), None),
        ("hf:b", 6, measured(5.0), None),
        ("hf:c", 5, measured(10.0), None),
        ("hf:d", 9, measured(1.0, energy_setup=other), None),
    )
    told = data(client, "/plots/energy.json")
    assert told["language"]["code"] == "eng_Latn" and told["task"]["name"] == "sib200"
    assert {one["setup"]: one["models"] for one in told["setups"]} == {SETUP: 3, other: 1}
    assert told["setup"]["setup"] == SETUP
    assert [one["model"]["slug"] for one in told["points"]] == ["hf-a", "hf-b", "hf-c"]
    assert [one["frontier"] for one in told["points"]] == [True, True, False]
    (alone,) = [one["value"] for one in told["setups"] if one["setup"] == other]
    (point,) = data(client, f"/plots/energy.json?setup={alone}")["points"]
    assert point["model"]["slug"] == "hf-d"
    page = text(client, "/plots/energy")
    assert sorted(marks(chart(page))) == ["hf:a", "hf:b", "hf:c"]
    assert SETUP in words(page) and "hf:d" not in tables(page)[0][-1]
    cell = data(client, "/energy.json")["energy"]["tables"][0]["rows"][0]["cell"]
    known = {one["figure"]: one for one in told["points"]}
    assert cell["english_equivalent_tokens_per_joule"] in known


@pytest.mark.parametrize("provenance", ["attributed"])
def test_what_was_not_measured_has_no_point(made: Maker, provenance: str) -> None:
    client = made(
        ("hf:a", 9, measured(20.0), None),
        ("hf:b", 8, measured(10.0, energy_provenance=provenance), None),
        ("hf:c", 8, without("no_premium", "english_equivalent_tokens_per_joule"), None),
    )
    told = data(client, "/plots/energy.json")
    assert [one["model"]["slug"] for one in told["points"]] == ["hf-a"]
    reasons = {one["model"]["slug"]: one["reason"] for one in told["without"]}
    assert reasons == {"hf-b": provenance, "hf-c": "no_premium"}
    page = words(text(client, "/plots/energy"))
    assert "2 models have a number and no point" in page


def test_a_doubtful_figure_is_shown_and_not_compared(made: Maker) -> None:
    client = made(
        ("hf:a", 9, measured(20.0), None),
        ("hf:b", 8, measured(10.0, **NO_INTERVAL), None),
    )
    points = {one["model"]["slug"]: one for one in data(client, "/plots/energy.json")["points"]}
    assert points["hf-a"]["compared"] and not points["hf-b"]["compared"]
    assert (points["hf-b"]["figure_low"], points["hf-b"]["reason"]) == (None, "too_few_repeats")


def test_a_board_without_energy_says_so(client: FlaskClient) -> None:
    assert "No energy has been published yet" in words(text(client, "/plots/energy"))
    assert "No energy was measured for this choice" in words(text(client, "/plots/energy?language=yor&task=sib200"))


def test_the_heat_map_has_the_numbers_of_the_board(client: FlaskClient) -> None:
    told = data(client, "/plots/heatmap.json?task=sib200")
    assert told["rows"][-1]["model"]["slug"] == "baseline-majority"
    found: dict[tuple[str, str], Any] = {}
    for row in told["rows"]:
        for language, cell in zip(told["languages"], row["cells"], strict=True):
            found[row["model"]["slug"], language["code"]] = cell
    for code in LANGUAGES:
        if code not in {one["code"] for one in told["languages"]}:
            continue
        board = data(client, f"/board.json?task=sib200&language={code}")
        for row in [*board["ranked"], *board["unranked"]]:
            own = found[row["traits"]["model"]["slug"], code]
            assert own["normalised"] == row["standing"]["normalised"]
            assert own["items"] == row["standing"]["items"]
    rows = list(csv.DictReader(io.StringIO(client.get("/plots/heatmap.csv?task=sib200").get_data(as_text=True))))
    assert len(rows) == 3 * 205
    for row in rows:
        own = found.get((row["model.slug"], row["language"]))
        value = row["cell.normalised"]
        assert bool(value) != bool(row["cell.reason"])
        if own is not None:
            assert (float(value) if value else None) == own["normalised"]
            assert row["cell.reason"] == own["reason"]


def test_an_empty_square_says_why(client: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/plots/heatmap.csv?task=sib200").get_data(as_text=True))))
    reasons = {(row["model.slug"], row["language"]): row["cell.reason"] for row in rows}
    assert reasons["hf-maker-gaps", "yor_Latn"] == "too_many_errors"
    assert reasons["hf-maker-gaps", "amh_Ethi"] == "too_few_items"
    assert reasons["hf-maker-good", "zul_Latn"] == "not_run"
    assert reasons["hf-maker-good", "yor_Latn"] == ""


def test_the_heat_map_is_paged_both_ways(client: FlaskClient) -> None:
    first, last = (data(client, f"/plots/heatmap.json?task=sib200&cols={number}") for number in (1, 6))
    assert (len(first["languages"]), first["columns_part"]) == (40, {"number": 1, "pages": 6, "total": 205})
    assert len(last["languages"]) == 5
    page = text(client, "/plots/heatmap?task=sib200&cols=2")
    assert 'href="/plots/heatmap?task=sib200"' in page and 'href="/plots/heatmap?cols=3&amp;task=sib200"' in page
    assert len(tables(page)[0]) == 4
    assert page.count("<") < 6000
    assert chart(page) is not None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/plots/size?task=nothing", 400),
        ("/plots/energy?task=nothing", 400),
        ("/plots/heatmap?task=nothing", 400),
        ("/plots/heatmap?cols=99", 400),
        ("/plots/size?page=2", 400),
        ("/plots/size?language=qqqq", 404),
        ("/plots/energy?language=qqqq", 404),
    ],
)
def test_what_is_not_there_is_said(client: FlaskClient, path: str, code: int) -> None:
    answer = client.get(path)
    assert answer.status_code == code
    check(answer.get_data(as_text=True))


def test_a_figure_is_surpassed_from_the_right_side() -> None:
    def point(slug: str, figure: float, normalised: float, *, compared: bool = True) -> QualityPoint:
        name = ModelName(slug, slug, False)
        none = (None, None)
        return QualityPoint(
            name, "self_reported", "unknown", figure, *none, normalised, *none, 10, 1, 1, compared, False, ""
        )

    points = [point("a", 1, 0.5), point("b", 2, 0.4), point("c", 3, 0.9), point("d", 0.5, 1.0, compared=False)]

    def frontier(bigger: bool) -> list[str]:
        return [one.model.slug for one in marked(points, bigger_figure=bigger) if one.frontier]

    assert frontier(False) == ["c", "a"]
    assert frontier(True) == ["c"]
    assert [one.model.slug for one in marked(points, bigger_figure=True)] == ["d", "c", "a", "b"]
    assert replace(points[0], frontier=True) in marked(points, bigger_figure=False)
    assert json.dumps(asdict(points[0]))
