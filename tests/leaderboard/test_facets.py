"""What the board can be narrowed down by."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

import languages
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
