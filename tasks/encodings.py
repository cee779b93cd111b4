"""How datasets write options, right answers and references. One function an encoding."""

from __future__ import annotations

import ast
import json
import re
import string
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.template import text

LETTERS = string.ascii_uppercase
_LABELLED = re.compile(r"\s*\(?([A-Za-z])\s*[.):]\s*(.*)", re.DOTALL)


class Unreadable(Exception):
    """A value is not what its encoding says. The message says what it is and what it should be."""


def members(value: Any, encoding: str) -> list[Any]:
    """The members of a column that holds several values. Raises `Unreadable`."""
    if encoding == "lines":
        return [line.strip() for line in text(value).splitlines() if line.strip()]
    if encoding == "lettered-lines":
        return [_without_letter(line) for line in members(value, "lines")]
    if encoding in ("json", "python"):
        value = _literal(value, encoding)
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return list(value)
    raise Unreadable(f"{_short(value)} is no list")


def _without_letter(line: str) -> str:
    match = _LABELLED.fullmatch(line)
    if not match:
        raise Unreadable(f"{_short(line)} does not start with a letter and a full stop")
    return match[2]


def _literal(value: Any, encoding: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if encoding == "json":
            return json.loads(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash is text
            return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise Unreadable(f"{_short(value)} is no {'JSON' if encoding == 'json' else 'Python list'}") from error


def records(value: Any, text_key: str, label_key: str) -> tuple[list[str], list[str]]:
    """Texts and labels of options that are records, or a dict of lists as the hub turns them into. `Unreadable`."""
    try:
        if isinstance(value, Mapping):
            if text_key in value:
                texts, labels = members(value[text_key], "list"), members(value[label_key], "list")
                if len(texts) != len(labels):
                    raise Unreadable(f"{len(texts)} options have {len(labels)} labels")
                return [text(one) for one in texts], [text(one) for one in labels]
            return [text(one) for one in value.values()], [text(one) for one in value]
        return [text(one[text_key]) for one in value], [text(one[label_key]) for one in value]
    except (KeyError, TypeError) as error:
        raise Unreadable(f"{_short(value)} has no {text_key!r} and {label_key!r}") from error


def index(value: Any, encoding: str, options: Sequence[str], labels: Sequence[str]) -> int:
    """The 0-based index of the option that a gold value means. Raises `Unreadable`, also past the last option."""
    found = _INDEX[encoding](value, options, labels)
    if not 0 <= found < len(options):
        raise Unreadable(f"the answer {_short(value)} is none of the {len(options)} options")
    return found


def _letter(value: Any, _: Sequence[str], __: Sequence[str]) -> int:
    letter = text(value).strip().rstrip(".").upper()
    if len(letter) != 1 or letter not in LETTERS:
        raise Unreadable(f"the answer {_short(value)} is no letter")
    return LETTERS.index(letter)


def _number(first: int) -> Callable[[Any, Sequence[str], Sequence[str]], int]:
    def read(value: Any, _: Sequence[str], __: Sequence[str]) -> int:
        return _integer(value) - first

    return read


def _integer(value: Any) -> int:
    written = text(value).strip().removesuffix(".0")  # a column with a gap is read as one of fractions
    if not re.fullmatch(r"-?[0-9]{1,9}", written):
        raise Unreadable(f"the answer {_short(value)} is no whole number")
    return int(written)


def _same(value: Any, options: Sequence[str], _: Sequence[str]) -> int:
    found = [place for place, option in enumerate(options) if option.strip() == text(value).strip()]
    if len(found) != 1:
        raise Unreadable(f"the answer {_short(value)} is the text of {len(found) or 'none'} of the options")
    return found[0]


def _suffix(value: Any, options: Sequence[str], labels: Sequence[str]) -> int:
    match = re.search(r"([0-9]{1,3})$", text(value).strip())
    if not match:
        raise Unreadable(f"the answer {_short(value)} does not end in a number, as option1 does")
    return int(match[1]) - 1


def _label(value: Any, _: Sequence[str], labels: Sequence[str]) -> int:
    wanted = text(value).strip()
    found = [place for place, label in enumerate(labels) if label.strip() == wanted]
    if len(found) != 1:
        raise Unreadable(f"the answer {_short(value)} is no label; there are {_short(labels) if labels else 'none'}")
    return found[0]


def _one_hot(value: Any, _: Sequence[str], __: Sequence[str]) -> int:
    marks = [text(one) for one in members(value, "list")]
    if sorted(set(marks)) not in (["0", "1"], ["1"]) or marks.count("1") != 1:
        raise Unreadable(f"the answer {_short(value)} does not mark one option with 1 and all others with 0")
    return marks.index("1")


_INDEX: dict[str, Callable[[Any, Sequence[str], Sequence[str]], int]] = {
    "letter": _letter,
    "0-based": _number(0),
    "1-based": _number(1),
    "text": _same,
    "suffix": _suffix,
    "label": _label,
    "one-hot": _one_hot,
}
ANSWERS = (*_INDEX, "map")
MEMBERS = ("list", "json", "python", "lines", "lettered-lines", "dict", "records", "split")


def mapped(value: Any, table: Mapping[str, Any]) -> Any:
    """What a table says a value means. Raises `Unreadable`."""
    key = text(value).strip()
    if key not in table:
        raise Unreadable(f"{_short(value)} is none of {', '.join(table)}")
    return table[key]


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
