"""How a page is answered: a view makes a record of the open board, and a record becomes HTML, JSON, CSV or Parquet."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from leaderboard import asking, caching, history, invalidations, prefixes, snapshot, twins
from leaderboard.asking import Asked
from leaderboard.board import Board
from leaderboard.caching import Made
from leaderboard.problems import Missing, Refused

CURRENT_CACHE = "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400"
SNAPSHOT_CACHE = "public, max-age=3600, stale-while-revalidate=86400, stale-if-error=604800"
"""A snapshot never changes, but what was found wrong with a task later is marked on its pages too: hence no year."""

PAGES = "pages"
"""The folder of a board that holds the pages made beforehand."""

TABLES, WAIT, LATER = 2, 10.0, 30
"""So many whole tables are made at once in a process; a request waits so many seconds for its turn, and whoever gets
none is asked to come back in so many: the other threads go on answering pages."""

Rows = Callable[[Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """An address of the site: its rule, what makes its record, and what its table has as rows.

    `parameters` are those of the query that the view reads; it is handed them as its second argument where there are
    any. `row` is what each row is, so that a table without rows has its columns. `variables` gives the values of those
    in the rule; `wide` pages are as dear to make as a whole table. The record of an `undivided` page has all rows
    whatever part of them the page shows.
    """

    rule: str
    template: str
    view: Callable[..., Any]
    rows: Rows
    row: type[Any]
    parameters: tuple[str, ...]
    record: type[Any]
    variables: Callable[[Board], Iterable[Mapping[str, str]]] | None
    wide: bool = False
    undivided: bool = False

    @property
    def endpoint(self) -> str:
        """The page's name within Flask."""
        return self.rule.strip("/").replace("/", "_").replace("<", "").replace(">", "") or "home"

    def twin(self, suffix: str) -> str:
        """The rule of the page's data in a format."""
        return f"{self.rule.rstrip('/') or '/index'}.{suffix}"


