"""Which languages are near one: its relatives by where Glottolog places them, or whatever is spoken around it.

The registry has top-level families alone, so that within one the distance says what a deeper tree would: on the whole,
languages spoken close by are closer kin. It is a stand-in, and the page says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import languages
from languages import Language

RADIUS = 6371.0088
"""Mean radius of the Earth in kilometres (IUGG)."""

Kind = Literal["family", "anywhere"]


@dataclass(frozen=True, slots=True)
class Near:
    """A language, and how many kilometres its point is from that of another; None where one of them has no point."""

    language: Language
    kilometres: float | None


def kilometres(one: Language, other: Language) -> float | None:
    """The great-circle distance of the points of two languages (haversine); None where one of them has no point."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return None
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(across / 2) ** 2
    return 2 * RADIUS * math.asin(math.sqrt(min(1.0, half)))


def nearby(found: Language) -> tuple[Kind, tuple[Near, ...]]:
    """The other languages of the family, the nearest first; all languages that have a point where it has no relative.

    The language itself in another script comes before them, and languages without a point after them.
    """
    others = [one for one in languages.all_languages() if one.code != found.code]
    same = [one for one in others if one.iso639_3 == found.iso639_3]
    apart = [one for one in others if one.iso639_3 != found.iso639_3]
    if relatives := [one for one in apart if found.family_id and one.family_id == found.family_id]:
        return "family", (*_ordered(found, same), *_ordered(found, relatives))
    around = (one for one in _ordered(found, apart) if one.kilometres is not None)
    return "anywhere", (*_ordered(found, same), *around)


def _ordered(found: Language, among: Iterable[Language]) -> list[Near]:
    measured = [Near(one, kilometres(found, one)) for one in among]
    return sorted(measured, key=_order)


def _order(near: Near) -> tuple[object, ...]:
    far = math.inf if near.kilometres is None else near.kilometres
    return far, -(near.language.speakers or 0), near.language.name.casefold(), near.language.code
