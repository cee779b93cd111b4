"""The exams of the Brazilian bar (OAB) as plain text: numbered questions, lettered options, the right one marked.

Source: https://github.com/legal-nlp/oab-exams, `official/raw`; Delfino, Cuconato, Haeusler and Rademaker (2017),
Passing the Brazilian OAB Exam: data preparation and some experiments.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import formats
from tasks.records import DataError

_QUESTION = re.compile(r"Questão +(\d+)(?: +(NULL))? *")
_AREA = re.compile(r"AREA(?: +(.*?))? *")
_BROKEN = re.compile(r"(?<=\w)-\n(?=\w)")
"""A hyphen at the end of a line: they all belong to the word ("tratando-se", "ex-empregado")."""
_OPTION = re.compile(r"([A-Z])(:CORRECT)?\) +(.*)")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """One record a question: `number`, `area` (empty in the older exams), `annulled`, `question`, `options`, `answer`.

    `answer` is a letter, or empty where the examiners annulled the question (two annulled ones still have a letter).
    The mark of the right option is in no text. Line breaks inside a paragraph are those of the printed page and become
    spaces; paragraphs are parted by a line break. Raises `DataError`.
    """
    lines = formats.read_lines(path)
    starts = [place for place, line in enumerate(lines) if _QUESTION.fullmatch(line)]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise DataError(f"{path} line 1 is no question; it should start with 'Questão 1'")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield _record(f"{path} line {start + 1}", lines[start:end])


def _record(where: str, lines: list[str]) -> dict[str, Any]:
    head = _QUESTION.fullmatch(lines[0])
    body = [line for line in lines[1:] if line.strip()][:1]
    area = _AREA.fullmatch(body[0]) if body else None
    stops = [place for place, line in enumerate(lines) if line.strip() == "OPTIONS"]
    if not head or not area or len(stops) != 1:
        raise DataError(f"{where}: a question needs one line 'AREA ...' and one line 'OPTIONS'")
    stem = lines[lines.index(body[0]) + 1 : stops[0]]
    letters, marked, options = _options(where, lines[stops[0] + 1 :])
    annulled = head[2] is not None
    in_order = len(letters) > 1 and letters == list(string.ascii_uppercase[: len(letters)])
    if not in_order or len(marked) > 1 or not (marked or annulled):
        raise DataError(
            f"{where}: options {', '.join(letters) or 'none'}, marked as correct {', '.join(marked) or 'none'}; "
            "it should be A, B, C, ... and one of them"
        )
    return {
        "number": int(head[1]),
        "area": area[1] or "",
        "annulled": annulled,
        "question": _flowing(stem),
        "options": options,
        "answer": marked[0] if marked else "",
    }


def _options(where: str, lines: list[str]) -> tuple[list[str], list[str], list[str]]:
    """The letters, those that are marked as correct, and the texts."""
    letters, marked, texts = [], [], list[list[str]]()
    for line in lines:
        match = _OPTION.fullmatch(line)
        if match:
            letters.append(match[1])
            marked += [match[1]] if match[2] else []
            texts.append([match[3]])
        elif texts:
            texts[-1].append(line)
        elif line.strip():
            raise DataError(f"{where}: {line.strip()[:40]!r} stands where option A should")
    return letters, marked, [_flowing(text) for text in texts]


def _flowing(lines: list[str]) -> str:
    """Paragraphs without the line breaks of the page."""
    text = _BROKEN.sub("-", "\n".join(line.strip() for line in lines))
    paragraphs = text.split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())
