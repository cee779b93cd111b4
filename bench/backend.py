"""What every backend promises, and nothing about any of them."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec
import msgspec.inspect

from bench.prices import Price
from bench.records import Mode, Request, Response, UsageError
from tasks.records import Sample
from tasks.suggest import did_you_mean

Training = Callable[[str, str, str], Sequence[Sample]]
"""(task name, language, variety) -> the samples of its training split, empty where there is none."""

Options = TypeVar("Options", bound=msgspec.Struct)

TOO_LONG = "too_long"
"""Why a request is skipped that does not fit into the model's context, where the policy is not to cut it."""
PROMPT_TRUNCATED = "prompt_truncated"
"""The reason of an answer with status `ok` whose prompt lost its beginning to the model's context."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    `modes` are the answer modes it has for multiple choice, the preferred first; every backend can generate. `raw`: it
    reads the sample's own input instead of a prompt. `choices`: it can answer multiple choice at all.
    `reasoning_tokens` is the room for thinking that generated answers get on top of the task's own limit. `remote`: a
    service answers, which may fail for hours, so that the run has an error budget. `exact`: it can be made to write
    answers of just as many tokens as asked for (`Request.exact`).
    `computes`: answering takes a model's energy; it takes none where answers are rules or were made elsewhere.
    """

    modes: tuple[Mode, ...] = ("generate",)
    raw: bool = False
    choices: bool = True
    reasoning_tokens: int = 0
    remote: bool = False
    exact: bool = False
    computes: bool = True


class Model(Protocol):
    """One model behind one backend.

    `name` is `provider:model` as the user wrote it. `revision` names the exact weights or program (a commit or content
    hash); `template` is the chat template's hash, or "none". `decoding` says how answers are drawn ("greedy") and every
    option that changes answers (see `worded`). `price` is None where nobody asks money, or the price is not known.
    """

    name: str
    revision: str
    template: str
    decoding: str
    capabilities: Capabilities
    price: Price | None

    def check(self, requests: Iterable[Request]) -> None:
        """Raises `UsageError` where the whole plan is one that the model cannot answer as asked. Called once, first."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request, in any order, each with a status. Raises `ModelStopped` when going on is useless.

        `requests` is read as it is needed, never as a whole: a plan may have millions.
        """

    def status(self) -> str:
        """A few words for the progress line, such as how many requests are under way; "" where there is nothing."""

    def close(self) -> None:
        """Frees what the model holds: processes, memory."""


@runtime_checkable
class Remembering(Protocol):
    """A model with something to keep in the run file from one invocation to the next, such as a batch that was paid."""

    def remember(self, notes: MutableMapping[str, str]) -> None:
        """Hands over the notes of this run, before `respond`. What is written there is on disk at once."""


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine computes now (`running` sequences) and has computed since it was loaded, in tokens.

    `prompt_tokens` leaves out what was read from a cache. None: the engine does not say.
    """

    running: int | None
    prompt_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What answers, as energy figures name it: the engine and its version, and the type of its numbers.

    `device` is what it computes on: "cuda", "cpu"; "" where it does not say.
    """

    name: str
    version: str
    dtype: str
    device: str = ""


@runtime_checkable
class Measurable(Protocol):
    """A model whose engine can be looked at while it works, from another thread: what a window of energy needs.

    With `Settings.measured` it reads the plan no further ahead than keeping `Settings.batch` sequences under way takes.
    """

    engine: EngineFacts

    def load(self) -> Load:
        """Read ten times a second, so it takes next to no time. Never raises: what cannot be told is None."""

    def forget(self) -> None:
        """Empties caches that would make the same question cheaper the second time. Called while nothing is asked."""


@runtime_checkable
class Tokenizing(Protocol):
    """A model that shows its tokenizer."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without those that begin or end every text. Raises `ModelStopped`."""

    def shortened(self, text: str, tokens: int) -> str:
        """The text's beginning, whole characters of at most `tokens` tokens; all of it where it has no more.

        Raises `ModelStopped`.
        """


class Unavailable(UsageError):
    """A service that gives no answer now: other models can be asked meanwhile."""


class ModelStopped(Exception):
    """The backend gave up (the command is not there, say). The message is one line; answers so far stay recorded."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set for any backend; each takes what it understands.

    `batch` is requests at a time (None: the backend's own choice), `timeout` the seconds one batch may take.
    `reasoning_tokens` is the room for thinking. `measured`: energy is measured while it answers (see `Measurable`).
    `options` are the backend's own (`-M name=value`, or the table
    `[options]` of a model file), still as they were written. `price` is the one of the model file.
    """

    training: Training
    batch: int | None = None
    timeout: float = 600.0
    reasoning_tokens: int = 0
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    price: Price | None = None
    measured: bool = False


def read_options(kind: type[Options], name: str, given: Mapping[str, object]) -> Options:
    """A backend's options as the record that declares them. Raises `UsageError` for an unknown name or a wrong value.

    Text is read as the field's type ("2" as a number, "true" as yes), because the command line has nothing else.
    """
    known = [declared.encode_name for declared in msgspec.structs.fields(kind)]
    for option in given:
        if option not in known:
            listed = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise UsageError(f"{name}: no option {option!r}{did_you_mean(option, known)}; {listed}")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        # The value stays unsaid: it may be what was meant to be kept.
        place = re.search(r"\$\.(\w+)", str(error))
        option = place[1] if place else next(iter(given))
        wanted = {one.encode_name: one.type for one in msgspec.structs.fields(kind)}
        raise UsageError(f"{name}: option {option} should be {_wanted(wanted[option])}") from error


def _wanted(declared: Any) -> str:
    """What a type takes, in words: its own, where it has some (`Meta(extra={"wanted": ...})`)."""
    match msgspec.inspect.type_info(declared):
        case msgspec.inspect.Metadata(extra={"wanted": str(wanted)}):
            said = wanted
        case msgspec.inspect.UnionType():
            said = " or ".join(_wanted(one) for one in typing.get_args(declared) if one is not type(None))
        case msgspec.inspect.LiteralType(values):
            said = f"one of {', '.join(map(str, values))}"
        case msgspec.inspect.BoolType():
            said = "true or false"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType() as number:
            low = f" of at least {number.ge:g}" if number.ge is not None else ""
            low = f" above {number.gt:g}" if number.gt is not None else low
            high = f" up to {number.le:g}" if number.le is not None else ""
            high = f" below {number.lt:g}" if number.lt is not None else high
            said = ("a whole number" if isinstance(number, msgspec.inspect.IntType) else "a number") + low + high
        case msgspec.inspect.StrType():
            said = "a text"
        case _:
            said = "an object"
    return said


def worded(base: str, **parts: object) -> str:
    """The word for a decoding: `worded("greedy", temperature=None, truncation="skip")` is "greedy|truncation:skip"."""
    return "|".join([base, *(f"{name}:{part}" for name, part in parts.items() if part is not None)])
