"""Rows as tables: columns in the order in which they are met, whatever kinds of rows stand together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard import twins


@dataclass(frozen=True)
class Inner:
    """A record within one."""

    number: float | None
    flag: bool
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Outer:
    """A row."""

    name: str
    inner: Inner | None
    names: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Other:
    """A row of another kind, with a column of the same name."""

    count: int
    remark: str


REASONS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["x", "=1"]), max_size=2)
INNER = st.builds(Inner, st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans(), REASONS)
OUTER = st.builds(
    Outer, st.sampled_from(["a", "=b", "é"]), st.none() | INNER, st.tuples(st.text("xy", max_size=2)), st.integers(0, 9)
)
ROWS = st.lists(
    OUTER
    | st.builds(Other, st.integers(0, 9), st.just("@"))
    | st.dictionaries(st.sampled_from(["count", "other", "name"]), st.integers(0, 9) | st.none()),
    max_size=6,
)


def flat(value: Any, name: str, into: dict[str, Any]) -> dict[str, Any]:
    """A row's values by column, taken apart value by value."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            flat(getattr(value, field.name), f"{name}.{field.name}" if name else field.name, into)
    elif isinstance(value, Mapping) and not name:
        into.update(value)
    elif isinstance(value, Mapping | tuple):
        into[name] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    else:
        into[name] = value
    return into


@given(ROWS)
@example([{}, Outer("a", None, ("",), 0), {"count": None}])  # the later row's kind is met first
def test_a_table_is_its_rows_column_by_column(rows: list[Any]) -> None:
    made = [flat(row, "", {}) for row in rows]
    met = dict.fromkeys(column for row in made for column in row)
    wanted = [name for name in met if not any(other.startswith(f"{name}.") for other in met)]
    found = twins.Table(rows).columns()
    assert list(found) == wanted
    assert found == {name: [row.get(name) for row in made] for name in wanted}


@given(st.lists(OUTER, min_size=1, max_size=4))
def test_json_is_the_record_field_by_field(rows: list[Outer]) -> None:
    assert json.loads(twins.to_json(rows[0])) == json.loads(json.dumps(asdict(rows[0])))


def test_what_a_spreadsheet_would_run_is_quoted_and_numbers_are_not() -> None:
    rows = [Outer("=1+1", Inner(-0.5, True, {}), ("-x",), 3), Outer(" @a", None, (), 4)]
    told = list(csv.reader(io.StringIO(twins.to_csv(rows).decode())))
    assert told[0] == ["name", "inner.number", "inner.flag", "inner.reasons", "names", "count"]
    assert told[1:] == [["'=1+1", "-0.5", "true", "{}", '["-x"]', "3"], ["' @a", "", "", "", "[]", "4"]]
    assert twins.to_csv([]) == b"\r\n"
    assert pq.read_table(io.BytesIO(twins.to_parquet(rows))).to_pydict() == twins.Table(rows).columns()


def test_a_column_of_parquet_has_its_type_whatever_the_rows_happen_to_hold() -> None:
    """Or the tables of two languages could not be put together."""
    full = [Outer("a", Inner(0.5, True, {}), ("x",), 3)]
    bare = [Outer("a", Inner(None, False, {}), ("x",), 3)]
    whole = [Outer("a", Inner(1, True, {}), ("x",), 3)]
    schemas = [pq.read_schema(io.BytesIO(twins.to_parquet(rows))) for rows in (full, bare, whole)]
    assert str(schemas[0].field("inner.number").type) == "double"
    assert schemas[0].equals(schemas[1]) and schemas[0].equals(schemas[2])


def test_a_record_with_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        twins.to_json(Inner(float("nan"), True, {}))