class Site:
    """The pages of one board. Opens a snapshot for each answer that was not made before."""

    def __init__(self, app: Flask, folder: Path, build: str) -> None:
        self.app = app
        self.folder = folder
        self.build = build
        self.pages: list[Page] = []
        self.memory = caching.Memory()
        self._beforehand = caching.Beforehand(folder)
        self._turn = threading.Lock()
        self._tables = threading.BoundedSemaphore(TABLES)

    def page(
        self,
        rule: str,
        template: str,
        view: Callable[..., Any],
        record: type[Any],
        *,
        rows: Rows,
        row: type[Any],
        parameters: Iterable[str] = (),
        variables: Callable[[Board], Iterable[Mapping[str, str]]] | None = None,
        wide: bool = False,
        undivided: bool = False,
    ) -> None:
        """Puts a page and its twins under their addresses."""
        made = Page(rule, template, view, rows, row, tuple(sorted(parameters)), record, variables, wide, undivided)
        self.pages.append(made)
        for suffix in twins.FORMATS:

            def twin(suffix: str = suffix, **arguments: str) -> BaseResponse:
                return self._answer(made, suffix, arguments)

            self.app.add_url_rule(made.twin(suffix), f"{made.endpoint}.{suffix}", twin)

        def html(**arguments: str) -> BaseResponse:
            return self._answer(made, "", arguments)

        self.app.add_url_rule(rule, made.endpoint, html)

    def _answer(self, page: Page, suffix: str, arguments: Mapping[str, str]) -> BaseResponse:
        name = self.snapshot()
        asked = self.asked(page, suffix)
        key = self.key(name, request.script_root, request.path, asked)
        # The two encodings of a page are different bytes, so they have different tags.
        tag = hashlib.sha256(key.encode(errors="replace")).hexdigest()[:20]
        tags = (tag, f"{tag}-gz")
        packed = request.accept_encodings.quality("gzip") > 0
        known = request.if_none_match
        if not known.star_tag and any(map(known.contains_weak, tags)):
            answer = Response(status=304)
        else:
            made = self.memory.get(
                key, lambda: self._known(name).get(key) or self._in_turn(page, suffix, arguments, asked, name)
            )
            answer = _response(made, packed=packed)
            if known.star_tag:  # any page that there is
                answer = Response(status=304)
        if suffix in ("csv", "parquet"):
            file = request.path.strip("/").replace("/", "-")
            answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file)}"
        answer.set_etag(tags[packed])
        answer.headers["Cache-Control"] = SNAPSHOT_CACHE if prefixes.current().snapshot else CURRENT_CACHE
        answer.headers["Vary"] = "Accept-Encoding"
        # Anybody's page may read public numbers; nothing here depends on who asks.
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer

    @staticmethod
    def asked(page: Page, suffix: str) -> Asked:
        """The parameters of the request that the page knows. Raises `Wrong`."""
        whole = suffix in ("csv", "parquet") or (suffix == "json" and page.undivided)
        return asking.asked(request.args, page.parameters, request.query_string, whole=whole)

    def prepare(self) -> None:
        """Reads what many pages of the current snapshot need."""
        with Board.open(self.folder, snapshot.current(self.folder)) as opened:
            opened.sheets()
            opened.badges()

    def snapshot(self) -> str:
        """The snapshot that the request is about. Raises `Missing` for one that this board never had."""
        found: str | None = g.get("snapshot")
        if found is None:
            prefix = prefixes.current()
            found = prefix.snapshot or snapshot.current(self.folder)
            if prefix.snapshot and not snapshot.snapshot_path(self.folder, prefix.snapshot).is_file():
                raise Missing(_("This board has no snapshot of that name."))
            g.snapshot = found
        return found

    def key(self, name: str, root: str, path: str, asked: Asked) -> str:
        """Everything that decides how a page looks; all links of a page begin with the root."""
        return f"{self.edition(name)} {root} {path}{asked.query()}"

    def edition(self, name: str) -> str:
        """What decides how all pages of a snapshot look: its content, this program, and what was said since.

        That is what was found wrong, and the history, whose line for a snapshot is written after that is current.
        """
        return f"{name}-{self.build}-{self._marks()}-{self._published():x}"

    def _published(self) -> int:
        """The size of the history, which grows with every publish."""
        try:
            return (self.folder / history.HISTORY).stat().st_size
        except FileNotFoundError:
            return 0

    def _marks(self) -> str:
        try:
            return f"{zlib.crc32((self.folder / 'invalidations.jsonl').read_bytes()):08x}"
        except FileNotFoundError:
            return "0"

    def _known(self, name: str) -> caching.Beforehand:
        """The pages of a snapshot that were made beforehand."""
        path = self.folder / PAGES / f"{self.edition(name)}.db"
        with self._turn:
            if self._beforehand.path != path:
                self._beforehand = caching.Beforehand(path)
            return self._beforehand

    def _in_turn(self, page: Page, suffix: str, arguments: Mapping[str, str], asked: Asked, name: str) -> Made:
        """What `make` gives; whole tables a few at a time. Raises `Refused` where others take too long."""
        if not page.wide and suffix not in ("csv", "parquet"):
            return self.make(page, suffix, arguments, asked, name)
        if not self._tables.acquire(timeout=WAIT):
            raise Refused(503, _("Others are fetching large tables at the moment. Try again in half a minute."), LATER)
        try:
            return self.make(page, suffix, arguments, asked, name)
        finally:
            self._tables.release()

    def make(self, page: Page, suffix: str, arguments: Mapping[str, str], asked: Asked, name: str) -> Made:
        """The answer of a page in one format, within the request for it. Raises what its view does."""
        record = self._read(page, arguments, asked, name)
        if isinstance(record, BaseResponse):
            return Made.of(record.status_code, "", b"", record.headers["Location"])
        if suffix == "json":
            return Made.of(200, twins.FORMATS[suffix], twins.to_json(record))
        if suffix:
            write = twins.to_csv if suffix == "csv" else twins.to_parquet
            return Made.of(200, twins.FORMATS[suffix], write(page.rows(record), page.row))
        query = asked.query()
        beside = {kind: f"{page.twin(kind)}{query}" for kind in twins.FORMATS}
        for variable, value in arguments.items():
            beside = {kind: href.replace(f"<{variable}>", quote(value)) for kind, href in beside.items()}
        html = render_template(page.template, page=record, twins=beside, path=request.path, query=query, asked=asked)
        return Made.of(200, "text/html; charset=utf-8", html.encode())

    def _read(self, page: Page, arguments: Mapping[str, str], asked: Asked, name: str) -> Any:
        """What a view makes of the board. Raises `snapshot.BoardError` where the snapshot does not read as one."""
        with Board.open(self.folder, name, invalidations.read(self.folder)) as opened:
            try:
                return page.view(opened, *([asked] if page.parameters else []), **arguments)
            except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
                raise snapshot.BoardError(f"the snapshot {name} is damaged ({error!r})") from error


def _response(made: Made, *, packed: bool) -> Response:
    if made.location:
        return Response(status=made.status, headers={"Location": made.location})
    answer = Response(made.packed if packed else made.body(), made.status, content_type=made.kind)
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    return answer
