"""A board that takes submissions, and those who send them over the web."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from leaderboard.app import create_app
from leaderboard.desk import access
from leaderboard.desk.store import Desk

CSRF = re.compile('name="csrf_token" value="([^"]+)"')
FILE = b"SQLite format 3\0 and no run"


@dataclass(frozen=True)
class Place:
    """A board's folder, its website, and the secret of a token that may send and withdraw."""

    folder: Path
    app: Flask
    secret: str


def place(folder: Path, *, limited: bool = False) -> Place:
    """The website of a board, without checks of its own and, unless told, without limits of how often."""
    app = create_app(folder)
    for limiter in app.extensions["limiter"]:
        limiter.enabled = limited
    with Desk.open(folder) as desk:
        secret, _token = access.create(desk, "Ada", ("submit", "withdraw"))
    return Place(folder, app, secret)


def csrf(client: FlaskClient, path: str = "/submit") -> str:
    """The token of a form that was just loaded."""
    found = CSRF.search(client.get(path).get_data(as_text=True))
    assert found
    return found[1]


def fill_in(client: FlaskClient, secret: str, content: bytes = FILE, token: str | None = None) -> TestResponse:
    """Sends the form as a browser does; with a CSRF token of its own unless told."""
    fields = {
        "csrf_token": csrf(client) if token is None else token,
        "token": secret,
        "file": (io.BytesIO(content), "../../run.db"),
    }
    return client.post("/submit", data=fields, content_type="multipart/form-data")


def send(client: FlaskClient, secret: str, content: bytes = FILE, **headers: str) -> TestResponse:
    """Sends a file as a program does."""
    said = {"Authorization": f"Bearer {secret}", "Content-Type": "application/vnd.sqlite3", **headers}
    return client.post("/api/submissions", data=content, headers=said)


def uploads(folder: Path) -> list[str]:
    """The files that wait in the desk's folder."""
    return sorted(path.name for path in (folder / "uploads").iterdir())
