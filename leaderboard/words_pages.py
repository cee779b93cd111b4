"""The pages of words: how the numbers are made, what changed in them, the data, and whom the site is for."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from leaderboard import method, twins
from leaderboard.board import Board
from leaderboard.site import Page, Site
from leaderboard.wording import MetricFacts

CHANGES = Path(__file__).with_name("CHANGES.toml")
CONTACT = "BOARD_CONTACT"
"""The environment variable that says whom to write to: a sentence or an address."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed in how numbers are made, of which tasks, and what it does to numbers that were there before."""

    date: date
    what: str
    tasks: str
    effect: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A change with its day as text (ISO 8601)."""

    date: str
    what: str
    tasks: str
    effect: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Every change of metrics, the newest first."""

    snapshot: str
    changes: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Accessibility:
    """The accessibility statement. `contact` is where to report, "" where whoever runs the board says nothing."""

    snapshot: str
    contact: str


@dataclass(frozen=True, slots=True)
class Address:
    """A page and the addresses of its data, with `<name>` for what varies, and the parameters that it knows."""

    page: str
    data: Mapping[str, str]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """The data beside the pages."""

    snapshot: str
    pages: tuple[Address, ...]
    contact: str


@functools.cache
def changes() -> tuple[Change, ...]:
    """The changelog of metrics. Raises `msgspec.ValidationError` where the file is not what it should be."""
    read = msgspec.convert(tomllib.loads(CHANGES.read_text("utf-8")), dict[str, tuple[Change, ...]])
    return tuple(sorted(read["change"], key=lambda each: each.date, reverse=True))


def changes_page(board: Board) -> Changes:
    """What changed in how numbers are made."""
    told = (Entry(each.date.isoformat(), each.what, each.tasks, each.effect) for each in changes())
    return Changes(board.name, tuple(told))


def contact() -> str:
    """Where to report what is wrong."""
    return " ".join(os.environ.get(CONTACT, "").split())[:200]


def accessibility(board: Board) -> Accessibility:
    """The accessibility statement."""
    return Accessibility(board.name, contact())


def _address(page: Page) -> Address:
    return Address(page.rule, {suffix: page.twin(suffix) for suffix in twins.FORMATS}, page.parameters)


def register(site: Site) -> None:
    """The pages of words."""

    def data(board: Board) -> Data:
        return Data(board.name, tuple(map(_address, sorted(site.pages, key=lambda one: one.rule))), contact())

    site.page("/method", "method.html", method.page, method.Method, rows=lambda page: page.metrics, row=MetricFacts)
    site.page("/changes", "changes.html", changes_page, Changes, rows=lambda page: page.changes, row=Entry)
    site.page(
        "/accessibility",
        "accessibility.html",
        accessibility,
        Accessibility,
        rows=lambda page: [page],
        row=Accessibility,
    )
    site.page("/data", "data.html", data, Data, rows=lambda page: page.pages, row=Address)
