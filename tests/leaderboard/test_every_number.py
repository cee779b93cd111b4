"""A number that leaves the board as data takes along what it says nothing without."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bench.cards.facts import Facts, to_json
from leaderboard import invalidations, snapshot, walking
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.powered import as_json, believing, describe, measured, premiums, rewrite

NEEDED: Mapping[str, tuple[str, ...]] = {
    "items": ("items", "n", "after_items"),
    "lower end": ("low", "ci_low", "after_low"),
    "upper end": ("high", "ci_high", "after_high"),
    "task": ("task",),
    "version": ("version", "task_version"),
    "metric": ("metric",),
    "mode": ("mode",),
    "prompt language": ("prompt_language",),
    "shots": ("shots",),
    "provenance": ("badge", "run", "after_run", "before_run", "runs", "system_run"),
}
"""What every number needs -> the last part of the names of the columns that may hold it."""

EXPLAINED = ("lower end", "upper end")
"""What a number may lack where its row has a reason."""
REASONS = ("reason", "reasons")

NOT_MEASURED = frozenset({"latitude", "longitude", "best", "chance"})
"""Columns whose numbers no model gave: where a language is spoken, the ends of a scale."""

SEVERAL = "a mean over every task that was chosen, of which each has columns of its own with its version"
TOKENS = "tokens of a text were counted: no model answered anything, and no task was asked"
COUNTED = ("task", "version", "metric", "mode", "prompt language", "shots", "provenance")

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "/": {"task": SEVERAL, "version": SEVERAL},
    "/board": {"task": SEVERAL, "version": SEVERAL},
    "/tokens": dict.fromkeys((*COUNTED, "items", "lower end", "upper end"), TOKENS),
    "/tokens/<slug>": dict.fromkeys((*COUNTED, "items"), TOKENS),
    "/costs": dict.fromkeys((*COUNTED, "items", "lower end", "upper end"), TOKENS),
    "/languages/": dict.fromkeys((*COUNTED, "items", "lower end", "upper end"), TOKENS),
    "/families/<glottocode>": dict.fromkeys((*COUNTED, "items", "lower end", "upper end"), TOKENS),
}
"""What the rows of a page need not say of their numbers, and why."""

QUERIES: Mapping[str, str] = {"/compare": "model=baseline-majority&model=hf-maker-small&model=hf-maker-large"}
"""What has to be asked for, that a page has rows."""

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)(e[-+]?[0-9]+)?")


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A visitor of a board with sizes, energy, a floor and premiums, that was published in three steps."""
    folder = tmp_path_factory.mktemp("everything")
    blocks = [sentences(code) for code in LANGUAGES]
    floor = run_sib200(folder / "floor.run.db", Scripted("baseline:majority", knows(2)), blocks)
    counted = as_json(premiums({"yor_Latn": 2100, "amh_Ethi": 3050}))
    with believing():
        publish([describe(floor, premiums=counted)], folder / "board")
        for number, (name, share) in enumerate((("small", 4), ("large", 8))):
            run = run_sib200(folder / f"{name}.run.db", Scripted(f"hf:maker/{name}", knows(share)), blocks)
            known = Facts(parameters=10**9 * (number + 1), origin={"parameters": "model file"})
            publish([describe(rewrite(run, measured()), facts=to_json(known))], folder / "board")
        yield create_app(folder / "board").test_client()


