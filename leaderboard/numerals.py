"""Numbers as the reader's language writes them: 1,234.5 in English is 1.234,5 in Spanish."""

from __future__ import annotations

import functools

from babel import Locale
from flask import has_request_context

from leaderboard import prefixes

ISOLATE, END = "\u2066", "\u2069"
"""Around what is read from left to right in any text."""


@functools.cache
def _marks(locale: str) -> dict[int, str]:
    """What stands for the comma and the point of an English number, by CLDR."""
    symbols = Locale.parse(locale).number_symbols["latn"]
    return {ord(","): str(symbols["group"]), ord("."): str(symbols["decimal"])}


def local(number: str) -> str:
    """A number that is written as in English, in the language of the request; as it is outside of one."""
    if not has_request_context():
        return number
    locale = prefixes.current().locale
    if locale == prefixes.DEFAULT:
        return number
    shown = number.translate(_marks(locale))
    # Right to left, a sign or a per cent would change its side, and a range its ends.
    apart = Locale.parse(locale).text_direction == "rtl" and not shown.isdigit()
    return f"{ISOLATE}{shown}{END}" if apart else shown


def count(number: int) -> str:
    """A whole number, its thousands apart."""
    return local(f"{number:,}")
