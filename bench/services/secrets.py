"""Keys: taken from the environment or a file, and kept out of everything that is written down."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from bench.records import UsageError

FRAGMENT = 8
"""So many characters of a key in a row are worth hiding; services themselves print four at either end."""
SHORTEST = 4
"""What is shorter is no secret, and hiding it would black out every text."""

_HOLDS_KEY = re.compile(r"auth|cookie|credential|key|passw|secret|sig(?:nature)?$|token", re.IGNORECASE)


def secret(variable: str) -> str | None:
    """The value of an environment variable, or of the file that `VARIABLE_FILE` names; None where neither is set.

    Raises `UsageError` for a file that cannot be read, and for what cannot be a key.
    """
    value, path = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if value:
        return _checked(value, variable)
    if not path:
        return None
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "no path"
        raise UsageError(f"cannot read the file that {variable}_FILE names: {path}: {why}") from error
    return _checked(content.decode("latin-1"), f"the file that {variable}_FILE names ({path})")


def _checked(value: str, where: str) -> str:
    kept = value.strip(" \t\r\n")
    if not kept:
        raise UsageError(f"{where} is empty; it should hold a key")
    if not (kept.isascii() and kept.isprintable() and " " not in kept):
        raise UsageError(f"{where} holds no key: a key is one line of ASCII without spaces")
    return kept


def held(headers: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """The secrets in headers, each without its scheme ("Bearer")."""
    values = (value.rpartition(" ")[2] for name, value in headers if _HOLDS_KEY.search(name))
    return tuple(dict.fromkeys(value for value in values if value))


def hidden(text: str, secrets: Collection[str]) -> str:
    """The text with `***` for every secret in it, and for every piece of one with `FRAGMENT` characters or more."""
    for known in secrets:
        if len(known) >= SHORTEST:
            text = _without(text, known, min(FRAGMENT, len(known)))
    return text


def _without(text: str, known: str, size: int) -> str:
    pieces = {known[place : place + size] for place in range(len(known) - size + 1)}
    kept, place, end = [], 0, 0  # `end`: up to there the text is accounted for
    while place <= len(text) - size:
        if text[place : place + size] not in pieces:
            place += 1
            continue
        kept.append(text[end:place] + "***")
        end = place + size
        while end < len(text) and text[end - size + 1 : end + 1] in pieces:
            end += 1
        place = end
    return "".join(kept) + text[end:] if kept else text


def plain_url(url: str, what: str = "base URL") -> str:
    """The address, without a slash at its end. Raises `UsageError` where it is none, or where it holds a secret."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{what} is no address: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{what} has a user name or password in it; keys come from the environment")
    if any(_HOLDS_KEY.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise UsageError(f"{what} has a key in its query; keys come from the environment")
    if parts.scheme not in {"http", "https"} or not host:
        raise UsageError(f"{what} is no address; one is like https://api.example.org/v1")
    return parts._replace(path=parts.path.rstrip("/"), fragment="").geturl()
