"""Finding out what a service can do before it is asked in earnest, and saying in one line what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from bench.backend import ModelStopped, Unavailable
from bench.records import Request, UsageError
from bench.services import wire
from bench.services.calls import Call, Reply, Unusable
from bench.services.endpoint import Endpoint
from bench.services.secrets import hidden

PATIENCE = 60.0
"""Seconds that a service has to recover from errors before a run begins: the user sits and waits."""
ATTEMPTS = 3
LONGEST = 300
"""Characters of a service's own message that are shown."""

KEY_NAMES = frozenset({"api_key", "apikey", "key", "token", "secret", "password", "authorization", "bearer"})
"""Options that are refused: what is written on a command line or in a model file is no secret."""


class Probe:
    """Asks a service a few tiny questions. `variable` names the environment variable that holds the key."""

    def __init__(self, name: str, base_url: str, endpoint: Endpoint, variable: str, key: str | None) -> None:
        self.name = name
        self.base_url = base_url
        self._endpoint = endpoint
        self._variable = variable
        self._key = key

    def ask(self, call: Call, advice: str = "") -> Reply:
        """The reply where the service understood, or objects to something in the request (400, 422 and the like).

        `advice` is for a user whose service breaks under the request. Raises `UsageError` where no request will do:
        wrong key, unknown model; `Unavailable` where there is no answer.
        """
        try:
            reply = self._endpoint.fetch(call)
        except ModelStopped as stopped:
            raise Unavailable(str(self.error(str(stopped)))) from stopped
        if reply.status == 200 or reply.status in {400, 405, 406, 413, 415, 422, 501}:
            return reply
        said = f"{reply.status}{self._quoted(reply)}"
        if reply.status == 401 and self._key is None:
            variable = self._variable
            raise self.error(
                f"the service wants a key ({said}); set {variable}, or {variable}_FILE to a file that holds it"
            )
        if reply.status in {401, 403}:
            raise self.error(f"the service refuses the key that {self._variable} has ({said})")
        if reply.status == 404:
            raise self.error(
                f"{self.base_url} knows no such model, or no such path ({said}); "
                "check the model's name and base_url, which mostly ends in /v1"
            )
        raise Unavailable(str(self.error(f"{self.base_url} fails ({said}){advice and '; ' + advice}")))

    def refusal(self, reply: Reply) -> UsageError:
        """The error of a request that the service understood and will not answer."""
        return self.error(f"the service refuses the request ({reply.status}{self._quoted(reply)})")

    def nonsense(self, unusable: Unusable) -> UsageError:
        """The error of a reply that is none."""
        return self.error(f"what answers at {self.base_url} does not speak this protocol ({unusable})")

    def error(self, problem: str) -> UsageError:
        """An error of this service, without secrets."""
        return UsageError(hidden(f"{self.name}: {problem}", [self._key] if self._key else []))

    def _quoted(self, reply: Reply) -> str:
        message = wire.complaint(reply.body).message
        said = " ".join("".join(char if char.isprintable() else " " for char in message).split())
        return f": {said if len(said) <= LONGEST else said[: LONGEST - 1] + '…'}" if said else ""


def culprit(reply: Reply, names: Mapping[str, Sequence[str]]) -> str:
    """Which of our parameters a service objects to, each given with the words for it; "" where none is named."""
    told = wire.complaint(reply.body)
    for text in (told.parameter, told.message):
        found = [
            (match.start(), name)
            for name, words in names.items()
            if (match := re.search("|".join(rf"(?<![a-z_]){re.escape(word)}" for word in words), text, re.IGNORECASE))
        ]
        if found:
            return min(found)[1]
    return ""


def question(text: str, max_tokens: int, continuations: tuple[str, ...] = ()) -> Request:
    """A request of the probe's own."""
    return Request(
        id="probe",
        sample="",
        task="",
        language="",
        variety="",
        mode="first_token" if continuations else "generate",
        prompt=text,
        continuations=continuations,
        max_tokens=max_tokens,
        stop=(),
        input="",
        options=(),
    )


def refuse_keys(name: str, given: Mapping[str, object], variable: str) -> None:
    """Raises `UsageError` for an option that would hold a secret, however deep it lies."""
    for option in _names(given):
        if option.lower().replace("-", "_") in KEY_NAMES:
            raise UsageError(
                f"{name}: a key is no option ({option}); set {variable}, or {variable}_FILE to a file that holds it"
            )


def _names(given: object) -> Iterator[str]:
    """Every name in a JSON value."""
    if isinstance(given, Mapping):
        yield from (str(option) for option in given)
    if isinstance(given, Mapping | list | tuple):
        for value in given.values() if isinstance(given, Mapping) else given:
            yield from _names(value)


def public(model: str) -> str:
    """A model's name as it may be published: of a path on somebody's machine only the last part."""
    return PurePosixPath(model).name or model if model.startswith(("/", "~", "./", "../")) else model
