"""What is evaluated: declarations in `declared/`, a file a dataset, and what CLDR gives. Listing never touches data."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.declaration import DeclarationError, load
from tasks.records import (
    FLAWS,
    Area,
    DataError,
    Prompt,
    Repository,
    Row,
    Sample,
    Source,
    Split,
    Task,
    Variety,
    by_hash,
)
from tasks.suggest import did_you_mean
from tasks.suites import Suite, suites

__all__ = [
    "FLAWS",
    "Area",
    "DataError",
    "DeclarationError",
    "Prompt",
    "Repository",
    "Row",
    "Sample",
    "Source",
    "Split",
    "Suite",
    "Task",
    "UnknownTask",
    "Variety",
    "add",
    "all_tasks",
    "by_hash",
    "get",
    "select",
    "sharing",
    "suites",
]

GENERATED = ("locale", "rules")
"""The modules whose tasks are made from CLDR; all others are declared."""

DECLARED = Path(__file__).with_name("declared")
_added: dict[str, Task] = {}


class UnknownTask(LookupError):
    """No task, group or suite has that name. The message is one line and names the nearest."""


def all_tasks() -> dict[str, Task]:
    """Every task by name: the package's own, then those that `add` brought in."""
    return {**_own(), **_added}


@functools.cache
def _own() -> dict[str, Task]:
    """The package's own tasks, in the order of the files and of the declarations in them."""
    found: dict[str, Task] = {}
    for task in _declarations():
        if task.name in found:
            raise ValueError(f"two tasks are called {task.name}")
        found[task.name] = task
    return found


def _declarations() -> Iterator[Task]:
    for module in GENERATED:
        yield from importlib.import_module(f"tasks.{module}").TASKS
    for path in sorted(DECLARED.glob("*.toml")):
        yield from load(path)


def add(path: Path) -> tuple[Task, ...]:
    """The tasks of a declaration outside the package, known from now on. Raises `DeclarationError`."""
    made = load(path)
    for task in made:
        if task.name in _own():
            raise DeclarationError(f"{path}: this program has a task called {task.name}; give yours another name")
        known = _added.setdefault(task.name, task)
        if known != task:
            raise DeclarationError(f"{path}: another declaration has a task called {task.name}; give one another name")
    return made


def get(name: str) -> Task:
    """The task called `name`. Raises `UnknownTask`."""
    known = all_tasks()
    if name in known:
        return known[name]
    several = select([name])
    raise UnknownTask(f"{name!r} names several tasks: {', '.join(task.name for task in several)}")


def select(names: Iterable[str]) -> tuple[Task, ...]:
    """The tasks that the names mean: each a task, a group, a suite or a declaration's file (`*.toml`).

    A suite that is about certain languages brings its tasks with those languages alone. No task comes twice: the
    languages of both are put together. Raises `UnknownTask` and `DeclarationError`.
    """
    chosen: dict[str, Task] = {}
    for name in names:
        for task in _named(name):
            known = chosen.get(task.name)
            chosen[task.name] = task if known is None else _together(known, task)
    return tuple(chosen.values())


def _named(name: str) -> tuple[Task, ...]:
    if name.endswith(".toml"):
        return add(Path(name))
    known = all_tasks()
    if name in known:
        return (known[name],)
    if name in suites():
        return suites()[name].of(known.values())
    found = tuple(task for task in known.values() if name and name in (task.group, *task.suites))
    if not found:
        words = {*known, *suites(), *(task.group for task in known.values()), *_extra_suites(known.values())} - {""}
        hint = did_you_mean(name, sorted(words))
        raise UnknownTask(f"unknown task {name!r}{hint}; `python -m bench list tasks` names them all")
    return found


def _extra_suites(known: Iterable[Task]) -> Iterator[str]:
    for task in known:
        yield from task.suites


def sharing(names: Iterable[str]) -> tuple[str, str, str] | None:
    """Two of the tasks that hold the same text, and what it is called; None where each has its own.

    Such tasks are never averaged together: what they ask is not independent.
    """
    holders: dict[str, str] = {}
    known = all_tasks()
    for name in sorted(set(names) & known.keys()):
        for content in known[name].content:
            if content in holders:
                return holders[content], name, content
            holders[content] = name
    return None


def _together(one: Task, other: Task) -> Task:
    """One task with the languages of both, in the order in which the declaration has them."""
    wanted = {*one.varieties, *other.varieties}
    return one.with_varieties(variety for variety in all_tasks()[one.name].varieties if variety in wanted)
