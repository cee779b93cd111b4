"""Samples of a task from the server's own data, where its licence lets anybody show them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import islice

import tasks
from leaderboard.naming import named
from leaderboard.pages import LanguageName
from leaderboard.records import TaskFacts
from tasks import DataError, Sample, Task, UnknownTask

COUNT, LONGEST = 2, 1200
"""Samples that are shown, and the characters of each of its texts."""

FREE = ("cc-by", "cc0", "mit", "apache", "unicode", "odc-by", "odbl", "public domain", "bsd", "pddl")
"""How the licences begin that let others pass the text on."""
BUT = ("-nc", "-nd")


@dataclass(frozen=True, slots=True)
class Example:
    """A question as it is asked. `answers` are the accepted ones; texts are cut after `LONGEST` characters."""

    item: str
    input: str
    options: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """Samples in one language, or a `reason` code why there are none: `access`, `licence`, `not_here`."""

    language: LanguageName | None
    samples: tuple[Example, ...]
    reason: str = ""


def of(facts: TaskFacts) -> Examples:
    """Two samples of a task, in English or in its first language, where they may be shown and are at hand."""
    if facts.access != "open" or "canary" in f"{facts.notes} {facts.citation}".casefold():
        return Examples(None, (), "access")
    licence = facts.licence.casefold()
    if not licence.startswith(FREE) or any(part in licence for part in BUT):
        return Examples(None, (), "licence")
    return _read(facts.name, facts.version)


@functools.lru_cache(maxsize=512)
def _read(name: str, version: str) -> Examples:
    try:
        task = tasks.get(name)
        if task.version != version or task.access != "open" or "canary" in task.contamination.casefold():
            return Examples(None, (), "not_here")
        found = _samples(task)
    except (UnknownTask, DataError, OSError):
        return Examples(None, (), "not_here")
    if not found:
        return Examples(None, (), "not_here")
    return Examples(named(found[0].language), tuple(map(_example, found)))


def _samples(task: Task) -> list[Sample]:
    english = [variety for variety in task.varieties if variety.language == "eng_Latn"]
    return list(islice(task.samples((english or list(task.varieties))[0]), COUNT))


def _example(sample: Sample) -> Example:
    right = ([] if sample.answer is None else [sample.answer]) + list(sample.answers)
    answers = [sample.options[place] for place in right] if sample.options else list(sample.references)
    return Example(sample.item, _cut(sample.input), tuple(map(_cut, sample.options)), tuple(map(_cut, answers[:5])))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
