"""Whether an answer is in the language that was wanted: its script, its lines, stray words, digits.

After the Language Confusion Benchmark (Marchisio et al. 2024, "Understanding and Mitigating Language Confusion in
LLMs"): `line` and `word` are what its line pass rate and word pass rate count, over the answers that have a verdict.
docs/fidelity.md says what differs from it, and how well each language is identified.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import languages
from languages.scripts import SCRIPTS

if TYPE_CHECKING:
    from languages.identification import Guess, Model
    from languages.identifier_features import Letters

    _Line = tuple[Guess, int, bool]

LEAST_RECALL = 0.95
"""Of a language's test segments, the share to be identified before its lines get verdicts."""
FOREIGN = 0.1
"""Share of letters of other scripts that is tolerated, Latin ones within another script apart."""
LATIN = 1 / 3
"""Share of Latin letters that is tolerated within another script: names, units, terms."""
FEWEST = 3
"""Letters from which a wrong script is a verdict."""

# A syllable or a logograph holds about so many letters of an alphabet.
_WEIGHTS = {"Hani": 3, "Hrkt": 3, "Hang": 2}
_WRITTEN_IN = {"Hans": ("Hani",), "Hant": ("Hani",), "Jpan": ("Hani", "Hrkt"), "Hang": ("Hang", "Hani")}
_BATCH = 512
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_BREAKS = re.compile(r"[\r\n]+")
_DIGIT = re.compile(r"\d")
_STRAY = re.compile(r"(?<![\w'’./@#-])[a-z]{4,}(?![\w'’/@#-]|\.\w)")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What was found of one answer. None is no verdict: neither a pass nor a failure."""

    script: bool | None
    """Whether the letters are of the language's own scripts, up to the tolerated shares. None: no letters, or fewer
    than `FEWEST` of which some are of another script."""
    line: bool | None
    """Whether every line that is long enough is in the language; False where the script is wrong. None: no line is long
    enough, the identifier cannot tell this language, or what it found is too near to be held against the answer."""
    word: bool | None
    """Whether there is no stray Latin word in an answer of another script: a whole word of four or more lower-case
    ASCII letters outside links and code. None: a language in Latin script, or `line` is not True."""
    native_digits: bool | None
    """Whether all digits are of the language's own script. None: no digits, or the script has none of its own."""
    found: str
    """Canonical code of what the whole text was identified as; empty where nothing could be told."""


_NOTHING = Fidelity(None, None, None, None, "")


def judge(texts: Sequence[str], wanted: str) -> list[Fidelity]:
    """The fidelity of each text to a language, given by its canonical code.

    Web and mail addresses and invisible characters never count, nor code between backticks where there is other text. A
    verdict on a line needs as many letters as it took for 95 % of held-out lines cut to that length to be identified
    rightly: 25 in Latin script, 20 in Cyrillic and Arabic, 60 in Devanagari, 5 in Han (`languages.identifier_build`
    measures it); then a margin for the verdict that a line is in another language. Raises
    `languages.UnknownLanguage` and `languages.identification.IdentifierError`.
    """
    language = languages.get(wanted)
    return [one for start in range(0, len(texts), _BATCH) for one in _judge(texts[start : start + _BATCH], language)]


def identifiable(code: str) -> tuple[bool, float | None, int]:
    """Whether lines get verdicts in this language, the recall behind that, and the segments it was measured on.

    The recall is None, of no segments, where no test set has the language. Raises `IdentifierError`.
    """
    from languages.identification import recall

    measured = recall(code)
    if measured is None:
        return False, None, 0
    return measured.recall >= LEAST_RECALL, measured.recall, measured.segments


def _judge(texts: Sequence[str], language: languages.Language) -> list[Fidelity]:
    from languages.identification import model
    from languages.identifier_features import without_links

    cleaned = [without_links(_without_code(text) if "`" in text else text) for text in texts]
    known = model()
    letters = known.letters(cleaned)
    scripts = _scripts(known, letters, language)
    wholes = _identified(known, cleaned, letters)
    found = ["" if line is None or not line[2] else line[0].language for line in wholes]
    lines = _lines(known, cleaned, scripts, wholes, language.code)
    foreign = _foreign_digits(language.script)
    digits = [None if foreign is None or not _DIGIT.search(text) else not foreign.search(text) for text in cleaned]
    latin = language.script == "Latn"
    words = [None if latin or not line else not _STRAY.search(text) for text, line in zip(cleaned, lines, strict=True)]
    return [
        _NOTHING if script is None and digit is None and not code else Fidelity(script, line, word, digit, code)
        for script, line, word, digit, code in zip(scripts, lines, words, digits, found, strict=True)
    ]


