"""How a service is reached: address, key and limits, and the options that every service has."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bench.backend import Settings, worded
from bench.prices import Price
from bench.records import UsageError
from bench.services import price_list
from bench.services.calls import Limits
from bench.services.endpoint import Endpoint
from bench.services.probing import ATTEMPTS, PATIENCE, Probe, public, refuse_keys
from bench.services.secrets import secret
from bench.services.service import Batching

if TYPE_CHECKING:
    from bench.services.batch_protocols import BatchProtocol

_USUAL = Limits()

Positive = Annotated[float, msgspec.Meta(gt=0)]


class ServiceOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of every service.

    `key_env` names the environment variable that holds the key. `system` is the text of a system prompt, `extra` a JSON
    object that goes into every request. `revision` names the exact weights, where the user knows them. `batch_api`:
    requests are handed in by batches, which are answered within a day at half the price. `deadline` and `patience` are
    seconds; see `Limits`.
    """

    base_url: str = ""
    key_env: str
    system: str = ""
    extra: str | dict[str, Any] = ""
    revision: str = ""
    batch_api: bool = False
    deadline: Positive = _USUAL.deadline
    patience: Positive = _USUAL.patience
    attempts: Annotated[int, msgspec.Meta(ge=1)] = _USUAL.attempts


@dataclass(frozen=True, slots=True)
class Access:
    """One service as the user wants it asked. `headers` hold the key."""

    name: str
    base_url: str
    options: ServiceOptions
    settings: Settings
    key: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @contextmanager
    def probing(self) -> Iterator[Probe]:
        """The service for a few questions before the run."""
        limits = replace(
            self._limits(),
            most=1,
            attempts=min(ATTEMPTS, self.options.attempts),
            patience=min(PATIENCE, self.options.patience),
        )
        endpoint = Endpoint(self.base_url, self.headers, limits)
        try:
            yield Probe(self.name, self.base_url, endpoint, self.options.key_env, self.key)
        finally:
            endpoint.close()

    def endpoint(self) -> Endpoint:
        """The service for the run."""
        return Endpoint(self.base_url, self.headers, self._limits())

    def batching(self, protocol: BatchProtocol) -> Batching:
        """Requests by batches."""
        return Batching(protocol, Endpoint(self.base_url, self.headers, replace(self._limits(), attempts=1)))

    def revision(self, served: str) -> str:
        """What names the weights: the name that the service answers under, and what the user knows of them."""
        named = f"served:{public(served)}"
        return f"{named}@{self.options.revision}" if self.options.revision else named

    def price(self, model: str) -> Price | None:
        """The user's price, or the one on the list; a system prompt is paid with every request."""
        if self.settings.price is None:
            found = price_list.find(self.base_url, model, batch=self.options.batch_api)
        else:
            found = self.settings.price.batched() if self.options.batch_api else self.settings.price
        return found and replace(found, overhead=found.overhead + len(self.options.system.encode()))

    def _limits(self) -> Limits:
        options = self.options
        most = self.settings.batch or _USUAL.most
        return Limits(most, self.settings.timeout, options.attempts, options.deadline, options.patience)


def extra_of(name: str, options: ServiceOptions, own: frozenset[str]) -> dict[str, Any]:
    """The option `extra`, read. Raises `UsageError`; `own` are the words that the program sets itself."""
    try:
        msgspec.json.encode(options)
    except UnicodeEncodeError as error:
        raise UsageError(f"{name}: an option is not UTF-8: {error.object!r}") from error
    given = options.extra
    try:
        extra = msgspec.json.decode(given) if isinstance(given, str) and given.strip() else given or {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{name}: option extra is not JSON: {error}") from error
    if not isinstance(extra, dict):
        raise UsageError(f'{name}: option extra is no JSON object, such as {{"top_k": 1}}')
    if taken := sorted(own & extra.keys()):
        raise UsageError(f"{name}: option extra has {taken[0]}, which the program sets itself; leave it out")
    refuse_keys(name, extra, "the variable that key_env names")
    return extra


def address(name: str, options: ServiceOptions, given: Mapping[str, object], variable: str, usual: str) -> str:
    """Where the service is. Raises `UsageError` for an option that is given and empty: an unset variable, most often.

    The provider's own address in its place would send the questions to somebody whom the user did not mean.
    """
    if "base_url" in given and not options.base_url.strip():
        raise UsageError(
            f"{name}: base_url is empty; give an address such as http://localhost:8000/v1, or leave it out"
        )
    return options.base_url or os.environ.get(variable) or usual


def key_of(name: str, variable: str, usual: str) -> str | None:
    """The key in the variable that `key_env` names; None where the usual one is not set.

    Raises `UsageError` where another one is named and not set: it may be a key that was given for a name, so that it
    stays unsaid.
    """
    key = secret(variable)
    if key is None and variable != usual:
        raise UsageError(f"{name}: key_env names a variable that is not set; set it, or leave key_env out for {usual}")
    return key


def drawn(drawing: Mapping[str, Any], system: str, extra: Mapping[str, Any]) -> str:
    """The word for how answers are drawn: greedy where the temperature is 0, then everything that changes them."""
    base = "greedy" if drawing.get("temperature") == 0 else "sampled"
    parts = {word: _short(value) for word, value in drawing.items() if word != "temperature" or value}
    prompt = hashlib.sha256(system.encode()).hexdigest()[:16] if system else None
    return worded(base, **parts, system=prompt, extra=_short(extra) if extra else None)


def _short(value: object) -> object:
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if isinstance(value, Mapping) else value
