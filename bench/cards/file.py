"""A model file: `-m model.toml` in the place of `provider:model`, with options, facts and price. It holds no secret.

`docs/models.md` has the format.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import msgspec

import languages
from bench.cards.facts import LEVELS, MODEL_FILE, Facts, Level, TrainingData, base_name, stated
from bench.models import PROVIDERS, provider
from bench.prices import Price
from bench.records import UsageError
from tasks.suggest import did_you_mean

SUFFIX = ".toml"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Count = Annotated[int, msgspec.Meta(gt=0)]


class FactsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[facts]`: what the file declares of the model; see `Facts`."""

    licence: Text | None = None
    open_weights: bool | None = None
    parameters: Count | None = None
    context: Count | None = None
    organisation: Text | None = None
    country: Text | None = None
    base: Text | Annotated[list[Text], msgspec.Meta(min_length=1)] | None = None
    level: Level | None = None
    languages: Annotated[list[Text], msgspec.Meta(min_length=1)] | None = None
    training_data: TrainingData | None = None
    training_data_statement: Text | None = None
    released: Text | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    model: Text
    options: dict[str, Any] = {}
    facts: FactsTable = FactsTable()
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model file says: the model's name `provider:model`, options of its backend, declared facts, price."""

    model: str
    options: Mapping[str, object]
    facts: Facts
    price: Price | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model as the user gave it. `source` is the model file, None for a plain name; it belongs in no result."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    price: Price | None = None
    source: Path | None = None


