"""Energy on the board: only what was measured is ranked, what is missing says why, and nothing missing turns into 0."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from bench.energy import reasons
from bench.records import Cell, UsageError
from leaderboard import efficiency, energy_wording
from leaderboard.app import create_app
from leaderboard.efficiency import EQUIVALENT, PER_CORRECT, Estimate, estimate, ranges_of, surely_more
from leaderboard.energy_checks import FIGURES
from leaderboard.snapshot import current, publish, snapshot_path
from tests.leaderboard.conftest import Scripted, fails, knows, run_sib200, sentences
from tests.leaderboard.markup import check, tables, words
from tests.leaderboard.powered import SETUP, Change, as_english, believing, measured, rewrite, without
from tests.leaderboard.test_aggregate import cell as bare

ZERO = re.compile(r"(?<![\d.,])0(\.0+)?\s*(J|joule)|(?<![\d.,])0\.0+(?!\d)")
"""Zero joules, or any figure that is nothing but zeros."""


@pytest.fixture(autouse=True)
def _believed() -> Iterator[None]:
    with believing():
        yield


def visit(path: Path, *runs: Path) -> FlaskClient:
    publish(runs, path / "board")
    return create_app(path / "board").test_client()


def run(path: Path, change: Change, model: str = "hf:a", share: int = 8) -> Path:
    made = run_sib200(
        path / f"{model.replace(':', '-')}.run.db", Scripted(model, knows(share)), [sentences("eng_Latn")]
    )
    return rewrite(made, change)


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    text = answer.get_data(as_text=True)
    check(text)
    return text


def energy_part(text: str) -> str:
    """What the energy section of a page says, in fields of tables and beside them."""
    start = text.find('<h2 id="energy">')
    said = text[max(start, 0) :]
    return " ".join(re.sub(r"<[^>]+>", " ", said[: said.find("</main>")]).split())


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run without energy, to be written over."""
    return run_sib200(tmp_path_factory.mktemp("one") / "a.run.db", Scripted("hf:a", knows(8)), [sentences("eng_Latn")])


PLACES = ("/energy", "/languages/eng_Latn", "/models/hf-a")


@pytest.mark.parametrize("code", [*reasons.FATAL, *reasons.MISSING])
def test_a_reading_that_failed_shows_its_reason_on_every_page_and_is_never_zero(
    code: str, one: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    client = visit(tmp_path, rewrite(copy, without(code)))
    for place in PLACES:
        said = energy_part(page(client, place))
        assert as_english(reasons.meaning(code)).replace("'", "&#39;") in said, place
        assert not ZERO.search(said), (place, ZERO.search(said))
    told = client.get("/languages/eng_Latn.json").get_json()
    (line,) = [line for table in told["benchmarks"] for line in table["models"]]
    assert [line["cell"][name] for name in FIGURES] == [None] * len(FIGURES)


@pytest.mark.parametrize("code", [f"{code}: in detail" for code in reasons.MISSING])
@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "joules_per_token_ratio"])
def test_each_missing_figure_shows_its_own_reason(code: str, figure: str) -> None:
    found = without(code, figure)(bare("x", 0.8))
    assert getattr(found, figure) is None
    said = energy_wording.why(efficiency.missing(found, figure))
    assert said == reasons.meaning(code)
    assert said.endswith("(in detail)")


