"""From what a person or a dataset writes to one language of the registry."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache

from .records import AmbiguousLanguage, Language, UnknownLanguage
from .tables import normalise, quoted, read_table

_LONGEST_NAME = 80  # longer than every name in the registry: such a text is no misspelling of one
_SEPARATOR = ";"  # between the values of one cell
_TAG = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?")

# Datasets whose hyphenated codes are spellings in their own right (`aze-Latn`, `es_LA`) rather than names or regions.
_TAGGED_DATASETS = ("ntrex128", "tico19_medical_mt", "tico19_terminology")


def get(text: str) -> Language:
    """The language that a code or a name stands for.

    Understands canonical codes, BCP 47, ISO 639-1, -2 and -3, FLORES+, NTREX and TICO-19 spellings, CLDR ids, English
    names and autonyms, in any case, with hyphens or underscores. Raises `UnknownLanguage` or `AmbiguousLanguage`: a
    default is taken only where `aliases.tsv` names it.
    """
    found = _registry().find(normalise(text))
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{one.code} ({one.name}, {one.script_name} script)" for one in found)
        raise AmbiguousLanguage(f"{quoted(text)} is ambiguous: {listed}: give the code", found)
    near = _registry().near(normalise(text))
    hint = f"; did you mean {', '.join(f'{one.name} ({one.code})' for one in near)}?" if near else ""
    raise UnknownLanguage(f"unknown language {quoted(text)}{hint}", near)


def all_languages() -> tuple[Language, ...]:
    """Every language of the registry, in the order of their codes."""
    return _registry().languages


class _Registry:
    """The languages and the index of their codes and names, built once."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.languages = tuple(_language(row) for row in rows)
        self._by_code = {normalise(one.code): one for one in self.languages}
        self._reviewed = {
            normalise(row["alias"]): tuple(normalise(target) for target in row["target"].split())
            for row in read_table("aliases.tsv")
        }
        # Most telling first: a code is never read as another language's name, nor a main name as a lesser one.
        tags = _index((tag, one) for one in self.languages for tag in (one.bcp47, one.cldr) if tag)
        spellings = _index(
            (row["code"], self._by_code[normalise(row["language"])])
            for row in read_table("dataset_codes.tsv")
            if row["dataset"] in _TAGGED_DATASETS and re.search("[-_]", row["code"])
        )
        codes = _index((code, one) for one in self.languages for code in (one.iso639_3, one.bcp47.split("-")[0]))
        names = _index((one.name, one) for one in self.languages)
        others = _index(
            (name, one)
            for one, row in zip(self.languages, rows, strict=True)
            for name in (one.autonym or "", *row["other_names"].split(_SEPARATOR))
            if name
        )
        self._bases = codes
        self._layers = (tags, spellings, codes, names, others)

    def find(self, key: str) -> tuple[Language, ...]:
        """The languages that the key may stand for: none, one, or those to choose from."""
        if key in self._by_code:
            return (self._by_code[key],)
        if key in self._reviewed:
            targets = self._reviewed[key]
            return _unique(one for target in targets for one in self.find(target))
        if key in self._bases:  # before the tags, so that a bare `sr` is never read as CLDR's locale `sr`
            return self._settled(self._bases[key])
        for layer in self._layers:
            if key in layer:
                return self._settled(layer[key])
        return self._find_tag(key)

    def near(self, key: str) -> tuple[Language, ...]:
        """At most three languages whose code or name looks like the key."""
        if len(key) > _LONGEST_NAME:
            return ()
        keys = {key: found for layer in reversed(self._layers) for key, found in layer.items()}
        matches = difflib.get_close_matches(key, keys, n=3, cutoff=0.75)
        return _unique(one for match in matches for one in keys[match])[:3]

    def _find_tag(self, key: str) -> tuple[Language, ...]:
        """What a language-script-region tag stands for that is no spelling of its own."""
        match = _TAG.fullmatch(key)
        if not match or not (match[2] or match[3]):
            return ()
        language, script, region = match.groups()
        if not script:
            return self.find(language)
        if region:
            return self.find(f"{language}-{script}")
        targets = self._reviewed.get(language, (language,))
        members = {one for target in targets for one in self._members(target)}
        return tuple(one for one in self.languages if one in members and one.script.casefold() == script)

    def _members(self, base: str) -> tuple[Language, ...]:
        """Every script of a language, given by a bare code."""
        return self._bases.get(base, ())

    def _settled(self, found: tuple[Language, ...]) -> tuple[Language, ...]:
        """The reviewed script of a language, where all that was found is one language in several scripts."""
        bases = {one.code.split("_")[0] for one in found}
        if len(found) > 1 and len(bases) == 1:
            targets = self._reviewed.get(bases.pop(), ())
            return _unique(self._by_code[target] for target in targets) or found
        return found


@cache
def _registry() -> _Registry:
    return _Registry(read_table("registry.tsv"))


def _language(row: dict[str, str]) -> Language:
    return Language(
        code=row["code"],
        iso639_3=row["iso639_3"],
        script=row["script"],
        bcp47=row["bcp47"],
        cldr=row["cldr"] or None,
        name=row["name"],
        autonym=row["autonym"] or None,
        family=row["family"] or None,
        family_id=row["family_id"] or None,
        macroarea=row["macroarea"] or None,
        countries=tuple(row["countries"].split(_SEPARATOR)) if row["countries"] else (),
        latitude=float(row["latitude"]) if row["latitude"] else None,
        longitude=float(row["longitude"]) if row["longitude"] else None,
        direction=row["direction"],
        speakers=int(row["speakers"]) if row["speakers"] else None,
        resource_class=row["resource_class"],
    )


def _index(pairs: Iterable[tuple[str, Language]]) -> dict[str, tuple[Language, ...]]:
    index: dict[str, dict[str, Language]] = {}
    for text, language in pairs:
        index.setdefault(normalise(text), {})[language.code] = language
    return {key: tuple(found.values()) for key, found in index.items()}


def _unique(languages: Iterable[Language]) -> tuple[Language, ...]:
    return tuple({one.code: one for one in languages}.values())
