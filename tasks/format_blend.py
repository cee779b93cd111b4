"""BLEnD's annotations: one JSON object, question id -> question, annotators' answers, and who gave none.

Myung et al. (2024), BLEnD: A Benchmark for LLMs on Everyday Knowledge in Diverse Cultures and Languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tasks import formats
from tasks.records import DataError

UNANSWERED = 3
"""From so many annotators on who say that a question has no answer, or none here, its authors do not score it."""
UNKNOWN = 5
"""Nor from so many on who do not know one."""


class _Annotation(msgspec.Struct):
    answers: list[str]
    en_answers: list[str]
    count: int


class _Entry(msgspec.Struct):
    """`idks` has three counts and, in some files, further remarks of annotators."""

    question: str
    en_question: str
    annotations: list[_Annotation]
    idks: dict[str, int]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """A row a question, in the file's order: id, question, en_question, answers, en_answers and `answerable`.

    The answers are lists of different spellings, those of most annotators first. `answerable` is what the authors'
    scoring asks of a question (`soft_exact_match` in their `evaluation/exact_match.py`). Raises `DataError`.
    """
    for name, entry in _entries(path).items():
        ranked = sorted(entry.annotations, key=lambda annotation: -annotation.count)
        yield {
            "id": name,
            "question": entry.question,
            "en_question": entry.en_question,
            "answers": _different(annotation.answers for annotation in ranked),
            "en_answers": _different(annotation.en_answers for annotation in ranked),
            "answerable": _answerable(entry),
        }


def _entries(path: Path) -> Mapping[str, _Entry]:
    try:
        return msgspec.json.decode(formats.text(path), type=dict[str, _Entry])
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"{path} should be a JSON object of questions with annotations and idks: {error}") from error


def _different(answers: Iterable[Iterable[str]]) -> list[str]:
    """Each answer once, without the empty ones."""
    return list(dict.fromkeys(answer.strip() for several in answers for answer in several if answer.strip()))


def _answerable(entry: _Entry) -> bool:
    none = entry.idks.get("no-answer", 0) + entry.idks.get("not-applicable", 0)
    return bool(entry.annotations) and none < UNANSWERED and entry.idks.get("idk", 0) < UNKNOWN
