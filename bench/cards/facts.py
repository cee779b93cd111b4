"""What is known of a model: each fact with who said so, or why nobody knows.

A model file declares facts; a folder or a cached hub repository has a card, a configuration and headers that count the
parameters. Nothing is fetched, nothing is guessed: what no source says is None, and `reasons` has a code for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import msgspec

from bench.records import UsageError

Level = Literal["general", "language", "vertical", "institution"]
Relation = Literal["finetune", "adapter", "quantized", "merge"]
TrainingData = Literal["open", "described", "undisclosed"]
LEVELS: tuple[Level, ...] = get_args(Level)
RELATIONS: tuple[Relation, ...] = get_args(Relation)

MODEL_FILE = "model file"
HUB_CARD = "hub card"
CONFIG = "config.json"
ADAPTER = "adapter_config.json"
HEADER = "safetensors header"
TOKENIZER = "tokenizer.json"
WEIGHTS = "weights at hand"
OWNER = "owner of the hub repository"
OPTION = "option of the backend"
PROGRAM = "part of this program"

NOT_DECLARED = "not_declared"
"""Nobody said: no file of the model can, and the model file does not."""
ROUNDING = 0.05
"""Parameters that differ by no more than this share are the same number, one of them rounded."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one model. None is unknown.

    `licence` is an SPDX or hub identifier in lower case. `open_weights`: the weights can be had. `parameters` is a
    count, `context` the most tokens that the model was made for, `vocabulary` the number of tokens in its tokenizer.
    `organisation` made it (or owns its repository: see `origin`), in `country` (ISO 3166-1 alpha-2). `base` names what
    it was made from, several for a merge, and `relation` how. `level` is its place in a family: `general`, or
    specialised for a `language`, a `vertical` or an `institution`. `languages` are canonical codes; `other_languages`
    are those of the card that stand for none or for several. `datasets` and `tags` are the card's. `training_data` says
    whether the data are `open`, `described` or `undisclosed`, and `training_data_statement` in words or by an URL.
    `released` is a day or month, ISO 8601.

    `origin` has the source of each field that has a value. `reasons` has for each other one why it is unknown, a code
    that a detail may follow (`wrong_type: license is a list`), and for a value what speaks against it
    (`contradicted: model file says 24000000000`).
    """

    licence: str | None = None
    open_weights: bool | None = None
    parameters: int | None = None
    architecture: str | None = None
    context: int | None = None
    vocabulary: int | None = None
    organisation: str | None = None
    country: str | None = None
    base: tuple[str, ...] | None = None
    relation: Relation | None = None
    level: Level | None = None
    languages: tuple[str, ...] | None = None
    other_languages: tuple[str, ...] = ()
    datasets: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    training_data: TrainingData | None = None
    training_data_statement: str | None = None
    released: str | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


FIELDS = tuple(one.name for one in fields(Facts) if one.name not in ("other_languages", "origin", "reasons"))
"""The facts themselves."""

BASELINE = Facts(
    licence="apache-2.0",
    open_weights=True,
    origin={"licence": PROGRAM, "open_weights": PROGRAM},
    reasons={"parameters": "has_none: a baseline computes without weights"},
)


def of(name: str, options: Mapping[str, object] = MappingProxyType({}), declared: Facts | None = None) -> Facts:
    """What is known of the model `provider:model` with a backend's options; what the model file declares comes first.

    Reads what lies in the model's folder or in the hub's cache, so ask after the model was loaded. Never raises for
    what stands there: a card may hold anything.
    """
    found = merged(declared or Facts(), _found(name, options))
    unsaid = {name: NOT_DECLARED for name in FIELDS if getattr(found, name) is None and name not in found.reasons}
    return replace(found, reasons={**found.reasons, **unsaid})


def stated(origin: str, reasons: Mapping[str, str] = MappingProxyType({}), **values: Any) -> Facts:
    """The facts that one source states; values that are None it does not."""
    known = {name: value for name, value in values.items() if value is not None}
    return Facts(**known, origin={name: origin for name in known if name in FIELDS}, reasons=dict(reasons))


def merged(upper: Facts, lower: Facts) -> Facts:
    """The facts of two sources. Of two values `upper`'s is kept, but a count is kept over any claim.

    Where the two contradict each other, `reasons` has what the other says.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name in FIELDS:
        kept, other = _ordered(name, upper, lower)
        values[name], against = getattr(kept, name), getattr(other, name)
        if values[name] is None:
            reason = kept.reasons.get(name) or other.reasons.get(name)
        else:
            origin[name] = kept.origin.get(name, "")
            reason = kept.reasons.get(name)
            if _contradict(name, values[name], against):
                contradicted = f"contradicted: {other.origin.get(name)} says {_said(against)}"
                reason = f"{reason}; {contradicted}" if reason else contradicted
        if reason:
            reasons[name] = reason
    spoken, _ = _ordered("languages", upper, lower)
    # They stand beside the languages of the same source; where no source has any, beside nothing.
    values["other_languages"] = spoken.other_languages or (() if spoken.languages else lower.other_languages)
    if origin.get("relation") == HUB_CARD and upper.relation is None and _contradict("base", upper.base, lower.base):
        # The card's word for how it was made from another model than the one that is declared.
        del origin["relation"]
        values["relation"], reasons["relation"] = None, "said_of_another_base"
    return Facts(**values, origin=origin, reasons=reasons)


