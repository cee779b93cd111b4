"""What the board can be narrowed down by."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

import languages
import tasks
from leaderboard import asking, facets, prefixes, snapshot
from leaderboard.app import create_app
from leaderboard.board import Board
from leaderboard.prefixes import Prefix
from leaderboard.problems import Wrong


@pytest.fixture
def app(board: Path) -> Flask:
    return create_app(board)


def narrowed(app: Flask, board: Path, *pairs: tuple[str, str]) -> facets.Narrowed:
    with (
        app.test_request_context("/board", environ_overrides={prefixes.KEY: Prefix("", "en", "")}),
        Board.open(board, snapshot.current(board)) as opened,
    ):
        return facets.narrow(opened, asking.asked(MultiDict(pairs), facets.NAMES, b""))


def test_nothing_asked_narrows_nothing(app: Flask, board: Path) -> None:
    found = narrowed(app, board)
    assert (found.tasks, found.languages, found.chips) == (None, None, ())
    counts = {facet.name: {one.value: one.count for one in facet.choices} for facet in found.facets}
    assert counts["task"] == {"sib200": 1, "cldr-calendar": 1, "cldr-names-write": 1}
    assert counts["suite"]["embedded"] == 2


def test_languages_fit_all_facets_and_any_value_of_one(app: Flask, board: Path) -> None:
    found = narrowed(app, board, ("task", "sib200"), ("area", "Africa"), ("script", "Latn"), ("script", "Ethi"))
    assert found.tasks == frozenset({("sib200", "1")})
    assert found.languages is not None and {"yor_Latn", "amh_Ethi"} <= found.languages
    for code in found.languages:
        one = languages.get(code)
        assert one.macroarea == "Africa" and one.script in ("Latn", "Ethi")
    scripts = next(facet for facet in found.facets if facet.name == "script")
    assert sum(one.count for one in scripts.choices if one.chosen) == len(found.languages)
    assert {chip.value for chip in found.chips} == {"sib200", "Africa", "Latn", "Ethi"}


def test_a_language_may_be_called_by_any_name(app: Flask, board: Path) -> None:
    for words in ("yo", "Yoruba", "yor_Latn", "ede yoruba"):
        assert narrowed(app, board, ("language", words)).languages == frozenset({"yor_Latn"})
    both = narrowed(app, board, ("language", "yo"), ("language", "am"))
    assert both.languages == frozenset({"yor_Latn", "amh_Ethi"})
    with pytest.raises(Wrong, match="No language"):
        narrowed(app, board, ("language", "zzz"))
    with pytest.raises(Wrong, match="ambiguous") as caught:
        narrowed(app, board, ("language", "zh"))
    assert caught.value.near


def test_a_suite_of_a_region_asks_its_languages_alone(app: Flask, board: Path) -> None:
    found = narrowed(app, board, ("suite", "africa"))
    assert found.languages is not None and "yor_Latn" in found.languages and "pes_Arab" not in found.languages


@pytest.mark.parametrize(
    ("parameters", "bucket"),
    [(None, "unknown"), (0, "under-1b"), (10**9, "1b-to-4b"), (8 * 10**9, "4b-to-10b"), (10**12, "over-100b")],
)
def test_sizes_have_buckets(parameters: int | None, bucket: str) -> None:
    assert facets.size_of(parameters) == bucket


def test_models_are_told_by_what_is_known_of_them(board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        known = facets.traits(opened)
    by_slug = {one.model.slug: one for one in known.values()}
    assert by_slug["baseline-random"].size == "none"
    assert {one.badge for one in known.values()} == {"self_reported"}
    assert by_slug["hf-maker-good"].energy == "not_measured"


def chosen(app: Flask, board: Path, *pairs: tuple[str, str]) -> facets.Shown:
    with (
        app.test_request_context("/board", environ_overrides={prefixes.KEY: Prefix("", "en", "")}),
        Board.open(board, snapshot.current(board)) as opened,
    ):
        every = opened.model_names()
        return facets.choose_models(opened, asking.asked(MultiDict(pairs), facets.NAMES, b""), every)


def test_what_the_program_knows_is_what_it_declares() -> None:
    every = languages.all_languages()
    assert facets.known("script") == {one.script for one in every} | {"unknown"}
    assert facets.known("family") >= {one.family_id for one in every if one.family_id}
    assert facets.known("task") == set(tasks.all_tasks())
    assert facets.known("suite") >= set(tasks.suites())
    assert {"legal", "medical", "none"} <= facets.known("vertical")
    assert set(facets.NAMES) - {"language"} == {*facets.TASK, *facets.LANGUAGE, *facets.MODEL}


@pytest.mark.parametrize("facet", [*facets.TASK, *facets.LANGUAGE])
def test_every_value_that_the_program_knows_may_be_asked_for(app: Flask, board: Path, facet: str) -> None:
    """Where nothing on the board has it, nothing is left, and it stands among the choices all the same."""
    values = sorted(facets.known(facet))
    plain = {one.value for one in next(each for each in narrowed(app, board).facets if each.name == facet).choices}
    absent = [value for value in values if value not in plain and value != facets.EVERYTHING]
    assert absent or facet in ("area", "class")  # SIB-200 has languages of all of them
    for value in (*absent[:1], *absent[1:][-1:]):
        found = narrowed(app, board, (facet, value))
        assert (found.tasks if facet in facets.TASK else found.languages) == frozenset()
        own = next(each for each in found.facets if each.name == facet)
        assert [(one.value, one.count) for one in own.choices if one.chosen] == [(value, 0)]
        assert [(chip.name, chip.value) for chip in found.chips] == [(facet, value)]
    for start in range(0, len(values), asking.MOST_VALUES):
        part = values[start : start + asking.MOST_VALUES]
        assert len(narrowed(app, board, *((facet, value) for value in part)).chips) == len(part)
    with pytest.raises(Wrong):
        narrowed(app, board, (facet, "nobody-knows-this"))


@pytest.mark.parametrize("facet", facets.MODEL)
def test_every_property_of_models_may_be_asked_for(app: Flask, board: Path, facet: str) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        floors = {number for number, one in facets.traits(opened).items() if one.model.baseline}
    for value in sorted(facets.known(facet)):
        found = chosen(app, board, (facet, value))
        own = next(each for each in found.facets if each.name == facet)
        (choice,) = (one for one in own.choices if one.chosen)
        assert choice.value == value and choice.count == len(found.models - floors)
        assert floors <= found.models and len(found.chips) == 1
    for wrong in ("nobody-knows-this", "none"):  # the size of a baseline, which no filter hides
        with pytest.raises(Wrong):
            chosen(app, board, (facet, wrong))


def test_the_suite_of_everything_leaves_nothing_out(app: Flask, board: Path) -> None:
    found = narrowed(app, board, ("suite", "full"))
    assert found.tasks is not None and {name for name, _version in found.tasks} == {
        "sib200",
        "cldr-calendar",
        "cldr-names-write",
    }
    assert found.languages is None
    offered = {one.value: one.count for each in found.facets if each.name == "suite" for one in each.choices}
    assert offered["full"] == 3
    both = narrowed(app, board, ("suite", "full"), ("suite", "africa"))
    assert both.tasks == found.tasks and both.languages is not None and "pes_Arab" in both.languages
    plain = narrowed(app, board)
    assert "full" not in {one.value for each in plain.facets if each.name == "suite" for one in each.choices}
