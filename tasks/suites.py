"""Named suites: which tasks, of which languages, and how many items. `suites.toml` has them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from languages import Language, all_languages
from tasks.records import Task, Variety

SUITES = Path(__file__).with_name("suites.toml")


@dataclass(frozen=True, slots=True)
class Suite:
    """A choice of tasks by name, area or vertical, without those in `without`; all of them where nothing is said.

    `macroareas`, `families` and `countries` narrow the languages: one of any is enough. `languages` names them,
    `without_languages` those to leave out. `limit` is the number of items of each task and language, where the user
    names none.
    """

    name: str
    title: str
    tasks: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    verticals: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    macroareas: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    without_languages: tuple[str, ...] = ()
    limit: int | None = None

    def of(self, tasks: Iterable[Task]) -> tuple[Task, ...]:
        """The suite's tasks, each with the suite's languages."""
        narrowed = (task.with_varieties(self._narrowed(task)) for task in tasks if self._asks(task))
        return tuple(task for task in narrowed if task.varieties)

    def has(self, task: Task) -> bool:
        """Whether the suite asks a task in any language."""
        return self._asks(task) and any(True for _ in self._narrowed(task))

    def _narrowed(self, task: Task) -> Iterator[Variety]:
        spoken = _spoken(self)
        return (variety for variety in task.varieties if spoken is None or variety.language in spoken)

    def _asks(self, task: Task) -> bool:
        named = {task.name, task.group, *task.suites}
        if named & set(self.without):
            return False
        if not (self.tasks or self.areas or self.verticals):
            return True
        return bool(named & set(self.tasks)) or task.area in self.areas or task.vertical in self.verticals

    def speaks(self, language: Language) -> bool:
        """Whether a language is one of the suite's."""
        return language.code not in self.without_languages and (
            language.code in self.languages
            or language.macroarea in self.macroareas
            or language.family in self.families
            or bool(set(language.countries) & set(self.countries))
        )


@cache
def _spoken(suite: Suite) -> frozenset[str] | None:
    """The codes of a suite's languages; None where it has all."""
    if not (suite.macroareas or suite.families or suite.countries or suite.languages):
        return None
    return frozenset(language.code for language in all_languages() if suite.speaks(language))


@cache
def suites() -> Mapping[str, Suite]:
    """Every named suite."""
    content = tomllib.loads(SUITES.read_text("utf-8"))
    return MappingProxyType({name: msgspec.convert({"name": name, **table}, Suite) for name, table in content.items()})
