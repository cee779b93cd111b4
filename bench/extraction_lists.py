"""Reads a list of options: "A, C", "cat and dog", or one a line."""

from __future__ import annotations

import re

from bench.extraction_cues import Languages, Word, cues, flat, lower
from bench.extraction_options import AMBIGUOUS, Options
from bench.extraction_scan import Statement

_ITEMS = 200
_NUMBERED = re.compile(r"\d{1,2}[.)] *(?=\S)")
_EXPLAINS = re.compile(r"\n\s*\n|[.。।։]")
_PREFIX = re.compile(r"[^\w\n]{0,20}(?:[^\W\d_][^\s:：]{0,24} ){0,4}[^\W\d_][^\s:：]{0,24} ?[:：](?=\s|\*)")
_VERDICTS = re.compile(r"[\n,;،、]+[ ]*")
_VERDICT = re.compile(r"[ \t>*•\"-]*([^:：=\n]{1,80}?)[ *_`\")]*[:：=][ *_`\"]*(\S[^\n]{0,12}?)[ .,*_`\"]*")
_CHECKED, _CROSSED = frozenset("✓✔✅☑"), frozenset("✗✘❌✖")
_TOGETHER = re.compile(r"(?:^|[:：]|\s)[*_`(\[ ]*([A-H]{2,8})[.)*_`\]]*$")
_PAUSE = re.compile("[,;.!—–،。，、；\n]")
_PASSES = frozenset({"fill", "and", "answer"})
_WORD = re.compile(r"[^\W_]+")
_ONE, _LEAD = 200, 5  # characters of one sentence, words before its list
_KNOWN = ("answer", "option", "correct", "fill", "so", "final")
_ENGLISH: Languages = frozenset({"en"})


def listed(statement: Statement, start: int, languages: Languages | None) -> tuple[int, ...] | None:  # noqa: C901, PLR0911, PLR0912 - one return a reason
    """The options listed from `start` on; None where something else stands there, or an "or", or a denial."""
    found: list[int] = []
    echoed, place = 0, start
    wanted = None if languages is None else languages | _ENGLISH
    while len(found) < _ITEMS:
        item = _next(statement, place)
        gap = statement.low[place:item]
        if item >= len(statement.flat):
            break
        if statement.flat[item] == "?":
            return None
        named = _named(statement, item)
        if named is None:
            only = _only(statement, item)
            if only is not None:
                place = only
                continue
            word = statement.cues.at(statement.flat, item)
            if found and _dismissed(statement, item, gap, found):
                break
            joins = word is not None and _joins(statement, word, wanted)
            if word is None or (word.means("because", wanted) and not joins):
                if found and (word is not None or _EXPLAINS.search(gap)):
                    break
                return None
            filling = languages is not None and word.means("fill", languages)
            if found and _EXPLAINS.search(gap) and not word.means("not", wanted):
                break
            if not filling and not joins and any(word.means(kind, wanted) for kind in ("not", "or", "maybe", "revise")):
                return None
            if not joins and not any(word.means(kind, wanted) for kind in _KNOWN):
                return None
            place = word.end
            continue
        index, place, labelled = named
        if index == AMBIGUOUS or "/" in gap:
            return None
        echoed += labelled and index == len(found)
        if index not in found:
            found.append(index)
    if not found or (len(found) == statement.options.count > 2 and echoed == len(found) and "\n" in statement.low):
        return None  # nothing, or the question's own list repeated
    return tuple(found)


def introduced(statement: Statement) -> tuple[int, ...] | None:
    """The list after a few words and a colon, "Tags: a, b", or one that what it leaves out follows: "... a, not b"."""
    prefix = _PREFIX.match(statement.text)
    tagged = prefix is not None and cues().any(statement.flat[: prefix.end()], ("tag",))
    if prefix is not None and tagged and not statement.says(("not", "or", "maybe"), 0, prefix.end()):
        start = prefix.end()
        item = _next(statement, start)
        named = item < len(statement.flat) and _named(statement, item)
        return listed(statement, start, None) if named else None
    for word in _WORD.finditer(statement.low) if len(statement.low) < _ONE else ():
        if statement.option(word.start()) is None:
            continue
        denied = next((one for one in statement.marks(("not",), word.end()) if _dismissing(statement, one.start)), None)
        before = statement.low[: word.start()]
        if denied is None or len(before.split()) > _LEAD or re.search(r"[,.;:!?\n]", before):
            return None
        languages = denied.meanings["not"] | _ENGLISH
        if statement.says(("not", "or", "maybe"), 0, word.start(), languages):
            return None
        found = listed(statement, word.start(), None)
        return found if found and not set(found) & statement.named(denied.end, len(statement.flat)) else None
    return None


