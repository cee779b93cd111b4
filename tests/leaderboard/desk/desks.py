"""Desks for tests: a token, and uploads made of any bytes."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime
from pathlib import Path

from leaderboard.desk import access
from leaderboard.desk.access import Token
from leaderboard.desk.records import Submission
from leaderboard.desk.store import Desk


def token_of(desk: Desk, name: str = "Ada", scopes: tuple[str, ...] = ("submit", "withdraw")) -> Token:
    """A new token."""
    return access.create(desk, name, scopes)[1]


def send(
    desk: Desk, token: Token, content: bytes = b"a run", *, limit: int | None = None, now: datetime | None = None
) -> Submission:
    """One upload."""
    digest = hashlib.sha256(content).hexdigest()
    return desk.receive(io.BytesIO(content), len(content), digest, token, limit=limit, now=now)


def send_file(desk: Desk, token: Token, path: Path) -> Submission:
    """A copy of a file as an upload."""
    return send(desk, token, path.read_bytes())
