"""What a failed attempt means: which kind of failure, whether to ask again, and when. Pure."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

BASE = 0.5
LONGEST = 30.0
LONGEST_MESSAGE = 200

Kind = Literal["limited", "failed", "unheard", "unusable", "refused", "hopeless"]
"""What follows from a failure.

`limited`: too many requests; asked again, as often as it takes. `failed`: the service broke; asked again, so often.
`unheard`: it never reached the service, which is not the request's fault. `unusable`: an answer that is none.
`refused`: this request will not do. `hopeless`: no request will.
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt brought nothing: a reason code, a detail, and how long the service asks to wait (seconds)."""

    kind: Kind
    code: str
    detail: str = ""
    wait: float | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code

    def after(self, count: str) -> str:
        """The reason of a response that was given up, after `count`, such as "8 attempts"."""
        return f"{self.code}: {self.detail}, {count}" if self.detail else f"{self.code}: {count}"


TIMEOUT = Failure("failed", "timeout")


def of_status(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Failure:  # noqa: PLR0911
    """What a reply means whose status is no success. `now` is the time of day (seconds since 1970)."""
    wait = retry_after(headers, now) if status in {408, 409, 425, 429} or status >= 500 else None
    match status:
        case 429 if b"insufficient_quota" in body:  # which no waiting mends
            return Failure("hopeless", "insufficient_quota", message(body))
        case 429:
            return Failure("limited", "rate_limited", "", wait)
        case 503 | 529:
            return Failure("failed", "overloaded", str(status), wait)
        case _ if status >= 500:
            return Failure("failed", "server_error", str(status), wait)
        case 408 | 409 | 425:
            return Failure("failed", "not_now", str(status), wait)
        case 401 | 403:
            return Failure("hopeless", "unauthorised", message(body))
        case 402:
            return Failure("hopeless", "payment_required", message(body))
        case 404:
            return Failure("hopeless", "not_found", message(body))
        case _ if 300 <= status < 400:
            return Failure("hopeless", "redirected", headers.get("Location", "")[:LONGEST_MESSAGE])
    said = message(body)
    return Failure("refused", "bad_request", said if status == 400 else f"{status} {said}".strip())


ADVICE = {
    "unauthorised": "check the key and that it may use this model",
    "not_found": "check the base URL and the model's name",
    "payment_required": "the account has no credit",
    "insufficient_quota": "the account has no credit, or its quota is used up",
    "redirected": "give that as the base URL if it is right",
    "certificate": "SSL_CERT_FILE names the certificates that are trusted",
}


def hopeless(failure: Failure, status: int | None) -> str:
    """Why no request will do, and what to look at."""
    code = failure.code if status is None else f"{failure.code} ({status})"
    said = f"{code}: {failure.detail}" if failure.detail else code
    return f"{said}; {ADVICE[failure.code]}"


def backoff(failures: int, draw: float) -> float:
    """Seconds to wait after so many failures (from 1): full jitter, `draw` being uniform in [0, 1)."""
    return float(min(LONGEST, BASE * 2.0 ** min(failures - 1, 16)) * draw)


_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms]|)")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """How long a service asks to wait, in seconds; None where it does not say, or says nothing that can be read."""
    given = headers.get("retry-after-ms")
    if given is not None and (seconds := _duration(given)) is not None:
        return seconds / 1000
    given = headers.get("retry-after")
    if given is not None:
        seconds = _duration(given)
        return _until(given, now) if seconds is None else seconds
    waits = [
        _duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _duration(text: str) -> float | None:
    """Seconds of "20", "0.5", "6m0s" or "120ms"."""
    text = text.strip()[:40]
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def _until(text: str, now: float) -> float | None:
    """Seconds until an HTTP date; 0 where it is past."""
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


_TAGS = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


def message(body: bytes) -> str:
    """What a service says of an error, in one line. Not cut yet: secrets are hidden in it first."""
    try:
        said = _said(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        said = None
    text = said if said is not None else _TAGS.sub(" ", body[:8192].decode(errors="replace"))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _said(value: object, depth: int = 0) -> str | None:
    """The message in an error of OpenAI's, Anthropic's, FastAPI's or a plain form."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and depth < 4:
        return _said(value[0], depth + 1)
    if isinstance(value, dict) and depth < 4:
        for name in ("error", "message", "msg", "detail"):
            if (said := _said(value.get(name), depth + 1)) is not None:
                return said
    return None


def cut(text: str) -> str:
    """At most `LONGEST_MESSAGE` characters of a message."""
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1].rstrip() + "…"