def verdicts(statement: Statement) -> tuple[int, ...] | None:
    """The options that are said yes to, where the text is options, each with a colon and yes or no after it."""
    said: dict[int, bool] = {}
    for line in _VERDICTS.split(statement.text.strip()):
        parts = _VERDICT.fullmatch(line)
        if parts is None:
            return None
        index = _called(parts[1].strip(), statement.options)
        kinds = cues().phrases.get(_words(parts[2]), {})
        yes, no = parts[2] in _CHECKED or "yes" in kinds, parts[2] in _CROSSED or "no" in kinds
        if index is None or yes == no or said.setdefault(index, yes) != yes:
            return None
    return tuple(index for index, yes in sorted(said.items()) if yes) if len(said) > 1 else None


def _called(name: str, options: Options) -> int | None:
    """The option of this name or label."""
    for index, option in enumerate(options.folded):
        if _words(option) == _words(name):
            return index
    index = options.labels.get(name, AMBIGUOUS)
    return None if index == AMBIGUOUS or options.taken else index


def _words(text: str) -> str:
    return " ".join(flat(lower(text)).split())


def together(text: str, options: Options) -> str:
    """The text with letters that stand together at its end divided: "BC"."""
    match = _TOGETHER.search(text)
    if match is None or lower(match[1]) in options.folded:
        return text
    letters = match[1]
    apart = list(letters) == sorted(set(letters)) and all(options.labels.get(one, AMBIGUOUS) >= 0 for one in letters)
    return text[: match.start(1)] + ", ".join(letters) + text[match.end(1) :] if apart else text


def _only(statement: Statement, place: int) -> int | None:
    """Where a word like "only" ends that stands there."""
    word = next(iter(statement.marks(("only",), place, place + 24)), None)
    return word.end if word is not None and word.start == place and "not" not in word.meanings else None


def _joins(statement: Statement, word: Word, languages: Languages | None) -> bool:
    """Whether a word is "and" alone, or, right between two options, in more languages than it is "or" or "not"."""
    if word.means("and", languages) and not any(word.means(kind, languages) for kind in ("or", "not", "maybe")):
        return True
    joining = len(word.meanings.get("and", ()))
    against = sum(len(word.meanings.get(kind, ())) for kind in ("or", "not", "maybe"))
    following = _next(statement, word.end)
    return joining > against and following < len(statement.flat) and _named(statement, following) is not None


def _dismissed(statement: Statement, place: int, gap: str, found: list[int]) -> bool:
    """Whether the rest of the sentence says which options are not meant: "a, but not b"."""
    if not _PAUSE.search(gap) or not _dismissing(statement, place):
        return False
    others = statement.named(place, len(statement.flat))
    return bool(others) and not others & set(found)


def _dismissing(statement: Statement, place: int) -> bool:
    """Whether a denial starts there, or after a word like "but", and reaches the end of the only sentence."""
    word = next(iter(statement.marks(("not", "but"), place, place + 24)), None)
    if word is None or word.start != place or _PAUSE.search(statement.low.rstrip(" .!"), place):
        return False
    if "not" in word.meanings:
        return not _PASSES.intersection(word.meanings)
    return any(_next(statement, word.end) == one.start for one in statement.marks(("not",), word.end, word.end + 24))


def _next(statement: Statement, place: int) -> int:
    while place < len(statement.flat) and statement.flat[place] in " \n":
        if statement.options.odd and statement.option(place):
            break
        place += 1
    return place


def _named(statement: Statement, start: int) -> tuple[int, int, bool] | None:
    """The option there, where its name ends, and whether both its label and its text stand there."""
    label, option = statement.label(start), statement.option(start)
    number = _NUMBERED.match(statement.low, start)
    if number is not None and not (option and option[1] > number.end()):
        inner = _named(statement, number.end())
        if inner is not None and (label is None or inner[0] != label[0]):
            return inner
    if option is not None and (label is None or option[1] > label[1]):
        return (*option, False)
    if label is None:
        return None
    following = _next(statement, label[1])
    if following < len(statement.flat) and "\n" not in statement.low[label[1] : following]:
        text = statement.option(following)
        signs = statement.low[label[1] : following].strip()
        if text is not None and text[0] == label[0]:
            return label[0], text[1], True
        if text is not None and "," not in signs and statement.label(following) is None:
            return AMBIGUOUS, text[1], False
    return (*label, False)