_TABLES: Mapping[str, tuple[str, ...]] = {
    "": tuple(one.encode_name for one in msgspec.structs.fields(_File)),
    "facts": tuple(one.encode_name for one in msgspec.structs.fields(FactsTable)),
    "price": tuple(one.name for one in fields(Price)),
}
_EXPECTED: Mapping[str, str] = {
    "model": "provider:model, such as 'openai:NAME' or 'hf:OWNER/NAME'",
    "options": "a table, [options], of the backend's options",
    "facts": "a table, [facts]",
    "price": "a table, [price]",
    "facts.licence": "an SPDX or hub identifier, such as 'apache-2.0'",
    "facts.open_weights": "true or false",
    "facts.parameters": "a whole number above 0, such as 24_000_000_000",
    "facts.context": "a whole number of tokens above 0, such as 32768",
    "facts.organisation": "the name of who made the model",
    "facts.country": "an ISO 3166 code of two letters, such as 'NG'",
    "facts.base": "the name of the model that it was made from, or a list of such names",
    "facts.level": f"one of {', '.join(LEVELS)}",
    "facts.languages": "a list of codes or names of languages, such as ['yor_Latn']",
    "facts.training_data": "one of open, described, undisclosed",
    "facts.training_data_statement": "a text or an URL",
    "facts.released": "a day or month, such as 2025-11-01 or '2025-11'",
    "price.currency": "an ISO 4217 code of three letters, such as 'USD'",
    "price.as_of": "the day on which the price was read, such as 2026-08-01",
    "price.source": "where the price is to be read, an URL say",
}
# What a price has beside texts: amounts, and bounds in tokens.
_NUMBERS: Mapping[str, str] = {
    f"price.{one.name}": "a number, 0 or more, per million tokens" if "float" in str(one.type) else "a number of tokens"
    for one in fields(Price)
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MONTH = re.compile(r"\d{4}-\d\d")

_SECRET_NAME = re.compile(
    r"(?:.*[_-])?(?:key|apikey|secret|password|passwd|passphrase|authorization|credentials?|bearer)"
    r"|(?:(?:.*[_-])?(?:api|access|auth|bearer|hf|hub|refresh|session|id|service)[_-]?)?token",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|pk|rk)-[\w-]{16,}|\b(?:hf|gsk|nvapi|xai|r8|pplx|glpat|github_pat|gh[pousr])[_-][A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}|(?i:\bbearer\s+[\w.~+/-]{8,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@"
    r"|(?i:[\"'](?:x-)?(?:api[-_]?key|authorization|password|secret|token)[\"']\s*:)"
    r"|(?i:[?&](?:api[-_]?key|key|(?:access_)?token|sig|signature|password)=[^&\s])"
)


def resolve(given: str) -> Chosen:
    """The model that a user names: a text that ends in `.toml` is a model file, any other a name.

    Raises `UsageError` for a file that is not what it should be.
    """
    word, colon, _ = given.partition(":")
    if not given.endswith(SUFFIX) or (colon and word in PROVIDERS):
        return Chosen(given)
    path = Path(given)
    made = read(path)
    return Chosen(made.model, made.options, made.facts, made.price, path)


def read(path: Path) -> ModelFile:
    """A model file. Raises `UsageError` in one line that names the file, the field and what would be right."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read model file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
    for place in _secrets(content):
        raise UsageError(
            f"{path}: {place} looks like a secret, which a model file never holds; give it in the environment, or in a "
            "file that NAME_FILE names (docs/models.md)"
        )
    try:
        return _made(_plain(content))
    except _Fault as fault:
        raise UsageError(f"{path}: {fault}") from fault


class _Fault(ValueError):
    """What is wrong, where, and what would be right, without the name of the file."""


def _made(content: dict[str, Any]) -> ModelFile:
    _check_names(content)
    try:
        declared = msgspec.convert(content, _File)
    except msgspec.ValidationError as error:
        raise _Fault(_explained(str(error))) from error
    try:
        provider(declared.model)
    except UsageError as error:
        raise _Fault(f"model: {error}") from error
    if declared.price is not None:
        _check_price(declared.price)
    return ModelFile(declared.model, declared.options, _facts(declared.facts), declared.price)


def _check_names(content: Mapping[str, Any]) -> None:
    """Refuses a name that no table has, and says where it belongs."""
    for table, known in _TABLES.items():
        given = content.get(table, {}) if table else content
        for name in given if isinstance(given, dict) else ():
            if name in known:
                continue
            place = f"[{table}]" if table else "the file"
            elsewhere = [other for other, names in _TABLES.items() if other != table and name in names]
            if elsewhere:
                home = f"under [{elsewhere[0]}]" if elsewhere[0] else "at the top, before the first table"
                raise _Fault(f"{place} has no field {name!r}; it belongs {home}")
            raise _Fault(f"{place} has no field {name!r}{did_you_mean(name, known)}; it has {', '.join(sorted(known))}")


def _explained(message: str) -> str:
    """One line for what msgspec found. The value is not in it."""
    lacking = re.search(r"missing required field `(\w+)`", message)
    at = re.search(r"at `\$\.?([\w.]*)", message)
    place = at[1] if at else ""
    if lacking:
        place = f"{place}.{lacking[1]}".lstrip(".")
        return f"{_placed(place)} is missing; it should be {_expected(place)}"
    return f"{_placed(place)} should be {_expected(place)}"


def _placed(place: str) -> str:
    table, dot, name = place.partition(".")
    return f"[{table}] {name}" if dot else table


def _expected(place: str) -> str:
    return _EXPECTED.get(place) or _NUMBERS[place]


def _check_price(price: Price) -> None:
    for name in _TABLES["price"]:
        value = getattr(price, name)
        wrong = isinstance(value, int | float) and not (math.isfinite(value) and value >= 0)
        wrong = wrong or (isinstance(value, str) and not value.strip())
        wrong = wrong or (name == "currency" and not re.fullmatch("[A-Z]{3}", value))
        if wrong or (name == "as_of" and not _is_day(value)):
            raise _Fault(f"[price] {name} should be {_expected(f'price.{name}')}")


def _facts(table: FactsTable) -> Facts:
    base = [table.base] if isinstance(table.base, str) else table.base
    day = table.released
    if day is not None and not (_is_day(day) or (_MONTH.fullmatch(day) and _is_day(f"{day}-01"))):
        raise _Fault(f"[facts] released should be {_expected('facts.released')}")
    return stated(
        MODEL_FILE,
        licence=table.licence.lower() if table.licence else None,
        open_weights=table.open_weights,
        parameters=table.parameters,
        context=table.context,
        organisation=table.organisation,
        country=_country(table.country) if table.country else None,
        base=tuple(dict.fromkeys(map(base_name, base))) if base else None,
        level=table.level,
        languages=tuple(dict.fromkeys(_codes(table.languages))) if table.languages else None,
        training_data=table.training_data,
        training_data_statement=table.training_data_statement,
        released=day,
    )


def _codes(given: Iterable[str]) -> Iterator[str]:
    for word in given:
        try:
            yield languages.get(word).code
        except languages.LanguageError as error:
            raise _Fault(f"[facts] languages: {error}") from error


def _country(given: str) -> str:
    from babel import Locale

    # CLDR also codes groupings and places that ISO 3166 does not.
    no_countries = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
    names = {
        code: name
        for code, name in Locale("en").territories.items()
        if len(code) == 2 and code.isalpha() and code not in no_countries
    }
    if given.upper() in names:
        return given.upper()
    meant = [code for code, name in names.items() if name.casefold() == given.casefold()]
    hint = f": {given} is {meant[0]!r}" if meant else f", and {given!r} is none"
    raise _Fault(f"[facts] country should be {_expected('facts.country')}{hint}")


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """TOML's own types as JSON's: days as text, and a count that is written as 24e9 as a whole number."""
    made: dict[str, Any] = msgspec.to_builtins(content)
    table = made.get("facts")
    if isinstance(table, dict):
        for name in ("parameters", "context"):
            value = table.get(name)
            if isinstance(value, float) and value.is_integer():
                table[name] = int(value)
    return made


def _secrets(content: object, place: str = "") -> Iterator[str]:
    """Where something stands that looks like a secret: by its name, or by how it is written."""
    if isinstance(content, dict):
        for name, value in content.items():
            inner = f"{place} {name}" if place.startswith("[") else f"[{name}]" if isinstance(value, dict) else name
            if _SECRET_NAME.fullmatch(name):
                yield inner
            yield from _secrets(value, inner)
    elif isinstance(content, list):
        for value in content:
            yield from _secrets(value, place)
    elif isinstance(content, str) and _SECRET_VALUE.search(content):
        yield place
