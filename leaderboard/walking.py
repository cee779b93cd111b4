"""Every page of a snapshot, one after the other: for making them beforehand, and for writing the site as files."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import Flask
from werkzeug.exceptions import HTTPException

from bench.watch import Watch, unwatched
from leaderboard import caching, invalidations, locking, prefixes, snapshot
from leaderboard.asking import Asked
from leaderboard.board import Board
from leaderboard.caching import Made
from leaderboard.prefixes import Prefix
from leaderboard.site import PAGES, Page, Site


@dataclass(frozen=True, slots=True)
class Stop:
    """One page: its path behind the prefix, and the values of its rule's variables."""

    page: Page
    path: str
    arguments: Mapping[str, str]


def stops(site: Site, name: str) -> list[Stop]:
    """Every page of a snapshot whose address is known without asking anything."""
    made = []
    with Board.open(site.folder, name, invalidations.read(site.folder)) as board:
        for page in site.pages:
            choices = [{}] if page.variables is None else page.variables(board)
            if page.variables is None and "<" in page.rule:
                continue
            for arguments in choices:
                path = page.rule
                for variable, value in arguments.items():
                    path = path.replace(f"<{variable}>", value)
                made.append(Stop(page, path, arguments))
    return made


def answered(site: Site, stop: Stop, name: str, prefix: Prefix, suffix: str = "", query: str = "") -> Made | None:
    """A page in one format, made anew; None where it is not there after all."""
    path = stop.path if not suffix else f"{stop.path.rstrip('/') or '/index'}.{suffix}"
    environ = {prefixes.KEY: prefix, "SCRIPT_NAME": prefix.at()}
    with site.app.test_request_context(path, query_string=query, environ_overrides=environ):
        try:
            asked = site.asked(stop.page, suffix)
            return site.make(stop.page, suffix, stop.arguments, asked, name)
        except HTTPException:
            return None


def beforehand(site: Site, name: str, locales: Collection[str], walked: Iterable[Stop]) -> Iterator[tuple[str, Made]]:
    """Pages in these languages of the interface, by the keys under which they are looked for."""
    for stop in walked:
        for locale in locales:
            prefix = Prefix("", locale, "")
            made = answered(site, stop, name, prefix)
            if made is not None:
                yield site.key(name, prefix.at(), stop.path, Asked()), made


HOT = 1_000
"""A rule with more addresses than that has none that is hot."""


def hot(site: Site, name: str) -> list[Stop]:
    """The pages that are asked for most: every page but those of which there are thousands."""
    every = stops(site, name)
    rules = Counter(stop.page.rule for stop in every)
    return [stop for stop in every if rules[stop.page.rule] <= HOT]


def warm(
    site: Site,
    locales: Collection[str],
    watch: Watch = unwatched,
    only: Sequence[Stop] | None = None,
    name: str = "",
) -> int:
    """Makes the hot pages of a snapshot beforehand, or `only` some; returns how many. Raises `BoardError`.

    Without a name it is the current one. Of other snapshots the pages are taken away, but for those of the current one.
    """
    board = site.folder
    busy = snapshot.BoardError(f"another process makes the pages of {board} now; run this again when it is done")
    try:
        with locking.held(board / ".warming", busy):
            name = name or snapshot.current(board)
            return _warm(site, name, locales, watch, hot(site, name) if only is None else only)
    except OSError as error:
        raise snapshot.BoardError(f"cannot write to {board}: {error.strerror}; the board goes on without") from error


def _warm(site: Site, name: str, locales: Collection[str], watch: Watch, walked: Sequence[Stop]) -> int:
    target, now = (site.folder / PAGES / f"{site.edition(each)}.db" for each in (name, snapshot.current(site.folder)))
    with watch("pages", len(walked)) as progress:

        def told() -> Iterator[Stop]:
            for done, stop in enumerate(walked, start=1):
                yield stop
                progress(done)

        try:
            written = caching.write(target, beforehand(site, name, locales, told()))
        except (OSError, sqlite3.Error) as error:
            raise snapshot.BoardError(f"cannot write {target}: {error}; the board goes on without") from error
    for old in target.parent.glob("*.db"):  # with what a killed process left half written
        if old not in (target, now):
            old.unlink(missing_ok=True)
    return written


def site_of(app: Flask) -> Site:
    """The pages of an application."""
    found: Site = app.extensions["site"]
    return found
