"""The website: a Flask application that shows the current snapshot of a board, and every snapshot before it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import babel
from flask import Flask, Response, jsonify, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestURITooLarge
from werkzeug.wrappers import Response as BaseResponse

import languages
from bench.energy import reasons
from bench.premium import plot
from leaderboard import (
    addresses,
    efficiency,
    energy_wording,
    local_names,
    numerals,
    prefixes,
    remarks,
    schema,
    snapshot,
    translation,
    wording,
)
from leaderboard.prefixes import Prefixes
from leaderboard.problems import Link, Missing, Problem, Refused, Wrong
from leaderboard.site import CURRENT_CACHE, Site

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Browsers heed it over HTTPS alone.
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
HOSTS = "BOARD_HOSTS"
LONGEST_PATH = 1000
"""Characters of an address without its query; none of ours comes near."""
STATIC_CACHE = "public, max-age=31536000, immutable"
TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

NOT_CRAWLED = ("/*?", "/snapshots/", "/*/snapshots/")
"""What crawlers leave alone: there are more filters and old pages than anybody could read."""

PLOT_SHEET = "premium-plot.css"
"""The classes of the pictures of premiums, which `bench.premium` draws; the policy above forbids them in the page."""

BUILT_FROM = frozenset({".py", ".html", ".css", ".svg", ".po"})


def create_app(board: str | Path, *, checks: bool = True) -> Flask:
    """The website of one board. It shows every newly published snapshot at once. Raises `UsageError` where none is.

    Raises `BoardError` where the current snapshot does not open, or another edition of this program made it. Where the
    environment has `BOARD_HOSTS`, names with commas between them, it answers under these names alone.
    Without `checks` it starts no check of a submission: it is there for its pages and serves nobody.
    """
    folder = Path(board)
    current = snapshot.current(folder)
    if not current:
        raise snapshot.no_board(folder)
    snapshot.connect(folder, current).close()
    app = Flask("leaderboard", root_path=str(HERE), static_folder=None)
    app.config["CHECKS"] = checks
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.config["TRUSTED_HOSTS"] = [
        host.strip() for host in os.environ.get(HOSTS, "").split(",") if host.strip()
    ] or None
    app.wsgi_app = Prefixes(app.wsgi_app)  # type: ignore[method-assign]
    translation.init(app)
    site = Site(app, folder, _build())
    app.extensions["site"] = site
    _words(app)
    _static(app)
    addresses.register(site)
    _errors(app)

    @app.get("/healthz")
    def health() -> Response:
        name = snapshot.current(folder)
        snapshot.connect(folder, name).close()
        answer = jsonify(status="ok", snapshot=name)
        answer.cache_control.no_store = True
        return answer

    @app.get("/robots.txt")
    def robots() -> Response:
        mount = prefixes.current().mount
        closed = "\n".join(f"Disallow: {mount}{pattern}" for pattern in NOT_CRAWLED)
        return Response(f"User-agent: *\n{closed}\n", mimetype="text/plain", headers={"Cache-Control": CURRENT_CACHE})

    @app.before_request
    def sane() -> None:
        if len(request.path) > LONGEST_PATH:
            raise RequestURITooLarge(_("The address is too long."))
        if not request.path.isprintable():  # a NUL, a line break, what is no UTF-8 at all
            raise Missing(_("Nothing has that address."))
        if any(byte < 0x20 for byte in request.query_string):  # no server hands these on, and no header may hold them
            raise Wrong(_("The address has characters that no address may have."))

    @app.after_request
    def secure(answer: Response) -> Response:
        for header, value in HEADERS.items():
            answer.headers.setdefault(header, value)
        if "Location" in answer.headers:
            _stay(answer)
        return answer

    return app


def _stay(answer: Response) -> None:
    """Keeps a redirect on this site, whatever name the visitor calls it by, and not for ever: names may change."""
    where = urlsplit(answer.headers["Location"])
    here = urlunsplit(("", "", f"/{where.path.lstrip('/')}", where.query, ""))
    answer.headers["Location"] = here
    if answer.status_code // 100 == 3:
        answer.headers.pop("Content-Encoding", None)
        answer.set_data("")  # Flask's own page has a link with that name in it, and the answer may be kept for others
    answer.headers.setdefault("Cache-Control", CURRENT_CACHE)


def _words(app: Flask) -> None:
    """What templates may call: the formats of `wording`, and nothing that computes."""
    app.jinja_env.filters.update(
        badge_name=wording.badge_name,
        count=numerals.count,
        local=numerals.local,
        spoken=wording.spoken,
        number=wording.number,
        points=wording.points,
        interval=wording.interval,
        reason=wording.reason,
        remarks=remarks.of_cell,
        mean_remarks=remarks.of_mean,
        way=wording.way,
        plain=wording.plain,
        people=wording.people,
        share=wording.share,
        metric=wording.metric_of,
        percent=wording.percent,
        why=energy_wording.why,
        figure=energy_wording.figure,
        times=energy_wording.times,
        energy_missing=efficiency.missing,
        no_interval=efficiency.no_interval,
        rank_doubt=lambda rank, cell: efficiency.rank_doubt(cell, rank),
        doubt=energy_wording.doubt,
        flaw=energy_wording.flaw,
        countries=local_names.countries,
        language_name=local_names.language_name,
        language_plain=local_names.language_plain,
        language_within=local_names.language_within,
        script_name=local_names.script_name,
        script_plain=local_names.script_plain,
        machine=energy_wording.machine,
        per_correct=energy_wording.per_correct,
        equivalent=energy_wording.equivalent,
        per_request=energy_wording.per_request,
        ranked=energy_wording.ranked,
        scope=energy_wording.scope,
        provenance=energy_wording.provenance,
        premium_absent=energy_wording.premium_absent,
        premium_range=energy_wording.premium_range,
        tokens_each=energy_wording.tokens_each,
        money=energy_wording.money,
        plot=energy_wording.plotted,
    )
    app.jinja_env.globals.update(against=wording.AGAINST)

    @app.context_processor
    def addresses_of_page() -> dict[str, Any]:
        prefix = prefixes.current()
        return {
            "root": request.script_root,
            "static_root": prefix.mount,
            "locale": prefix.locale,
            "direction": translation.direction(prefix.locale),
            "permalink": prefix.snapshot,
            "site_root": prefix.at(snapshot=""),
            "tongues": lambda query="": translation.tongues(f"{quote(request.path)}{query}"),
        }


def _static(app: Flask) -> None:
    """The static files, each under an address with the hash of its content, so that it may be kept for ever."""
    served: dict[str, tuple[bytes, str]] = {}
    fingerprinted = {}
    files = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir()) if path.suffix in TYPES}
    for file, content in {**files, PLOT_SHEET: plot.STYLE.encode()}.items():
        stem, _dot, suffix = file.rpartition(".")
        name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
        served[name] = content, TYPES[f".{suffix}"]
        fingerprinted[file] = name
    app.jinja_env.globals["static"] = fingerprinted
    app.extensions["static files"] = served

    @app.get("/favicon.ico")
    def favicon() -> BaseResponse:
        return redirect(f"{prefixes.current().mount}/static/{fingerprinted['icon.svg']}")

    @app.get("/static/<name>")
    def static_file(name: str) -> Response:
        if name not in served:
            raise Missing(_("No such file."))
        content, kind = served[name]
        return Response(content, content_type=kind, headers={"Cache-Control": STATIC_CACHE})


def _build() -> str:
    """What else than the snapshot decides how a page looks: this package's files, reasons, plots, languages, CLDR."""
    digest = hashlib.sha256(repr(languages.all_languages()).encode())
    digest.update(babel.__version__.encode())
    own = sorted(path for path in HERE.rglob("*") if path.suffix in BUILT_FROM)
    for path in (*own, Path(plot.__file__), Path(reasons.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _errors(app: Flask) -> None:
    """Error pages say what is wrong and where else to go; none shows a trace."""

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> BaseResponse:
        if isinstance(error, NotFound) and request.url_rule is None and (meant := _without_slash(app)):
            return redirect(f"{request.script_root}{quote(meant)}", 308)
        near: tuple[Link, ...] = ()
        message = error.description or ""
        if isinstance(error, Missing | Wrong):
            near = error.near
        elif isinstance(error, NotFound):
            message = _("Nothing has that address.")
        answer = _problem(Problem(_(error.name), message, near), error.code or 500)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        if isinstance(error, Refused):
            answer.headers.update(error.headers())
        return answer

    @app.errorhandler(snapshot.OtherFormat)
    def of_another_edition(error: snapshot.OtherFormat) -> BaseResponse:
        # No Retry-After: only whoever runs the board can do something.
        prefix = prefixes.current()
        if not prefix.snapshot:
            app.logger.error("the board cannot be read: %s", error)
        message = _(
            "This snapshot is of format %(made)s, and this site reads format %(read)s. The board keeps its file, "
            "%(file)s. Its numbers are shown here again when its runs are published again.",
            made=error.made,
            read=schema.FORMAT,
            file=f"{snapshot.SNAPSHOTS}/{error.name}.db",
        )
        # Links lead to the current snapshot: none of this one's pages can be shown.
        links = {"root": prefix.at(snapshot=""), "permalink": ""}
        return _problem(Problem(_("Not available"), message), 410 if prefix.snapshot else 503, links)

    @app.errorhandler(snapshot.BoardError)
    @app.errorhandler(sqlite3.DatabaseError)
    def unreadable(error: Exception) -> BaseResponse:
        app.logger.error("the board cannot be read: %s", error)
        message = _("The board cannot be read at the moment. Try again in a minute.")
        answer = _problem(Problem(_("Not available"), message), 503)
        answer.headers["Retry-After"] = "60"
        return answer


def _without_slash(app: Flask) -> str:
    """The page that was meant by its address with a slash behind it; empty where there is none."""
    path = request.path.rstrip("/")
    if path == request.path:
        return ""
    try:
        adapter = app.create_url_adapter(request)
        if adapter is None:
            return ""
        adapter.match(path, method="GET")
    except HTTPException:
        return ""
    return path


def _problem(problem: Problem, code: int, links: Mapping[str, str] | None = None) -> BaseResponse:
    """A page, or data for a program, that says what is wrong; `links` are roots of its links, the request's if None."""
    if not request.path.endswith((".json", ".jsonl", ".csv", ".parquet")) and not request.path.startswith("/api/"):
        page = render_template("problem.html", page=problem, path="", twins={}, **(links or {}))
        made = Response(page, mimetype="text/html")
    else:
        made = jsonify(error=problem.message, near=[asdict(link) for link in problem.near])
    made.status_code = code
    made.headers["Cache-Control"] = "no-store"
    return made
