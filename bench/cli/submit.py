"""Sending run files to a board on another machine: `publish --to URL`."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError, ResponseError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from bench.cli.progress import plain
from bench.records import BenchError, UsageError
from bench.runfile import RunFile, reading
from bench.services.secrets import hidden, plain_url, secret

VARIABLE = "BENCH_TOKEN"
TYPE = "application/vnd.sqlite3"
SUBMISSIONS = "/api/submissions"
UNDER_WAY = frozenset({"received", "checking"})
"""The states after which another one comes without anybody's doing."""

WORTH = 64 << 10
"""A smaller file is sent as it is: packing it saves nothing."""
MOST_PACKED = 40
"""A file that packs better than this looks like a bomb to a board, and is sent as it is."""
LONGEST_WAIT = 60
"""Seconds for which a board that is busy is waited for, each time; longer ones are told to the user."""
LONGEST_ANSWER = 1 << 20
TIMEOUTS = 20.0, 600.0
"""Seconds to connect, and to hear something."""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ID = re.compile("[A-Za-z0-9_-]{1,64}")
_PIECE = 1 << 20

ANSWERS = {
    400: "the board does not take it",
    401: "the board does not know the token, or it has expired; ask its administrator for another",
    403: "the token may not do this",
    404: "no board takes submissions there; --to names the address of its start page",
    409: "the board has this very run already",
    411: "the board wants to know the length first",
    413: "the run file is larger than the board takes",
    415: "the board does not take such a file",
    429: "the board takes no more from this token now",
    503: "the board cannot take submissions now; try again later",
}
"""Status -> what it means."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a board says of a submission."""

    id: str
    state: str
    reason: str
    detail: str
    address: str


class _Bearer(AuthBase):
    """The token in its header; nothing shows it, and no .netrc takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Patience(Retry):
    """Tries again what a busy board refuses, when it says, unless that is too long from now."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        *rest: Any,
        **more: Any,
    ) -> Self:
        """As urllib3 counts; nothing is left to try where the wait is too long."""
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT and more.get("_pool"):
            raise MaxRetryError(more["_pool"], url or "", ResponseError("the wait is too long"))
        return super().increment(method, url, response, *rest, **more)


