"""Neighbours of a language: by the distance of their points, within the family where it has one."""

from __future__ import annotations

from dataclasses import replace

import pytest

import languages
from leaderboard.nearby import RADIUS, kilometres, nearby


def test_distances_are_those_of_great_circles() -> None:
    one = replace(languages.get("cat_Latn"), latitude=0.0, longitude=0.0)
    for latitude, longitude, share in ((0.0, 90.0, 0.25), (90.0, 0.0, 0.25), (0.0, 180.0, 0.5), (0.0, -180.0, 0.5)):
        other = replace(one, latitude=latitude, longitude=longitude)
        far = kilometres(one, other)
        assert far == pytest.approx(share * 2 * 3.141592653589793 * RADIUS)
        assert far == kilometres(other, one)
    # Over the date line it is near, whatever the numbers say.
    near = kilometres(replace(one, longitude=179.5), replace(one, longitude=-179.5))
    assert near == pytest.approx(RADIUS * 3.141592653589793 / 180)
    assert kilometres(one, replace(one, latitude=None)) is None
    assert kilometres(one, one) == 0


@pytest.mark.parametrize("found", languages.all_languages(), ids=lambda one: one.code)
def test_nobody_is_left_out_and_the_nearest_come_first(found: languages.Language) -> None:
    kind, near = nearby(found)
    codes = [one.language.code for one in near]
    assert len(set(codes)) == len(codes) and found.code not in codes
    same = [one for one in near if one.language.iso639_3 == found.iso639_3]
    others = list(near[len(same) :])
    assert list(near[: len(same)]) == same
    far = [one.kilometres for one in others if one.kilometres is not None]
    assert far == sorted(far)
    assert [one.kilometres for one in others[len(far) :]] == [None] * (len(others) - len(far))
    family = {one.code for one in languages.all_languages() if one.family_id == found.family_id} - {found.code}
    if kind == "family":
        assert set(codes) == family and others
    else:
        assert family == {one.language.code for one in same}
        assert len(others) > 400


def test_the_language_in_another_script_comes_first() -> None:
    kind, near = nearby(languages.get("srp_Cyrl"))
    assert kind == "family" and near[0].language.code == "srp_Latn"