def _ordered(name: str, upper: Facts, lower: Facts) -> tuple[Facts, Facts]:
    """(the source whose value is kept, the other)."""
    has = getattr(lower, name) is not None
    counted = lower.origin.get(name) == HEADER
    return (lower, upper) if has and (counted or getattr(upper, name) is None) else (upper, lower)


def _contradict(name: str, kept: Any, other: Any) -> bool:
    if kept is None or other is None or name == "organisation":  # whoever owns a repository may have made nothing
        return False
    if name == "parameters":
        return bool(abs(kept - other) > ROUNDING * max(kept, other))
    return _compared(kept) != _compared(other)


def _compared(value: Any) -> object:
    if isinstance(value, tuple):
        # A base is a folder on one machine and a repository on another; the name is the same.
        return frozenset(str(one).rpartition("/")[2].casefold() for one in value)
    return value.casefold() if isinstance(value, str) else value


def _said(value: object) -> str:
    """A value in a reason, of bounded length."""
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _found(name: str, options: Mapping[str, object]) -> Facts:
    """What the model's own files say."""
    from bench.cards import folder as folders

    provider, _, rest = name.partition(":")
    if provider == "baseline":
        return BASELINE
    if provider not in ("hf", "vllm"):
        return Facts()
    revision, adapter = options.get("revision"), options.get("lora")
    found = folders.locate(rest.strip(), revision if isinstance(revision, str) else None)
    if not isinstance(adapter, str):
        return folders.read(found)
    return folders.adapted(found, published(name).partition(":")[2], adapter)


def published(name: str, options: Mapping[str, object] = MappingProxyType({})) -> str:
    """A model's name as results have it: of a folder its own name, not its place on somebody's machine."""
    from bench.cards.folder import local

    provider, _, rest = name.partition(":")
    if provider not in ("hf", "vllm"):
        return name
    adapter = options.get("lora")
    parts = [rest, adapter] if isinstance(adapter, str) else [rest]
    places = [(part.strip(), local(part)) for part in parts]
    return f"{provider}:{'+'.join(place.resolve().name if place else part for part, place in places)}"


_HUB = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/\s?#]+/[^/\s?#]+).*", re.IGNORECASE)
_PATH = re.compile(r"[./~\\]|[a-zA-Z]:[/\\]|[^/]*/[^/]*/")


def base_name(text: str) -> str:
    """A base model as results name it: a repository's id, or the last part of what is a path on some machine."""
    hub = _HUB.fullmatch(text)
    if hub:
        return hub[1]
    if "://" in text or not _PATH.match(text):
        return text
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1]


def to_json(facts: Facts) -> dict[str, Any]:
    """The facts as JSON types."""
    made: dict[str, Any] = msgspec.to_builtins(asdict(facts))
    return made


def from_json(record: object) -> Facts:
    """The facts that `to_json` wrote, by this version or a later one: fields that this one does not know are dropped.

    Raises `UsageError` where it is something else.
    """
    try:
        return msgspec.convert(record, Facts)
    except msgspec.ValidationError as error:
        raise UsageError(f"facts of a model that do not read: {str(error).replace('`', '')}") from error
