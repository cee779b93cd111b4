"""What pages take from the arrays of a snapshot is what one gets cell by cell, and model by model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import model_page, snapshot
from leaderboard.board import Board
from leaderboard.grid import holders
from leaderboard.standings import Group, standings
from tests.leaderboard.test_standings import only, sheet

VALUES = st.just(math.nan) | st.floats(-0.2, 1.0)
ROWS = st.lists(st.lists(VALUES, min_size=5, max_size=5), min_size=1, max_size=6)


@given(ROWS, ROWS, st.sets(st.integers(0, 5)))
def test_holders_are_the_models_with_a_number_in_any_sheet(
    first: list[list[float]], second: list[list[float]], floors: set[int]
) -> None:
    # The second sheet begins with another model, and lacks the last language.
    other = sheet([row[:4] for row in second])
    sheets = [sheet(first), replace(other, models=tuple(number + 2 for number in other.models))]
    asked = [*sheets[0].languages[1:], "nowhere"]
    expected = {
        name: len(
            {
                number
                for one in sheets
                for number, row in zip(one.models, one.normalised, strict=True)
                if name in one.languages and not np.isnan(row[one.languages.index(name)])
            }
            - floors
        )
        for name in asked
    }
    assert holders(sheets, asked, floors) == expected


@given(ROWS)
def test_a_model_has_the_same_bits_alone_and_among_others(rows: list[list[float]]) -> None:
    together = only(standings([sheet(rows)], ()))
    for number, row in enumerate(rows):
        alone, both = only(standings([sheet([row])], ()))[0], together[number]
        ranked = replace(alone, model=number, first=both.first, last=both.last, peers=both.peers, reason=both.reason)
        assert ranked == both


def test_the_page_of_a_model_has_the_standings_of_the_board(board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        numbers = {one.slug: number for number, one in opened.model_names().items()}
        compared = 0
        for slug, number in numbers.items():
            found = opened.model(slug)
            assert found is not None
            page = model_page.page(opened, found)
            for one in (*page.benchmarks, *page.self_test):
                mean = one.mean
                group = Group(mean.floor, mean.metric, mean.mode, mean.prompt_language, mean.shots)
                own = opened.standings({(mean.task, mean.version)})[group]
                assert one.standing == next(each for each in own if each.model == number)
                compared += 1
        assert compared > len(numbers)
