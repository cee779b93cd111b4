"""Builds registry.tsv from its sources: `python -m languages.build --data DIR [--check]`."""

from __future__ import annotations

import argparse
import csv
import difflib
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

from .records import Language
from .scripts import SCRIPTS, is_written_in
from .sources import Cldr, Languoid, Meta, SourceMissing, read_glottolog, read_linguameta
from .tables import FOLDER, normalise, read_table

COLUMNS = (*(field.name for field in fields(Language)), "other_names")
_SHOWN_DIFFERENCES = 20

# Joshi et al. (2020), "The State and Fate of Linguistic Diversity and Inclusion in the NLP World", by ISO 639-3.
_JOSHI = {
    "5": "arb cmn eng fra deu jpn spa",
    "4": "eus cat hrv ces nld fin hin hun ita kor pes pol por rus srp swe tur vie",
    "3": "afr arz ben bul dan ekk ell fil tgl heb ind kaz ron tam tha ukr urd uzb zsm kat lat slv slk lav lit bel glg "
    "bos ceb",
    "2": "amh hau swh tsn xho yor zul mar gle pan isl lao mlt san tir wol",
}


class Builder:
    """The sources and the reviewed tables, and how a row is put together from them."""

    def __init__(self, data: Path) -> None:
        self.cldr = Cldr()
        self.linguameta = read_linguameta(data)
        self.languoids, self.glottocodes = read_glottolog(data)
        self.isos = {one.bcp47: one.iso639_3 for one in self.linguameta.values()}
        self.overrides = {(row["code"], row["field"]): row["value"] for row in read_table("overrides.tsv")}
        self.reviewed = {row["alias"]: row["target"].split() for row in read_table("aliases.tsv")}

        self.metas: dict[str, list[Meta]] = defaultdict(list)
        for meta in self.linguameta.values():
            endonym = self.overrides.get((meta.iso639_3, "endonym"), meta.endonym)
            self.metas[self._base(meta.bcp47)].append(replace(meta, endonym=endonym))
        for base, metas in self.metas.items():
            metas.sort(key=lambda one: (one.iso639_3 != base, one.bcp47))  # the language itself before a wider one

        self.locales: dict[str, str] = {}
        self.subtags: dict[str, str] = {}
        for locale in self.cldr.locales:
            code = f"{self._base(locale.split('_')[0])}_{self.cldr.script(locale)}"
            self.locales.setdefault(code, locale)
            self.subtags.setdefault(code.split("_", maxsplit=1)[0], locale.split("_")[0])
        self.placed = {code: locale for (code, field), locale in self.overrides.items() if field == "cldr"}
        moved = set(self.placed.values())
        self.locales = {code: locale for code, locale in self.locales.items() if locale not in moved} | self.placed
        self.classes = {self._base(iso): one for one, isos in _JOSHI.items() for iso in isos.split()}

    def codes(self) -> list[str]:
        """Every code that the registry has: of CLDR, of the datasets, and those admitted by hand."""
        datasets = {row["language"] for row in read_table("dataset_codes.tsv")}
        admitted = {code for code, field in self.overrides if field == "row"}
        return sorted(datasets | set(self.locales) | admitted)

    def rows(self) -> list[dict[str, str]]:
        """The registry, ordered by code."""
        codes = self.codes()
        scripts: dict[str, set[str]] = defaultdict(set)
        for code in codes:
            scripts[code.split("_")[0]].add(code.split("_")[1])
        return [self._row(code, scripts[code.split("_")[0]]) for code in codes]

    def _row(self, code: str, scripts: set[str]) -> dict[str, str]:
        base, script = code.split("_")
        metas = self.metas.get(base, [])
        meta = metas[0] if metas and metas[0].iso639_3 == base else None
        languoid = self._languoid(base, meta)
        locale = self.locales.get(code, "")
        place = languoid or Languoid("", "", "", "", "", "", (), "", False)
        name = self._override(code, "name") or (meta.name if meta else self._english_name(base))
        autonym = self._override(code, "autonym") or self._autonym(locale, metas, script)
        spellings = [base, *self._spellings(metas, "" if code in self.placed else locale, place)]
        row = {
            "code": code,
            "iso639_3": base,
            "script": script,
            "bcp47": self._bcp47(base, script, scripts),
            "cldr": locale,
            "name": name,
            "autonym": autonym,
            **self._family(place),
            "macroarea": place.macroarea,
            "countries": ";".join(_countries(place.countries, meta.locales if meta else ())),
            "latitude": _coordinate(place.latitude),
            "longitude": _coordinate(place.longitude),
            "direction": SCRIPTS[script].direction,
            "speakers": meta.speakers if meta else "",
            "resource_class": self.classes.get(base, "0-1"),
            "other_names": ";".join(_other_names(spellings, script, known=(name, autonym, base))),
        }
        given = {column: self._override(code, column) for column in ("macroarea", "countries", "speakers")}
        return row | {column: value for column, value in given.items() if value is not None}

    def _base(self, tag: str) -> str:
        """The first part of the canonical code for a language tag, through the reviewed default where there is one."""
        targets = self.reviewed.get(tag) or self.reviewed.get(self.isos.get(tag, tag), [])
        return targets[0].split("_")[0] if len(targets) == 1 else self.isos.get(tag, tag)

    def _override(self, code: str, field: str) -> str | None:
        """The reviewed value for this language in this script, or for the language in every script."""
        return self.overrides.get((code, field), self.overrides.get((code.split("_", maxsplit=1)[0], field)))

    def _languoid(self, base: str, meta: Meta | None) -> Languoid | None:
        given = self._override(base, "glottocode")
        stated = (given, self.glottocodes.get(base), meta.glottocode if meta else None)
        return next((self.languoids[one] for one in stated if one and one in self.languoids), None)

    def _english_name(self, base: str) -> str:
        """CLDR's name, for the few languages that LinguaMeta lacks."""
        return self.cldr.english_name(self.subtags.get(base, base)) or base

    def _family(self, languoid: Languoid) -> dict[str, str]:
        if languoid.family_id:
            return {"family": self.languoids[languoid.family_id].name, "family_id": languoid.family_id}
        suffix = " (isolate)" if languoid.is_isolate else ""
        return {"family": languoid.name + suffix, "family_id": languoid.glottocode}

    def _bcp47(self, base: str, script: str, scripts: set[str]) -> str:
        subtag = self.subtags.get(base) or next((one.bcp47 for one in self.metas[base] if one.iso639_3 == base), base)
        if len(scripts) > 1:
            implied = self.reviewed.get(base) == [f"{base}_{script}"]
        else:
            implied = self.cldr.script(subtag) in (script, None)
        return subtag if implied else f"{subtag}-{script}"

    def _autonym(self, locale: str, metas: Sequence[Meta], script: str) -> str:
        own = self.cldr.own_name(locale) if locale else None
        stated = (own, *(one.endonym for one in metas))
        return next((name for name in stated if name and is_written_in(name, script)), "")

    def _spellings(self, metas: Iterable[Meta], locale: str, languoid: Languoid) -> Iterable[str]:
        for meta in metas:
            yield from (meta.bcp47, meta.iso639_3, meta.name, meta.endonym, *meta.other_codes)
        if locale:
            yield locale.split("_", maxsplit=1)[0]
            yield self.cldr.english_name(locale) or ""
        if languoid.level != "family":  # the name of a group is not the name of one member
            yield languoid.name


