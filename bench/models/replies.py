"""Answers made elsewhere: JSON lines with the id of a request or of a sample, and the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.backend import Capabilities, Model, Settings
from bench.prices import Price
from bench.records import Request, Response, UsageError

MISSING = "missing_reply"


def load(name: str, settings: Settings) -> Model:
    """Reads the whole file. Raises `UsageError` with the line number where it is not what it should be."""
    path = Path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read replies file {name}: {error.strerror}") from error
    return Replies(path, hashlib.sha256(content).hexdigest()[:16], dict(_parse(path, content)))


def _parse(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            reply = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a key twice, an endless number, too deep
            raise UsageError(f"{path} line {number} is not JSON: {error}") from error
        identity, text = (reply.get("id"), reply.get("text")) if isinstance(reply, dict) else (None, None)
        if not isinstance(identity, str) or not isinstance(text, str):
            raise UsageError(f'{path} line {number}: expected {{"id": "...", "text": "..."}}')
        if not _is_text(identity + text):
            raise UsageError(f"{path} line {number}: half a character (a lone surrogate escape such as \\ud800)")
        if identity in seen:
            raise UsageError(f"{path} line {number}: id {identity} was on line {seen[identity]} already")
        seen[identity] = number
        yield identity, text


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Replies:
    """A file in the place of a model; its revision is the hash of the file."""

    template = "none"
    decoding = "unknown"
    capabilities = Capabilities(modes=("generate",), computes=False)
    price: Price | None = None

    def __init__(self, path: Path, revision: str, replies: dict[str, str]) -> None:
        self.name = f"replies:{path.name}"
        self.revision = f"sha256:{revision}"
        self._path = path
        self._replies = replies

    def check(self, requests: Iterable[Request]) -> None:
        """Raises `UsageError` where the file has ids that the plan does not: it answers another one."""
        asked = set()
        for request in requests:
            if request.repeat and request.id not in self._replies:
                raise UsageError(
                    f"{self._path}: --repeats wants a reply of its own for each repeat, by the request's id; this file "
                    f"has none for {request.id}"
                )
            asked |= {request.id, request.sample}
        unknown = [identity for identity in self._replies if identity not in asked]
        if unknown:
            raise UsageError(
                f"{self._path}: {len(unknown)} of {len(self._replies)} ids are not in this plan, {unknown[0]} first; "
                "`python -m bench plan` with the same -t, -l and --limit prints those that are"
            )

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Looks each request up by its own id, then by its sample's. One without a reply is an error."""
        for request in requests:
            text = self._replies.get(request.id, self._replies.get(request.sample))
            if text is None:
                yield Response(request.id, "error", reason=f"{MISSING}: {request.sample}")
            else:
                yield Response(request.id, "ok", text, finish="stop")

    def status(self) -> str:
        """Nothing to tell."""
        return ""

    def close(self) -> None:
        """Holds nothing."""
