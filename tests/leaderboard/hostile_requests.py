"""Requests that nobody means well with, made from a seed: methods, paths, queries, headers and bodies."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from leaderboard import walking
from leaderboard.app import HEADERS
from leaderboard.prefixes import LOCALES

METHODS = ("GET",) * 12 + ("HEAD", "POST", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "X" * 40, "G@T")
WORDS = (
    "", ".", "..", "%2e%2e", "..%2f", "%00", "\0", "\r\nX-Bad: 1", "\u202e", "\ud7ff", "\U0001f9a0", "%", "%zz", "%ff",
    "'", "' OR 1=1 --", '"', "\\", "/", "//", "<script>", "{{7*7}}", "${x}", "%s%n", "-1", "0", "1", "9" * 30, "1e999",
    "NaN", "null", "None", "true", "[]", "[0]", "A" * 300, "a" * 5000, "é", "中", "yor_Latn", "sib200", "en",
    "hf-maker-good", "accuracy", "__proto__", "\ufeff", " ", "\t", "*", "=cmd|' /C calc'!A0", "0" * 20, "f" * 16,
)  # fmt: skip
TYPES = (
    "multipart/form-data; boundary=x", "multipart/form-data", "multipart/form-data; boundary=\"", "application/json",
    "application/x-www-form-urlencoded", "application/vnd.sqlite3", "text/html; charset=utf-7", "", "x", "a/b;c=d;c=e",
)  # fmt: skip
NAMES = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Encoding", "Content-Length", "Cookie",
    "Expect", "Forwarded", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range",
    "Referer", "Sec-Fetch-Site", "Transfer-Encoding", "Upgrade", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host",
    "X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Original-URL",
)  # fmt: skip
VALUES = (
    *WORDS, "gzip;q=x", "gzip;q=nan", "*;q=-1", "bytes=0-", "bytes=9-1,2-", "bytes=" + "0-1," * 500, '"x", W/"y"', '"',
    "*", "Bearer", "Bearer x", "Bearer bench_" + "x" * 400, "Basic ====", "Basic dTpw", "Digest x=y",
    "board_form=x", "board_form=eyJ9.x.y; board_form", "https://evil.example", "null", "http://[", "localhost",
    "cross-site", "Thu, 99 Zzz 9999 99:99:99 GMT", "100-continue", "chunked", "127.0.0.1, " * 50, "for=\"[::1",
)  # fmt: skip
DESK = ("/submit", "/api/submissions", f"/submissions/{'0' * 20}/withdraw", f"/api/submissions/{'0' * 20}/withdraw")
DESK_TYPES = ("application/vnd.sqlite3", "multipart/form-data; boundary=x")
PROMISED = tuple(HEADERS)
_TRACE = re.compile(
    rb"Traceback \(most recent|File &#34;|File \"[^\"]+\", line \d+|sqlite3?\.[A-Z]\w+Error|/site-packages/"
)


@dataclass
class Found:
    """How many answers of each status there were, and what should not have been, with the request that did it."""

    statuses: dict[int, int] = field(default_factory=dict)
    wrong: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Maker:
    """Hostile requests against one website, the same for the same seed."""

    def __init__(self, app: Flask, seed: int, secret: str = "") -> None:
        self._chance = random.Random(seed)
        site = walking.site_of(app)
        self._rules = sorted({rule.rule for rule in app.url_map.iter_rules()})
        self._parameters = sorted({name for page in site.pages for name in page.parameters} | {"state", "before"})
        self._secret = secret

    def requests(self, number: int) -> Iterator[dict[str, Any]]:
        """WSGI environments."""
        return (self._environ() for _ in range(number))

    def _environ(self) -> dict[str, Any]:
        some = self._chance
        kind = some.choice(TYPES)
        body = self._body()
        builder = EnvironBuilder(method="GET", input_stream=io.BytesIO(body))
        environ = builder.get_environ()
        environ["REQUEST_METHOD"] = some.choice(METHODS)
        # What a server hands on: bytes of the path, each as a character.
        environ["PATH_INFO"] = self._path().encode("utf-8", "surrogatepass").decode("latin-1")
        if some.random() < 0.03:
            environ["PATH_INFO"] += "".join(chr(some.randrange(256)) for _ in range(some.randrange(1, 40)))
        environ["QUERY_STRING"] = self._query().encode("utf-8", "surrogatepass").decode("latin-1")
        environ["CONTENT_TYPE"] = kind
        environ["CONTENT_LENGTH"] = some.choice((str(len(body)),) * 6 + ("", "-1", "x", "99999999999", "0", "1"))
        for name in some.sample(NAMES, some.choice((0, 0, 1, 2, 5))):
            key = name.upper().replace("-", "_")
            value = some.choice(VALUES).encode("utf-8", "surrogatepass").decode("latin-1")
            environ[key if key == "CONTENT_LENGTH" else f"HTTP_{key}"] = value
        if some.random() < 0.12:  # else hardly any comes as far as the desk
            environ["REQUEST_METHOD"] = "POST"
            environ["PATH_INFO"] = some.choice(DESK)
            environ["CONTENT_TYPE"] = some.choice((kind, *DESK_TYPES))
            environ["HTTP_AUTHORIZATION"] = f"Bearer {some.choice((self._secret, 'bench_x'))}"
        return environ

    def _path(self) -> str:
        some = self._chance
        if some.random() < 0.15:
            return "/" + "/".join(some.choice(WORDS) for _ in range(some.randrange(6)))
        path = re.sub("<[^>]+>", lambda _found: some.choice(WORDS), some.choice(self._rules))
        prefix = some.choice(("",) * 4 + (f"/{some.choice(LOCALES)}", f"/snapshots/{some.choice(WORDS)}"))
        end = some.choice(("",) * 8 + ("/", ".json", ".csv", ".parquet", "/..", "%00", ".json.json", "//"))
        return prefix + path + end

    def _query(self) -> str:
        some = self._chance
        names = (*self._parameters, *WORDS[:20])
        pairs = [
            f"{some.choice(names)}{some.choice(('=', '=', '=', '', '[]='))}{some.choice(WORDS)}"
            for _ in range(some.choice((0, 0, 1, 1, 2, 4, 70)))
        ]
        return some.choice(("&", "&", ";", "&&")).join(pairs)

    def _body(self) -> bytes:
        some = self._chance
        part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        made: tuple[bytes, ...] = (
            b"",
            b"",
            b"SQLite format 3\0",
            b"\x1f\x8b\x08\0\0\0\0\0",
            some.randbytes(some.randrange(200)),
            b"token=x&csrf_token=y",
            b"[" * 5000,
            part % (b"token", b"", b"bench_x") + part % (b"file", b'; filename="../x"', b"x") + b"--x--\r\n",
            part % (b"csrf_token", b"", b"\xff") * some.randrange(20),
            b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n",
            b"--x\r\n" + b"A: b\r\n" * 500 + b"\r\n--x--",
        )
        return some.choice(made)


def run(app: Flask, number: int, seed: int = 1, secret: str = "") -> Found:
    """Sends that many requests; the website has to stand them all: no 5xx, no trace, always the promised headers.

    `secret` is a token's, so that some requests get past the desk's door.
    """
    found = Found()
    for environ in Maker(app, seed, secret).requests(number):
        told = {key: environ[key] for key in environ if key.isupper() and not key.startswith("SERVER")}
        content, status, headers = run_wsgi_app(app.wsgi_app, environ, buffered=True)
        body, code = b"".join(content), int(status.split()[0])
        close = getattr(content, "close", None)
        if close:
            close()
        found.statuses[code] = found.statuses.get(code, 0) + 1
        lacking = [name for name in PROMISED if headers.get(name) != HEADERS[name]]
        for fault, holds in (
            (f"status {code}", code >= 500),
            (f"without {lacking}", bool(lacking)),
            ("a trace", bool(_TRACE.search(body))),
            ("a header of the sender's", "X-Bad" in headers),
        ):
            if holds:
                found.wrong.append((fault, told))
    return found
