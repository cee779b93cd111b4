"""Which rows of a file a task takes: those with certain values, and the first few of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks import template
from tasks.records import DataError, Row, Variety

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Columns of a second file or configuration, matched row by row: `columns` maps new names to its own.

    `by` is the column that both have. `place` is the path of the file, or the configuration on the hub.
    """

    place: str
    by: str
    columns: Mapping[str, str]

    def onto(self, rows: Iterable[Row], others: Iterable[Row], variety: Variety) -> Iterator[Row]:
        """The rows that the other file has too, with its columns. Raises `DataError` where it has one twice."""
        known: dict[str, Row] = {}
        for other in others:
            name = template.text(template.lookup(self.by, other, variety))
            if name in known:
                raise DataError(f"{other.where}: {self.by} {name!r} was {known[name].where} already")
            known[name] = other
        for row in rows:
            found = known.get(template.text(template.lookup(self.by, row, variety)))
            if found is not None:
                taken = {new: template.lookup(name, found, variety) for new, name in self.columns.items()}
                yield Row({**row.values, **taken}, row.where)


@dataclass(frozen=True, slots=True)
class Selection:
    """`where` and `where_not` map columns to values (`{code}` in them is filled in).

    Of rows with the same `first_by` only the first `first` are taken.
    """

    where: Mapping[str, Values] = field(default_factory=dict)
    where_not: Mapping[str, Values] = field(default_factory=dict)
    first_by: str = ""
    first: int = 0

    def of(self, rows: Iterable[Row], variety: Variety) -> Iterator[Row]:
        """The rows that the task takes."""
        seen: Counter[str] = Counter()
        for row in rows:
            if not all(_has(row, variety, name, values) for name, values in self.where.items()):
                continue
            if any(_has(row, variety, name, values) for name, values in self.where_not.items()):
                continue
            if self.first:
                key = template.fill(self.first_by, row, variety)
                seen[key] += 1
                if seen[key] > self.first:
                    continue
            yield row


def _has(row: Row, variety: Variety, name: str, values: Values) -> bool:
    value: Any = template.text(template.lookup(name, row, variety))
    return value in {wanted.replace("{code}", variety.code) for wanted in values}
