"""The questions of the embedded suite: one generator a kind, from a locale's own data to items in a fixed order.

An item's id names its subject (a territory code, a month, a date) and is the same in every language, and so is the
order, which comes from a hash of the id: what one language is asked, the others are asked too as far as they can be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain, zip_longest
from types import MappingProxyType

from tasks import cldr

OPTIONS = 4
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CATEGORIES = ("zero", "one", "two", "few", "many", "other")  # of CLDR's plural rules, in its order

_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_FIRST_DAY, _DAYS = date(1950, 1, 1), 36525  # a century around today: years of four digits
_DRAWN = 40  # dates and numbers to choose from: more than are asked, since some may be dropped


@dataclass(frozen=True, slots=True)
class Item:
    """A question before its words. `answer` is the text of the gold answer; a choice has it among its `options`.

    `labels` marks options that are fixed terms, which a question may spell by chance ("Aragonese" spells `one`).
    """

    id: str
    input: str
    fields: Mapping[str, str]
    answer: str
    options: tuple[str, ...] = field(default=())
    cluster: str = ""
    labels: bool = False


def make(kind: str, identifier: str) -> Iterator[Item]:
    """The items of one kind for one locale, best first; none where the locale has not the data."""
    return _KINDS[kind](cldr.read(identifier))


def write_date(locale: cldr.Locale, day: date) -> str | None:
    """A Gregorian date by the locale's long pattern, month names and digits; None where one of them is not its own.

    The letters are those of UTS #35 part 4 that long patterns use: y, M (in a date), L (alone), d and G.
    """
    if locale.date is None:
        return None
    parts = [_date_part(locale, day, match) for match in _PATTERN.finditer(locale.date)]
    return None if None in parts else "".join(part for part in parts if part is not None)


def _date_part(locale: cldr.Locale, day: date, match: re.Match[str]) -> str | None:
    """One literal or one field of the pattern."""
    text, letter = match[0], match[2]
    if letter is None:
        return text if match[1] is None else match[1].replace("''", "'") or "'"
    if letter == "G":
        return locale.era
    if text in (named := {"MMM": locale.months_abbreviated, "MMMM": locale.months_in_dates, "LLLL": locale.months}):
        return named[text][day.month - 1] if named[text] else None
    values = {"y": day.year, "M": day.month, "L": day.month, "d": day.day}
    if letter not in values or len(text) > 2:
        return None
    value = values[letter] % 100 if text == "yy" else values[letter]
    return cldr.localise(str(value).zfill(len(text)), locale.digits)


def _territories(locale: cldr.Locale) -> Iterator[Item]:
    return _naming("territory", locale.territories, cldr.read("en").territories)


def _languages(locale: cldr.Locale) -> Iterator[Item]:
    return _naming("language", locale.languages, cldr.read("en").languages)


def _currencies(locale: cldr.Locale) -> Iterator[Item]:
    return _naming("currency", locale.currencies, cldr.read("en").currencies)


def _naming(kind: str, own: Mapping[str, str], english: Mapping[str, str]) -> Iterator[Item]:
    """Which of four is the name of this? Only names that differ from the English ones are asked or offered."""
    names = {f"{kind}-{code}": own[code] for code in own if code in english and not cldr.same(own[code], english[code])}
    known = tuple(f"{kind}-{code}" for code in english)
    for key in _shuffled(known, kind):
        if key in names:
            # The same distractors in every language that has their names; the item itself drops out as its own answer.
            options = _options(key, names[key], (names[other] for other in _shuffled(known, key) if other in names))
            name = english[key.removeprefix(f"{kind}-")]
            if options:
                yield Item(key, name, {"name": name}, names[key], options)


def _written_names(locale: cldr.Locale) -> Iterator[Item]:
    """Territories and languages by turns, to be written out."""
    both = (
        ("territory", locale.territories, cldr.read("en").territories),
        ("language", locale.languages, cldr.read("en").languages),
    )
    turns = [
        [
            Item(f"{kind}-{code}", english[code], {"kind": kind, "name": english[code]}, own[code])
            for code in _shuffled(tuple(english), f"write-{kind}")
            if code in own and not cldr.same(own[code], english[code])
        ]
        for kind, own, english in both
    ]
    return (item for pair in zip_longest(*turns) for item in pair if item is not None)


def _calendar(locale: cldr.Locale) -> Iterator[Item]:
    """Months and weekdays: what each is called, and which comes after and before it."""
    items = [*_cycle("month", locale.months, MONTHS), *_cycle("weekday", locale.weekdays, WEEKDAYS)]
    by_id = {item.id: item for item in items}
    return (by_id[key] for key in _by_hash(by_id, "calendar"))


def _cycle(kind: str, names: tuple[str, ...], english: tuple[str, ...]) -> Iterator[Item]:
    for index, name in enumerate(names):
        subject = f"{kind}-{index + 1}"
        following, preceding = names[(index + 1) % len(names)], names[index - 1]
        questions = [
            ("next", name, f"Which {kind} comes right after {name}?", following),
            ("previous", name, f"Which {kind} comes right before {name}?", preceding),
        ]
        if not cldr.same(name, english[index]):
            questions.append(("name", english[index], f"What is the {kind} {english[index]} called?", name))
        for suffix, asked, question, answer in questions:
            key = f"{subject}-{suffix}"
            # The name that the question prints is no distractor: nobody would take it.
            others = (other for other in _by_hash(names, key) if other != asked)
            if options := _options(key, answer, others):
                yield Item(key, asked, {"question": question}, answer, options, subject)


def _dates(locale: cldr.Locale) -> Iterator[Item]:
    for day in _drawn_dates():
        written = write_date(locale, day)
        if written is not None:
            yield Item(f"date-{day}", str(day), {"date": str(day)}, written)


def _numbers(locale: cldr.Locale) -> Iterator[Item]:
    if locale.numbers is not None:
        for number in _drawn_numbers():
            yield Item(f"number-{number}", number, {"number": number}, locale.numbers.write(number))


def _plurals(locale: cldr.Locale) -> Iterator[Item]:
    """Numbers of each category by turns, so that rare categories come first and none outweighs more than it must."""
    rule = locale.plurals
    if rule is None or not rule.tags:
        return
    options = tuple(category for category in CATEGORIES if category in {*rule.tags, "other"})
    turns: dict[str, list[Item]] = {category: [] for category in options}
    for number in _plural_numbers():
        category = rule(Decimal(number))
        turns[category].append(Item(f"number-{number}", number, {"number": number}, category, options, labels=True))
    yield from filter(None, chain.from_iterable(zip_longest(*turns.values())))


_KINDS: Mapping[str, Callable[[cldr.Locale], Iterator[Item]]] = MappingProxyType(
    {
        "territories": _territories,
        "languages": _languages,
        "currencies": _currencies,
        "calendar": _calendar,
        "names-write": _written_names,
        "dates": _dates,
        "numbers": _numbers,
        "plurals": _plurals,
    }
)


def _options(key: str, answer: str, others: Iterator[str]) -> tuple[str, ...]:
    """The answer and three others in an order fixed by the item; empty where there are not three that differ."""
    chosen = {cldr.fold(answer): answer}
    for other in others:
        chosen.setdefault(cldr.fold(other), other)
        if len(chosen) == OPTIONS:
            return tuple(_by_hash(chosen.values(), f"options-{key}"))
    return ()


@cache
def _shuffled(keys: tuple[str, ...], salt: str) -> tuple[str, ...]:
    """`_by_hash` for the fixed lists of codes, which every language asks for again."""
    return tuple(_by_hash(keys, salt))


def _by_hash(keys: Iterable[str], salt: str) -> list[str]:
    return sorted(keys, key=lambda key: _hash(salt, key))


@cache
def _drawn_dates() -> tuple[date, ...]:
    """Dates of every month of the year by turns."""
    drawn: list[date] = []
    for turn in range(_DRAWN):
        days = (_FIRST_DAY + timedelta(_hash("date", str(turn), str(draw)) % _DAYS) for draw in range(1000))
        drawn.append(next(day for day in days if day.month == turn % 12 + 1 and day not in drawn))
    return tuple(drawn)


@cache
def _drawn_numbers() -> tuple[str, ...]:
    """Numbers of five to eight digits before the point and none to two behind it."""
    drawn: list[str] = []
    for turn in range(_DRAWN):
        digits, decimals = 5 + turn % 4, turn % 3
        whole = 10 ** (digits - 1) + _hash("whole", str(turn)) % (9 * 10 ** (digits - 1))
        fraction = "".join(str(1 + _hash("fraction", str(turn), str(place)) % 9) for place in range(decimals))
        drawn.append(f"{whole}.{fraction}" if fraction else str(whole))
    return tuple(drawn)


@cache
def _plural_numbers() -> tuple[str, ...]:
    """Integers with every remainder that a rule looks at, round millions (French, Spanish), and decimals."""
    integers = [*range(200), *range(1_000_000, 6_000_000, 1_000_000)]
    decimals = [f"{tenths / 10:.1f}" for tenths in (*range(31), 100, 105, 111, 210, 211)]
    return _shuffled((*map(str, integers), *decimals, "1.00", "2.00"), "plurals")


def _hash(*parts: str) -> int:
    """The same number in every process and on every machine, unlike Python's own hash."""
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8], "big")
