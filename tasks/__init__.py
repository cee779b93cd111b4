"""What is evaluated. Declarations live in one file an area; this module finds them. Listing never touches data."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable

from tasks.records import Area, DataError, Prompt, Row, Sample, Source, Split, Task, Variety
from tasks.suggest import did_you_mean

__all__ = [
    "Area",
    "DataError",
    "Prompt",
    "Row",
    "Sample",
    "Source",
    "Split",
    "Task",
    "UnknownTask",
    "Variety",
    "all_tasks",
    "get",
    "select",
]

AREAS = ("locale", "topic", "translation")


class UnknownTask(LookupError):
    """No task, group or suite has that name. The message is one line and names the nearest."""


@functools.cache
def all_tasks() -> dict[str, Task]:
    """Every declared task by name, in the order of the files and of the declarations in them."""
    found: dict[str, Task] = {}
    for area in AREAS:
        for task in importlib.import_module(f"tasks.{area}").TASKS:
            if task.name in found:
                raise ValueError(f"two tasks are called {task.name}")
            found[task.name] = task
    return found


def get(name: str) -> Task:
    """The task called `name`. Raises `UnknownTask`."""
    (task, *others) = select([name])
    if others or task.name != name:
        raise UnknownTask(f"{name!r} names several tasks: {', '.join(t.name for t in (task, *others))}")
    return task


def select(names: Iterable[str]) -> tuple[Task, ...]:
    """The tasks that the names mean: each a task, a group or a suite. No task twice. Raises `UnknownTask`."""
    known = all_tasks()
    chosen: dict[str, Task] = {}
    for name in names:
        found = [task for task in known.values() if name and name in (task.name, task.group, *task.suites)]
        if not found:
            words = {
                *known,
                *(t.group for t in known.values() if t.group),
                *(s for t in known.values() for s in t.suites),
            }
            hint = did_you_mean(name, sorted(words))
            raise UnknownTask(f"unknown task {name!r}{hint}; `python -m bench list tasks` names them all")
        chosen.update((task.name, task) for task in found)
    return tuple(chosen.values())
