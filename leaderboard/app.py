"""The website: a Flask application that shows the current snapshot of a board.

Every page is a record (`pages`) and has two forms, HTML and JSON at the same address with `.json`; one view makes both.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Response as BaseResponse

import languages
from bench.energy import reasons
from bench.premium import plot
from bench.records import UsageError
from leaderboard import assembly, efficiency, energy, energy_wording, method, pages, snapshot, tokens, wording
from leaderboard.board import Board
from leaderboard.records import Model, TaskFacts, Tokenizer

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HOSTS = "BOARD_HOSTS"
PAGE_CACHE = "public, max-age=60"
STATIC_CACHE = "public, max-age=31536000, immutable"
TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

PLOT_SHEET = "premium-plot.css"
"""The classes of the pictures of premiums, which `bench.premium` draws; the policy above forbids them in the page."""

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere else to go."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error page says."""

    title: str
    message: str
    near: tuple[Link, ...] = ()


class Missing(NotFound):
    """Nothing has that address; `near` are those that may have been meant."""

    def __init__(self, message: str, near: Iterable[Link] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)


def create_app(board: str | Path) -> Flask:
    """The website of one board. It shows every newly published snapshot at once. Raises `UsageError` where none is.

    Where the environment has `BOARD_HOSTS`, names with commas between them, it answers under these names alone.
    """
    folder = Path(board)
    if not snapshot.current(folder):
        raise UsageError(f"no board in {folder}; publish a run first: python -m bench publish RUN --board {folder}")
    app = Flask("leaderboard", root_path=str(HERE), static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["board"] = folder
    app.config["TRUSTED_HOSTS"] = [
        host.strip() for host in os.environ.get(HOSTS, "").split(",") if host.strip()
    ] or None
    _words(app)
    _static(app)
    _pages(app)
    _errors(app)

    @app.get("/healthz")
    def health() -> Response:
        name = snapshot.current(folder)
        snapshot.connect(folder, name).close()
        answer = jsonify(status="ok", snapshot=name)
        answer.cache_control.no_store = True
        return answer

    @app.after_request
    def secure(answer: Response) -> Response:
        answer.headers.update(HEADERS)
        if "Location" in answer.headers:
            _stay(answer)
        return answer

    return app


class Register(Protocol):
    """Takes an address and a template, and then the view that makes the page."""

    def __call__(self, rule: str, template: str) -> Callable[[View], View]:
        """What decorates a view."""


def _registrar(app: Flask) -> Register:
    """Registers a view, which takes the open board, under an address and its twin with `.json`."""
    build = _build()

    def page(rule: str, template: str) -> Callable[[View], View]:
        def register(view: View) -> View:
            def answer(**arguments: str) -> BaseResponse:
                return _conditional(app.extensions["board"], build, template, view, arguments)

            twin = f"{rule.rstrip('/')}.json" if rule != "/" else "/index.json"
            app.add_url_rule(twin, f"{view.__name__}_json", answer)
            app.add_url_rule(rule, view.__name__, answer)
            return view

        return register

    return page


def _pages(app: Flask) -> None:
    """Every page of the site."""
    page = _registrar(app)
    page("/", "home.html")(assembly.home)
    page("/board", "board.html")(assembly.overview)
    page("/languages/", "languages.html")(assembly.language_list)
    page("/models/", "models.html")(assembly.models)
    page("/tasks/", "tasks.html")(assembly.task_list)
    page("/method", "method.html")(method.page)
    _token_pages(page)

    @page("/languages/<code>", "language.html")
    def language_page(board: Board, code: str) -> pages.LanguagePage | BaseResponse:
        try:
            found = languages.get(code)
        except languages.LanguageError as error:
            raise _no_language(error) from error
        if found.code != code:
            return redirect(f"{request.script_root}/languages/{found.code}{'.json' if _as_json() else ''}", 301)
        return assembly.language(board, found)

    @page("/models/<slug>", "model.html")
    def model_page(board: Board, slug: str) -> pages.ModelPage:
        return assembly.model(board, _model(board, slug))

    @page("/models/<slug>/<name>", "model_task.html")
    def model_task_page(board: Board, slug: str, name: str) -> pages.ModelTaskPage:
        return assembly.model_task(board, _model(board, slug), _task(board, name))

    @page("/tasks/<name>", "task.html")
    def task_page(board: Board, name: str) -> pages.TaskPage:
        return assembly.task(board, _task(board, name))


def _token_pages(page: Register) -> None:
    """The pages on energy and on tokens."""
    page("/tokens", "tokens.html")(tokens.tokenizer_list)

    @page("/energy", "energy.html")
    def energy_page(board: Board) -> pages.EnergyPage:
        return energy.page(board, _wanted())

    @page("/costs", "costs.html")
    def costs_page(board: Board) -> pages.Costs:
        return tokens.costs(board, _wanted())

    @page("/tokens/<slug>", "tokenizer.html")
    def tokenizer_page(board: Board, slug: str) -> pages.TokenizerPage:
        return tokens.tokenizer(board, _tokenizer(board, slug))


def _conditional(
    folder: Path, build: str, template: str, view: Callable[..., Any], arguments: dict[str, str]
) -> BaseResponse:
    """A view's page, or that it is what the visitor has already."""
    name = snapshot.current(folder)
    # Path and question are part of it, so that no page is ever taken for an unchanged other one.
    asked = f"{request.path}?{_wanted()}"
    tag = f"{name}-{build}-{zlib.crc32(asked.encode(errors='replace')):08x}"
    known = request.if_none_match
    if not known.star_tag and known.contains_weak(tag):
        made: BaseResponse = Response(status=304)
    else:
        record = _read(folder, name, view, arguments)
        made = record if isinstance(record, BaseResponse) else _render(template, record)
        if known.star_tag and made.status_code == 200:  # "*" means any page that there is
            made = Response(status=304)
    if made.status_code in (200, 304):
        made.set_etag(tag)
        made.headers["Cache-Control"] = PAGE_CACHE
    return made


def _read(folder: Path, name: str, view: Callable[..., Any], arguments: dict[str, str]) -> Any:
    """What a view makes of the board. Raises `snapshot.BoardError` where the snapshot does not read as one."""
    with Board.open(folder, name) as opened:
        try:
            return view(opened, **arguments)
        except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
            raise snapshot.BoardError(f"the snapshot {name} is damaged ({error!r})") from error


def _stay(answer: Response) -> None:
    """Keeps a redirect on this site, whatever name the visitor calls it by, and not for ever: names may change."""
    where = urlsplit(answer.headers["Location"])
    answer.headers["Location"] = urlunsplit(("", "", f"/{where.path.lstrip('/')}", where.query, ""))
    answer.headers["Cache-Control"] = PAGE_CACHE


def _without_slash(app: Flask) -> str:
    """The page that was meant by its address with a slash behind it; empty where there is none."""
    path = request.path.rstrip("/")
    adapter = app.create_url_adapter(request)
    if path == request.path or adapter is None:
        return ""
    try:
        adapter.match(path, method="GET")
    except HTTPException:
        return ""
    return path


def _no_language(error: languages.LanguageError) -> Missing:
    near = [Link(f"/languages/{one.code}", f"{one.name} ({one.code})") for one in error.candidates]
    ambiguous = isinstance(error, languages.AmbiguousLanguage)
    return Missing("That name is ambiguous." if ambiguous else "No language has that name or code.", near)


def _model(board: Board, slug: str) -> Model:
    found = board.model(slug)
    if found is None:
        names = {one.slug: one.name for one in board.model_names().values()}
        near = [one for one in names if one.startswith(f"{slug}-")]
        near = near or difflib.get_close_matches(slug[:80], names, cutoff=0.5)
        raise Missing("No model on this board has that address.", [Link(f"/models/{one}", names[one]) for one in near])
    return found


def _task(board: Board, name: str) -> list[TaskFacts]:
    found = board.task(name)
    if not found:
        titles = {task.name: task.title for task in board.tasks()}
        near = difflib.get_close_matches(name[:80], titles, cutoff=0.5)
        raise Missing("No task on this board has that name.", [Link(f"/tasks/{one}", titles[one]) for one in near])
    return found


def _tokenizer(board: Board, slug: str) -> Tokenizer:
    names = {one.slug: one for one in board.tokenizers().values()}
    if slug not in names:
        near = [one for one in names if one.startswith(f"{slug}-")]
        near = near or difflib.get_close_matches(slug[:80], names, cutoff=0.5)
        raise Missing(
            "No tokenizer on this board has that address.", [Link(f"/tokens/{one}", names[one].name) for one in near]
        )
    return names[slug]


def _wanted() -> str:
    """The language that a visitor looks for on a page that can be narrowed down; empty for all."""
    return request.args.get("language", "")[:80].strip()


def _as_json() -> bool:
    return request.path.endswith(".json")


def _render(template: str, record: Any) -> Response:
    if _as_json():
        return jsonify(asdict(record))
    path = request.path
    twin = "/index.json" if path == "/" else f"{path.rstrip('/')}.json"
    if _wanted():
        twin += f"?language={quote(_wanted(), safe='', errors='replace')}"
    return Response(render_template(template, page=record, twin=twin, path=path), mimetype="text/html")


def _words(app: Flask) -> None:
    """What templates may call: the formats of `wording`, and nothing that computes."""
    app.jinja_env.filters.update(
        number=wording.number,
        points=wording.points,
        interval=wording.interval,
        reason=wording.reason,
        remarks=wording.remarks,
        mean_remarks=wording.mean_remarks,
        way=wording.way,
        plain=wording.plain,
        people=wording.people,
        share=wording.share,
        metric=wording.metric_of,
        percent=wording.percent,
        why=energy_wording.why,
        figure=energy_wording.figure,
        times=energy_wording.times,
        energy_absent=energy_wording.absent,
        energy_missing=efficiency.missing,
        no_interval=efficiency.no_interval,
        rank_doubt=lambda rank, cell: efficiency.rank_doubt(cell, rank),
        doubt=energy_wording.doubt,
        flaw=energy_wording.flaw,
        machine=energy_wording.machine,
        counted=energy_wording.counted,
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
    def addresses() -> dict[str, Any]:
        return {"root": request.script_root}


def _static(app: Flask) -> None:
    """The static files, each under an address with the hash of its content, so that it may be kept for ever."""
    served: dict[str, tuple[bytes, str]] = {}
    fingerprinted = {}
    files = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir())}
    for file, content in {**files, PLOT_SHEET: plot.STYLE.encode()}.items():
        stem, _, suffix = file.rpartition(".")
        name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
        served[name] = content, TYPES[f".{suffix}"]
        fingerprinted[file] = name
    app.jinja_env.globals["static"] = fingerprinted

    @app.get("/static/<name>")
    def static_file(name: str) -> Response:
        if name not in served:
            raise Missing("No such file.")
        content, kind = served[name]
        return Response(content, content_type=kind, headers={"Cache-Control": STATIC_CACHE})


def _build() -> str:
    """What else than the snapshot decides how a page looks: this package's files, reasons, plots, and the languages."""
    digest = hashlib.sha256(repr(languages.all_languages()).encode())
    own = sorted(path for path in HERE.rglob("*") if path.suffix in (".py", ".html", ".css", ".svg"))
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
        if isinstance(error, Missing):
            near = error.near
        elif isinstance(error, NotFound):
            message = "Nothing has that address."
        answer = _problem(Problem(error.name, message, near), error.code or 500)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer

    @app.errorhandler(snapshot.BoardError)
    @app.errorhandler(sqlite3.DatabaseError)
    def unreadable(error: Exception) -> BaseResponse:
        app.logger.error("the board cannot be read: %s", error)
        message = "The board cannot be read at the moment. Try again in a minute."
        answer = _problem(Problem("Not available", message), 503)
        answer.headers["Retry-After"] = "60"
        return answer


def _problem(problem: Problem, code: int) -> BaseResponse:
    if _as_json():
        made: Response = jsonify(error=problem.message, near=[asdict(link) for link in problem.near])
    else:
        made = Response(render_template("problem.html", page=problem, path=""), mimetype="text/html")
    made.status_code = code
    made.headers["Cache-Control"] = "no-store"
    return made
