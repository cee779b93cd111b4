"""The questions of the rule suite: one generator a kind, from a language to items in an order fixed by hashes.

An item's id names what is asked and is the same in every language; a language that lacks a word or a format goes on to
the next one. `references` of a sample are the item's rules as JSON, which `bench.rules` checks.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import TypeVar

import languages
from tasks import cldr, cldr_items, rule_forms, rule_locale, rule_text
from tasks.records import by_hash
from tasks.rule_forms import by_turns, rules

SPACELESS = frozenset({"Hani", "Hans", "Hant", "Java", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Yiii"})
"""Scripts whose words no space divides: there a limit on words is one on characters."""

NEEDED = 310
_CHARACTERS = 4  # what one word of a limit becomes in such a script
_FIRST_DAY, _DAYS = date(1950, 1, 1), 36525
_FIELD = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*")
_UNFIT = re.compile(r"[\d(),;،、/&]")
_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class Item:
    """A request before its words: the fields that the prompt names, the rules as JSON, the one right text if any."""

    id: str
    fields: Mapping[str, str]
    rules: str
    gold: str = ""


def make(kind: str, language: languages.Language) -> Iterator[Item]:
    """The items of one kind for one language, best first; none where CLDR has not the data."""
    return _KINDS[kind](language)


def _language(language: languages.Language) -> Iterator[Item]:
    for topic, name, words in _open_requests():
        rule = rules(("language:only", {"language": language.code}))
        yield Item(f"{_slug(topic)}-{name}", {"request": words.format(topic=topic)}, rule)


@cache
def _open_requests() -> tuple[tuple[str, str, str], ...]:
    every = [(topic, name, words) for topic in rule_text.TOPICS for name, words in rule_text.REQUESTS]
    return tuple(by_hash(every, lambda one: f"open/{one[0]}/{one[1]}"))


def _dates(language: languages.Language) -> Iterator[Item]:
    formats = rule_locale.read(_locale(language))
    days = _drawn_dates()
    long = (_date("long", formats.locale, day) for day in days)
    short = (_date("short", formats.short, day) for day in days) if formats.short else ()
    yield from filter(None, by_turns(long, short))


def _date(style: str, locale: cldr.Locale, day: date) -> Item | None:
    written = cldr_items.write_date(locale, day)
    if written is None or locale.date is None:
        return None
    letters = {match[0] for match in _FIELD.finditer(locale.date) if match[1]}
    names = {"MMM": locale.months_abbreviated, "MMMM": locale.months_in_dates, "LLLL": locale.months}
    named = next((f", whose name here is {names[text][day.month - 1]}" for text in names if text in letters), "")
    eras = {text for text in letters if text[0] == "G"}
    if eras - {"G"}:
        return None  # the longer and the narrow names of the era are not read
    era = f", era {locale.era}" if eras else ""
    fields = {
        "parts": f"day {day.day}, month {day.month}{named}, year {day.year}{era}",
        "pattern": locale.date,
        "digits": locale.digits,
    }
    return Item(f"{style}-{day}", fields, rules(("date:equals", {"text": written})), written)


def _numbers(language: languages.Language) -> Iterator[Item]:
    own = rule_locale.read(_locale(language)).locale.numbers
    if own is not None:
        for number in _drawn_numbers():
            written = own.write(number)
            fields = {"number": number, "digits": own.digits, **_signs(own)}
            yield Item(f"number-{number}", fields, rules(("number:equals", {"text": written})), written)


def _currency(language: languages.Language) -> Iterator[Item]:
    own = rule_locale.read(_locale(language)).currency
    if own is not None:
        for amount, (code, name, sign) in _drawn_amounts():
            written = own.write(amount, sign)
            fields = {"amount": amount, "currency": name, "sign": sign, "pattern": own.pattern, **_signs(own.numbers)}
            yield Item(f"{code}-{amount}", fields, rules(("currency:equals", {"text": written})), written)


def _signs(numbers: cldr.Numbers) -> dict[str, str]:
    """The signs and the groups of a number, in words."""
    first, other = numbers.grouping
    sizes = {(3, 3): "groups of three", (3, 2): "the last three digits one group, the others groups of two"}
    return {
        "decimal": _sign(numbers.decimal),
        "group": _sign(numbers.group),
        "grouping": sizes.get((first, other), f"the last {first} digits one group, the others groups of {other}"),
    }


def _sign(sign: str) -> str:
    names = ", ".join(unicodedata.name(char, f"U+{ord(char):04X}").lower() for char in sign)
    if sign.strip():
        return f"{sign} ({names})"
    return f"{names}, or a plain one" if sign else "none"


def _lists(language: languages.Language) -> Iterator[Item]:
    formats = rule_locale.read(_locale(language))
    if formats.lists is None:
        return
    words = _words(formats.locale)
    for kind, codes in _drawn_lists():
        own = words[kind]
        if not all(code in own for code in codes):
            continue
        written = formats.lists.write([own[code] for code in codes])
        pattern = formats.lists.write("ABCD"[: len(codes)])
        if written is not None and pattern is not None:
            elements = "\n".join(f"{letter} = {own[code]}" for letter, code in zip("ABCD", codes, strict=False))
            rule = rules(("list:equals", {"text": written}))
            yield Item(f"{kind}-{'-'.join(codes)}", {"elements": elements, "pattern": pattern}, rule, written)


def _digits(language: languages.Language) -> Iterator[Item]:
    native = rule_locale.read(_locale(language)).native
    if native is not None:
        table = ", ".join(f"{native[value]} for {value}" for value in range(10))
        rule = rule_forms.in_language(rules(("digits:native", {"digits": native})), language.code, letters=False)
        for name, request in _drawn_questions():
            yield Item(name, {"request": request, "digits": table}, rule)


def _length(language: languages.Language) -> Iterator[Item]:
    for topic, kind, size in _drawn_lengths():
        unit = "words"
        if kind == "words":
            most = size
            if language.script in SPACELESS:
                unit = "characters, each of which counts as a word (punctuation and spaces do not count)"
                most = size * _CHARACTERS
            elif language.script == "Tibt":
                unit, most = "syllables, as the tsheg parts them", size * 2
            rule = rules(("length:words", {"most": most}))
            words = f"The whole answer has at most {most} {unit}."
        elif kind == "lines":
            rule = rules(("length:lines", {"exactly": size}))
            words = f"The whole answer has exactly {size} lines, none of them blank."
        else:
            rule = rules(("length:characters", {"most": size}))
            words = f"The whole answer has at most {size} characters, spaces and punctuation included."
        rule = rule_forms.in_language(rule, language.code)
        yield Item(f"{kind}-{size}-{_slug(topic)}", {"topic": topic, "rule": words}, rule)


def _words_rule(language: languages.Language) -> Iterator[Item]:
    if language.script == "Tibt":
        return  # a tsheg ends the words of CLDR, and stands between all others too
    words = _words(cldr.read(_locale(language)))
    if language.script in SPACELESS:
        words = {kind: _apart(known) for kind, known in words.items()}
    for kind, code, situation, sentences, required in _drawn_words():
        word = words[kind].get(code)
        if word is None:
            continue
        name, about = situation
        count, number = sentences
        if required:
            rule = f"The text has the word “{word}” in it, as a word by itself and exactly in this form."
        else:
            rule = f"The text does not have the word “{word}” in it."
        fields = {"request": f"Write {number} sentences about {about}.", "rule": rule}
        form = "required" if required else "forbidden"
        made = rule_forms.in_language(rules((f"word:{form}", {"word": word})), language.code)
        yield Item(f"{form}-{kind}-{code}-{name}-{count}", fields, made)


def _format(language: languages.Language) -> Iterator[Item]:
    for name, topic, words, rule in rule_forms.drawn():
        if name.startswith("letters-") and language.script == "Latn":
            continue
        made = rule_forms.in_language(rule, language.code)
        yield Item(f"{name}-{_slug(topic)}", {"topic": topic, "rule": words}, made)


def _apart(words: Mapping[str, str]) -> dict[str, str]:
    """The words that are no part of another: without spaces, "January" would be found in "November"."""
    return {code: word for code, word in words.items() if sum(word in other for other in words.values()) == 1}


_KINDS: Mapping[str, Callable[[languages.Language], Iterator[Item]]] = MappingProxyType(
    {
        "language": _language,
        "dates": _dates,
        "numbers": _numbers,
        "currency": _currency,
        "lists": _lists,
        "digits": _digits,
        "length": _length,
        "words": _words_rule,
        "format": _format,
    }
)
FROM_CLDR = frozenset({"dates", "numbers", "currency", "lists", "digits", "words"})
"""The kinds that need a CLDR locale; the others are asked in every language of the registry."""


def _locale(language: languages.Language) -> str:
    if language.cldr is None:
        raise LookupError(f"{language.code} has no CLDR locale")
    return language.cldr


def _words(locale: cldr.Locale) -> dict[str, dict[str, str]]:
    """Months, weekdays and territories by a name that every language shares; none with digits or marks of a list."""
    months = zip(cldr_items.MONTHS, locale.months, strict=bool(locale.months))
    weekdays = zip(cldr_items.WEEKDAYS, locale.weekdays, strict=bool(locale.weekdays))
    every = {
        "month": {english.lower(): word for english, word in months},
        "weekday": {english.lower(): word for english, word in weekdays},
        "territory": dict(locale.territories),
    }
    return {
        kind: {code: word for code, word in words.items() if word.strip() and not _UNFIT.search(word)}
        for kind, words in every.items()
    }


@cache
def _codes() -> Mapping[str, tuple[str, ...]]:
    """The words that English has, by kind: what the lists and the required words are drawn from."""
    return MappingProxyType({kind: tuple(words) for kind, words in _words(cldr.read("en")).items()})


@cache
def _drawn_dates() -> tuple[date, ...]:
    """Dates of every month of the year by turns."""
    drawn: dict[date, None] = {}
    turn = 0
    while len(drawn) < NEEDED:
        day = _FIRST_DAY + timedelta(_hash("rule-date", turn) % _DAYS)
        turn += 1
        if day.month == len(drawn) % 12 + 1:
            drawn.setdefault(day)
    return tuple(drawn)


@cache
def _drawn_numbers() -> tuple[str, ...]:
    """Numbers of five to eight digits before the point and none to two behind it."""
    return _distinct(lambda turn: _number("rule-number", turn, 5 + turn % 4, turn % 3))


@cache
def _drawn_amounts() -> tuple[tuple[str, tuple[str, str, str]], ...]:
    """Amounts of five to seven digits before the point and two behind it, and their currencies by turns."""
    signs = rule_text.CURRENCIES
    return _distinct(lambda turn: (_number("rule-amount", turn, 5 + turn % 3, 2), signs[turn % len(signs)]))


def _number(salt: str, turn: int, digits: int, decimals: int) -> str:
    least = 10 ** (digits - 1)
    whole = least + _hash(salt, turn) % (9 * least)
    fraction = "".join(str(1 + _hash(salt, turn, place) % 9) for place in range(decimals))
    return f"{whole}.{fraction}" if fraction else str(whole)


@cache
def _drawn_lists() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Two, three and four elements by turns, of months, weekdays and territories by turns."""

    def one(kind: str, turn: int) -> tuple[str, tuple[str, ...]]:
        ordered = by_hash(_codes()[kind], lambda code: f"list/{kind}/{turn}/{code}")
        return kind, tuple(ordered[: 2 + turn % 3])

    def some(kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        # Three times as many as are asked: a locale may have pairs alone, or lack some of the territories.
        return iter(dict.fromkeys(one(kind, turn) for turn in range(3 * NEEDED)))

    return tuple(by_turns(some("month"), some("weekday"), some("territory")))


@cache
def _drawn_questions() -> tuple[tuple[str, str], ...]:
    """Requests that need digits, by turns; each with numbers of its own."""

    def one(turn: int) -> tuple[str, str]:
        name, words = rule_text.DIGIT_REQUESTS[turn % len(rule_text.DIGIT_REQUESTS)]
        a = 11 + _hash("rule-a", turn) % 400
        values = {"a": a, "b": a + 13 + _hash("rule-b", turn) % 500, "step": 2 + turn % 8, "year": 1921 + turn % 80}
        return f"{name}-{turn}", words.format_map(values)

    asked: dict[str, str] = {}
    for turn in range(4 * NEEDED):
        name, words = one(turn)
        asked.setdefault(words, name)
    return tuple((name, words) for words, name in asked.items())


@cache
def _drawn_lengths() -> tuple[tuple[str, str, int], ...]:
    sizes = {"words": (8, 12, 15, 20, 25), "lines": (2, 3, 4, 5, 6), "characters": (60, 80, 100, 120, 150)}
    streams = [
        by_hash([(topic, kind, size) for topic in rule_text.TOPICS for size in of], lambda one: "/".join(map(str, one)))
        for kind, of in sizes.items()
    ]
    return tuple(by_turns(*streams))


@cache
def _drawn_words() -> tuple[tuple[str, str, tuple[str, str], tuple[str, str], bool], ...]:
    """Words of the three kinds by turns, required and forbidden by turns."""
    streams = [
        by_hash(
            [
                (kind, code, situation, sentences, required)
                for code in _codes()[kind]
                for situation in rule_text.SITUATIONS[kind]
                for sentences in rule_text.SENTENCES
            ],
            lambda one: f"{one[4]}/{one[0]}/{one[1]}/{one[2][0]}/{one[3][0]}",
        )
        for kind in rule_text.SITUATIONS
        for required in (True, False)
    ]
    return tuple(by_turns(*streams))


def _distinct(draw: Callable[[int], _Thing]) -> tuple[_Thing, ...]:
    """So many different draws as are needed."""
    drawn: dict[_Thing, None] = {}
    turn = 0
    while len(drawn) < NEEDED:
        drawn.setdefault(draw(turn))
        turn += 1
    return tuple(drawn)


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _hash(*parts: object) -> int:
    """The same number in every process and on every machine, unlike Python's own hash."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")
