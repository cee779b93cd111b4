"""What the rule suite needs of CLDR beyond `tasks.cldr`: short dates, lists, currency patterns, native digits.

As there, only what the locale's own chain says counts. CLDR leaves out what equals root's value: a list pattern that
names its last link and leaves out the first ones has root's comma there, and that alone is filled in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from tasks import cldr
from tasks.cldr import Locale, Numbers

# First digits of the native numbering systems that are no locale's default (Unicode, DerivedNumericType).
_ZEROS = MappingProxyType(
    {
        **cldr.ZEROS,
        "gujr": "\u0ae6",
        "guru": "\u0a66",
        "java": "\ua9d0",
        "khmr": "\u17e0",
        "knda": "\u0ce6",
        "laoo": "\u0ed0",
        "mlym": "\u0d66",
        "orya": "\u0b66",
        "tamldec": "\u0be6",
        "telu": "\u0c66",
        "thai": "\u0e50",
        "vaii": "\ua620",
    }
)
_COMMA = "{0}, {1}"  # root's link between the elements of a list
# Yoruba's pair is "{0} àti{1}", without the space that its own short form has.
_FLAWED_LISTS = frozenset({"yo", "yo_BJ"})
_GROUPINGS = ((3, 3), (3, 2))  # any other is a slip of the pen in a pattern ("#,#0.00")
_AMOUNT = re.compile(r"[#0,.]+")
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Lists:
    """A locale's standard list: the pattern of a pair, and the links of longer lists or None."""

    pair: str
    links: tuple[str, str, str] | None

    def write(self, elements: Sequence[str]) -> str | None:
        """Two or more elements as one text (UTS #35 part 2, List Patterns); None where the links are not known."""
        if len(elements) == 2:
            return _put(self.pair, *elements)
        if self.links is None:
            return None
        start, middle, end = self.links
        text = _put(end, elements[-2], elements[-1])
        for element in reversed(elements[1:-2]):
            text = _put(middle, element, text)
        return _put(start, elements[0], text)


@dataclass(frozen=True, slots=True)
class Currency:
    """How a locale writes an amount: its pattern, and the signs and groups inside it."""

    pattern: str
    numbers: Numbers

    def write(self, amount: str, sign: str) -> str:
        """A plain amount ("48213.50") with a currency's sign."""
        return _AMOUNT.sub(lambda _: self.numbers.write(amount), self.pattern, count=1).replace("\xa4", sign)


@dataclass(frozen=True, slots=True)
class Formats:
    """What a locale's chain says of short dates, lists, amounts and native digits; None where it says nothing."""

    locale: Locale
    short: Locale | None
    lists: Lists | None
    currency: Currency | None
    native: str | None


@lru_cache(maxsize=_KEPT)
def read(identifier: str) -> Formats:
    """The formats of one locale. Raises `LookupError` where Babel has no such locale."""
    locale = cldr.read(identifier)
    data = cldr._own(identifier)
    short = data.get("date_formats", {}).get("short")
    return Formats(
        locale=locale,
        short=None if short is None else replace(locale, date=str(short)),
        lists=_lists(identifier, data.get("list_patterns", {}).get("standard", {})),
        currency=_currency(locale, data),
        native=_native(data),
    )


def _put(pattern: str, first: str, second: str) -> str:
    """A list pattern filled in; one that is no pattern of two elements is an error of CLDR's and raises."""
    before, between, after = re.split(r"\{[01]\}", pattern)
    return f"{before}{first}{between}{second}{after}"


def _lists(identifier: str, patterns: Mapping[str, str]) -> Lists | None:
    if "2" not in patterns or identifier in _FLAWED_LISTS:
        return None
    if "end" not in patterns:
        return Lists(patterns["2"], None)
    borrows = cldr._parent(cldr.chain(identifier)[-1]) is not None  # what it leaves out is another language's
    if borrows and not {"start", "middle"} <= patterns.keys():
        return Lists(patterns["2"], None)
    return Lists(patterns["2"], (patterns.get("start", _COMMA), patterns.get("middle", _COMMA), patterns["end"]))


def _currency(locale: Locale, data: Mapping[str, Any]) -> Currency | None:
    """The standard pattern where it is the locale's own and ASCII digits are its default.

    Babel carries the patterns of ASCII digits alone; what they are in another default system it does not say.
    """
    pattern = data.get("currency_formats", {}).get("standard")
    if pattern is None or locale.numbers is None or locale.digits != "0123456789":
        return None
    if tuple(pattern.grouping) not in _GROUPINGS:
        return None
    signs = data.get("number_symbols", {}).get("latn", {})
    numbers = replace(
        locale.numbers,
        decimal=signs.get("currencyDecimal", locale.numbers.decimal),
        group=signs.get("currencyGroup", locale.numbers.group),
        grouping=tuple(pattern.grouping),
    )
    return Currency(str(pattern.pattern).partition(";")[0], numbers)


def _native(data: Mapping[str, Any]) -> str | None:
    """The ten digits of the locale's default system, else of its native one; None where both are ASCII."""
    for system in (data.get("default_numbering_system"), data.get("numbering_systems", {}).get("native")):
        if system == "hanidec":
            return None  # signs that are words too: a text without a number would have digits
        if system not in (None, "latn"):
            zero = ord(_ZEROS[system])
            return "".join(chr(zero + digit) for digit in range(10))
    return None
