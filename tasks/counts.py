"""How many items each task has in each language, so that listing them reads no data.

`counts.tsv` was counted on the files themselves; `python -m tasks.counts --data DIR` counts anew what lies in DIR, and
with `--check` only says whether the table is what it should be. Where no file was seen, upstream's word is given as
such.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import tasks
from tasks import store
from tasks.records import DataError, Repository, Task, Variety

TABLE = Path(__file__).with_name("counts.tsv")
GENERATED = tuple(Path(__file__).with_name(name) for name in ("coverage.tsv", "rules_coverage.tsv"))
_COLUMNS = ("task", "language", "code", "test", "train")

Basis = Literal["counted", "stated", "unknown"]


@dataclass(frozen=True, slots=True)
class Count:
    """How many items are scored; None where nobody says. `basis`: counted on the files, or stated by upstream."""

    items: int | None
    basis: Basis


def count(task: Task, variety: Variety) -> Count:
    """The items of one task in one language."""
    seen = _counted().get((task.name, variety.language, variety.code))
    if seen is not None:
        return Count(seen, "counted")
    stated = task.items.get(variety.code, task.items.get(""))
    return Count(stated, "unknown" if stated is None else "stated")


@cache
def _counted() -> dict[tuple[str, str, str], int]:
    found = {}
    for path in (*GENERATED, TABLE):
        if path.is_file():
            _, *lines = path.read_text("utf-8").splitlines()
            for line in lines:
                task, language, code, test, _ = line.split("\t")
                found[task, language, code] = int(test)
    return found


def _rows(task: Task) -> Iterator[str]:
    for variety in task.varieties:
        numbers = [sum(1 for _ in task.samples(variety, split)) for split in ("test", "train") if split in task.splits]
        test, train = (*numbers, 0)[:2]
        yield "\t".join((task.name, variety.language, variety.code, str(test), str(train)))


def table() -> str:
    """The table as it should be: everything that lies in the data folder; the rest as it stands. Raises `DataError`."""
    known = TABLE.read_text("utf-8").splitlines()[1:] if TABLE.is_file() else []
    folder = store.mirror()
    lines = ["\t".join(_COLUMNS)]
    for task in tasks.all_tasks().values():
        source = task.source
        if isinstance(source, Repository) and folder and (folder / source.dataset).is_dir():
            lines.extend(_rows(task))
        else:
            lines.extend(line for line in known if line.startswith(f"{task.name}\t"))
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table, or check it."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m tasks.counts", description="Count the items of every task.")
    parser.add_argument("--data", required=True, metavar="DIR", help="local mirror of the datasets")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the table is out of date")
    told = parser.parse_args()
    os.environ[store.ENVIRONMENT] = told.data
    try:
        made = table()
    except DataError as error:
        print(error)
        return 1
    if not told.check:
        TABLE.write_text(made, "utf-8")
    elif TABLE.read_text("utf-8") != made:
        print(f"{TABLE.name} is out of date: run python -m tasks.counts --data {told.data}")
        return 1
    print(f"{TABLE.name}: {len(made.splitlines()) - 1} cells")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