@pytest.mark.parametrize("figure", FIGURES)
def test_a_missing_figure_stands_as_words_in_its_field(figure: str, one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    client = visit(tmp_path, rewrite(copy, without("no_output_tokens", figure)))
    for place in PLACES:
        said = energy_part(page(client, place))
        # The factor of a ratio stands beneath the ratio.
        assert reasons.meaning("no_output_tokens") in said, place
        assert not ZERO.search(said), place


@pytest.mark.parametrize("code", reasons.UNRANKED)
def test_a_doubtful_figure_is_shown_with_the_doubt_and_not_ranked(code: str, one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    provenance = "attributed" if code == "attributed" else "measured"
    client = visit(tmp_path, rewrite(copy, measured(20.0, energy_provenance=provenance, reasons={"energy_rank": code})))
    for place in PLACES:
        said = energy_part(page(client, place))
        assert "25.0" in said and as_english(f"not ranked: {reasons.meaning(code)}") in said, place
    (table,) = client.get("/energy.json").get_json()["energy"]["tables"]
    (row,) = table["rows"]
    assert (row["per_correct"]["first"], row["equivalent"]["first"]) == (None, None)
    assert row["per_correct"]["reason"] == row["equivalent"]["reason"] == code


def test_the_doubt_is_told_where_nothing_that_is_ranked_has_a_value(one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    names = (PER_CORRECT, f"{PER_CORRECT}_low", f"{PER_CORRECT}_high", EQUIVALENT, "language_energy_ratio")
    lost: dict[str, Any] = dict.fromkeys(names)
    said = {**dict.fromkeys(lost, "none_correct"), EQUIVALENT: "no_premium", "energy_rank": "runaway"}
    client = visit(tmp_path, rewrite(copy, measured(20.0, **lost, reasons=said)))
    for place in PLACES:
        text = page(client, place)
        (row,) = [row for rows in tables(text) for row in rows if "measured apart" in row]
        assert as_english(f"not ranked: {reasons.UNRANKED['runaway']}") in row
        # Short in the field, in full beneath.
        assert reasons.MISSING["none_correct"] not in row and reasons.MISSING["none_correct"] in energy_part(text)
        assert {f"#energy-1-note-{number}" for number in (1, 2)} <= {a.get("href") for _, a in check(text)}


def test_devices_are_told_in_words() -> None:
    card = {"name": "NVIDIA H100 80GB HBM3", "uuid_hash": "e7", "driver": "580.65.06", "power_limit": 700.0}
    assert energy_wording.machine([card]) == "NVIDIA H100 80GB HBM3, 700 W, driver 580.65.06"
    bare = {"name": "package-0", "uuid_hash": "", "driver": "", "power_limit": None}
    assert energy_wording.machine([card, bare]).endswith("580.65.06; package-0")
    assert (energy_wording.machine(2), energy_wording.machine([]), energy_wording.machine("Linux")) == (
        "2",
        "[]",
        "Linux",
    )


def test_every_code_has_words_and_the_method_page_has_them_all(client: FlaskClient) -> None:
    said = words(page(client, "/method"))
    for code, meaning in reasons.MEANINGS.items():
        assert energy_wording.why(code) == meaning
        assert code in said and as_english(meaning) in said


def test_models_are_apart_only_where_the_interval_of_their_difference_says_so(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, measured(20.0, 1.02), "hf:thrifty"),
        run(tmp_path, measured(20.3, 1.02), "hf:like-it"),
        run(tmp_path, measured(40.0, 1.02), "hf:hungry"),
        run(tmp_path, measured(10.0, 1.02, reasons={"energy_rank": "drift"}), "hf:drifting"),
    ]
    client = visit(tmp_path, *runs)
    (table,) = client.get("/energy.json").get_json()["energy"]["tables"]
    ranked = {row["model"]["name"]: row["per_correct"] for row in table["rows"]}
    assert [(each["first"], each["last"], each["peers"]) for each in ranked.values()] == [
        *((1, 2, 3), (1, 2, 3), (3, 3, 3)),
        (None, None, 3),
    ]
    assert list(ranked) == ["hf:thrifty", "hf:like-it", "hf:hungry", "hf:drifting"]
    (shown,) = [rows for rows in tables(page(client, "/energy")) if "Joules for each right answer" in rows[0]]
    assert shown[1] == "English" and "rank 1 to 2 of 3" in shown[2] and "rank 3 of 3" in shown[4]
    assert as_english(f"not ranked: {reasons.UNRANKED['drift']}") in shown[5]
    assert client.get("/languages/eng_Latn.json").get_json()["energy"]["tables"] == [table]


def test_setups_and_scopes_never_share_a_table_or_a_ranking(tmp_path: Path) -> None:
    other = SETUP.replace("700 W", "400 W")
    runs = [
        run(tmp_path, measured(20.0), "hf:a"),
        run(tmp_path, measured(30.0, energy_setup=other), "hf:b"),
        run(tmp_path, measured(90.0, energy_scope="node"), "hf:c"),
    ]
    client = visit(tmp_path, *runs)
    found = client.get("/energy.json").get_json()["energy"]["tables"]
    assert sorted((table["setup"], table["scope"], len(table["rows"])) for table in found) == sorted(
        [(SETUP, "gpu_board", 1), (SETUP, "node", 1), (other, "gpu_board", 1)]
    )
    assert {row["per_correct"]["peers"] for table in found for row in table["rows"]} == {1}
    said = words(page(client, "/energy"))
    assert "the whole machine, by its own meter" in said and "the GPU board alone" in said
    assert "the only one ranked" in said


def test_a_doubtful_score_keeps_right_answers_from_being_ranked_and_nothing_else(tmp_path: Path) -> None:
    made = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(8)), [sentences("eng_Latn")], locked=False)
    client = visit(tmp_path, rewrite(made, measured()))
    (table,) = client.get("/energy.json").get_json()["energy"]["tables"]
    (row,) = table["rows"]
    assert (row["per_correct"]["reason"], row["equivalent"]["reason"]) == ("unlocked_data", "")
    assert (row["equivalent"]["first"], row["equivalent"]["last"]) == (1, 1)


