"""A hub card -> facts: the YAML at the head of README.md.

A card is written by hand and by many programs, so everything in it may be missing, broken or of another type. Then the
fact is unknown and has a reason; nothing is repaired. All values are read as the text that stands there: YAML's own
types would make `false` of the language `no`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import languages
from bench.cards.facts import HUB_CARD, RELATIONS, Facts, base_name, stated

LONGEST = 256 * 1024
"""Characters of metadata that are read, results of evaluations left out: parsing more takes seconds."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a card in which the metadata have to end."""
FIELDS = ("licence", "base", "relation", "languages", "datasets", "tags")
NO_CARD = "no_card"
NOT_IN_CARD = "not_in_card"

_MATTER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
# Lists of scores, often longer than all else, at the top level: lines that start with a space or a dash belong to it.
_RESULTS = re.compile(r"^model-index:.*(?:\n(?:[ \t\-\r].*)?)*", re.MULTILINE)
_ABSENT = frozenset({"", "~", "null", "Null", "NULL"})
_MOST = 1500
_WORDS = 200

Value = TypeVar("Value")


def read(path: Path) -> Facts:
    """The facts of a README.md; without one each has the reason `no_card`."""
    try:
        if not path.is_file():
            return _unknown(NO_CARD)
        with path.open("rb") as file:
            content = file.read(LARGEST)
    except OSError as error:
        return _unknown(f"card_unreadable: {error.strerror}")
    try:
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        if len(content) < LARGEST or error.start < LARGEST - 4:
            return _unknown("card_unreadable: not UTF-8")
        return parse(content[: error.start].decode("utf-8"))  # the cut fell into a character


def parse(text: str) -> Facts:
    """The facts of a card's text."""
    card, problem = _metadata(text)
    if card is None:
        return _unknown(problem)
    made: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    made["licence"], reasons["licence"] = _licence(card)
    base, reasons["base"] = _texts(card, "base_model")
    if base:
        made["base"] = tuple(dict.fromkeys(map(base_name, base)))
        if made["base"] != tuple(dict.fromkeys(base)) and not any("://" in one for one in base):
            reasons["base"] = "local_path: the card has a path, of which only the last part is kept"
    made["relation"], reasons["relation"] = _relation(card)
    made["languages"], made["other_languages"], reasons["languages"] = _languages(card)
    for name in ("datasets", "tags"):
        made[name], reasons[name] = _texts(card, name)
    return stated(HUB_CARD, {name: why for name, why in reasons.items() if why}, **made)


def _unknown(reason: str) -> Facts:
    return Facts(reasons=dict.fromkeys(FIELDS, reason))


def _metadata(text: str) -> tuple[Mapping[str, object] | None, str]:
    """(the metadata, "") or (None, why there are none)."""
    import yaml

    found = _MATTER.match(text)
    if not found:
        return None, "no_metadata: the card has no YAML between two lines of ---"
    matter = _RESULTS.sub("", found[1])
    if len(matter) > LONGEST:
        return None, f"metadata_too_long: over {LONGEST} characters"
    try:
        # Text alone, and no objects. Not the C parser: it crashes the process on deep nesting.
        card = yaml.load(matter, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        return None, f"metadata_broken: no YAML{where}"
    if card is None or (isinstance(card, str) and card in _ABSENT):
        card = {}
    if not isinstance(card, dict):
        return None, "metadata_broken: no table of names and values"
    return card, ""


def _licence(card: Mapping[str, object]) -> tuple[str | None, str]:
    licence, reason = _text(card, "license")
    if licence and licence.casefold() == "other":
        licence, reason = _text(card, "license_name")
        reason = reason and "other_without_name: the card says other, and has no license_name"
    if licence and licence.casefold() == "unknown":
        return None, "unknown_to_card"
    return (licence.lower(), "") if licence else (None, reason)


def _relation(card: Mapping[str, object]) -> tuple[str | None, str]:
    relation, reason = _text(card, "base_model_relation")
    if relation is None or relation in RELATIONS:
        return relation, reason
    return None, f"unknown_word: base_model_relation is none of {', '.join(RELATIONS)}"


def _languages(card: Mapping[str, object]) -> tuple[tuple[str, ...] | None, tuple[str, ...], str]:
    """(canonical codes, what stands for no one language, why)."""
    said, reason = _texts(card, "language")
    known: dict[str, None] = {}
    other: dict[str, None] = {}
    for word in said or ():
        try:
            known[languages.get(word).code] = None
        except languages.LanguageError:
            other[word] = None
    if other:
        first = ", ".join(list(other)[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        reason = f"ambiguous_or_unknown: {first}"
    return tuple(known) or None, tuple(other), reason


def _text(card: Mapping[str, object], key: str) -> tuple[str | None, str]:
    """(a text, "") or (None, why)."""
    value = card.get(key, "")
    if isinstance(value, str) and value.strip() in _ABSENT:
        return None, NOT_IN_CARD
    if not isinstance(value, str):
        return None, f"wrong_type: {key} is {_kind(value)}"
    text = " ".join(value.split())
    if len(text) > _WORDS or not text.isprintable():
        return None, f"wrong_type: {key} is no short text"
    return text, ""


def _texts(card: Mapping[str, object], key: str) -> tuple[tuple[str, ...] | None, str]:
    """(texts, "") of a text or a list of them, or (None, why)."""
    value = card.get(key, "")
    if not isinstance(value, list):
        text, reason = _text(card, key)
        return ((text,), "") if text is not None else (None, reason)
    if len(value) > _MOST:
        return None, f"wrong_type: {key} has over {_MOST} members"
    made: dict[str, None] = {}
    for one in value:
        text, reason = _text({key: one}, key)
        if text is None:
            return None, f"wrong_type: a member of {key} is {_kind(one)}" if reason != NOT_IN_CARD else reason
        made[text] = None
    return (tuple(made), "") if made else (None, NOT_IN_CARD)


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "no short text"
