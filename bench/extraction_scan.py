"""Reads one statement of an answer, word by word: known words, an option's label or text, known words, an end.

A statement with any other word in it says nothing: "The answer is vitamin C" names no option C. What denies, asks or
hedges makes it no statement; two options in one make it ambiguous.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.extraction_cues import Languages, Word
from bench.extraction_names import ALONE, JOINED_LETTER, VOWELS, Names
from bench.extraction_options import AMBIGUOUS

_NOTHING = -2
_AGAINST = frozenset({"not", "or", "maybe"})
_PASSING = frozenset({"answer", "option", "correct", "fill", "so", "final"})
_CLOSERS = ")]}\"'”»’*_`」』】"
_QUOTES = "\"'”»’*_`」』"
_GREEK = re.compile("[α-ω]")
_ENGLISH: Languages = frozenset({"en"})
_CROSSES = frozenset("❌✗✘🚫⛔❎✖×☒👎")
_INTERJECTS = (",", "!", "،", "，", "…")
_FOREIGN = re.compile(r"(?![a-zα-ωа-я])[^\W\d_](?!\w)[).] *(?=\S)")
_STOPS = frozenset(".!?。！？।۔॥።։\n")
_JOINS = frozenset(",/&+;|،、，")
_WORDS = 14  # in one statement


@dataclass(slots=True)
class _After:
    """What is known so far of an option's name and of the words after it."""

    index: int
    place: int
    label: int | None  # where the label stands; None for an option's text
    strong: bool  # a word before it announced an answer
    ends: bool
    seen: bool = False  # a word after it did
    signed: bool = False  # punctuation set it apart
    crossed: bool = False  # a cross or the like marks it as wrong
    stopped: bool = False  # a sentence ended since
    turned: bool = False  # a "but" follows
    words: int = 0
    bare: bool = True

    def __post_init__(self) -> None:
        self.bare = self.label is not None

    def closed(self) -> int | None:
        """The option where its statement ends: "B it is" is no statement, "B is correct" is one."""
        if self.crossed:
            return None
        return self.index if self.words == 0 or self.strong or self.seen or self.signed else None


