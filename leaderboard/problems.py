"""What is told to a visitor whose request cannot be answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.exceptions import BadRequest, NotFound


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
