"""The data beside a page: its record as JSON, its rows as CSV and Parquet.

Rows are records with records inside: a column is named by the way to its value, `cell.ci_low`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

FORMATS = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
"""Suffix of the address -> type of the content."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""A spreadsheet takes text that begins so for a formula, and runs it (OWASP, CSV injection)."""

_NUMBERS = frozenset({int, float, type(None)})
_PLAIN = _NUMBERS | {str, bool}


@dataclass(slots=True)
class Column:
    """The values of a column, None in rows that lack it, and the first row that has it with its place in that row."""

    values: list[Any]
    first: tuple[int, tuple[int, ...]]


def columns_of(kind: Any) -> Mapping[str, str]:
    """The columns of a record or typed dictionary, in order, each with the name of its type.

    That is "float", "int", "bool" or "str", or "" where values of several types may stand.
    """
    made: dict[str, str] = {}
    for name, hint in get_type_hints(kind).items():
        union = get_origin(hint) in (Union, UnionType)
        members = [one for one in (get_args(hint) if union else [hint]) if one is not NoneType]
        records = [one for one in members if is_dataclass(one)]
        for one in records:
            made |= {f"{name}.{inner}": told for inner, told in columns_of(one).items()}
        if not records:
            made[name] = _type_of(members)
    return made


def _type_of(members: Iterable[Any]) -> str:
    found = set()
    for one in members:
        origin = get_origin(one)
        if origin is Literal:
            found |= {type(value).__name__ for value in get_args(one)}
        elif origin is not None and issubclass(origin, Collection):
            found.add("str")  # as JSON
        else:
            found.add(getattr(one, "__name__", ""))
    if found == {"int", "float"}:
        return "float"
    return found.pop() if len(found) == 1 else ""


class Table:
    """Rows as columns, which are taken apart a column at a time: a whole table has a million values.

    Where `row` says what a row is, its columns are there whatever the rows hold, before all others. `declared` is what
    records say that a column holds, as `columns_of` does.
    """

    def __init__(self, rows: Iterable[Any], row: type[Any] | None = None) -> None:
        found = list(rows)
        self._height = len(found)
        self._columns: dict[str, Column] = {}
        self.declared: dict[str, str] = {}
        self._spread("", (), found, range(len(found)))
        if row is not None:
            declared = columns_of(row)
            self.declared |= declared
            for number, name in enumerate(declared):
                column = self._columns.setdefault(name, Column([None] * self._height, (0, ())))
                column.first = (-1, (number,))

    def columns(self) -> dict[str, list[Any]]:
        """The columns in the order in which they are met, row by row."""
        # A record that is missing in one row, as None, is spread over columns in another.
        nested = {name.rsplit(".", depth)[0] for name in self._columns for depth in range(1, name.count(".") + 1)}
        ordered = sorted(self._columns.items(), key=lambda pair: pair[1].first)
        return {name: column.values for name, column in ordered if name not in nested}

    def _spread(self, name: str, order: tuple[int, ...], values: Sequence[Any], places: Sequence[int]) -> None:
        """Puts values of some rows under a name; records are spread, lists and mappings become JSON.

        Kinds of rows are taken one after the other, so `order` says where in its row a value stands: the number of
        the field, then of the field within it.
        """
        kinds = dict.fromkeys(map(type, values))
        if kinds.keys() <= _PLAIN:
            self._put(name, order, values, places)
            return
        for kind in kinds:
            own, where = values, places
            if len(kinds) > 1:
                where = [place for place, value in zip(places, values, strict=True) if type(value) is kind]
                own = [value for value in values if type(value) is kind]
            if is_dataclass(kind):
                if not name:
                    self.declared |= columns_of(kind)
                for number, field in enumerate(fields(kind)):
                    inner = f"{name}.{field.name}" if name else field.name
                    self._spread(inner, (*order, number), list(map(attrgetter(field.name), own)), where)
            elif issubclass(kind, Mapping) and not name:
                for place, row in zip(where, own, strict=True):
                    for number, (key, value) in enumerate(row.items()):
                        self._put(key, (number,), [value], [place])
            elif issubclass(kind, Mapping):
                self._put(name, order, [_text(dict(value)) for value in own], where)
            elif issubclass(kind, list | tuple | set | frozenset):
                self._put(name, order, [_text(msgspec.to_builtins(list(value))) for value in own], where)
            else:
                self._put(name, order, own, where)

    def _put(self, name: str, order: tuple[int, ...], values: Sequence[Any], places: Sequence[int]) -> None:
        if not places:
            return
        first = (places[0], order)
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column([None] * self._height, first)
        column.first = min(column.first, first)
        if len(places) == self._height:
            column.values[:] = values
        else:
            for place, value in zip(places, values, strict=True):
                column.values[place] = value


_text = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


def to_json(record: Any) -> bytes:
    """A page's record."""
    told = msgspec.to_builtins(record)  # what `dataclasses.asdict` gives, made in C
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def to_csv(rows: Iterable[Any], row: type[Any] | None = None) -> bytes:
    """RFC 4180, with a quote before text that a spreadsheet would run. `row` is what a row is."""
    columns = Table(rows, row).columns()
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(map(_harmless, columns))
    writer.writerows(zip(*map(_sheltered, columns.values()), strict=True))
    return out.getvalue().encode(errors="replace")


def _sheltered(column: list[Any]) -> Iterable[Any]:
    """A column as spreadsheets may have it; numbers are harmless as they are."""
    return column if set(map(type, column)) <= _NUMBERS else map(_harmless, column)


def _harmless(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def to_parquet(rows: Iterable[Any], row: type[Any] | None = None) -> bytes:
    """The rows as one Parquet file, compressed with zstd. `row` is what a row is."""
    import pyarrow as pa  # only who asks for Parquet pays for it
    import pyarrow.parquet as pq

    found = Table(rows, row)
    # A column `this:value` is the column `value` of one thing among several.
    declared = {name: found.declared.get(name.rpartition(":")[2], "") for name in found.columns()}
    table = pa.table({name: _array(values, declared[name]) for name, values in found.columns().items()})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _array(values: Sequence[Any], declared: str) -> Any:
    """A column, whose type is the declared one also where no row has a value, or all of them happen to be whole."""
    import pyarrow as pa

    known = {type(value) for value in values if value is not None}
    if not known:
        types = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "str": pa.string()}
        return pa.array(values, types.get(declared))
    if known <= {int, float} and (float in known or declared == "float"):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if len(known) > 1:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values)