def test_a_withheld_score_takes_its_joules_for_a_right_answer_with_it(tmp_path: Path) -> None:
    answers = fails("eng_Latn", 5, knows(8))
    made = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", answers), [sentences("eng_Latn")])
    client = visit(tmp_path, rewrite(made, measured()))
    (table,) = client.get("/energy.json").get_json()["energy"]["tables"]
    cell = table["rows"][0]["cell"]
    assert cell["joules_per_request"] == 20.0
    assert (cell["joules_per_correct"], cell["joules_per_correct_low"], cell["quality_per_kilojoule"]) == (None,) * 3
    assert "withheld" in energy_part(page(client, "/models/hf-a"))


def test_floors_and_self_tests_are_not_ranked() -> None:
    found = measured()(bare("x", 0.8))
    assert efficiency.why_not(found, PER_CORRECT, baseline=True) == "baseline"
    assert efficiency.why_not(replace(found, floor=True), PER_CORRECT, baseline=False) == "self_test"
    assert efficiency.why_not(found, PER_CORRECT, baseline=False) == ""


def test_a_language_can_be_looked_for(tmp_path: Path) -> None:
    blocks = [sentences("eng_Latn"), sentences("yor_Latn")]
    made = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(8)), blocks)
    client = visit(tmp_path, rewrite(made, measured()))
    for asked, found in (("yorùbá", ["yor_Latn"]), ("YOR", ["yor_Latn"]), ("", ["eng_Latn", "yor_Latn"]), ("x<b>", [])):
        told = client.get("/energy.json", query_string={"language": asked}).get_json()
        rows = [row["language"]["code"] for table in told["energy"]["tables"] for row in table["rows"]]
        assert rows == found, asked
    answer = client.get("/energy", query_string={"language": "x<b>\u202e"})
    assert "<b>" not in answer.get_data(as_text=True) and "\u202e" not in answer.get_data(as_text=True)
    every = client.get("/energy").headers["ETag"]
    assert client.get("/energy?language=yor", headers={"If-None-Match": every}).status_code == 200
    assert "/energy.json?language=yor" in client.get("/energy?language=yor").get_data(as_text=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (measured(joules_per_request=0.0), "joules_per_request is 0.0, and what is missing is null"),
        (measured(output_tokens_per_joule=-1.0), "output_tokens_per_joule is -1.0"),
        (measured(joules_per_correct=float("inf")), "joules_per_correct of .* is inf"),
        (measured(premium=0.0), "premium is 0.0"),
        (
            measured(energy_provenance="guessed"),
            "energy_provenance is 'guessed', and may be measured, attr",
        ),
        (measured(energy_scope="rack"), "energy_scope is 'rack', and may be gpu_board"),
        (measured(energy_scope=None), "energy_scope is None, and may be gpu_board"),
        (measured(energy_setup=" "), "energy without its setup"),
        (measured(energy_windows=0), "energy without a window"),
        (measured(joules_per_1000_words=None), "no reason for the missing joules_per_1000_words"),
        (measured(joules_per_request_low=None), "which its interval from None"),
        (measured(joules_per_request_low=30.0), "which its interval from 30.0"),
        (measured(joules_per_request_low=None, joules_per_request_high=None), "no reason for the missing interval"),
        (measured(energy_provenance="none"), "a scope, setup or windows of energy that was not measured"),
        (lambda cell: replace(cell, joules_per_correct_high=1.0), "joules_per_correct_high of energy that was not"),
        (lambda cell: replace(cell, output_tokens_per_joule=0.0), "output_tokens_per_joule of energy that was not"),
        (lambda cell: replace(cell, reasons={}), "no reason for the missing energy"),
    ],
)
def test_energy_that_cannot_be_is_refused_in_one_line(change: Change, message: str, one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    with pytest.raises(UsageError, match=message) as refused:
        publish([rewrite(copy, change)], tmp_path / "board")
    assert "\n" not in str(refused.value) and not (tmp_path / "board").exists()


def test_energy_is_part_of_the_snapshot_and_survives_a_merge(tmp_path: Path) -> None:
    first, second = run(tmp_path, measured(), "hf:a"), run(tmp_path, measured(25.0), "hf:b")
    at_once = publish([first, second], tmp_path / "one").snapshot
    publish([second], tmp_path / "two")
    assert publish([first], tmp_path / "two").snapshot == at_once
    assert publish([run(tmp_path, measured(21.0), "hf:a")], tmp_path / "two").snapshot != at_once
    assert snapshot_path(tmp_path / "two", current(tmp_path / "two")).exists()


positive = st.floats(1e-6, 1e6)
around = st.floats(1.0001, 3.0)
estimates = st.builds(lambda value, low, high: Estimate(value, value / low, value * high), positive, around, around)


@given(estimates, estimates)
def test_nothing_is_surely_more_than_what_is_surely_more_than_it(one: Estimate, other: Estimate) -> None:
    assert not (surely_more(one, other) and surely_more(other, one))
    assert not surely_more(one, one)
    if one.low > other.high:
        assert surely_more(one, other)
    if one.value <= other.value:
        assert not surely_more(one, other)


@given(st.lists(estimates, min_size=1, max_size=8), st.booleans())
def test_rank_ranges_hold_the_rank_by_value(found: list[Estimate], lower: bool) -> None:
    ranges = ranges_of(dict(enumerate(found)), lower=lower)
    order = sorted(range(len(found)), key=lambda number: found[number].value, reverse=not lower)
    for rank, number in enumerate(order, 1):
        first, last = ranges[number]
        assert 1 <= first <= last <= len(found)
        ties = sum(found[other].value == found[number].value for other in order)
        assert first <= rank + ties and rank - ties <= last


def test_the_interval_of_a_log_difference_by_hand() -> None:
    one, other = Estimate(2.0, 2.0 / 1.2, 2.4), Estimate(1.5, 1.25, 1.8)
    limit = math.log(2.0 / 1.5) - math.hypot(math.log(1.2), math.log(1.2))
    assert surely_more(one, other) == (limit > 0)
    assert surely_more(one, Estimate(1.5, 1.4, 1.6))


def test_english_equivalent_tokens_have_the_interval_of_the_joules_turned_over() -> None:
    found = estimate(measured(20.0, 1.1)(bare("x", 0.8)), EQUIVALENT)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((6.25, 6.25 / 1.1, 6.25 * 1.1))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (1234.5, "1,234"), (12.345, "12.3"), (0.00012345, "0.000123"), (9.999, "10.00"), (1e-13, "1e-13")],
)
def test_a_figure_has_three_digits_and_is_never_zero(value: float | None, shown: str) -> None:
    assert energy_wording.figure(value) == shown


