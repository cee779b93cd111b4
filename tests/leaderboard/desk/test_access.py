"""API tokens: what is kept of them, what they allow, and for how long."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import UsageError
from leaderboard.desk import access
from leaderboard.desk.access import Refusal, Refused, Token
from leaderboard.desk.store import DATABASE, UPLOADS, Desk
from tests.leaderboard.desk.desks import send

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refused(found: Token | Refusal) -> str:
    """The reason of a refusal; "" for a token."""
    return found.reason if isinstance(found, Refusal) else ""


def test_a_token_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        secret, token = access.create(desk, "Ada", now=NOON)
        other, _ = access.create(desk, "Ada", now=NOON)
        assert re.fullmatch(r"bench_[A-Za-z0-9_-]{43}", secret) and secret != other
        assert (token.name, token.scopes, token.last_used, token.revoked) == ("Ada", ("submit",), "", "")
        assert (token.created, token.expires) == ("2026-03-01T12:00:00Z", "2026-05-30T12:00:00Z")
        assert access.listed(desk)[0] == token or access.listed(desk)[1] == token
        assert secret not in repr(access.listed(desk))
        send(desk, token)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.removeprefix("bench_").encode() not in path.read_bytes()


def test_what_a_token_allows(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        secret, token = access.create(desk, "Ada", ["submit"], 10, now=NOON)
        found = access.check(desk, secret, "submit", now=NOON)
        assert isinstance(found, Token) and found.id == token.id
        assert refused(access.check(desk, secret, "withdraw", now=NOON)) == "scope"
        assert refused(access.check(desk, secret, "submit", now=NOON + timedelta(days=10))) == "expired"
        just = NOON + timedelta(days=10, seconds=-1)
        assert isinstance(access.check(desk, secret, "submit", now=just), Token)
        assert access.revoke(desk, token.id, now=NOON).revoked == "2026-03-01T12:00:00Z"
        assert refused(access.check(desk, secret, "submit", now=NOON)) == "revoked"
        # Revoking again does not change since when.
        assert access.revoke(desk, token.id, now=just).revoked == "2026-03-01T12:00:00Z"


def test_of_its_use_only_the_day_is_kept(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        secret, _ = access.create(desk, "Ada", now=NOON)
        access.check(desk, secret, "submit", now=NOON + timedelta(days=3, minutes=17))
        access.check(desk, secret, "withdraw", now=NOON + timedelta(days=5))  # refused: no use of it
        assert access.listed(desk)[0].last_used == "2026-03-04"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=300), st.text(max_size=60).map("bench_".__add__)))
def test_anything_else_is_unknown(tmp_path: Path, guess: str) -> None:
    with Desk.open(tmp_path) as desk:
        if not access.listed(desk):
            access.create(desk, "Ada")
        assert refused(access.check(desk, guess, "submit")) == "unknown"


@pytest.mark.parametrize("change", ["", " ", "\n", "x", "a" * 300])
def test_a_token_with_something_after_it_is_another(tmp_path: Path, change: str) -> None:
    with Desk.open(tmp_path) as desk:
        secret, _ = access.create(desk, "Ada")
        assert refused(access.check(desk, secret + change, "submit")) == ("unknown" if change else "")
        assert refused(access.check(desk, secret.upper(), "submit")) == "unknown"
        assert refused(access.check(desk, access._digest(secret), "submit")) == "unknown"


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 81, "a\nb", "a\u202eb", "a\u200bb", "\x00", "a\tb", "a\ud800", "Intake"]
)
def test_names_that_could_pass_for_another_are_refused(tmp_path: Path, name: str) -> None:
    with Desk.open(tmp_path) as desk:
        with pytest.raises(UsageError) as caught:
            access.create(desk, name)
        assert "\n" not in str(caught.value) and "\u202e" not in str(caught.value)
        assert access.listed(desk) == []


@pytest.mark.parametrize("name", ["Ada", "ኢትዮጵያ ዩኒቨርሲቲ", "جامعة القاهرة", "Lab-7 (Yaoundé)"])
def test_names_in_every_script_are_kept(tmp_path: Path, name: str) -> None:
    with Desk.open(tmp_path) as desk:
        assert access.create(desk, f" {name} ")[1].name == name


def test_a_composed_name_and_a_decomposed_one_are_one(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        assert access.create(desk, "Yaounde\u0301")[1].name == "Yaound\u00e9"


@pytest.mark.parametrize(
    ("scopes", "days", "told"),
    [((), 90, "scopes"), (("admin",), 90, "scopes"), (("submit",), 0, "days"), (("submit",), 367, "days")],
)
def test_what_no_token_may_be(tmp_path: Path, scopes: tuple[str, ...], days: int, told: str) -> None:
    with Desk.open(tmp_path) as desk, pytest.raises(UsageError, match=told):
        access.create(desk, "Ada", scopes, days)


def test_revoking_what_is_not_there(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk, pytest.raises(UsageError, match="no token 'none'"):
        access.revoke(desk, "none")


def test_so_many_a_day_and_attempts_count(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        _, token = access.create(desk, "Ada", now=NOON)
        _, other = access.create(desk, "Eve", now=NOON)
        for number in range(3):
            sent = send(desk, token, bytes([number]), limit=3, now=NOON)
            desk.move(sent.id, "withdrawn", actor="Ada")
        with pytest.raises(Refused) as caught:
            send(desk, token, b"more", limit=3, now=NOON)
        refusal = caught.value.refusal
        assert (refusal.reason, refusal.retry_after) == ("too_many", 12 * 3600 + 1)
        assert "2026-03-02T00:00:00Z" in str(caught.value)
        assert list((tmp_path / UPLOADS).iterdir()) == [] and len(desk.submissions()) == 3
        send(desk, other, limit=3, now=NOON)
        send(desk, token, limit=3, now=NOON + timedelta(days=1))


def test_without_a_word_it_is_twenty(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        _, token = access.create(desk, "Ada", now=NOON)
        for _ in range(access.UPLOADS_A_DAY):
            assert access.allowance(desk, token, now=NOON) is None
            send(desk, token, now=NOON)
        assert access.UPLOADS_A_DAY == 20 and access.allowance(desk, token, now=NOON) is not None


def test_no_address_is_kept(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        columns = [row["name"] for row in desk.rows("SELECT name FROM pragma_table_info('tokens')")]
        columns += [row["name"] for row in desk.rows("SELECT name FROM pragma_table_info('submissions')")]
    assert (tmp_path / DATABASE).exists() and not {"ip", "address", "agent"} & set(columns)
