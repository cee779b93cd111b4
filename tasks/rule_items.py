"""The source of the rule suite: requests made from our own words and from CLDR, with rules that a program can check.

Which languages each task about CLDR has, and how many items, stands in `rules_coverage.tsv`, so that listing them reads
no locale; the other tasks have 300 and 10 items in every language of the registry.
`python -m tasks.rule_items` writes that table anew, and with `--check` only says whether it is what it should be.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import languages
from tasks.embedded import CLDR_VERSION, made_from
from tasks.records import DataError, Row, Split, Variety

if TYPE_CHECKING:
    from tasks.rule_makers import Item

COVERAGE = Path(__file__).with_name("rules_coverage.tsv")
TEST_ITEMS, TRAIN_ITEMS = 300, 10
_COLUMNS = ("task", "language", "locale", "test", "train")


@dataclass(frozen=True, slots=True)
class Rules:
    """The items of one kind (see `rule_makers`). The first 300 are the test split, the next 10 the train split.

    `question` is the text of the prompt: an item whose one right answer stands in it is not asked.
    """

    kind: str
    question: str
    dataset: str = "rules"
    splits: tuple[Split, ...] = field(default=("train", "test"))

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The items of one split. Raises `DataError` for a language without CLDR data or another version of CLDR."""
        start, stop = (0, TEST_ITEMS) if split == "test" else (TEST_ITEMS, TEST_ITEMS + TRAIN_ITEMS)
        for item in islice(self.items(languages.get(variety.language)), start, stop):
            yield Row(
                {"item": item.id, "fields": item.fields, "rules": item.rules},
                where=f"rule items, {self.kind}, {variety.language}, {item.id}",
            )

    def is_locked(self, name: str) -> bool:
        """The items are made by the program and by the pinned CLDR: the task's version stands for both."""
        return True

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """The versions of CLDR and of Babel, which together with the task's version fix every row."""
        return made_from()

    def items(self, language: languages.Language) -> Iterator[Item]:
        """The items of both splits and beyond, without those whose answer the question gives away. See `rows`."""
        from tasks import cldr, rule_makers

        if cldr.version() != CLDR_VERSION:
            raise DataError(f"Babel carries CLDR {cldr.version()}, the rule suite is made from CLDR {CLDR_VERSION}")
        if language.cldr is None and self.kind in rule_makers.FROM_CLDR:
            raise DataError(f"{language.code} has no CLDR locale; the rules about {self.kind} do not cover it")
        known = {"language": language.name, "script": language.script_name}
        for item in rule_makers.make(self.kind, language):
            if item.gold and cldr.fold(item.gold) in cldr.fold(self.question.format_map({**item.fields, **known})):
                continue
            yield item


def varieties(task: str) -> tuple[Variety, ...]:
    """The languages that the committed table gives a task, with the locale as the dataset's own code."""
    return tuple(Variety(language, code=locale) for named, language, locale, _, _ in _committed() if named == task)


def everywhere() -> tuple[Variety, ...]:
    """Every language of the registry, for the tasks that need no locale."""
    return tuple(Variety(language.code, code=language.code) for language in languages.all_languages())


@functools.cache
def _committed() -> tuple[tuple[str, ...], ...]:
    """The rows of the committed table."""
    if not COVERAGE.is_file():
        return ()
    _, *lines = COVERAGE.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines)


def coverage() -> str:
    """The table as it should be: the items of every task about CLDR in every language that has any."""
    from tasks.rule_makers import FROM_CLDR
    from tasks.rules import TASKS

    lines = ["\t".join(_COLUMNS)]
    for task in TASKS:
        kind = task.name.removeprefix("rules-")
        if kind not in FROM_CLDR:
            continue
        source = Rules(kind, task.prompt.text)
        for language in languages.all_languages():
            if language.cldr:
                items = sum(1 for _ in islice(source.items(language), TEST_ITEMS + TRAIN_ITEMS))
                if items:
                    test = min(items, TEST_ITEMS)
                    lines.append(f"{task.name}\t{language.code}\t{language.cldr}\t{test}\t{items - test}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the coverage table, or check it."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m tasks.rule_items", description="Write the rule suite's table.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the table is out of date")
    check: bool = parser.parse_args().check
    table = coverage()
    if not check:
        COVERAGE.write_text(table, encoding="utf-8")
    elif not COVERAGE.is_file() or COVERAGE.read_text(encoding="utf-8") != table:
        sys.stdout.write(f"{COVERAGE.name} is out of date: run python -m tasks.rule_items\n")
        return 1
    sys.stdout.write(f"{COVERAGE.name}: {len(table.splitlines()) - 1} cells\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