@given(st.floats(min_value=5e-324, max_value=1e300))
def test_what_is_there_is_never_shown_as_zero(value: float) -> None:
    assert re.search("[1-9]", energy_wording.figure(value))


def test_old_runs_without_a_word_on_energy_say_that_it_was_not_measured(client: FlaskClient) -> None:
    said = energy_part(page(client, "/energy"))
    assert "No energy has been published yet." in said and reasons.MISSING["not_measured"] in said
    assert "baseline:" not in said


def test_hostile_words_of_a_run_are_text(one: Path, tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>\u202e"
    for number, change in enumerate(
        (measured(energy_setup=attack), without(f"mig_enabled: {attack}"), without(attack))
    ):
        copy = tmp_path / f"{number}.run.db"
        copy.write_bytes(one.read_bytes())
        client = visit(tmp_path / str(number), rewrite(copy, change))
        for place in PLACES:
            text = page(client, place)
            assert "<script" not in text and "\u202e" not in text and "&lt;script&gt;" in text


def test_a_cell_with_energy_has_all_its_figures_in_the_json(one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.run.db"
    copy.write_bytes(one.read_bytes())
    client = visit(tmp_path, rewrite(copy, measured()))
    places: list[Any] = [client.get(f"{place}.json").get_json()["energy"] for place in PLACES]
    for found in places:
        (row,) = found["tables"][0]["rows"]
        assert json.dumps(row["cell"]) == json.dumps(places[0]["tables"][0]["rows"][0]["cell"])
        assert Cell(**row["cell"]).joules_per_request == 20.0
    for name, place in itertools.product(("25.0", "6.25", "10.0", "1,000", "2.08", "40.0"), PLACES):
        assert name in energy_part(page(client, place)), (name, place)
