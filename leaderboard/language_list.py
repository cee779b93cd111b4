"""The list of languages: every one of the registry, narrowed down by filters that say what they would leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import languages
from languages import Language
from leaderboard import premium_queries
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, Count
from leaderboard.local_names import script_plain
from leaderboard.naming import by_name, fit, folded, near
from leaderboard.premium_queries import PremiumRange
from leaderboard.site import Site

ROWS = 100
NAME, MATCH = "name", "match"
SORTS = (NAME, "speakers", "results", MATCH)
"""`match` has those first that fit best what is looked for, as a search has where no order is asked for."""

UNKNOWN = "unknown"
"""What a filter calls the languages of which no source states the thing."""

BENCHMARKS, SELF_TEST, NOTHING = "benchmarks", "self-test", "none"
STATES = (BENCHMARKS, SELF_TEST, NOTHING)


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """A language in the list of languages; no count and no premiums where the board has nothing of it.

    `state` is "benchmarks" where it has results of them, "self-test" where only that, "none" where nothing counts.
    """

    language: Language
    count: Count | None
    premiums: PremiumRange | None
    state: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, what sources call it, and how many languages it would leave with the other filters set."""

    value: str
    label: str
    languages: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, the value that it is set to (or empty), and all values that it may have."""

    name: str
    value: str
    choices: tuple[Choice, ...]

    @property
    def label(self) -> str:
        """What sources call the value that it is set to."""
        return next((choice.label for choice in self.choices if choice.value == self.value), self.value)


@dataclass(frozen=True, slots=True)
class LanguageList:
    """The languages that were asked for; where the words fit none at all, those that are `near` them."""

    snapshot: str
    languages: int
    q: str
    sort: str
    filters: tuple[Filter, ...]
    rows: tuple[LanguageRow, ...]
    part: Part
    near: tuple[Language, ...]


Value = Callable[[LanguageRow], tuple[str, str]]

FILTERS: Mapping[str, Value] = {
    "area": lambda row: (row.language.macroarea or UNKNOWN, row.language.macroarea or UNKNOWN),
    "family": lambda row: (row.language.family_id or UNKNOWN, row.language.family or UNKNOWN),
    "script": lambda row: (row.language.script, row.language.script_name),
    "resource": lambda row: (row.language.resource_class, row.language.resource_class),
    "state": lambda row: (row.state, row.state),
}
"""Filter -> the value of a language, and what sources call it."""


def state_of(count: Count | None) -> str:
    """What a board has of a language."""
    if count is not None and count.cells:
        return BENCHMARKS
    return SELF_TEST if count is not None and count.floor_cells else NOTHING


def page(board: Board, asked: Asked) -> LanguageList:
    """The list of languages. Raises `Wrong` for a value that no language has.

    By name it is in the order of the names that its readers see, and its data in that of the registry's.
    """
    counts, premiums = board.counts(), premium_queries.ranges(board)
    known = [
        LanguageRow(one, counts.get(one.code), premiums.get(one.code), state_of(counts.get(one.code)))
        for one in languages.all_languages()
    ]
    q = asked.one("q")
    fits = {row.language.code: fit(row.language, q) if q.strip() else 0 for row in known}
    named_so = [row for row in known if fits[row.language.code] is not None]
    chosen = {name: asked.choice(name, {value(row)[0] for row in known}) for name, value in FILTERS.items()}
    sort = asked.choice("sort", SORTS, MATCH if q.strip() else NAME)
    found = sorted((row for row in named_so if _passes(row, chosen)), key=_ORDERS.get(sort, _by_name))
    if sort == MATCH:
        found.sort(key=lambda row: fits[row.language.code] or 0)
    shown, part = asked.part(found, ROWS)
    filters = tuple(_filter(name, known, named_so, chosen) for name in FILTERS)
    return LanguageList(board.name, len(known), q, sort, filters, tuple(shown), part, () if named_so else near(q))


def _passes(row: LanguageRow, chosen: Mapping[str, str], but: str = "") -> bool:
    return all(not value or name == but or FILTERS[name](row)[0] == value for name, value in chosen.items())


def _filter(
    name: str, known: Sequence[LanguageRow], named_so: Sequence[LanguageRow], chosen: Mapping[str, str]
) -> Filter:
    labels = dict(FILTERS[name](row) for row in known)
    left = Counter(FILTERS[name](row)[0] for row in named_so if _passes(row, chosen, but=name))
    choices = [Choice(value, label, left[value]) for value, label in labels.items()]
    choices = [one for one in choices if one.languages or one.value == chosen[name]]
    choices.sort(key=lambda one: (one.value == UNKNOWN, folded(_called(name, one))))
    return Filter(name, chosen[name], tuple(choices))


def _called(name: str, choice: Choice) -> str:
    return script_plain(choice.value) if name == "script" else choice.label


def _by_name(row: LanguageRow) -> tuple[object, ...]:
    return by_name(row.language)


def _by_speakers(row: LanguageRow) -> tuple[object, ...]:
    return row.language.speakers is None, -(row.language.speakers or 0), *_by_name(row)


def _by_results(row: LanguageRow) -> tuple[object, ...]:
    cells, floors = (row.count.cells, row.count.floor_cells) if row.count else (0, 0)
    return -cells, -floors, *_by_name(row)


_ORDERS: Mapping[str, Callable[[LanguageRow], tuple[object, ...]]] = {
    "speakers": _by_speakers,
    "results": _by_results,
}


def register(site: Site) -> None:
    """Puts the list under its address."""
    parameters = ("page", "q", "sort", *FILTERS)
    site.page(
        "/languages/",
        "languages.html",
        page,
        LanguageList,
        rows=lambda page: page.rows,
        row=LanguageRow,
        parameters=parameters,
    )
