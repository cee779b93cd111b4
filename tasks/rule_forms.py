"""The forms of answers that `rules-format` asks for, each in words and as a rule; and how rules are written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, zip_longest
from types import MappingProxyType
from typing import Any, TypeVar

from tasks import rule_text
from tasks.records import by_hash

_TURNS = 60  # of each form: six of the seven are asked of every language, which makes 360
_Thing = TypeVar("_Thing")
_Form = tuple[str, str, tuple[str, Mapping[str, Any]]]


def rules(*wanted: tuple[str, Mapping[str, Any]]) -> str:
    """Rules as the JSON text that a sample carries: a list of ids and arguments, keys sorted."""
    listed = [{"id": name, "kwargs": dict(kwargs)} for name, kwargs in wanted]
    return json.dumps(listed, ensure_ascii=False, sort_keys=True)


def in_language(rule: str, code: str, *, letters: bool = True) -> str:
    """The rules, and that the answer is in a language; without `letters` it may be a number alone."""
    spoken = rules(("language:only" if letters else "language:words", {"language": code}))
    return json.dumps([*json.loads(rule), *json.loads(spoken)], ensure_ascii=False, sort_keys=True)


def by_turns(*streams: Iterable[_Thing]) -> Iterator[_Thing]:
    """One of each stream by turns, until the last is empty."""
    ended: Any = object()
    return (one for one in chain.from_iterable(zip_longest(*streams, fillvalue=ended)) if one is not ended)


@cache
def drawn() -> tuple[tuple[str, str, str, str], ...]:
    """Name, topic, the rule in words and as JSON, the forms by turns."""
    return tuple(by_turns(*([_formatted(form, turn) for turn in range(_TURNS)] for form in _FORMS)))


def _formatted(form: str, turn: int) -> tuple[str, str, str, str]:
    topics = by_hash(rule_text.TOPICS, lambda topic: f"format/{form}/{topic}")
    topic, size = topics[turn % len(topics)], 2 + (turn + turn // len(topics)) % 5
    name, words, rule = _FORMS[form](size, turn)
    return name, topic, words, rules(rule)


def _json_form(size: int, turn: int) -> _Form:
    keys = by_hash(rule_text.KEYS, lambda key: f"{turn}/{key}")[:size]
    words = (
        f"The whole answer is one JSON object with exactly these keys, spelled like this: {', '.join(keys)}. Every "
        "value is a text that is not empty. A code fence around the object is allowed, nothing else is."
    )
    return f"json-{'-'.join(keys)}", words, ("format:json", {"keys": keys})


def _numbered_form(size: int, turn: int) -> _Form:
    words = (
        f"The whole answer is a numbered list of exactly {size} items, one on each line, numbered 1. 2. 3. and so on "
        "without gaps, with nothing before, between or after them."
    )
    return f"numbered-{size}", words, ("format:numbered", {"items": size})


def _bullet_form(size: int, turn: int) -> _Form:
    words = (
        f"The whole answer is a list of exactly {size} points, one on each line, each line beginning with a hyphen and "
        "a space, with nothing before, between or after them."
    )
    return f"bullets-{size}", words, ("format:bullets", {"items": size})


def _line_form(size: int, turn: int) -> _Form:
    return "line", "The whole answer stands on one line, without a line break.", ("format:line", {})


def _comma_form(size: int, turn: int) -> _Form:
    words = f"The whole answer is exactly {size} words that have to do with it, separated by commas, on one line."
    return f"commas-{size}", words, ("format:commas", {"items": size})


def _bracket_form(size: int, turn: int) -> _Form:
    opening, closing = rule_text.BRACKETS[turn % len(rule_text.BRACKETS)]
    words = f"The whole answer begins with {opening} and ends with {closing} and has neither of them in between."
    pair = {"opening": opening, "closing": closing}
    return f"brackets-{turn % len(rule_text.BRACKETS)}", words, ("format:brackets", pair)


def _letter_form(size: int, turn: int) -> _Form:
    return "letters-latin", "The whole answer has no Latin letter in it.", ("letters:none", {"script": "Latin"})


_FORMS: Mapping[str, Callable[[int, int], _Form]] = MappingProxyType(
    {
        "json": _json_form,
        "numbered": _numbered_form,
        "bullets": _bullet_form,
        "line": _line_form,
        "commas": _comma_form,
        "brackets": _bracket_form,
        "letters": _letter_form,
    }
)
