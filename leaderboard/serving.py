"""The website under gunicorn: several processes with threads, and limits on what a client may do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from logging import LogRecord
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import ClientDisconnected

from leaderboard import local_names, translation, walking
from leaderboard.app import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ARENAS = "MALLOC_ARENA_MAX"
THREADS = 4


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's log without what it says of requests that are none: each line would hold a visitor's address."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn does it, with a filter."""
        super().setup(cfg)
        self.error_log.addFilter(_names_nobody)


def _names_nobody(record: LogRecord) -> bool:
    return not record.getMessage().startswith("Invalid request from ip=")


class Bodies:
    """WSGI middleware: what gunicorn says of a body that breaks off or is no chunks becomes what Flask knows of it."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hands the request on."""
        environ["wsgi.input"] = _Body(environ["wsgi.input"])
        return self._application(environ, start_response)


class _Body:
    """A request's body. Raises `ClientDisconnected` where it does not arrive whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        try:
            return self._stream.read(size)
        except (ParseException, NoMoreData) as error:
            raise ClientDisconnected from error


SETTINGS: Mapping[str, Any] = {
    "worker_class": "gthread",
    "threads": THREADS,
    # The pages in memory and what numpy holds are shared until a process writes to them.
    "preload_app": True,
    "timeout": 60,
    "graceful_timeout": 20,
    "keepalive": 5,
    "limit_request_line": 4094,
    "limit_request_fields": 60,
    "limit_request_field_size": 8190,
    # Whatever a process may leak ends with it, and not in all of them at once.
    "max_requests": 200_000,
    "max_requests_jitter": 20_000,
    # Else whoever sits behind a proxy on this machine could say where the site is mounted.
    "forwarder_headers": "",
    "logger_class": _Log,
    "accesslog": None,  # no address of a visitor is kept
    "errorlog": "-",
    "loglevel": "warning",
}


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings above, for one board."""

    def __init__(self, board: Path, settings: Mapping[str, Any]) -> None:
        self._board = board
        self._settings = {**SETTINGS, **settings}
        super().__init__()

    def load_config(self) -> None:
        """Takes the settings; there is no file and no command line of gunicorn's own."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, with the arrays that filters need read before the processes part."""
        app = create_app(self._board)
        app.wsgi_app = Bodies(app.wsgi_app)  # type: ignore[method-assign]
        site = walking.site_of(app)
        site.prepare()
        # Templates are compiled, tasks, catalogues and names of languages read when first needed: before the processes
        # part, and not by several visitors at once.
        local_names.load()
        translation.load()
        app.test_client().get("/board?language=yor_Latn")
        return app


def serve(board: Path, host: str, port: int, workers: int, ready: Callable[[str, int], None]) -> None:
    """Serves a board until a signal ends it. Raises `UsageError` where there is none; exits as gunicorn does.

    `ready` is told once the address and the port on which it listens: those of port 0 are chosen by the system.
    """
    if ARENAS not in os.environ:
        # glibc gives each thread a heap of its own, and memory that one large page took stays in all of them. It reads
        # this when a process begins, so the process begins anew.
        os.environ[ARENAS] = "2"
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])  # noqa: S606 - this program itself
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def listening(arbiter: Arbiter) -> None:
        name, bound = arbiter.LISTENERS[0].sock.getsockname()[:2]
        ready(name, bound)

    Server(board, {"bind": address, "workers": workers, "when_ready": listening}).run()
