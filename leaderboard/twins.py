"""The data beside a page: its record as JSON, its rows as CSV and Parquet.

Rows are records with records inside: a column is named by the way to its value, `cell.ci_low`.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any

FORMATS = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
"""Suffix of the address -> type of the content."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""A spreadsheet takes text that begins so for a formula, and runs it (OWASP, CSV injection)."""

_PLAIN = frozenset({str, int, float, bool})

Flat = dict[str, Any]


def flat(record: Any) -> Flat:
    """A row's values by column. Lists and mappings become JSON; what is None stays so."""
    made: Flat = {}
    _flatten(record, "", made)
    return made


def _flatten(value: Any, name: str, into: Flat) -> None:
    if value is None or type(value) in _PLAIN:
        into[name] = value
    elif columns := _columns(type(value), name):  # type: ignore[arg-type]  # every type can be hashed
        for field, column in columns:
            _flatten(getattr(value, field), column, into)
    elif isinstance(value, Mapping) and not name:
        into.update(value)
    elif isinstance(value, Mapping):
        into[name] = _text(dict(value))
    elif isinstance(value, list | tuple | set | frozenset):
        into[name] = _text([asdict(each) if _is_record(each) else each for each in value])
    else:
        into[name] = value


@functools.cache
def _columns(kind: type[Any], name: str) -> tuple[tuple[str, str], ...]:
    """The fields of a record under a name, each with its column; none of what is no record."""
    if not is_dataclass(kind):
        return ()
    return tuple((each.name, f"{name}.{each.name}" if name else each.name) for each in fields(kind))


def _is_record(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def table(rows: Iterable[Any]) -> tuple[list[str], list[Flat]]:
    """The columns in the order in which they are met, and the rows; a row lacks what is not its kind's."""
    made = [flat(row) for row in rows]
    columns: dict[str, None] = {}
    for row in made:
        columns.update(dict.fromkeys(row))
    # A record that is missing in one row, as None, is spread over columns in another.
    nested = {column.rsplit(".", depth)[0] for column in columns for depth in range(1, column.count(".") + 1)}
    return [column for column in columns if column not in nested], made


def to_json(record: Any) -> bytes:
    """A page's record."""
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def to_csv(rows: Iterable[Any]) -> bytes:
    """RFC 4180, with a quote before text that a spreadsheet would run."""
    columns, made = table(rows)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(map(_harmless, columns))
    writer.writerows([_harmless(row.get(column)) for column in columns] for row in made)
    return out.getvalue().encode(errors="replace")


def _harmless(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def to_parquet(rows: Iterable[Any]) -> bytes:
    """The rows as one Parquet file, compressed with zstd."""
    import pyarrow as pa  # only who asks for Parquet pays for it
    import pyarrow.parquet as pq

    columns, made = table(rows)
    arrays = [_array([row.get(column) for row in made]) for column in columns]
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(columns, arrays, strict=True))), out, compression="zstd")
    return out.getvalue()


def _array(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    known = {type(value) for value in values if value is not None}
    if known <= {int, float} and float in known:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if len(known) > 1:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values)
