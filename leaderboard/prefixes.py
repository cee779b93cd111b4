"""What may stand before every address: the language of the interface, and the snapshot that is shown.

`/fr/snapshots/<hash>/languages/yor_Latn` is the page `/languages/yor_Latn` in French, as it was in that snapshot. Both
are moved from the path to where the application is mounted, so that every page and every link has them for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DEFAULT = "en"
LOCALES = ("en", "fr", "es", "pt", "sw", "ar")
"""The languages of the interface, those of `translations/` and the default, which has no prefix."""

KEY = "leaderboard.prefix"
"""Where the request's environment has its prefix."""
_SNAPSHOT = re.compile(r"/snapshots/([0-9a-f]{16})(?=/|\.|$)")


@dataclass(frozen=True, slots=True)
class Prefix:
    """Where a request was sent: `mount` is where the application itself lies, `snapshot` empty for the current one."""

    mount: str
    locale: str
    snapshot: str

    def at(self, *, locale: str | None = None, snapshot: str | None = None) -> str:
        """The beginning of an address in another language or snapshot."""
        locale = self.locale if locale is None else locale
        snapshot = self.snapshot if snapshot is None else snapshot
        spoken = "" if locale == DEFAULT else f"/{locale}"
        return f"{self.mount}{spoken}{f'/snapshots/{snapshot}' if snapshot else ''}"


class Prefixes:
    """WSGI middleware: takes the prefixes off the path."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hands the request on with what is left of its path."""
        mount, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        first, _, rest = path.removeprefix("/").partition("/")
        locale = DEFAULT
        if first in LOCALES and first != DEFAULT:
            locale, path = first, f"/{rest}"
        snapshot = ""
        if found := _SNAPSHOT.match(path):
            # `/snapshots/<hash>.json` is the data of that snapshot's start page.
            snapshot, path = found[1], path[found.end() :]
            path = f"/index{path}" if path.startswith(".") else path or "/"
        prefix = Prefix(mount, locale, snapshot)
        environ.update({KEY: prefix, "SCRIPT_NAME": prefix.at(), "PATH_INFO": path})
        return self._application(environ, start_response)


def current() -> Prefix:
    """The prefix of the request that is being answered."""
    found: Prefix = request.environ[KEY]
    return found
