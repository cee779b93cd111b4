"""The parameters of an address: which a page knows, and what they may be."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar
from urllib.parse import quote, urlencode

from flask import request
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from leaderboard.problems import Link, Wrong

Row = TypeVar("Row")

LONGEST_QUERY, MOST_VALUES, LONGEST_VALUE = 2048, 50, 200
"""Characters of a query, values in it, and characters of one of them."""
MOST_TOLD, MOST_NEAR = 12, 3
"""Known values that a message names, and those near a wrong one to which it leads."""


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a long table: its rows, its number from 1, how many pages and rows there are."""

    number: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters that a page knows, sorted by name; no others, and none that is empty.

    Several values of one name stand as they were asked for: the first of them may mean more than the others. `whole` is
    set where the data of a page are asked for and not a part of them.
    """

    values: tuple[tuple[str, str], ...] = ()
    whole: bool = False

    def one(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((value for key, value in self.values if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter, each once."""
        return tuple(dict.fromkeys(value for key, value in self.values if key == name))

    def choice(self, name: str, among: Collection[str], default: str = "") -> str:
        """A value that has to be one of some. Raises `Wrong`."""
        value = self.one(name)
        if value and value not in among:
            raise self._wrong(name, value, among)
        return value or default

    def choices(self, name: str, among: Collection[str]) -> tuple[str, ...]:
        """Values that each have to be one of some. Raises `Wrong`."""
        for value in self.all(name):
            if value not in among:
                raise self._wrong(name, value, among)
        return self.all(name)

    def number(self, name: str, default: int, least: int = 1, most: int = 100_000) -> int:
        """A whole number between two others. Raises `Wrong`."""
        value = self.one(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 9 and least <= int(value) <= most):
            raise Wrong(
                _(
                    "%(name)s is to be a whole number from %(least)s to %(most)s.",
                    name=name,
                    least=least,
                    most=most,
                )
            )
        return int(value)

    def part(self, rows: Sequence[Row], size: int, name: str = "page") -> tuple[Sequence[Row], Part]:
        """The rows of the page of a table that is asked for. Raises `Wrong` for one behind the last."""
        if self.whole:
            return rows, Part(1, 1, len(rows))
        pages = max(1, -(-len(rows) // size))
        number = self.number(name, 1, most=pages)
        return rows[(number - 1) * size : number * size], Part(number, pages, len(rows))

    def query(self, **changes: str | int | Sequence[str] | None) -> str:
        """The parameters with some changed or (None, empty) left out, to stand behind an address.

        What is asked for in another order is another address: no two pages share one.
        """
        kept = [(key, value) for key, value in self.values if key not in changes]
        for key, value in changes.items():
            if isinstance(value, list | tuple):
                kept += [(key, each) for each in value]
            elif value not in (None, ""):
                kept.append((key, str(value)))
        kept.sort(key=itemgetter(0))
        return f"?{urlencode(kept, errors='replace')}" if kept else ""

    def without(self, name: str, value: str) -> str:
        """The parameters without one value of one of them, from the first page on."""
        kept = [pair for pair in self.values if pair != (name, value) and pair[0] != "page"]
        return f"?{urlencode(kept, errors='replace')}" if kept else ""

    def _wrong(self, name: str, value: str, among: Collection[str]) -> Wrong:
        """What to say of an unknown value, with the same address but for a known one that looks like it."""
        told = list(among if isinstance(among, Sequence) else sorted(among))[:MOST_TOLD]
        known = ", ".join([*told, "…"] if len(told) < len(among) else told)
        return Wrong(
            _(
                "%(value)s is no %(name)s that this page knows; it knows %(known)s.",
                value=value,
                name=name,
                known=known,
            ),
            [Link(f"{quote(request.path)}{self._instead(name, value, near)}", near) for near in _near(value, among)],
        )

    def _instead(self, name: str, value: str, other: str) -> str:
        """The parameters with one value of one of them replaced, from the first page on."""
        kept = [other if each == value else each for each in self.all(name)]
        return self.query(**{"page": None, name: list(dict.fromkeys(kept))})


def _near(value: str, among: Collection[str]) -> list[str]:
    """The known values that look like another, the likest first."""
    folded = {each.casefold(): each for each in sorted(among)}
    return [folded[each] for each in difflib.get_close_matches(value.casefold()[:80], folded, MOST_NEAR, cutoff=0.5)]


def asked(arguments: MultiDict[str, str], known: Collection[str], query: bytes, *, whole: bool = False) -> Asked:
    """The parameters of a request that a page knows; others, which other sites add to links, mean nothing.

    Raises `Wrong` for more than anybody could mean.
    """
    if len(query) > LONGEST_QUERY:
        raise Wrong(_("The address is too long."))
    values = [(name, value.strip()) for name in sorted(known) for value in arguments.getlist(name)]
    values = [(name, value) for name, value in dict.fromkeys(values) if value]
    if len(values) > MOST_VALUES or any(len(value) > LONGEST_VALUE for _name, value in values):
        raise Wrong(_("The address asks for too much at once."))
    return Asked(tuple(values), whole)
