"""Premiums as JSON: what `tokens` writes, what a run file keeps, and what anybody may hand in.

A file is named `NAME.premium.json`. Whoever wrote it, everything in it is checked: the schema, that the languages are
ones of the registry and none comes twice, that numbers are possible and agree with one another, and that a figure is
missing where, and only where, a reason is given.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

import languages
from bench.premium.records import Premium, Premiums
from bench.records import UsageError

SUFFIX = ".premium.json"
VERSION = 1
MOST_BYTES = 16 << 20
"""A premium of every language there is takes a fifth of this."""
FIGURES = (
    *("premium", "low", "high", "bytes_per_token", "characters_per_token", "byte_premium", "unknown", "fallback"),
)
"""The fields of a `Premium` that may be missing, with a reason."""
TEXT = "text"
"""What a reason is about that takes no figure away: the corpus's text in the language is flawed."""
_SHARES = ("unknown", "fallback")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,60}(: ?[^\x00-\x1f\x7f-\x9f]{1,200})?")
_SLACK = 1e-6  # of what was rounded on its way

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Figure = Annotated[float, msgspec.Meta(ge=0)] | None


class _Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`Premium` as JSON has it."""

    language: Annotated[str, msgspec.Meta(max_length=40)]
    variety: Annotated[str, msgspec.Meta(max_length=40)]
    sentences: Count
    tokens: Count
    english_tokens: Count
    premium: Figure
    low: Figure
    high: Figure
    bytes_per_token: Figure
    characters_per_token: Figure
    byte_premium: Figure
    unknown: Figure
    fallback: Figure
    reasons: dict[str, str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`Premiums` as JSON has them."""

    version: Literal[1]
    tokenizer: Text
    revision: Text
    corpus: Text
    corpus_revision: Text
    gini: Figure
    languages: Annotated[list[_Language], msgspec.Meta(max_length=20_000)]


def to_json(premiums: Premiums) -> dict[str, Any]:
    """The premiums as an object of JSON."""
    return {
        "version": VERSION,
        **{one.name: getattr(premiums, one.name) for one in fields(premiums) if one.name != "languages"},
        "languages": [_row(one) for one in premiums.languages],
    }


def _row(premium: Premium) -> dict[str, Any]:
    return {
        **{one.name: getattr(premium, one.name) for one in fields(premium)},
        "reasons": dict(premium.reasons),
    }


def from_json(content: object) -> Premiums:
    """The premiums that an object of JSON holds. Raises `UsageError` in one line that says where it is wrong."""
    try:
        read = msgspec.convert(content, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"no tokenizer premiums as `tokens` writes them: {_quiet(str(error))}") from error
    return _checked(read)


def write(premiums: Premiums, path: Path) -> None:
    """Writes a file, whole or not at all. Raises `UsageError` for premiums that would not read, `OSError`."""
    content = to_json(premiums)
    from_json(content)
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path) -> Premiums:
    """A file's premiums. Raises `UsageError` in one line that names the file and what is wrong in it."""
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > MOST_BYTES:
                raise UsageError(f"{path} is larger than {MOST_BYTES >> 20} MiB: no file of tokenizer premiums")
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no tokenizer premiums as `tokens` writes them: {_quiet(str(error))}") from error
    try:
        return _checked(found)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _checked(found: _File) -> Premiums:
    """What the schema cannot say. Raises `UsageError`."""
    for name in ("tokenizer", "revision", "corpus", "corpus_revision"):
        if not getattr(found, name).isprintable():
            raise UsageError(f"{name} should be printable text in one line")
    if found.gini is not None and not found.gini <= 1:
        raise UsageError(f"gini {found.gini} should be from 0 to 1")
    seen = set()
    made = []
    for one in found.languages:
        place = _place(one)
        if (one.language, one.variety) in seen:
            raise UsageError(f"{place} comes twice")
        seen.add((one.language, one.variety))
        for fault in _faults(one):
            raise UsageError(f"{place}: {fault}")
        made.append(Premium(**msgspec.structs.asdict(one)))
    about = {
        name: value for name, value in msgspec.structs.asdict(found).items() if name not in ("version", "languages")
    }
    return Premiums(**about, languages=tuple(made))


def _place(one: _Language) -> str:
    """The language as it is named; raises `UsageError` where it is none of the registry."""
    try:
        known = languages.get(one.language).code
    except languages.LanguageError as error:
        raise UsageError(_quiet(str(error))) from error
    if known != one.language:
        raise UsageError(f"language {one.language!r} should be the registry's code, {known}")
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", one.variety):
        raise UsageError(f"variety {one.variety!r} of {known} should be letters, digits and hyphens")
    return known + (f"-{one.variety}" if one.variety else "")


def _faults(one: _Language) -> Iterator[str]:
    """What is wrong with a language, in words."""
    figures: Mapping[str, float | None] = {name: getattr(one, name) for name in FIGURES}
    for name, why in one.reasons.items():
        if name not in (*FIGURES, TEXT):
            yield f"a reason for {_quiet(name)!r}, which is no figure"
        if not _REASON.fullmatch(why):
            yield f"the reason for {name} should be a code such as 'no_sentences'"
    for name, value in figures.items():
        if value is None and name not in one.reasons:
            yield f"{name} is missing without a reason"
        if value is not None and name in one.reasons:
            yield f"{name} has both a value and a reason why it is missing"
        if value is not None and not math.isfinite(value):
            yield f"{name} should be a finite number"
        if value is not None and name in _SHARES and value > 1:
            yield f"{name} {value:g} should be a share from 0 to 1"
    yield from _disagreements(one)


def _disagreements(one: _Language) -> Iterator[str]:
    """Numbers that cannot all be true."""
    if (one.low is None) != (one.high is None) or (one.low is not None and one.premium is None):
        yield "an interval has both low and high, and a premium between them"
    if one.premium is not None:
        if not one.sentences or not one.tokens or not one.english_tokens:
            yield "a premium needs sentences, tokens and tokens of the same sentences in English"
        elif not math.isclose(one.premium, one.tokens / one.english_tokens, rel_tol=_SLACK):
            yield f"premium {one.premium:g} should be {one.tokens} / {one.english_tokens} tokens"
        if one.low is not None and one.high is not None and not _between(one.low, one.premium, one.high):
            yield f"the interval from {one.low:g} to {one.high:g} does not hold the premium {one.premium:g}"


def _between(low: float, value: float, high: float) -> bool:
    return low <= value * (1 + _SLACK) and value <= high * (1 + _SLACK)


def _quiet(text: str) -> str:
    """Text of a file that is not ours, in one line that does nothing to a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:300]