class Statement(Names):
    """A text that is read word by word."""

    def span(  # noqa: PLR0911 - each return is another thing that is no statement
        self, start: int, languages: Languages | None = None, *, told: bool = False, ends: bool = False
    ) -> tuple[int, int] | None:
        """The option that the words from `start` on name (`AMBIGUOUS` for several), and where its name starts.

        `told` after a word that announces an answer; with `ends` nothing may follow on the line.
        """
        seen, first = told, start
        for _ in range(_WORDS):
            start = self._skip(start, lines=told)
            crossed = not _CROSSES.isdisjoint(self.low[first:start])
            if start >= len(self.flat) or self.flat[start] == "\n" or crossed:
                return None
            option, label = self.option(start), self.label(start)
            if label is not None and (option is None or option[1] <= label[1]) and not self._article(start, label):
                index = self._finish(label, languages, seen, ends, start)
                if index is not None:
                    return (AMBIGUOUS, start) if option and option[0] != index else (index, start)
                if seen or self.low[start] != "a":
                    return None
            elif option is not None:
                index = self._finish(option, languages, seen, ends, None)
                return None if index is None else (index, start)
            word = self.cues.at(self.flat, start)
            if word is None and told and (foreign := _FOREIGN.match(self.low, start)) is not None:
                start = foreign.end()  # a label of an alphabet's order that is not known, before the option's text
                if self.option(start) is None:
                    return None
                continue
            if word is None or self._blocks(word, languages):
                return None
            if word.means("answer", languages) or word.means("correct", languages):
                seen = True
                languages = _narrowed(word, languages)
            start = word.end
        return None

    def _article(self, start: int, label: tuple[int, int]) -> bool:
        """Whether a letter is the article of an option's text: "A dog"."""
        if self.low[start] != "a" or self.low[start + 1 : start + 2] != " ":
            return False
        option = self.option(start + 2) if start + 2 < len(self.low) else None
        return option is not None and option[0] != label[0]

    def _skip(self, start: int, *, lines: bool) -> int:
        while start < len(self.flat) and (self.flat[start] == " " or (lines and self.flat[start] == "\n")):
            if self.options.odd and self.low[start] in self.options.by_first and self.option(start):
                return start
            start += 1
        return start

    def _blocks(self, word: Word, languages: Languages | None) -> bool:
        lone = word.end - word.start == 1 and not JOINED_LETTER.match(word.phrase)
        if lone and languages is None and not self.low.startswith(" ", word.end):
            return True  # "A.C." has no article
        wanted = None if languages is None else languages | _ENGLISH
        kinds = word.kinds(wanted)
        if kinds.isdisjoint(_AGAINST):
            return kinds.isdisjoint(_PASSING)
        own = word.kinds(languages)
        return languages is None or "fill" not in own or "not" in own or "or" in own

    def _finish(  # noqa: C901, PLR0911 - each return is another thing that can follow a name
        self, named: tuple[int, int], languages: Languages | None, seen: bool, ends: bool, label: int | None
    ) -> int | None:
        """The option that was named, unless what follows says otherwise."""
        after = _After(index=named[0], place=named[1], label=label, strong=seen, ends=ends)
        for _ in range(_WORDS):
            start = after.place
            while start < len(self.flat) and self.flat[start] == " ":
                start += 1
            signs = self.low[after.place : start]
            after.crossed = after.crossed or not _CROSSES.isdisjoint(signs)
            after.signed = after.signed or self._ends_clause(signs, after)
            after.stopped = after.stopped or not _STOPS.isdisjoint(signs)
            if start >= len(self.flat) or self.flat[start] == "\n" or self.flat[start] == "?":
                asked = self.flat[start : start + 1] == "?" or (";" in signs and _GREEK.search(self.low))
                return None if asked else after.closed()
            other, option = self.label(start), self.option(start)
            if option is not None and (other is None or option[1] > other[1]):
                if after.index == AMBIGUOUS and option[0] in (1, 2):
                    after.index = option[0]  # "В. ..." by its text
                if option[0] != after.index:
                    return after.closed() if after.stopped and self._dismisses(start, languages) else AMBIGUOUS
                after.bare, after.place = False, option[1]
                continue
            if other is not None and other[0] != after.index:
                joined = _JOINS.intersection(signs) or self.closes(other[1])
                if joined and not self._denied(other[1], languages):
                    return AMBIGUOUS
                if joined:
                    return after.closed()  # "B, A is not"
            word = None if "/" in signs else self.cues.at(self.flat, start)
            if (
                word is None
                and (turn := next(iter(self.marks(("but",), start, start + 16)), None))
                and turn.start == start
            ):
                after.place, after.turned = turn.end, True
                continue
            if word is None:
                return None if "/" in signs or "&" in signs else self._explained(after, start)
            told = self._word(after, word, languages, signs)
            if told is not None:
                return None if told == _NOTHING else told
        return None

    def _word(self, after: _After, word: Word, languages: Languages | None, signs: str) -> int | None:
        """What a known word after the name makes of it; None to read on."""
        wanted = None if languages is None else languages | _ENGLISH
        filling = languages is not None and word.means("fill", languages)
        found: int | None = None
        if word.means("not", wanted) and not (filling and not word.means("not", languages)):
            apart = after.turned or signs.strip()
            found = after.index if apart and self._denies_another(after.index, word.end) else _NOTHING
        elif word.means("maybe", wanted):
            found = _NOTHING
        elif word.means("or", languages) or ((word.means("or", wanted) or word.means("and", wanted)) and not filling):
            start = self._skip(word.end, lines=False)
            second = (self.label(start) or self.option(start)) if start < len(self.flat) else None
            found = AMBIGUOUS if second is not None and second[0] != after.index else self._explained(after, word.start)
        elif word.means("because", wanted) and not filling:
            found = after.closed()
        elif after.bare and after.words == 0 and not after.signed and self._pronoun(after, word, languages):
            found = _NOTHING
        elif word.kinds(wanted).isdisjoint(_PASSING):
            found = self._explained(after, word.start)
        else:
            after.seen = after.seen or word.means("answer", languages) or word.means("correct", languages)
            after.words += not JOINED_LETTER.match(self.flat[word.start])
            after.place = word.end
            return None
        return _NOTHING if found is None else found

    def _pronoun(self, after: _After, word: Word, languages: Languages | None) -> bool:
        """Whether a letter before this word is an article or a pronoun, not a label: "I think"."""
        if after.label is None or self.low[after.label] not in VOWELS or JOINED_LETTER.match(self.flat[word.start]):
            return False
        if self.flat[word.start : word.end] in ("is", "was") or word.means("correct", None):
            return False
        return languages is None or not word.means("fill", languages - _ENGLISH)

    def _ends_clause(self, signs: str, after: _After) -> bool:
        """Whether the signs after a name set it apart: "B." and "B)", where "(B)" is only closed."""
        if signs in ("-", "–", "‑"):
            return False  # a hyphen joins an ending: "B-dir"
        opened = after.label is not None and self.low[max(after.label - 1, 0)] in "([{"
        return any(not char.isspace() and char not in (_CLOSERS if opened else _QUOTES) for char in signs)

    def _denied(self, end: int, languages: Languages | None) -> bool:
        start = self._skip(end, lines=False)
        word = self.cues.at(self.flat, start) if start < len(self.flat) else None
        return word is not None and word.means("not", languages)

    def _dismisses(self, place: int, languages: Languages | None) -> bool:
        """Whether the sentence around a place denies what it speaks of, and puts nothing else there."""
        start = max(self.low.rfind(sign, 0, place) for sign in _STOPS) + 1
        end = min((stop for sign in _STOPS if (stop := self.low.find(sign, place)) >= 0), default=len(self.flat))
        wanted = None if languages is None else languages | _ENGLISH
        if len(self.named(start, end)) != 1:
            return False
        return self.says(("not",), start, end, wanted) and not self.says(
            ("but", "only", "revise", "or"), start, end, wanted
        )

    def _denies_another(self, index: int, place: int) -> bool:
        """Whether what is denied is another option: "B, not A"."""
        start = self._skip(place, lines=False)
        if start >= len(self.flat):
            return False
        other = self.option(start) or self.label(start)
        return other is not None and other[0] not in (index, AMBIGUOUS)

    def _explained(self, after: _After, start: int) -> int | None:  # noqa: PLR0911 - each return is another doubt
        """The option, if what follows it in unknown words can be no more than an explanation."""
        if after.label is not None and not after.strong and self.low[after.label] in ALONE and (
            self.low.startswith(_INTERJECTS, after.label + 1)
        ):  # fmt: skip
            return None  # "A, I see!"
        announced = after.strong and after.label is not None
        if after.ends or after.crossed or not (after.signed or announced):
            return None
        end = self.flat.find("\n", start)
        end = len(self.flat) if end < 0 else end
        for word in self.marks(("because",), start, end)[:1]:
            end = word.start
        mentioned = self.mentions(start, end)
        if (mentioned and after.index not in mentioned) or (not after.bare and mentioned - {after.index}):
            return None
        if self.labelled(start, min(end, start + 40) if after.strong else end) - {after.index}:
            return None
        if after.signed or after.label is None:
            return after.index
        if self.low[max(after.label - 1, 0)] not in "([{*" and not mentioned:
            return None  # "The answer is B vitamins"
        sentence = start + len(re.split(r"[.!?。।\n]", self.low[start : start + 80])[0])
        return None if self.says(("not", "or", "maybe"), start, sentence) else after.index


def _narrowed(word: Word, languages: Languages | None) -> Languages:
    found: set[str] = set()
    for kind in ("answer", "correct"):
        found |= word.meanings.get(kind, frozenset())
    known = frozenset(found)
    return known if languages is None or not (known & languages) else known & languages
