"""Languages by family: what is known of each family, and which models serve it as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

import languages
from languages import Language
from leaderboard import facets, premium_queries
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, Count, ModelName
from leaderboard.board_pages import TaskColumn
from leaderboard.language_list import BENCHMARKS, NOTHING, SELF_TEST, LanguageRow, state_of
from leaderboard.naming import by_name
from leaderboard.problems import Link, Missing
from leaderboard.records import Badge
from leaderboard.site import Site
from leaderboard.standings import Group, Standing, group_of
from leaderboard.versions import newest

ROWS, TOP = 100, 10
SORTS = ("languages", "name", "results", "speakers")


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family of Glottolog's: its languages, and how many have results of benchmarks, or of the self-test alone.

    `speakers` are those that sources state, each language once whatever its scripts; `unknown` counts the languages
    of which none states them.
    """

    glottocode: str
    name: str
    languages: int
    with_benchmarks: int
    self_test_only: int
    speakers: int
    unknown: int


@dataclass(frozen=True, slots=True)
class FamilyList:
    """Every family that has a language in the registry; `unknown` languages have none stated."""

    snapshot: str
    sort: str
    rows: tuple[FamilyRow, ...]
    part: Part
    unknown: int


@dataclass(frozen=True, slots=True)
class FamilyStanding:
    """A model over the languages of a family. `badge` is the lowest of its runs."""

    model: ModelName
    badge: Badge
    standing: Standing


@dataclass(frozen=True, slots=True)
class FamilyTable:
    """The best models over a family in one metric and way of asking, of `total`, and the highest floor.

    `tasks` are those that their means are over.
    """

    group: Group
    tasks: tuple[TaskColumn, ...]
    models: tuple[FamilyStanding, ...]
    floor: FamilyStanding | None
    total: int


@dataclass(frozen=True, slots=True)
class FamilyPage:
    """One family: which models serve it as a whole, and each of its languages."""

    snapshot: str
    family: FamilyRow
    tables: tuple[FamilyTable, ...]
    rows: tuple[LanguageRow, ...]
    part: Part


def families(board: Board) -> tuple[dict[str, FamilyRow], int]:
    """Every family by its Glottocode, and how many languages have none stated."""
    members: dict[str, list[Language]] = {}
    unknown = 0
    for one in languages.all_languages():
        if one.family_id is None:
            unknown += 1
        else:
            members.setdefault(one.family_id, []).append(one)
    counts = board.counts()
    return {code: _row(code, own, counts) for code, own in members.items()}, unknown


def _row(code: str, own: Sequence[Language], counts: Mapping[str, Count]) -> FamilyRow:
    states = [state_of(counts.get(one.code)) for one in own]
    people = {one.iso639_3: one.speakers for one in own}  # the scripts of one language repeat the number
    return FamilyRow(
        glottocode=code,
        name=own[0].family or code,
        languages=len(own),
        with_benchmarks=states.count(BENCHMARKS),
        self_test_only=states.count(SELF_TEST),
        speakers=sum(number or 0 for number in people.values()),
        unknown=sum(number is None for number in people.values()),
    )


def _by_name(row: FamilyRow) -> tuple[object, ...]:
    return row.name.casefold(), row.glottocode


_ORDERS: Mapping[str, Callable[[FamilyRow], tuple[object, ...]]] = {
    "languages": lambda row: (-row.languages, *_by_name(row)),
    "name": _by_name,
    "results": lambda row: (-row.with_benchmarks, -row.self_test_only, *_by_name(row)),
    "speakers": lambda row: (-row.speakers, *_by_name(row)),
}


def family_list(board: Board, asked: Asked) -> FamilyList:
    """The list of families."""
    known, unknown = families(board)
    sort = asked.choice("sort", SORTS, SORTS[0])
    shown, part = asked.part(sorted(known.values(), key=_ORDERS[sort]), ROWS)
    return FamilyList(board.name, sort, tuple(shown), part, unknown)


def family(board: Board, asked: Asked, glottocode: str) -> FamilyPage:
    """One family. Raises `Missing` where no language of the registry belongs to it."""
    known, _unknown = families(board)
    found = known.get(glottocode)
    if found is None:
        raise Missing(_("No family of our languages has that Glottocode."), _near(glottocode, known.values()))
    own = [one for one in languages.all_languages() if one.family_id == glottocode]
    counts, premiums = board.counts(), premium_queries.ranges(board)
    rows = [
        LanguageRow(one, counts.get(one.code), premiums.get(one.code), state_of(counts.get(one.code))) for one in own
    ]
    order = (BENCHMARKS, SELF_TEST, NOTHING)
    rows.sort(key=lambda row: (order.index(row.state), *by_name(row.language)))
    shown, part = asked.part(rows, ROWS)
    return FamilyPage(board.name, found, _tables(board, {one.code for one in own}), tuple(shown), part)


def _tables(board: Board, codes: set[str]) -> tuple[FamilyTable, ...]:
    known = facets.traits(board)
    made = []
    for group, own in board.standings(languages=codes).items():
        there = [FamilyStanding(known[one.model].model, known[one.model].badge, one) for one in own if one.covered]
        models = [one for one in there if not one.model.baseline]
        floors = [one for one in there if one.model.baseline]
        # Partial means are over different cells and compare nothing: what comes next is who has most of them.
        models.sort(key=lambda one: (one.standing.first is None, -one.standing.covered))
        best = max(floors, key=lambda one: (one.standing.complete, one.standing.normalised or 0.0), default=None)
        if models and not group.floor:
            made.append(FamilyTable(group, _tasks(board, group, codes), tuple(models[:TOP]), best, len(models)))
    return tuple(made)


def _tasks(board: Board, group: Group, codes: set[str]) -> tuple[TaskColumn, ...]:
    """The tasks of a group, in their newest versions, that have a language of the family."""
    every = facets.board_tasks(board)
    latest = newest(every)
    there = {
        (sheet.way.task, sheet.way.version)
        for sheet in board.sheets()
        if group_of(sheet) == group and not codes.isdisjoint(sheet.languages)
    }
    return tuple(
        TaskColumn(one.name, one.version, one.title, board.why_invalid(one.name, one.version))
        for one in every
        if (one.name, one.version) in there and latest[one.name] == one.version
    )


def _near(sought: str, known: Iterable[FamilyRow]) -> list[Link]:
    names = {row.glottocode: row.name for row in known}
    words = {word.casefold(): code for code, name in names.items() for word in (code, name)}
    near = difflib.get_close_matches(sought[:80].casefold(), words, n=5, cutoff=0.6)
    return [Link(f"/families/{code}", names[code]) for code in dict.fromkeys(words[word] for word in near)]


def register(site: Site) -> None:
    """Puts the pages under their addresses."""
    site.page(
        "/families/",
        "families.html",
        family_list,
        FamilyList,
        rows=lambda page: page.rows,
        row=FamilyRow,
        parameters=("page", "sort"),
    )
    site.page(
        "/families/<glottocode>",
        "family.html",
        family,
        FamilyPage,
        rows=lambda page: page.rows,
        row=LanguageRow,
        parameters=("page",),
        variables=lambda board: ({"glottocode": code} for code in families(board)[0]),
    )
