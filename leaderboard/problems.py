"""What is told to a visitor whose request cannot be answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.exceptions import BadRequest, HTTPException, NotFound


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere else to go; `href` begins behind the site's root."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error page says."""

    title: str
    message: str
    near: tuple[Link, ...] = ()
    snapshot: str = ""


class Missing(NotFound):
    """Nothing has that address; `near` are those that may have been meant."""

    def __init__(self, message: str, near: Iterable[Link] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)


class Wrong(BadRequest):
    """A parameter of the address means nothing; `near` are addresses that do."""

    def __init__(self, message: str, near: Iterable[Link] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)


class Refused(HTTPException):
    """A request that is not done, and why, in one line; `retry_after` in seconds where waiting helps."""

    def __init__(self, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """What the answer says besides."""
        made = {} if self.retry_after is None else {"Retry-After": str(max(1, self.retry_after))}
        return made | ({"WWW-Authenticate": "Bearer"} if self.code == 401 else {})