def _countries(*sources: Iterable[str]) -> list[str]:
    """Both sources together, without areas that are no countries (`001`) and the pseudo-locale `XA`."""
    return sorted({one for source in sources for one in source if len(one) == 2 and one.isalpha() and one != "XA"})


def _coordinate(number: str) -> str:
    return f"{float(number):.4f}".rstrip("0").rstrip(".") if number else ""


def _other_names(spellings: Iterable[str], script: str, known: Iterable[str]) -> list[str]:
    """The spellings not known yet. One in another script than Latin names the language in that script only."""
    seen = {normalise(name) for name in known}
    names = []
    for name in sorted({one.strip() for one in spellings}):
        fits = is_written_in(name, "Latn") or is_written_in(name, script)
        if name and fits and normalise(name) not in seen and ";" not in name:
            seen.add(normalise(name))
            names.append(name)
    return names


def render(rows: Iterable[dict[str, str]]) -> str:
    """The rows as the text of registry.tsv."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m languages.build", description="Build languages/registry.tsv.")
    parser.add_argument("--data", type=Path, required=True, help="folder with linguameta/ and glottolog/")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the committed file differs")
    options = parser.parse_args(arguments)
    target = FOLDER / "registry.tsv"
    try:
        built = render(Builder(options.data).rows())
    except SourceMissing as error:
        print(f"languages.build: {error}", file=sys.stderr)
        return 1
    if not options.check:
        target.write_text(built, encoding="utf-8", newline="")
        print(f"{target.name}: {built.count(chr(10)) - 1} languages")
        return 0
    committed = target.read_text(encoding="utf-8").splitlines()
    differences = difflib.unified_diff(committed, built.splitlines(), "committed", "built", lineterm="", n=0)
    shown = list(islice(differences, _SHOWN_DIFFERENCES))
    print("\n".join(shown) if shown else f"{target.name} is reproduced")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
