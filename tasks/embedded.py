"""The source that needs no download: questions made from the CLDR data that Babel carries.

Which languages each task has, and how many items, stands in `coverage.tsv`, so that listing them reads no locale.
`python -m tasks.embedded` writes that table anew, and with `--check` only says whether it is what it should be.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import languages
from tasks.records import DataError, Row, Split, Variety

if TYPE_CHECKING:
    from tasks.cldr_items import Item

CLDR_VERSION = "47"
"""What the committed coverage and the tasks' versions are made from; Babel is pinned to the minor version with it."""

COVERAGE = Path(__file__).with_name("coverage.tsv")
TEST_ITEMS, TRAIN_ITEMS = 20, 10
_COLUMNS = ("task", "language", "locale", "test", "train")


@dataclass(frozen=True, slots=True)
class Embedded:
    """The items of one kind (see `cldr_items`), in every language whose registry entry names a CLDR locale.

    `question` is the text of the prompt: an item whose answer stands in it is not asked. The first 20 items are the
    test split and the next 10 the train split, so that a language with few items loses examples before questions.
    """

    kind: str
    question: str
    dataset: str = "cldr"
    splits: tuple[Split, ...] = field(default=("train", "test"))

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The items of one split. Raises `DataError` for a language without CLDR data or another version of CLDR."""
        from tasks import cldr

        if cldr.version() != CLDR_VERSION:
            raise DataError(f"Babel carries CLDR {cldr.version()}, the embedded suite is CLDR {CLDR_VERSION}'s")
        start, stop = (0, TEST_ITEMS) if split == "test" else (TEST_ITEMS, TEST_ITEMS + TRAIN_ITEMS)
        language = languages.get(variety.language)
        for item in islice(self._items(language), start, stop):
            yield Row(
                {
                    "item": item.id,
                    "input": item.input,
                    "fields": item.fields,
                    "answer": item.answer,
                    "options": item.options,
                    "cluster": item.cluster,
                },
                where=f"CLDR {CLDR_VERSION}, locale {language.cldr}, {item.id}",
            )

    def is_locked(self, name: str) -> bool:
        """The version of CLDR is part of the task's version."""
        return True

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """The versions of CLDR and of Babel, which together fix every row."""
        return made_from()

    def _items(self, language: languages.Language) -> Iterator[Item]:
        """The items whose answer the question does not give away."""
        from tasks import cldr, cldr_items

        if language.cldr is None:
            raise DataError(f"{language.code} has no CLDR locale; the embedded suite does not cover it")
        known = {"language": language.name, "script": language.script_name}
        for item in cldr_items.make(self.kind, language.cldr):
            asked = self.question.format_map({**item.fields, **known})
            if item.labels or cldr.fold(item.answer) not in cldr.fold(asked):
                yield item


def made_from() -> Mapping[str, str]:
    """The versions of CLDR and of Babel that are installed."""
    import babel

    from tasks import cldr

    return {"CLDR": cldr.version(), "Babel": babel.__version__}


def varieties(task: str) -> tuple[Variety, ...]:
    """The languages that the committed table gives a task, with the locale as the dataset's own code."""
    return tuple(Variety(language, code=locale) for named, language, locale, _, _ in _committed() if named == task)


@functools.cache
def _committed() -> tuple[tuple[str, ...], ...]:
    """The rows of the committed table."""
    _, *lines = COVERAGE.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines)


def coverage() -> str:
    """The table as it should be: the items of every task in every language that has any."""
    from tasks.locale import TASKS

    lines = ["\t".join(_COLUMNS)]
    for task in TASKS:
        for language in languages.all_languages():
            if language.cldr:
                variety = Variety(language.code, code=language.cldr)
                test, train = (sum(1 for _ in task.source.rows(variety, split)) for split in ("test", "train"))
                if test:
                    lines.append(f"{task.name}\t{language.code}\t{language.cldr}\t{test}\t{train}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the coverage table, or check it."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m tasks.embedded", description="Write the embedded suite's table.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the table is out of date")
    check: bool = parser.parse_args().check
    table = coverage()
    if not check:
        COVERAGE.write_text(table, encoding="utf-8")
    elif COVERAGE.read_text(encoding="utf-8") != table:
        print(f"{COVERAGE.name} is out of date: run python -m tasks.embedded")
        return 1
    print(f"{COVERAGE.name}: {len(table.splitlines()) - 1} cells")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