def _without_code(text: str) -> str:
    """The text without what stands between backticks, unless that is all there is."""
    other = _CODE.sub(" ", text)
    return other if any(map(str.isalpha, other)) else text.replace("`", " ")


def _scripts(known: Model, found: Letters, language: languages.Language) -> list[bool | None]:
    from languages.identifier_features import UNKNOWN_SCRIPT

    counts = found.counts.astype(float)
    for script, weight in _WEIGHTS.items():
        counts[:, known.class_of(script)] *= weight
    counts = counts[:, UNKNOWN_SCRIPT:]
    own = [known.class_of(script) - UNKNOWN_SCRIPT for script in _WRITTEN_IN.get(language.script, (language.script,))]
    total, right = counts.sum(axis=1), counts[:, own].sum(axis=1)
    latin = counts[:, known.class_of("Latn") - UNKNOWN_SCRIPT] if language.script != "Latn" else 0 * total
    passed = (total - right - latin <= FOREIGN * total) & (latin <= LATIN * total)
    return [
        None if not letters or (letters < FEWEST and mixed) else fine
        for letters, mixed, fine in zip(total.tolist(), (right < total).tolist(), passed.tolist(), strict=True)
    ]


def _identified(known: Model, texts: Sequence[str], letters: Letters) -> list[_Line | None]:
    """What each text was identified as, how many letters it has, and whether the margin is enough; None: too short."""
    from languages.identification import identify, needed

    groups = known.groups_of(letters)
    needs = [needed(group) for group in range(len(known.groups))]
    found: list[_Line | None] = [None] * len(texts)
    long = [
        (number, size, needs[group][1])
        for number, (group, size) in enumerate(zip(groups.tolist(), known.sizes(letters, groups).tolist(), strict=True))
        if group < len(needs) and size >= needs[group][0]
    ]
    for (number, size, margin), guess in zip(long, identify([texts[one] for one, _, _ in long]), strict=True):
        found[number] = guess, size, guess.margin >= margin
    return found


def _lines(
    known: Model, texts: Sequence[str], scripts: Sequence[bool | None], wholes: Sequence[_Line | None], wanted: str
) -> list[bool | None]:
    """The verdict on the lines of each text."""
    if not identifiable(wanted)[0]:
        return [None] * len(texts)
    by_text: dict[int, list[_Line | None]] = {}
    owners: list[int] = []
    pieces: list[str] = []
    for number, (text, whole) in enumerate(zip(texts, wholes, strict=True)):
        if whole and scripts[number]:
            by_text[number] = []
            parts = _BREAKS.split(text.strip()) if "\n" in text or "\r" in text else [text]
            if len(parts) == 1:
                by_text[number].append(whole)
            else:
                owners += [number] * len(parts)
                pieces += parts
    for start in range(0, len(pieces), _BATCH):
        part = pieces[start : start + _BATCH]
        for owner, line in zip(owners[start:], _identified(known, part, known.letters(part)), strict=False):
            by_text[owner].append(line)
    return [
        False if script is False else _verdict([line for line in by_text.get(number, []) if line], wanted)
        for number, script in enumerate(scripts)
    ]


def _verdict(lines: Sequence[_Line], wanted: str) -> bool | None:
    """False for a line that is surely in another language; True where most of the rest is in the one wanted."""
    near = _near(wanted)
    right = open_ = 0
    for guess, letters, sure in lines:
        if guess.language == wanted:
            right += letters
        elif sure and guess.language not in near:
            return False
        else:
            open_ += letters
    return True if right > open_ else None


@cache
def _near(code: str) -> frozenset[str]:
    """Languages that are taken for this one, or this one for them, too often to be held against an answer."""
    from languages.identification import recall

    measured = recall(code)
    return frozenset(measured.confused) if measured else frozenset()


@cache
def _foreign_digits(script: str) -> re.Pattern[str] | None:
    """Digits that are not of the script; None where it has none of its own."""
    words = set(SCRIPTS[script].letters) if script != "Latn" else set()
    own = "".join(
        char
        for char in map(chr, range(0x20000))
        if char.isdecimal() and words & set(re.split("[ -]", unicodedata.name(char, "")))
    )
    return re.compile(rf"(?![{own}])\d") if own else None
