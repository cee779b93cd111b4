"""Tokenizer premiums on their way into a snapshot: from run files and from files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.premium.counting import UNSEEN
from bench.premium.files import from_json, read
from bench.premium.records import Premium, Premiums
from bench.premium.summary import summarised
from bench.records import UsageError
from leaderboard.records import Tokenizer

Key = tuple[str, str, str]
"""Tokenizer, revision, corpus."""


@dataclass(frozen=True, slots=True)
class Source:
    """Premiums and the file that has them."""

    path: Path
    premiums: Premiums


def key(premiums: Premiums) -> Key:
    """What makes them the premiums that they are."""
    return premiums.tokenizer, premiums.revision, premiums.corpus


def of_file(path: Path) -> Source:
    """The premiums of a file. Raises `UsageError`."""
    return Source(path, _sorted(read(path)))


def of_run(path: Path, manifest: Mapping[str, Any]) -> tuple[Source, ...]:
    """Those that a run file keeps, none in most. Raises `UsageError`."""
    kept = manifest.get("premiums", [])
    if not isinstance(kept, list):
        raise UsageError(f"{path}: its premiums are no list; run again")
    try:
        return tuple(Source(path, _sorted(from_json(each))) for each in kept)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _sorted(premiums: Premiums) -> Premiums:
    """The languages in one order, so that the same premiums are the same content."""
    return replace(premiums, languages=tuple(sorted(premiums.languages, key=lambda one: (one.language, one.variety))))


def together(sources: Iterable[Source]) -> dict[Key, Premiums]:
    """What is published at once. Raises `UsageError` where two files say different things of one tokenizer."""
    made: dict[Key, Source] = {}
    for source in sources:
        known = made.setdefault(key(source.premiums), source)
        if not _agree(known.premiums, source.premiums):
            name = source.premiums.tokenizer
            raise UsageError(
                f"{source.path} and {known.path} have different premiums of {name} on {source.premiums.corpus}; "
                "publish one of them"
            )
        made[key(source.premiums)] = max(known, source, key=_width)
    return {name: source.premiums for name, source in made.items()}


def merged(old: Mapping[Key, Premiums], fresh: Mapping[Key, Premiums]) -> dict[Key, Premiums]:
    """The old with the fresh in their place; the same premiums in fewer languages replace nothing."""
    kept = {
        name: old[name]
        for name, new in fresh.items()
        if name in old and _agree(old[name], new) and len(old[name].languages) > len(new.languages)
    }
    return {**old, **fresh, **kept}


def stand_ins(found: Mapping[Key, Premiums]) -> dict[Key, Key]:
    """What a model counted itself -> what the tokenizer's own file gave, where both are surely one tokenizer.

    A model has its whole content's hash, weights and all, a tokenizer's file one of its own: the hashes cannot tell.
    They are one where the file has every language of the model with the very same counts and interval, over texts of
    the same length. The widest file stands for the model.
    """
    asked = {key: each for key, each in found.items() if _of_model(each)}
    files = {key: each for key, each in found.items() if key not in asked}
    made = {}
    for own, each in asked.items():
        same = [key for key, other in files.items() if _counts_alike(each, other)]
        if same:
            made[own] = min(same, key=lambda key: (-len(files[key].languages), key))
    return made


def _of_model(premiums: Premiums) -> bool:
    """Whether a model was asked for them, which does not show which tokens a text has."""
    return any(one.reasons.get("unknown") == UNSEEN for one in premiums.languages)


def _counts_alike(own: Premiums, other: Premiums) -> bool:
    known = {(each.language, each.variety): each for each in other.languages}
    return (own.tokenizer, own.corpus) == (other.tokenizer, other.corpus) and all(
        (found := known.get((each.language, each.variety))) is not None and _alike(each, found)
        for each in own.languages
    )


def _alike(one: Premium, other: Premium) -> bool:
    names = (
        *("sentences", "tokens", "english_tokens", "premium", "low", "high"),
        *("bytes_per_token", "characters_per_token", "byte_premium"),
    )
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _width(source: Source) -> int:
    return len(source.premiums.languages)


def _agree(one: Premiums, other: Premiums) -> bool:
    """Whether two were counted on the same data and say the same of the languages that both have."""
    if one.corpus_revision != other.corpus_revision:
        return False
    known = {(each.language, each.variety): each for each in one.languages}
    return all(known.get((each.language, each.variety), each) == each for each in other.languages)


def tokenizer(slug: str, found: Premiums, shown_as: str = "") -> Tokenizer:
    """What the list of tokenizers says of one."""
    summary = summarised(found)
    return Tokenizer(
        slug=slug,
        name=found.tokenizer,
        revision=found.revision,
        corpus=found.corpus,
        corpus_revision=found.corpus_revision,
        gini=found.gini,
        languages=summary.languages,
        median=summary.median,
        p90=summary.p90,
        highest=summary.highest.premium if summary.highest else None,
        shown_as=shown_as,
    )


def of_tokenizer(tokenizer: Tokenizer, found: Iterable[Premium]) -> Premiums:
    """A tokenizer and its languages as they were published."""
    return Premiums(
        tokenizer.name,
        tokenizer.revision,
        tokenizer.corpus,
        tokenizer.corpus_revision,
        tokenizer.gini,
        tuple(found),
    )
