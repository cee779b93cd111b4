"""What keeps a visitor's browser from being used by another site, and a visitor from asking too often.

The only cookie of the site is made here, and only for pages with a form that changes something. The address of a client
is the key of its limits, as a hash that no other process could make; it is neither stored nor logged.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext as _
from flask_limiter import Limiter
from flask_wtf.csrf import validate_csrf
from werkzeug.middleware.proxy_fix import ProxyFix

from bench.records import UsageError
from leaderboard.problems import Refused

SECRET, PROXIES = "BOARD_SECRET", "BOARD_PROXIES"
SECRET_FILE = "secret"  # noqa: S105 - the name of a file
CSRF_SECONDS = 4 * 3600
COOKIE = "board_form"
FIELD = "csrf_token"

_SALT = secrets.token_bytes(16)


class _Sessions(SecureCookieSessionInterface):
    """A cookie that goes over HTTPS alone wherever the page did."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the request came over HTTPS."""
        return request.is_secure


def init(app: Flask, board: Path) -> Limiter:
    """Gives the application its secret, its session and its limits. Raises `UsageError` for a setting that is none."""
    app.secret_key = secret(board)
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=CSRF_SECONDS,
    )
    hops = os.environ.get(PROXIES, "0")
    if not (hops.isascii() and hops.isdigit() and len(hops) < 3):
        raise UsageError(f"{PROXIES} is {hops!r}; it is the number of proxies before this server, 0 for none")
    if int(hops):
        # The host is not taken from a header that any client could send: the proxies have to pass `Host` on.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=int(hops), x_proto=int(hops))  # type: ignore[method-assign]
    limiter = Limiter(client, storage_uri="memory://", strategy="moving-window")
    limiter.init_app(app)
    return limiter


def secret(board: Path) -> str | None:
    """What signs the cookie: that of the environment, else that of the board, made once. None where none can be."""
    if os.environ.get(SECRET):
        return os.environ[SECRET]
    path = board / SECRET_FILE
    temporary = board / f".{SECRET_FILE}-{secrets.token_hex(8)}"
    try:
        if not path.exists():
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
            with contextlib.suppress(FileExistsError):  # another process was as quick
                path.hardlink_to(temporary)
        return path.read_text("ascii").strip() or None
    except OSError:
        return None  # the board is read only: it can be read, and nothing can be submitted
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def client() -> str:
    """Who asks, for the limits: a hash of the address, of an IPv6 one of its network, which one visitor has whole."""
    address = request.remote_addr or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(address).version == 6:
            address = str(ipaddress.ip_network(f"{address}/64", strict=False))
    return hashlib.blake2b(address.encode("utf-8", "replace"), key=_SALT, digest_size=12).hexdigest()


def same_site() -> None:
    """Raises `Refused` where a browser says that another site sends the request."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and not _ours(origin)):
        raise Refused(403, _("Another site sent this form. Open the page on this site and send it from there."))


def _ours(origin: str) -> bool:
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def csrf(sent: str | None) -> None:
    """Raises `Refused` where a form was not made for this visitor, or too long ago."""
    try:
        validate_csrf(sent)
    except ValueError as error:  # what WTForms' ValidationError is
        message = _("This form is too old, or was made for somebody else. Load its page again and send it from there.")
        raise Refused(400, message) from error


def failed(answer: Response) -> bool:
    """Whether an answer says that a token was wrong."""
    return answer.status_code == 401
