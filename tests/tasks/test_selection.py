"""Which rows are taken, and what a second file adds to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.records import DataError, Row
from tasks.selection import Join, Selection
from tests.tasks.declaring import HAUSA, YORUBA


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(one, f"row {number}") for number, one in enumerate(values, 1)]


def taken(selection: Selection, *values: dict[str, Any]) -> list[int]:
    return [int(row.where.split()[1]) for row in selection.of(rows(*values), YORUBA)]


def test_all_rows_unless_told() -> None:
    assert taken(Selection(), {"a": 1}, {}, {"a": None}) == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "values", "found"),
    [
        (("law",), ["law", "Law", "law ", "laws", None, ["law"]], [1]),
        (("true",), [True, "true", 1, False, "True"], [1, 2]),
        (("1",), [1, "1", 1.0, True, "01"], [1, 2]),
        (("1.0",), [1.0, 1, "1.0"], [1, 3]),
        (("",), ["", None, "None", 0, False], [1, 2]),
        (("a", "b"), ["b", "c", "a"], [1, 3]),
        (("yo",), ["{code}", "yo"], [2]),
        (("{code}",), ["{code}", "yo", "ha"], [2]),
        ((), ["a"], []),
    ],
)
def test_where(wanted: tuple[str, ...], values: list[Any], found: list[int]) -> None:
    told = [{"x": value} for value in values]
    assert taken(Selection(where={"x": wanted}), *told) == found
    others = [number for number in range(1, len(told) + 1) if number not in found]
    assert taken(Selection(where_not={"x": wanted}), *told) == others


def test_a_column_inside_another() -> None:
    told: list[dict[str, Any]] = [
        {"m": {"k": [1, {"deep": "x"}]}},
        {"m": json.dumps({"k": [1, {"deep": "x"}]})},
        {"m": {"k": [1, {"deep": 2}]}},
    ]
    assert taken(Selection(where={"m.k.1.deep": ("x",)}), *told) == [1, 2]


def test_all_of_where_and_none_of_where_not() -> None:
    both = Selection(where={"a": ("1",), "b": ("1",)}, where_not={"c": ("1",), "d": ("1",)})
    every = [{"a": a, "b": b, "c": c, "d": d} for a in "10" for b in "10" for c in "10" for d in "10"]
    assert [every[number - 1] for number in taken(both, *every)] == [{"a": "1", "b": "1", "c": "0", "d": "0"}]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="row 1: no column 'absent'; there are a"):
        taken(Selection(where={"absent": ("x",)}), {"a": 1})


def test_the_first_of_each_kind() -> None:
    told = [{"k": kind} for kind in ("a", "a", "b", "a", None, "b", "b", None)]
    assert taken(Selection(first_by="{k}", first=1), *told) == [1, 3, 5]
    assert taken(Selection(first_by="{k}", first=2), *told) == [1, 2, 3, 5, 6, 8]
    assert taken(Selection(where_not={"k": ("a",)}, first_by="{k}", first=1), *told) == [3, 5]
    assert taken(Selection(first_by="all of them", first=3), *told) == [1, 2, 3]


def test_a_second_file_adds_columns_where_it_has_the_row() -> None:
    join = Join("other", "id", {"gold": "label", "deep": "of.0"})
    mine = rows({"id": 1, "a": "x"}, {"id": "2", "a": "y"}, {"id": 3, "a": "z"})
    others = rows(
        {"id": "3", "label": "C", "of": [3]}, {"id": "1", "label": "A", "of": ["1"]}, {"id": 9, "label": "Z", "of": [0]}
    )
    assert [(row.values, row.where) for row in join.onto(mine, others, HAUSA)] == [
        ({"id": 1, "a": "x", "gold": "A", "deep": "1"}, "row 1"),
        ({"id": 3, "a": "z", "gold": "C", "deep": 3}, "row 3"),
    ]


@pytest.mark.parametrize(
    ("mine", "other", "said"),
    [
        ({"a": 1}, {"id": 1, "label": "A"}, "no column 'id'; there are a"),
        ({"id": 1}, {"a": 1, "label": "A"}, "no column 'id'; there are a, label"),
        ({"id": 1}, {"id": 1}, "no column 'label'; there are id"),
    ],
)
def test_a_join_without_its_columns(mine: dict[str, Any], other: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(Join("other", "id", {"gold": "label"}).onto(rows(mine), rows(other), YORUBA))


def test_a_second_file_that_has_a_row_twice() -> None:
    twice = rows({"id": 1, "label": "A"}, {"id": 1, "label": "B"})
    with pytest.raises(DataError, match="row 2: id '1' was row 1 already"):
        list(Join("other", "id", {"gold": "label"}).onto(rows({"id": 1}), twice, YORUBA))
