"""Bytes over HTTP: connections, proxies, redirects, and what breaks under them. The only module that knows aiohttp."""

from __future__ import annotations

import errno
import functools
import io
import urllib.request
from collections.abc import Mapping

import aiohttp
from yarl import URL

from bench.backend import ModelStopped
from bench.services.attempts import Failure
from bench.services.calls import Call

ERRORS = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError)
"""What `Transport.send` may raise; `failure` says what each means."""

CONNECTING = 30.0
KEPT = 4.0
"""Seconds that an idle connection is kept. Many servers close theirs after 5, and asking on such a one fails."""
REDIRECTS = 3
_PLAIN_BODY = 1 << 19
"""Bytes of a body that is sent in one piece: a larger one would hold up the others."""


class TooLarge(OSError):
    """A body longer than it may be."""


class Transport:
    """Connections to one service. To be used in one event loop; `headers` go with every request."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self._base = URL(base_url)
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None
        self._address = functools.lru_cache(64)(self._join)
        self._proxy: str | None = None
        # Looked up once: aiohttp's own way asks the environment again for each request.
        if not urllib.request.proxy_bypass(self._base.raw_authority):
            self._proxy = urllib.request.getproxies().get(self._base.scheme)

    def _open(self) -> aiohttp.ClientSession:
        # No timers of aiohttp's: one for each request costs more than all else here. Who asks watches the time.
        return aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECTING),
            proxy=self._proxy,
        )

    def _join(self, path: str) -> URL:
        given = URL(path)
        if given.is_absolute():
            if given.origin() != self._base.origin():
                raise ModelStopped(f"the service names an address elsewhere, which gets no key: {given.origin()}")
            return given
        path = f"{self._base.raw_path.rstrip('/')}/{given.raw_path.lstrip('/')}"
        joined = self._base.with_path(path, encoded=True)
        return joined.with_query([*self._base.query.items(), *given.query.items()])

    async def send(self, call: Call, most_bytes: int | None) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers, body) of what comes back. Raises one of `ERRORS`."""
        session = self._session or self._open()
        self._session = session
        url = self._address(call.path)
        method = call.method or ("GET" if call.body is None else "POST")
        headers = call.headers
        if headers is None and call.body is not None:
            headers = _JSON
        for _ in range(REDIRECTS):
            body: bytes | io.BytesIO | None = call.body
            if call.body is not None and len(call.body) > _PLAIN_BODY:
                body = io.BytesIO(call.body)
            async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as reply:
                target = self._target(url, reply) if 300 <= reply.status < 400 else None
                if target is None:
                    return reply.status, reply.headers, await _body(reply, most_bytes)
                url = target
        return 310, {"Location": str(url)}, b""

    def _target(self, url: URL, reply: aiohttp.ClientResponse) -> URL | None:
        """Where a redirect leads, if that is the same service: the key goes nowhere else."""
        try:
            target = url.join(URL(reply.headers.get("Location", "")))
            safer = (url.scheme, target.scheme, target.host) == ("http", "https", url.host)
            return target if target != url and (safer or target.origin() == url.origin()) else None
        except ValueError:
            return None

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


_JSON = {"Content-Type": "application/json"}


async def _body(reply: aiohttp.ClientResponse, most_bytes: int | None) -> bytes:
    pieces = []
    size = 0
    while piece := await reply.content.readany():
        pieces.append(piece)
        size += len(piece)
        if most_bytes is not None and size > most_bytes:
            raise TooLarge(f"more than {most_bytes >> 20} MiB")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def failure(error: Exception) -> Failure:  # noqa: PLR0911
    """What an error of `send` means. Its own words are not passed on: they may hold an address with a secret."""
    match error:
        case TooLarge():
            return Failure("unusable", "bad_reply", str(error))
        case aiohttp.ClientConnectorCertificateError():
            return Failure("hopeless", "certificate", getattr(error.certificate_error, "verify_message", ""))
        case aiohttp.ClientConnectorSSLError():
            return Failure("unheard", "unreachable", "TLS")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Failure("unheard", "unreachable", "proxy")
        case aiohttp.ClientConnectorDNSError():
            return Failure("unheard", "unreachable", "name not known")
        case aiohttp.ConnectionTimeoutError():
            return Failure("unheard", "unreachable", "no connection in time")
        case aiohttp.ClientConnectorError():
            if error.os_error.errno == errno.ECONNREFUSED or isinstance(error.os_error, ConnectionRefusedError):
                return Failure("unheard", "connection_refused")
            return Failure("unheard", "unreachable", error.os_error.strerror or "")
        case aiohttp.ClientResponseError() | aiohttp.http.HttpProcessingError():
            return Failure("unusable", "bad_reply", "not HTTP")
    return Failure("failed", "connection_reset")
