"""The website under gunicorn: several processes with threads, and limits on what a client may do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from leaderboard import local_names, translation, walking
from leaderboard.app import create_app

ARENAS = "MALLOC_ARENA_MAX"
THREADS = 4
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
        site = walking.site_of(app)
        site.prepare()
        # Templates are compiled, tasks, catalogues and names of languages read when first needed: before the processes
        # part, and not by several visitors at once.
        local_names.load()
        translation.load()
        app.test_client().get("/board?language=yor_Latn")
        return app


def serve(board: Path, host: str, port: int, workers: int) -> None:
    """Serves a board until a signal ends it. Raises `UsageError` where there is none; exits as gunicorn does."""
    if ARENAS not in os.environ:
        # glibc gives each thread a heap of its own, and memory that one large page took stays in all of them. It reads
        # this when a process begins, so the process begins anew.
        os.environ[ARENAS] = "2"
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])  # noqa: S606 - this program itself
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    Server(board, {"bind": address, "workers": workers}).run()
