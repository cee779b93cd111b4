"""API tokens: who may send runs to the board, how many a day and until when. No address of a visitor is ever kept."""

# ruff: noqa: A002 - `id` is what a submission and a token call theirs

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from bench.records import UsageError
from leaderboard.desk import records
from leaderboard.desk.records import line, stamp

if TYPE_CHECKING:
    import sqlite3

    from leaderboard.desk.store import Desk

Scope = Literal["submit", "withdraw"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "bench_"
"""Scanners for leaked secrets know a token by it."""

DAYS, MOST_DAYS = 90, 366
UPLOADS_A_DAY = 20
RESERVED = frozenset({"intake", "moderator"})
"""Names that the log has for others."""

LONGEST = 200  # no token is longer, so nothing longer is hashed


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: never the secret. `id` names it to the admin, `name` its owner to everybody.

    `created`, `expires` and `revoked` ("" unless it was) are UTC times, `last_used` a UTC day.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created: str
    expires: str
    last_used: str
    revoked: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done; `retry_after` in seconds where waiting helps."""

    reason: Literal["unknown", "expired", "revoked", "scope", "too_many"]
    words: str
    retry_after: int | None = None


class Refused(UsageError):
    """A submission that was not taken in."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


def create(
    desk: Desk, name: str, scopes: Sequence[str] = ("submit",), days: int = DAYS, *, now: datetime | None = None
) -> tuple[str, Token]:
    """A new token: its secret, which nobody can read again, and what is kept of it. Raises `UsageError`."""
    owner = records.name(name, "the name of a token")
    if owner.casefold() in RESERVED:
        raise UsageError(f"{owner} is the name of another in the log; name the token otherwise")
    allowed = tuple(scope for scope in SCOPES if scope in scopes)
    if len(allowed) != len(set(scopes)) or not allowed:
        raise UsageError(f"the scopes of a token are {' and '.join(SCOPES)}, not {line(', '.join(scopes), 80)!r}")
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"a token holds 1 to {MOST_DAYS} days, not {days}")
    secret = PREFIX + secrets.token_urlsafe(32)
    began = now or datetime.now(UTC)
    token = Token(secrets.token_hex(4), owner, allowed, stamp(began), stamp(began + timedelta(days=days)), "", "")
    with desk.writing() as connection:
        connection.execute(
            "INSERT INTO tokens (id, digest, name, scopes, created, expires, last_used, revoked)"
            " VALUES (?, ?, ?, ?, ?, ?, '', '')",
            (token.id, _digest(secret), token.name, " ".join(token.scopes), token.created, token.expires),
        )
    return secret, token


def revoke(desk: Desk, id: str, *, now: datetime | None = None) -> Token:
    """Ends a token for ever. Raises `UsageError` where there is none of that id."""
    with desk.writing() as connection:
        connection.execute("UPDATE tokens SET revoked = ? WHERE id = ? AND revoked = ''", (stamp(now), id))
    found = [token for token in listed(desk) if token.id == id]
    if not found:
        raise UsageError(f"no token {line(id, 40)!r}; `python -m bench board tokens list` names them")
    return found[0]


def listed(desk: Desk) -> list[Token]:
    """Every token that was ever made, the oldest first."""
    return [_token(row) for row in desk.rows("SELECT * FROM tokens ORDER BY created, id")]


def check(desk: Desk, secret: str, scope: Scope, *, now: datetime | None = None) -> Token | Refusal:
    """The token of a secret that may do what `scope` says, or why it may not.

    An unknown secret costs what a known one does: one hash, one look-up, one comparison.
    """
    moment = now or datetime.now(UTC)
    digest = _digest(secret[:LONGEST])
    rows = desk.rows("SELECT * FROM tokens WHERE digest = ?", (digest,))
    same = hmac.compare_digest(rows[0]["digest"] if rows else "0" * 64, digest)
    if not (rows and same) or len(secret) > LONGEST:
        return Refusal("unknown", "no such token; ask the board's administrator for one")
    token = _token(rows[0])
    if token.revoked:
        return Refusal("revoked", "this token was revoked; ask the board's administrator for another")
    if token.expires <= stamp(moment):
        return Refusal("expired", f"this token expired at {token.expires}; ask the board's administrator for another")
    if scope not in token.scopes:
        return Refusal("scope", f"this token may {' and '.join(token.scopes)}, and not {scope}")
    day = stamp(moment)[:10]
    if token.last_used != day:
        with desk.writing() as connection:
            connection.execute("UPDATE tokens SET last_used = ? WHERE id = ?", (day, token.id))
    return token


def allowance(desk: Desk, token: Token, limit: int | None = None, now: datetime | None = None) -> Refusal | None:
    """Why a token may make no further submission on this UTC day; None while it may. Every attempt counts."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    most = UPLOADS_A_DAY if limit is None else limit
    ((made,),) = desk.rows(
        "SELECT count(*) FROM submissions WHERE token = ? AND received >= ?", (token.id, stamp(moment)[:10])
    )
    if made < most:
        return None
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    wait = int((midnight - moment).total_seconds()) + 1
    words = f"{made:,} submissions came with this token today, which is the most for a day; go on at {stamp(midnight)}"
    return Refusal("too_many", words, wait)


def _digest(secret: str) -> str:
    # 256 random bits cannot be guessed, so a fast hash does what a slow one does for passwords.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _token(row: sqlite3.Row) -> Token:
    scopes = tuple(scope for scope in SCOPES if scope in row["scopes"].split())
    columns = ("created", "expires", "last_used", "revoked")
    return Token(row["id"], row["name"], scopes, *(row[column] for column in columns))
