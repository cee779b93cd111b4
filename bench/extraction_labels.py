"""The letters and numbers by which options are named, in the scripts of the world.

Each row is an order that schools and examinations use; a sign that two rows place differently names nothing. The rows
were written by a language model and not reviewed by teachers.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from types import MappingProxyType

from bench.text import LETTERS

_ROWS = (
    LETTERS,
    "أبجدهوزح", "ابجدهوزح", "إ", "آ", "أبتث",
    "ΑΒΓΔΕΖΗΘ", "αβγδεζηθ",
    "АБВГДЕЖЗ", "абвгдежз",
    "ԱԲԳԴԵԶ", "աբգդեզ", "აბგდევ",
    "אבגדהו",
    "कखगघङ", "अआइई", "अबसद",
    "কখগঘঙ", "অআইঈ", "ਕਖਗਘਙ", "કખગઘઙ", "અઆઇઈ", "କଖଗଘଙ", "அஆஇஈஉ", "అఆఇఈఉ", "కఖగఘఙ", "ಅಆಇಈಉ", "ಕಖಗಘಙ", "അആഇഈഉ",
    "കഖഗഘങ", "අආඇඈ", "ཀཁགང", "กขคงจ", "ກຂຄງ", "ကခဂဃင", "កខគឃង",
    "ሀለሐመሠረ", "ሀሁሂሃ",
    "甲乙丙丁戊己", "アイウエオ", "가나다라마바", "ㄱㄴㄷㄹㅁㅂ", "ހށނރ", "ܐܒܓܕ",
)  # fmt: skip
_NAMES = (
    ("الف", "ب", "ج", "د"),
    ("ألف", "باء", "جيم", "دال"),
    ("ए", "बी", "सी", "डी"),
    ("এ", "বি", "সি", "ডি"),
    ("ఎ", "బి", "సి", "డి"),
    ("ಎ", "ಬಿ", "ಸಿ", "ಡಿ"),
    ("എ", "ബി", "സി", "ഡി"),
    ("ஏ", "பி", "சி", "டி"),
    ("એ", "બી", "સી", "ડી"),
    ("ਏ", "ਬੀ", "ਸੀ", "ਡੀ"),
)
# Cyrillic letters that look like Latin ones: each is read as both, and names an option only where both agree.
LOOKALIKES = MappingProxyType({"А": 0, "В": 1, "С": 2, "Е": 4})
_AMBIGUOUS = -1


@cache
def labels(count: int) -> MappingProxyType[str, int]:
    """Each label of the first `count` options and its option's index; those that could be two options have -1."""
    found: dict[str, int] = {}
    rows = [tuple(unicodedata.normalize("NFKC", char) for char in row) for row in _ROWS] + list(_NAMES)
    for row in rows:
        for index, label in enumerate(row[:count]):
            found[label] = index if found.get(label, index) == index else _AMBIGUOUS
    for label, index in LOOKALIKES.items():
        if index < count or label in found:
            found[label] = index if found.get(label, index) == index else _AMBIGUOUS
    for label in [*LETTERS[:count], *LOOKALIKES]:
        if label in found:
            found.setdefault(label.lower(), found[label])
    if "в" in found:
        found["в"] = _AMBIGUOUS
    return MappingProxyType(found)


@cache
def initials(count: int) -> frozenset[str]:
    """The first characters of the labels."""
    return frozenset(label[0] for label in labels(count))