def table(visitor: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = visitor.get(address)
    assert answer.status_code == 200, address
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def has_number(value: str) -> bool:
    """Whether a value is a number with a point, or a list or mapping, as JSON, that has some."""
    return bool(NUMBER.search(value) if value.startswith(("[", "{")) else NUMBER.fullmatch(value))


def unsaid(row: Mapping[str, str]) -> set[str]:
    """What a row with a measured number does not say of it."""
    last = {name: name.rsplit(".", 1)[-1] for name in row}
    if not any(has_number(value) and last[name] not in NOT_MEASURED for name, value in row.items()):
        return set()
    told = {last[name] for name, value in row.items() if value and value not in ("[]", "{}")}
    explained = told.intersection(REASONS)
    return {
        what for what, names in NEEDED.items() if not told.intersection(names) and not (what in EXPLAINED and explained)
    }


def test_whoever_has_only_a_row_of_data_knows_what_its_numbers_are_of(visitor: FlaskClient) -> None:
    """Every page that there is: task, version, way of asking, n, interval and who vouches, or a written reason."""
    site = walking.site_of(visitor.application)
    stops = walking.stops(site, snapshot.current(site.folder))
    assert {stop.page.rule for stop in stops} == {page.rule for page in site.pages}
    rules = dict.fromkeys(stop.page.rule for stop in stops)
    measured_on: set[str] = set()
    lacking: dict[str, set[str]] = {rule: set() for rule in rules}
    for stop in stops:
        rows = table(visitor, f"{stop.path.rstrip('/') or '/index'}.csv?{QUERIES.get(stop.page.rule, '')}")
        for row in rows:
            lacking[stop.page.rule] |= unsaid(row)
            if any(name.rsplit(".", 1)[-1] in ("normalised", "difference", "after") and row[name] for name in row):
                measured_on.add(stop.page.rule)
    assert {rule: names for rule, names in lacking.items() if names} == {
        rule: set(names) for rule, names in EXCEPTIONS.items()
    }
    assert measured_on >= {"/", "/board", "/compare", "/diff", "/energy", "/models/<slug>", "/models/<slug>/<name>"}


def test_the_rows_of_a_board_with_gaps_say_so_too(board: Path) -> None:
    """Withheld numbers, too few items, floors, and a name that attacks."""
    visitor = create_app(board).test_client()
    site = walking.site_of(visitor.application)
    query = "model=hf-maker-good&model=hf-maker-gaps&model=baseline-majority"
    for stop in walking.stops(site, snapshot.current(site.folder)):
        if stop.arguments.get("code", LANGUAGES[0]) not in LANGUAGES:
            continue
        own = query if stop.page.rule == "/compare" else ""
        for row in table(visitor, f"{stop.path.rstrip('/') or '/index'}.csv?{own}"):
            assert unsaid(row) <= EXCEPTIONS.get(stop.page.rule, {}).keys(), (stop.path, row)


def test_a_model_s_mean_names_every_run_of_its_results(tmp_path: Path) -> None:
    """Of two runs of one model, each in another language, neither alone is where the mean is from."""
    runs = [
        run_sib200(tmp_path / f"{code}.run.db", Scripted("hf:a", knows(5)), [sentences(code)]) for code in LANGUAGES[:2]
    ]
    publish(runs, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    (row,) = table(visitor, "/models/hf-a.csv")
    own = {line["run"] for line in table(visitor, "/models/hf-a/sib200.csv") if line["run"]}
    assert len(own) == 2 and json.loads(row["runs"]) == sorted(own)
    assert row["badge"] == "self_reported"
    page = visitor.get("/models/hf-a").get_data(as_text=True)
    means = page[page.index("<h2>Benchmarks</h2>") :]
    assert 'class="badge self-reported"' in means[: means.index("</table>")]


def test_a_comparison_names_the_run_of_each_side_and_what_chance_scores(visitor: FlaskClient) -> None:
    query = QUERIES["/compare"]
    rows = table(visitor, f"/compare.csv?{query}")
    assert len(rows) == 2 * len(LANGUAGES)
    for row in rows:
        for side in ("baseline", "system"):
            (line,) = (
                line
                for line in table(visitor, f"/models/{row[side]}/sib200.csv")
                if line["language.code"] == row["language"]
            )
            assert row[f"{side}_run"] == line["run"] != ""
            assert row["chance"] == line["cell.chance"] != ""
    found = visitor.get(f"/compare.json?{query}").get_json()
    assert {result["chance"] for task in found["tasks"] for result in task["results"]} == {float(rows[0]["chance"])}
    page = visitor.get(f"/compare?{query}").get_data(as_text=True)
    for row in rows:
        assert f"/runs/{row['baseline_run']}?" in page and f"/runs/{row['system_run']}?" in page
    assert ">Chance</th>" in page and ">14.3" in page


def test_the_floor_stands_beside_what_it_is_a_floor_for(visitor: FlaskClient) -> None:
    """On the start page, and in the data of the plot that draws it as a line."""
    rows = table(visitor, "/index.csv")
    assert [row["model"] for row in rows] == ["hf-maker-large", "hf-maker-small", "baseline-majority"]
    assert [row["baseline"] for row in rows] == ["false", "false", "true"]
    page = visitor.get("/").get_data(as_text=True)
    assert page.index("Highest floor, not ranked") > page.index("/models/hf-maker-small")
    assert page.count("/models/baseline-majority") >= 2
    own = {row["language.code"]: row for row in table(visitor, "/models/baseline-majority/sib200.csv")}
    points = table(visitor, "/plots/size.csv?task=sib200&language=yor_Latn")
    assert [row["floor_model"] for row in points] == ["baseline-majority"] * 2
    for row in points:
        assert float(row["floor"]) == pytest.approx(float(own["yor_Latn"]["cell.normalised"]))


def test_what_was_found_wrong_with_a_task_is_told_in_every_row_of_it(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(5)), [sentences(LANGUAGES[0])])
    publish([run], tmp_path / "board")
    invalidations.add(tmp_path / "board", "sib200", [], "wrong gold")
    visitor = create_app(tmp_path / "board").test_client()
    for address in ("/models/hf-a.csv", "/models/hf-a/sib200.csv"):
        rows = table(visitor, address)
        assert rows and {row["invalid"] for row in rows} == {"wrong gold"}, address


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
