"""The records of the registry and its errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .scripts import SCRIPTS


@dataclass(frozen=True, slots=True)
class Language:
    """One language in one script. What no source states is None (or an empty tuple), never zero and never a guess."""

    code: str
    """Canonical id: ISO 639-3 (or a collection code) and ISO 15924, as FLORES-200 writes it: `yor_Latn`."""
    iso639_3: str
    """ISO 639-3 code; a macrolanguage where FLORES-200 uses one (`zho`), ISO 639-5 for a collection (`nah`, `oto`)."""
    script: str
    """ISO 15924 code of the script."""
    bcp47: str
    """BCP 47 tag, for `lang` attributes; states the script wherever leaving it out would be ambiguous."""
    cldr: str | None
    """Babel's locale id, where CLDR has data of its own for this language in this script."""
    name: str
    """English name."""
    autonym: str | None
    """The language's own name for itself, in this script."""
    family: str | None
    """Top-level Glottolog family; an isolate stands as its own family, `Basque (isolate)`."""
    family_id: str | None
    """Glottocode of the family, or of the isolate itself."""
    macroarea: str | None
    """Glottolog's macroarea: Africa, Australia, Eurasia, North America, Papunesia or South America."""
    countries: tuple[str, ...]
    """ISO 3166-1 alpha-2 codes of the countries in which it is spoken."""
    latitude: float | None
    """Glottolog's one point for the language; the middle of its members' points for a group."""
    longitude: float | None
    """See `latitude`."""
    direction: str
    """`ltr` or `rtl`, by the script. Vertical Mongolian counts as `ltr`, its direction where set horizontally."""
    speakers: int | None
    """Speakers of the language in every script together: rows of one language repeat the number, so never add them."""
    resource_class: str
    """Class of Joshi et al. (2020): `5`, `4`, `3`, `2`, or `0-1`, since the source does not tell 0 from 1 apart."""

    @property
    def script_name(self) -> str:
        """English name of the script."""
        return SCRIPTS[self.script].name


@dataclass(frozen=True, slots=True)
class DatasetCode:
    """One code of one dataset and what it stands for."""

    dataset: str
    """Name of the dataset, as its folder in a data mirror."""
    code: str
    """The code exactly as the dataset writes it."""
    language: Language
    """The language and script that the code stands for."""
    variety: str
    """BCP 47 region, variant or private-use subtag that keeps codes of one language apart; empty where none is."""
    note: str
    """The default that was taken, or the trap in the data; empty where the code speaks for itself."""


class LanguageError(ValueError):
    """A language could not be told from what was given; `candidates` are the ones that may have been meant."""

    def __init__(self, message: str, candidates: Iterable[Language] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class UnknownLanguage(LanguageError):
    """Nothing in the registry has this code or name."""


class AmbiguousLanguage(LanguageError):
    """Several languages or scripts have this code or name, and no reviewed default says which is meant."""
