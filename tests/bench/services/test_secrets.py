"""Keys come from the environment or a file, and never come out again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import UsageError
from bench.services.secrets import FRAGMENT, held, hidden, plain_url, secret

KEY = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWx"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    monkeypatch.delenv("SOME_KEY_FILE", raising=False)


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert secret("SOME_KEY") is None
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("SOME_KEY_FILE", str(tmp_path / "key"))
    assert secret("SOME_KEY") == KEY
    monkeypatch.setenv("SOME_KEY", "another")
    assert secret("SOME_KEY") == "another"
    monkeypatch.setenv("SOME_KEY", "")
    assert secret("SOME_KEY") == KEY


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"first\nsecond\n", b"first second", "clé".encode(), b"\xff\xfe", b"key\x00", b"\xef\xbb\xbfkey"],
)
def test_a_file_without_a_key_is_named_and_not_shown(
    content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("SOME_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(UsageError, match="SOME_KEY_FILE") as raised:
        secret("SOME_KEY")
    assert "\n" not in str(raised.value) and "first" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        monkeypatch.setenv("SOME_KEY_FILE", str(path))
        with pytest.raises(UsageError, match="cannot read the file that SOME_KEY_FILE names"):
            secret("SOME_KEY")


def test_a_variable_with_a_line_break_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "one\r\nX-Other: two")
    with pytest.raises(UsageError, match="SOME_KEY holds no key"):
        secret("SOME_KEY")


@given(st.text(), st.text(), st.text("abcXYZ019-_", min_size=4, max_size=60))
def test_a_whole_key_is_never_left(before: str, after: str, key: str) -> None:
    assert key not in hidden(before + key + after, [key])


@given(st.text(max_size=30), st.integers(0, len(KEY)), st.integers(0, len(KEY)))
def test_no_long_piece_of_a_key_is_left(text: str, start: int, end: int) -> None:
    left = hidden(f"{text}{KEY[start:end]}{text}", [KEY])
    assert not any(KEY[place : place + FRAGMENT] in left for place in range(len(KEY) - FRAGMENT + 1))


def test_what_services_print_themselves_stays() -> None:
    said = "Incorrect API key provided: sk-p***UvWx."
    assert hidden(said, [KEY]) == said
    assert hidden(f"key {KEY}{KEY}!", [KEY]) == "key ******!"
    assert hidden("a text", ["a"]) == "a text"
    assert hidden("key short", ["short"]) == "key ***"


def test_headers_that_hold_keys() -> None:
    headers = {"Authorization": f"Bearer {KEY}", "x-api-key": "abc", "anthropic-version": "2023-06-01", "Cookie": ""}
    assert held(headers.items()) == (KEY, "abc")


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://api.example.org/v1/", "https://api.example.org/v1"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://x.example.org/deployments/d?api-version=2024-10-21", None),
    ],
)
def test_an_address_is_kept(given_url: str, kept: str | None) -> None:
    assert plain_url(given_url) == (kept or given_url)


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example.org/v1", "localhost:8000", "ftp://example.org", "https://", "http://x:port", "http://[::1",
        f"https://user:{KEY}@example.org", f"https://{KEY}@example.org", f"https://example.org/v1?api-key={KEY}",
        f"https://example.org/v1?x=1&access_token={KEY}", f"https://example.org/?sig={KEY}",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_holds_a_key_is_refused_without_the_key(url: str) -> None:
    with pytest.raises(UsageError, match="base URL") as raised:
        plain_url(url)
    assert KEY not in str(raised.value) and "\n" not in str(raised.value)
