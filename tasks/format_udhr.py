"""The Universal Declaration of Human Rights in XML: one file a translation, one record an article.

Source: https://github.com/eric-muller/udhr (UDHR in Unicode), `data/udhr/udhr_*.xml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tasks import formats
from tasks.records import DataError

NAMESPACE = "{http://efele.net/udhr}"
_GAP = re.compile(r"[\[(]\s*missing\b[^\])]*[\])]|\[[^\]]*\?\s*\]", re.IGNORECASE)
"""How the editors mark what their source lacks: "[missing?]", "[Missing 15.2]", "(missing)", "[?]"."""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """One record an article, in the file's order: its `article` (1 to 30 as text), its `title` and its `text`.

    The text is that of its paragraphs and list items, a line each, without titles and numbers; an article of which the
    editors mark a part as missing has an empty text. The preamble is no article. Raises `DataError`.
    """
    try:
        root = ET.fromstring(formats.text(path))  # noqa: S314 - expat bounds the growth of entities
    except (ET.ParseError, ValueError) as error:
        raise DataError(f"{path} is no XML: {error}") from error
    if root.tag != f"{NAMESPACE}udhr":
        raise DataError(f"{path} starts with <{root.tag}>; it should be <udhr> of {NAMESPACE.strip('{}')}")
    seen: set[str] = set()
    for article in root.iter(f"{NAMESPACE}article"):
        number = article.get("number", "")
        if not re.fullmatch("[1-9][0-9]?", number) or number in seen:
            raise DataError(f"{path}: article number {number!r} is no number from 1 or stands twice")
        seen.add(number)
        title = article.find(f"{NAMESPACE}title")
        yield {
            "article": number,
            "title": _words(title) if title is not None else "",
            "text": _whole([_words(paragraph) for paragraph in article.iter(f"{NAMESPACE}para")]),
        }


def _whole(paragraphs: list[str]) -> str:
    return "" if any(map(_GAP.search, paragraphs)) else "\n".join(filter(None, paragraphs))


def _words(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())
