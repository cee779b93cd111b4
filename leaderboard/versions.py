"""Which version of a task is the newest."""

from __future__ import annotations

import re
from collections.abc import Iterable

from leaderboard.records import TaskFacts


def newest(known: Iterable[TaskFacts]) -> dict[str, str]:
    """The newest version of each task."""
    return {task.name: task.version for task in sorted(known, key=by_version)}


def by_version(task: TaskFacts) -> list[tuple[bool, int, str]]:
    """What versions of a task are sorted by: numbers within them are taken as numbers, so that 10 comes after 9."""
    parts = re.split(r"(\d+)", task.version)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
