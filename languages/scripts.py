"""The scripts of the registry: their names, their direction, and how Unicode names their letters."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple


class Script(NamedTuple):
    """A script as ISO 15924 counts them."""

    name: str
    """English name."""
    letters: tuple[str, ...]
    """First words of the Unicode names of its letters."""
    direction: str = "ltr"
    """`ltr` or `rtl`."""


SCRIPTS = {
    "Adlm": Script("Adlam", ("ADLAM",), "rtl"),
    "Arab": Script("Arabic", ("ARABIC",), "rtl"),
    "Armn": Script("Armenian", ("ARMENIAN",)),
    "Beng": Script("Bengali", ("BENGALI",)),
    "Cakm": Script("Chakma", ("CHAKMA",)),
    "Cans": Script("Syllabics", ("CANADIAN",)),
    "Cher": Script("Cherokee", ("CHEROKEE",)),
    "Copt": Script("Coptic", ("COPTIC",)),
    "Cyrl": Script("Cyrillic", ("CYRILLIC",)),
    "Deva": Script("Devanagari", ("DEVANAGARI",)),
    "Dsrt": Script("Deseret", ("DESERET",)),
    "Ethi": Script("Ethiopic", ("ETHIOPIC",)),
    "Geor": Script("Georgian", ("GEORGIAN",)),
    "Gran": Script("Grantha", ("GRANTHA",)),
    "Grek": Script("Greek", ("GREEK",)),
    "Gujr": Script("Gujarati", ("GUJARATI",)),
    "Guru": Script("Gurmukhi", ("GURMUKHI",)),
    "Hang": Script("Hangul", ("HANGUL",)),
    "Hani": Script("Han", ("CJK",)),
    "Hans": Script("Simplified Han", ("CJK",)),
    "Hant": Script("Traditional Han", ("CJK",)),
    "Hebr": Script("Hebrew", ("HEBREW",), "rtl"),
    "Hmnp": Script("Nyiakeng Puachue Hmong", ("NYIAKENG",)),
    "Java": Script("Javanese", ("JAVANESE",)),
    "Jpan": Script("Japanese", ("CJK", "HIRAGANA", "KATAKANA")),
    "Khmr": Script("Khmer", ("KHMER",)),
    "Knda": Script("Kannada", ("KANNADA",)),
    "Laoo": Script("Lao", ("LAO",)),
    "Latn": Script("Latin", ("LATIN",)),
    "Mand": Script("Mandaic", ("MANDAIC",), "rtl"),
    "Mlym": Script("Malayalam", ("MALAYALAM",)),
    "Mong": Script("Mongolian", ("MONGOLIAN",)),
    "Mtei": Script("Meetei Mayek", ("MEETEI",)),
    "Mymr": Script("Myanmar", ("MYANMAR",)),
    "Nkoo": Script("N'Ko", ("NKO",), "rtl"),
    "Olck": Script("Ol Chiki", ("OL",)),
    "Orya": Script("Odia", ("ORIYA",)),
    "Osge": Script("Osage", ("OSAGE",)),
    "Rohg": Script("Hanifi Rohingya", ("HANIFI",), "rtl"),
    "Samr": Script("Samaritan", ("SAMARITAN",), "rtl"),
    "Shaw": Script("Shavian", ("SHAVIAN",)),
    "Sinh": Script("Sinhala", ("SINHALA",)),
    "Syrc": Script("Syriac", ("SYRIAC",), "rtl"),
    "Taml": Script("Tamil", ("TAMIL",)),
    "Telu": Script("Telugu", ("TELUGU",)),
    "Tfng": Script("Tifinagh", ("TIFINAGH",)),
    "Tglg": Script("Tagalog", ("TAGALOG",)),
    "Thaa": Script("Thaana", ("THAANA",), "rtl"),
    "Thai": Script("Thai", ("THAI",)),
    "Tibt": Script("Tibetan", ("TIBETAN",)),
    "Vaii": Script("Vai", ("VAI",)),
    "Yiii": Script("Yi", ("YI",)),
}


def is_written_in(text: str, script: str) -> bool:
    """Whether every letter of the text belongs to the script. Marks and modifier letters belong to all of them."""
    names = (unicodedata.name(char, "") for char in text if char.isalpha())
    first_words = {name.split(maxsplit=1)[0] for name in names if name}
    return bool(first_words) and first_words <= {*SCRIPTS[script].letters, "MODIFIER"}
