"""Readers of the sources from which the registry is built. Nothing here is imported when the registry is used."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_MONTHS = 12
_ENOUGH_NAMES = 20


class SourceMissing(Exception):
    """A source is not where it was looked for; the message says where."""


@dataclass(frozen=True, slots=True)
class Meta:
    """A LinguaMeta record, as far as the registry needs it."""

    bcp47: str
    iso639_3: str
    name: str
    endonym: str
    speakers: str
    locales: tuple[str, ...]
    other_codes: tuple[str, ...]
    glottocode: str


@dataclass(frozen=True, slots=True)
class Languoid:
    """A Glottolog record, as far as the registry needs it."""

    glottocode: str
    name: str
    level: str
    macroarea: str
    latitude: str
    longitude: str
    countries: tuple[str, ...]
    family_id: str
    is_isolate: bool


def read_linguameta(data: Path) -> dict[str, Meta]:
    """LinguaMeta's records by BCP 47 code."""
    return {
        row["bcp_47_code"]: Meta(
            bcp47=row["bcp_47_code"],
            iso639_3=row["iso_639_3_code"],
            name=row["english_name"],
            endonym=row["endonym"],
            speakers=row["estimated_number_of_speakers"],
            locales=_split(row["locales"], ","),
            other_codes=(*_split(row["iso_639_2b_code"], ","), *_split(row["deprecated_bcp_47_code"], ",")),
            glottocode=row["glottocode"],
        )
        for row in _rows(data / "linguameta" / "linguameta.tsv", "\t")
    }


def read_glottolog(data: Path) -> tuple[dict[str, Languoid], dict[str, str]]:
    """Glottolog's records by glottocode, and the glottocode of each ISO 639-3 code."""
    languoids = {}
    by_iso = {}
    for row in _rows(data / "glottolog" / "languages.csv", ","):
        languoids[row["ID"]] = Languoid(
            glottocode=row["ID"],
            name=row["Name"],
            level=row["Level"],
            macroarea=row["Macroarea"],
            latitude=row["Latitude"],
            longitude=row["Longitude"],
            countries=_split(row["Countries"], ";"),
            family_id=row["Family_ID"],
            is_isolate=row["Is_Isolate"] == "true",
        )
        if row["ISO639P3code"]:
            by_iso[row["ISO639P3code"]] = row["ID"]
    return languoids, by_iso


class Cldr:
    """CLDR's locales as Babel ships them, without the root locale's fillers.

    The files are read directly: `babel.localedata.load(merge_inherited=False)` shares one cache with merged loads, and
    the public API falls back to root in silence (month "M01"), which would count missing data as present.
    """

    def __init__(self) -> None:
        spec = find_spec("babel")
        if spec is None or spec.origin is None:
            raise SourceMissing("Babel is not installed: it carries the CLDR data")
        from babel.core import get_global

        self._folder = Path(spec.origin).parent / "locale-data"
        self._parents: Mapping[str, str] = get_global("parent_exceptions")
        self._likely: Mapping[str, str] = get_global("likely_subtags")
        self._files: dict[str, Mapping[str, Any]] = {}

    @cached_property
    def locales(self) -> tuple[str, ...]:
        """Every locale of a language, or of a language in a script, that has real data of its own."""
        ids = sorted(path.stem for path in self._folder.glob("*.dat"))
        return tuple(one for one in ids if one != "root" and _has_no_region(one) and self._has_data(one))

    def script(self, locale: str) -> str | None:
        """ISO 15924 code of the locale's script, stated or by likely subtags."""
        language, _, script = locale.partition("_")
        if script:
            return script
        likely = self._likely.get(language, "").split("_")
        # FLORES writes Hang where CLDR has Kore, Hangul mixed with Han.
        return likely[1].replace("Kore", "Hang") if len(likely) > 1 else None

    def own_name(self, locale: str) -> str | None:
        """The locale's name of its own language."""
        for one in self._chain(locale):
            names = self._load(one).get("languages", {})
            for key in (locale, locale.split("_", maxsplit=1)[0]):
                if isinstance(names.get(key), str):
                    return str(names[key])
        return None

    def english_name(self, locale: str) -> str | None:
        """The English name of the locale's language."""
        name = self._load("en")["languages"].get(locale.split("_", maxsplit=1)[0])
        return name if isinstance(name, str) else None

    def _has_data(self, locale: str) -> bool:
        files = [self._load(one) for one in self._chain(locale)]
        names = max(sum(_strings(file.get(kind)) for file in files) for kind in ("languages", "territories"))
        return names >= _ENOUGH_NAMES or max(_months(file) for file in files) == _MONTHS

    def _chain(self, locale: str) -> list[str]:
        """The locale and what it inherits below root; a script variant nothing, since its base has another script."""
        parent = self._parents.get(locale)
        return [locale, parent] if parent and "_" not in locale else [locale]

    def _load(self, locale: str) -> Mapping[str, Any]:
        if locale not in self._files:
            with (self._folder / f"{locale}.dat").open("rb") as file:
                self._files[locale] = pickle.load(file)
        return self._files[locale]


def _rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    if not path.is_file():
        raise SourceMissing(f"no {path.name} in {path.parent}: give the folder of the sources with --data")
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


def _split(cell: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(separator) if part.strip())


def _has_no_region(locale: str) -> bool:
    subtags = locale.split("_")[1:]
    return not subtags or (len(subtags) == 1 and len(subtags[0]) == 4 and subtags[0].isalpha())


def _strings(table: Mapping[str, Any] | None) -> int:
    return sum(isinstance(value, str) for value in (table or {}).values())


def _months(file: Mapping[str, Any]) -> int:
    """The most month names that the file has in any one context and width; an alias to another width is not data."""
    contexts = [context for context in file.get("months", {}).values() if isinstance(context, Mapping)]
    return max((_strings(width) for one in contexts for width in one.values() if isinstance(width, Mapping)), default=0)
