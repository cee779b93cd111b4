"""What the shape of an answer tells: JSON with a key for the answer, and lines that open another part of the text.

A base model goes on with a question of its own after its answer, and an explanation speaks of the other options.
"""

from __future__ import annotations

import json
import re

from bench.extraction_cues import Languages, cues, flat, lower

_HEAD = re.compile(r"\n[ \t>*#_-]*([^\n:：]{1,30}?)[ \t*_]*[:：]")
_DECODER = json.JSONDecoder()
_ENGLISH: Languages = frozenset({"en"})
_OBJECTS = 4  # of a text are looked at
_LONG = 300  # characters of an answer in a JSON object; more is a text
_NAMING = frozenset({"answer", "option", "correct", "fill", "final"})
_LABELS = frozenset({"prediction", "pred", "class", "classes", "labels", "tags", "categories", "topics", "emotions"})
_VERDICTS = {True: "yes", False: "no"}


def unwrapped(text: str) -> str:
    """The text with each JSON object or list replaced by what it answers, if it has a key that says so."""
    rest = 0
    for _ in range(_OBJECTS):
        start = min((place for place in (text.find("{", rest), text.find("[", rest)) if place >= 0), default=-1)
        if start < 0:
            break
        rest = start + 1
        if not re.match(r'[{\[]\s*["{\[]', text[start : start + 20]):
            continue
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        told = _told(value)
        if told is not None:
            text = f"{text[:start]}\n{told}\n{text[end:]}"
            rest = start + len(told) + 2
    return text


def _told(value: object) -> str | None:
    """What a JSON value says, as a line of an answer; None where no key of it is one for an answer."""
    if isinstance(value, list):
        return _plain(value)
    if not isinstance(value, dict) or not value:
        return None
    if len(value) > 1 and all(_verdict(item) is not None for item in value.values()):
        return "\n".join(f"{key}: {_verdict(item)}" for key, item in value.items())
    lines = [f"answer: {told}" for key, item in value.items() if _answers(key) and (told := _plain(item)) is not None]
    if not lines and len(value) == 1 and isinstance(only := next(iter(value.values())), list):
        lines = [f"answer: {told}"] if (told := _plain(only)) is not None else []
    return "\n".join(lines) or None


def _verdict(value: object) -> str | None:
    if isinstance(value, bool):
        return _VERDICTS[value]
    return value if isinstance(value, str) and value.casefold() in ("yes", "no", "true", "false") else None


def _plain(value: object) -> str | None:
    if isinstance(value, list):
        parts = [_plain(item) for item in value]
        return ", ".join(filter(None, parts)) if parts and all(parts) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    told = str(value).strip()
    return told if told and len(told) <= _LONG else None


def _answers(key: str) -> bool:
    """Whether a key is one for the answer: "answer", "final_answer", "respuesta"."""
    name = flat(lower(key)).replace("_", " ").strip()
    phrases = cues().phrases
    kinds = [phrases.get(word, {}).keys() for word in name.split()]
    if name not in phrases and not (kinds and all(not known.isdisjoint(_NAMING) for known in kinds)):
        return name in _LABELS
    return cues().any(name, ("answer", "option", "final")) and not cues().any(name, ("reason", "question"))


def opens(text: str, kind: str) -> list[int]:
    """Where the lines start, but for the first, that a word of this kind and a colon open: "Question:"."""
    if ":" not in text and "：" not in text:
        return []
    found = []
    phrases = cues().phrases
    for match in _HEAD.finditer(text):
        name = " ".join(word for word in flat(lower(match[1])).split() if not word.isdecimal())
        if kind in phrases.get(name, {}) and text[: match.start()].strip():
            found.append(match.start())
    return found


def before_question(text: str) -> str:
    """The text up to the next question that it asks, if it does so on a line of its own."""
    return next((text[:start] for start in opens(text, "question")), text)


def restated(text: str, head: str) -> bool:
    """Whether a text opens with the question that it was asked: a short line before it, and one question."""
    if len(head) > 80 or len(opens(text, "question")) > 1:
        return False
    return not cues().any(flat(lower(head)), ("not", "maybe"), _ENGLISH)
