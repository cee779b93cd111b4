"""Reads answers to questions whose options are yes and no, where a clause follows ("No, that is not so").

Beside such options "not" denies no option: it says the same again.
"""

from __future__ import annotations

import re

from bench.extraction_cues import Languages, Word, cues
from bench.extraction_options import Options
from bench.extraction_scan import Statement

_CLOSES = re.compile(r"[*_`\"'”»)\]]*[ ]*(?:[.,!:;—–،。、，！։።।۔…·]|\n|-\s|$)")
_OPENS = re.compile(r"(?:^|[.,!:;—–،。、，！։።।۔…\n¡«“\"(])[ *_`\"'«“¡]*$")
_STOPS = ".,;!\n،。，、۔।"
_MOST = 4  # options beside yes and no: "maybe", "unknown"


def polar(statement: Statement) -> int | None:
    """The option of yes or no that the text says; None where the options are others, or it says both or neither."""
    kinds = _kinds(statement.options)
    if kinds is None:
        return None
    sides, languages = kinds
    words = [word for word in cues().find(statement.flat, ("yes", "no")) if _side(word, languages)]
    alone = [word for word in words if _alone(statement, word)]
    said = {_side(word, languages) for word in alone}
    if (
        len(said) != 1
        or _offers(statement, alone[0].end)
        or statement.says(("revise", "maybe"), 0, len(statement.flat), languages | {"en"})
    ):
        return None
    side = said.pop()
    opened = any(not statement.flat[: word.start].strip() for word in alone)
    others = [word for word in words if _side(word, languages) != side]
    if side is None or any(not _passing(statement, word, languages, side=side) for word in others):
        return None
    ended = not statement.flat[alone[-1].end :].strip() and _known(statement, alone[-1].start)
    return sides[side] if opened or ended else None


def offers(statement: Statement) -> bool:
    """Whether a text opens with yes or no as an option, and goes on to ask or to offer something."""
    kinds = _kinds(statement.options)
    if kinds is None:
        return False
    first = next((word for word in cues().find(statement.flat, ("yes", "no")) if _side(word, kinds[1])), None)
    opens = first is not None and not statement.flat[: first.start].strip()
    return first is not None and opens and _offers(statement, first.end)


def _offers(statement: Statement, start: int) -> bool:
    """Whether what follows asks or offers something: "Yes, I can help", "No, I cannot answer", "Of course!"."""
    rest = statement.flat[start:]
    return bool(rest.strip()) and ("?" in rest or cues().any(statement.flat, ("offer",)))


def _kinds(options: Options) -> tuple[dict[str, int], Languages] | None:
    """Which option is yes and which is no, and in which languages."""
    if not 2 <= options.count <= _MOST:
        return None
    phrases = cues().phrases
    found: dict[str, list[tuple[int, Languages]]] = {"yes": [], "no": []}
    for index, option in enumerate(options.folded):
        for kind, places in found.items():
            languages = phrases.get(option, {}).get(kind, frozenset())
            if languages:
                places.append((index, languages))
    for yes, known in found["yes"]:
        for no, denying in found["no"]:
            if known & denying and yes != no:
                return {"yes": yes, "no": no}, known & denying
    return None


def _side(word: Word, languages: Languages) -> str | None:
    sides = [kind for kind in ("yes", "no") if word.means(kind, languages)]
    return sides[0] if len(sides) == 1 else None


def _alone(statement: Statement, word: Word) -> bool:
    """Whether signs set the word apart on both sides, and none of them asks."""
    before, after = statement.low[max(0, word.start - 6) : word.start], statement.low[word.end : word.end + 8]
    if "?" in statement.flat[word.end : word.end + 2]:
        return False
    return _OPENS.search(before) is not None and _CLOSES.match(after) is not None


def _known(statement: Statement, end: int) -> bool:
    """Whether only words that may stand before an answer stand before a place: "No doubt about it: yes"."""
    place = 0
    while place < end:
        if statement.flat[place] in " \n":
            place += 1
            continue
        word = statement.cues.at(statement.flat, place)
        if word is None or not word.kinds(None) & {"fill", "so", "answer", "final"} or "?" in statement.flat[place:end]:
            return False
        place = word.end
    return True


def _passing(statement: Statement, word: Word, languages: Languages, *, side: str) -> bool:
    """Whether a word of the other side says nothing: a "no" that is a mere "not", or a "yes" that is denied."""
    if statement.says(("only",), word.start, word.end + 8):
        return True
    if side == "yes":
        if _CLOSES.match(statement.low, word.end) is None and (
            word.means("not", languages) or word.means("fill", languages)
        ):
            return True
        end = next((place for place, char in enumerate(statement.low[word.end :], word.end) if char in _STOPS), None)
        return statement.says(("not",), word.end, end or len(statement.flat), languages)
    clause = max(statement.low.rfind(sign, 0, word.start) for sign in _STOPS) + 1
    return statement.says(("not",), clause, word.start, languages)
