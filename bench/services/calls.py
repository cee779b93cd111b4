"""What is asked over HTTP and what comes back: the nouns that endpoints, dialects and transport share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from bench.records import Request, Response


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request: the path under the base URL, and a JSON body; without one it is a GET.

    `headers` are added to the endpoint's and win over them. A whole address in the place of the path must be of the
    same service.
    """

    path: str
    body: bytes | None = None
    method: Literal["", "GET", "POST"] = ""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status; `seconds` is the last attempt's."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    attempts: int


class Unusable(Exception):
    """A reply with status 200 that is not what was asked for. The message is a reason code; it is asked again."""


class Dialect(Protocol):
    """How one protocol writes a request and reads a reply. Pure."""

    def call(self, request: Request) -> Call:
        """The request as HTTP."""

    def read(self, request: Request, reply: Reply) -> Response:
        """The answer in a reply with status 200. Raises `Unusable`."""

    def refused(self, request: Request, reply: Reply) -> Response | None:
        """What a 4xx reply means for this request: too long (skipped), filtered (ok, finish "filter"); else None."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of asking.

    `most` requests at a time; `timeout` seconds for one attempt; `attempts` and `deadline` (seconds) for one request
    with all its attempts; `patience` seconds without one answer until the service is given up. An attempt that the
    service turned away because there are too many (429), or that never reached it, is none of the `attempts`.
    """

    most: int = 256
    timeout: float = 600.0
    attempts: int = 8
    deadline: float = 3600.0
    patience: float = 900.0