class Client:
    """A board on another machine, as one token sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = address(url), token
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        # A connection that breaks off in the middle may have brought the file whole: it is not sent twice by itself.
        patience = _Patience(
            total=5, connect=2, read=0, other=0, redirect=0, allowed_methods=None, status_forcelist=(429, 503),
            backoff_factor=1, raise_on_status=False,
        )  # fmt: skip
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=patience))

    def send(self, body: IO[bytes], size: int, *, packed: bool, advance: Advance) -> Sent:
        """Sends a run file. Raises `BenchError`: one line that says what to do."""
        headers = {"Content-Type": TYPE, **({"Content-Encoding": "gzip"} if packed else {})}
        return self._said("POST", SUBMISSIONS, data=_Body(body, size, advance), headers=headers)

    def look(self, submission: str) -> Sent:
        """A submission as it is now. Raises `BenchError`."""
        return self._said("GET", f"{SUBMISSIONS}/{submission}")

    def wait(self, sent: Sent) -> Sent:
        """Looks again and again until the check is done. Raises `BenchError`."""
        pause = 0.5
        while sent.state in UNDER_WAY:
            time.sleep(pause)
            pause = min(2 * pause, 10)
            sent = self.look(sent.id)
        return sent

    def close(self) -> None:
        """Lets go of the connections."""
        self._session.close()

    def _said(self, method: str, path: str, **more: Any) -> Sent:
        try:
            with self._session.request(
                method, self._url + path, allow_redirects=False, stream=True, timeout=TIMEOUTS, **more
            ) as response:
                content = response.raw.read(LONGEST_ANSWER, decode_content=True)
        except requests.exceptions.SSLError as error:
            raise BenchError(f"{self._url} has no certificate that can be trusted: {self._shown(error)}") from error
        except requests.Timeout as error:
            raise BenchError(f"{self._url} does not answer; try again later") from error
        except (requests.RequestException, HTTPError) as error:
            raise BenchError(self._unreached(error)) from error
        found = _object(content)
        if response.is_redirect or 300 <= response.status_code < 400:
            there = plain(urljoin(self._url, response.headers.get("Location", "")))[:200]
            raise UsageError(
                f"{self._url} sends on to {there}; the token goes nowhere else: if that is right, give it with --to"
            )
        if response.status_code >= 400:
            raise BenchError(self._refusal(response, found))
        return self._sent(found)

    def _unreached(self, error: Exception) -> str:
        """Why there is no whole answer; the error's own words would be urllib3's, of pools and objects in memory."""
        causes = list(_causes(error))
        if any(isinstance(cause, NameResolutionError) for cause in causes):
            return f"no machine is known as {urlsplit(self._url).hostname}; look at --to, and at the network"
        numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
        if any(isinstance(cause, NewConnectionError) for cause in causes):
            why = f": {os.strerror(numbers[-1])}" if numbers else ""
            return f"nobody answers at {self._url}{why}; look at --to, or try again later"
        return f"the connection to {self._url} broke off; try again later"

    def _refusal(self, response: requests.Response, found: dict[str, Any]) -> str:
        meaning = ANSWERS.get(response.status_code, f"the board failed with status {response.status_code}")
        said = self._shown(found.get("error", ""))
        wait = response.headers.get("Retry-After", "")
        again = f"; it may go on in {int(wait):,} s" if wait.isascii() and wait.isdigit() and len(wait) < 10 else ""
        return f"{meaning}{f' ({said})' if said else ''}{again}"

    def _sent(self, found: dict[str, Any]) -> Sent:
        told = {name: self._shown(found.get(name, "")) for name in ("id", "state", "reason", "detail", "address")}
        if not _ID.fullmatch(told["id"]) or not told["state"]:
            raise BenchError(f"{self._url} answers as no board does; --to names the address of its start page")
        told["address"] = urljoin(f"{self._url}/", told["address"])
        return Sent(**told)

    def _shown(self, text: object) -> str:
        """What a server says, in one line and without the token, whatever it repeats of it."""
        return plain(hidden(str(text or "")[:2000], (self._token,)))[:600]


class _Body:
    """A file that says how much of it was read. It begins anew where a request is sent again."""

    def __init__(self, file: IO[bytes], size: int, advance: Advance) -> None:
        self._file, self._size, self._advance = file, size, advance

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self._advance(self._file.tell())
        return piece

    def tell(self) -> int:
        """Where reading goes on."""
        return self._file.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        """Goes on reading elsewhere."""
        return self._file.seek(place, whence)


def submit(
    paths: list[Path], url: str, token_file: Path | None, *, wait: bool, as_json: bool, say: Callable[[str], None]
) -> bool:
    """Sends run files to a board and says what becomes of them; whether none was rejected.

    Raises `UsageError` and `BenchError`, one line each; what was sent before stays there.
    """
    client = Client(url, _token(token_file))
    done, fine = [], True
    try:
        for path in paths:
            with _closed(path) as (body, size, packed), _bar(path.name, size) as advance:
                sent = client.send(body, size, packed=packed, advance=advance)
            if wait:
                sent = client.wait(sent)
            done.append(sent)
            fine = fine and sent.state != "rejected"
            if not as_json:
                say(_line(path, sent))
    finally:
        client.close()
        if as_json:
            names = Sent.__slots__
            say(json.dumps([{name: getattr(one, name) for name in names} for one in done], ensure_ascii=False))
    return fine


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it wraps, and what led to it, the outermost first."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        wrapped = getattr(found, "reason", None) or next(iter(found.args), None)
        found = wrapped if isinstance(wrapped, BaseException) else found.__cause__ or found.__context__


def _line(path: Path, sent: Sent) -> str:
    why = "; ".join(filter(None, [sent.reason, sent.detail]))
    return f"{path}: {sent.state}{f' ({why})' if why else ''}, {sent.address}"


def address(url: str) -> str:
    """The address of a board. Raises `UsageError` where it is none, or where a token would go there in the clear."""
    found = plain_url(url, "--to")
    parts = urlsplit(found)
    if parts.query:
        raise UsageError("--to has a query; it names the address of the board's start page")
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise UsageError(f"--to {found} is not https: everybody on the way could read the token; give https://...")
    return found


def _token(path: Path | None) -> str:
    if path is None:
        found = secret(VARIABLE)
        if found is None:
            raise UsageError(f"no token: set {VARIABLE}, or name a file that holds one with --token-file")
        return found
    try:
        held = path.read_bytes()[:1000].decode("latin-1").strip()
    except OSError as error:
        raise UsageError(f"cannot read the token file {path}: {error.strerror}") from error
    if not held or not held.isascii() or not held.isprintable() or " " in held:
        raise UsageError(f"{path} holds no token: it should be one line, bench_...")
    return held


@contextlib.contextmanager
def _closed(path: Path) -> Iterator[tuple[IO[bytes], int, bool]]:
    """What is sent of a run: a whole copy without the command lines, which may name private folders; packed or not."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy.run.db"
        with RunFile.read(path) as run, reading(path):
            run.copy(copy)
        with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("UPDATE invocations SET command_line = '[]'")
        size = copy.stat().st_size
        packed = Path(name) / "packed"
        if size >= WORTH:
            # Without a name and a time in it the same run makes the same bytes, by which a board knows it again.
            with (
                copy.open("rb") as source,
                packed.open("wb") as target,
                gzip.GzipFile("", "wb", 5, target, mtime=0) as file,
            ):
                shutil.copyfileobj(source, file, _PIECE)
        small = packed.stat().st_size if size >= WORTH else size
        chosen, length = (packed, small) if size / MOST_PACKED <= small < 0.9 * size else (copy, size)
        with chosen.open("rb") as body:
            yield body, length, chosen is packed


@contextlib.contextmanager
def _bar(name: str, size: int) -> Iterator[Advance]:
    """A bar in a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.text import Text

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(Text(plain(name)).markup, total=size)
        yield lambda done: progress.update(task, completed=done)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
