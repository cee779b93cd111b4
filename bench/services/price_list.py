"""What providers ask for their models, by the host that is asked: dated prices read from `prices.toml`."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from bench.prices import Price

PRICES = Path(__file__).with_name("prices.toml")

Money = Annotated[float, msgspec.Meta(ge=0)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one model costs per million tokens, thinking paid as output. A field that is missing is not known.

    `up_to`: the prices hold for prompts of at most so many tokens; longer ones cost more. `until`: the last day on
    which they hold, where the provider has named one. `other`: snapshots of this model that have another price.
    `as_of` replaces the provider's.
    """

    input: Money
    output: Money
    cached_input: Money | None = None
    batch_input: Money | None = None
    batch_output: Money | None = None
    up_to: Annotated[int, msgspec.Meta(gt=0)] | None = None
    until: date | None = None
    other: tuple[str, ...] = ()
    as_of: date | None = None


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who sells: the hosts of the API, and when (`as_of`) and where (`source`) the prices were to be read.

    `snapshot` is how the name of a dated snapshot ends (a regular expression); it costs what the name before it does.
    """

    hosts: tuple[str, ...]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    as_of: date
    source: Annotated[str, msgspec.Meta(pattern="^https://")]
    snapshot: str = ""
    models: dict[str, Entry]


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All prices; `version` is the day of the latest change."""

    version: date
    providers: tuple[Provider, ...]


@functools.cache
def shipped() -> PriceList:
    """The price list of this program."""
    return parse(PRICES.read_bytes())


def parse(content: bytes) -> PriceList:
    """A price list from TOML. Raises `msgspec.DecodeError` where it is none."""
    return msgspec.toml.decode(content, type=PriceList)


def find(base_url: str, model: str, *, batch: bool = False, today: date | None = None) -> Price | None:
    """What the service at `base_url` asks for a model, by its exact name or as a dated snapshot of it.

    `batch`: the price of its batch API. None where nobody wrote it down, or it no longer held `today`: a model of the
    same name behind another host has another price, or none.
    """
    host = (urlsplit(base_url).hostname or "").lower()
    day = today or datetime.now(tz=UTC).date()
    for provider in shipped().providers:
        entry = _named(provider, model) if host in provider.hosts else None
        if entry and (entry.until is None or day <= entry.until):
            price = _price(provider, entry)
            return price.batched() if batch else price
    return None


def _named(provider: Provider, model: str) -> Entry | None:
    if model in provider.models or not provider.snapshot:
        return provider.models.get(model)
    entry = provider.models.get(re.sub(rf"(?:{provider.snapshot})\Z", "", model))
    return None if entry is None or model in entry.other else entry


def _price(provider: Provider, entry: Entry) -> Price:
    return Price(
        input=entry.input,
        output=entry.output,
        currency=provider.currency,
        as_of=(entry.as_of or provider.as_of).isoformat(),
        source=provider.source,
        cached_input=entry.cached_input,
        batch_input=entry.batch_input,
        batch_output=entry.batch_output,
        up_to=entry.up_to,
    )
