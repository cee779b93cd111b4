"""What a generated answer says: an option, several, or a number. What cannot be told is unparsed, never guessed.

An option counts where it is stated: at the start of the text, on its last line, or beside words that announce an answer
in a language of `cues.tsv`. Statements that disagree cancel each other, unless the later one takes back the earlier; an
option mentioned in passing ("It is not travel") says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from bench.extraction_cues import Word, flat
from bench.extraction_lists import introduced, listed, together, verdicts
from bench.extraction_loose import spelled
from bench.extraction_names import DECORATION
from bench.extraction_numbers import canonical_number, number
from bench.extraction_options import AMBIGUOUS, Options, collapse, prepared
from bench.extraction_polar import offers, polar
from bench.extraction_scan import Statement
from bench.extraction_shapes import before_question, opens, restated
from bench.extraction_text import clean
from bench.text import LETTERS

__all__ = ["canonical_number", "choice", "labels", "number"]

_SENTENCE = re.compile(r"[\n!?。！？।۔॥።։]|\.(?=\s|$)")
_ENDED = re.compile(r"(?:[!?。！？।…۔॥።]|(?<=[^\W\d_A-Z]{2})\.|(?<=[)\"'”»*])\.)[*\"'”»)]*\s+(?=\S)")
_CLAUSE = re.compile(r"[\n!?。！？।۔॥።։,،，、;:：；—(…]|\.(?=\s|$)")
_PREFIXED = re.compile(r"([^:：\n]{1,40})[:：][ \t]*(?=\S)")
_ECHO = re.compile(r"^[^\w\n]{0,8}(\w{1,3})[)\].:|][*_ \t|]*", re.MULTILINE)
_SAID = re.compile(r"\b(?:is|be|about)\s+(?:about\s+|that\s+of\s+)?(?:the\s+|an?\s+)?$", re.IGNORECASE)
_SHORT = tuple(before + "{}" + after for before, after in (("", ""), ("", "."), ("", ")"), ("(", ")"), ("**", "**")))
_EXCLAIMED = re.compile(r"[.!?…。！？—–]\s*(\w{1,8})\s*[,，、،]")  # "A. No, ..."
_DENIED = re.compile(r"[ *_`]*[,،，;]")
_WORD = re.compile(r"[^\W_]+")
_LIKEWISE = re.compile(r"so (?:is|are|was|were|do|does|did|can|could|would|will|may|might|has|have)\b")
_PAUSE = re.compile("[,;.!—–،。，、；\n]")
_PAUSED = re.compile(r"[,،，、;—–][^\w\n]*(?:\w{1,3} )?$")
_ENGLISH = frozenset({"en"})
_ANNOUNCING = ("answer", "correct", "choose")
_REMEMBERED = 160  # characters: short answers come again and again
_VERB = 6  # characters that an article has not
_MOST = 24  # announcing words that are looked at, from the end of a text


def choice(text: str, options: Sequence[str]) -> int | None:
    """The index of the option that the text names by its label or its text; None where it names none, or several."""
    ready = prepared(tuple(options))
    return _remembered(text, ready) if len(text) <= _REMEMBERED else _read(text, ready)


def _read(text: str, ready: Options) -> int | None:
    plain = _plain(ready.count).get(text.strip())
    if plain is not None and not ready.taken:
        return plain
    cleaned = clean(text)
    if not cleaned:
        return None
    whole = (collapse(text), collapse(cleaned))
    verbatim = [index for index, option in enumerate(ready.verbatim) if option in whole]
    if len(verbatim) == 1:
        return _verbatim(cleaned, verbatim[0], ready)
    head = before_question(cleaned)
    told = _parted(head, ready)
    return told if told is not None or head == cleaned or not restated(cleaned, head) else _parted(cleaned, ready)


def _parted(text: str, ready: Options) -> int | None:
    """What a text says before its explanation, where it does and the explanation takes nothing back."""
    for start in opens(text, "reason")[:1]:
        told, rest = _told(text[:start], ready), Statement(text[start:], ready)
        if told is not None and not rest.says(("revise",), 0, len(rest.flat)) and {told}.issuperset(
            index for _, index in _announced(rest)
        ):  # fmt: skip
            return told
    return _told(text, ready)


def _told(text: str, ready: Options) -> int | None:
    """What a text says, spelled as it is or else as the options are."""
    if "\n" in text and (judged := verdicts(Statement(text, ready))) is not None:
        return judged[0] if len(judged) == 1 else None
    text = _without_echo(text, ready)
    if not text.strip():
        return None
    statement = Statement(text, ready)
    told = _decided(statement)
    if told is not None and offers(statement):
        return None
    if told is None:
        told = polar(statement)
    if told is None and (not text.isascii() or ready.respelled) and (written := spelled(text, ready)) != text:
        told = _decided(Statement(written, ready))
    return told


_remembered = lru_cache(maxsize=16_384)(_read)


@lru_cache(maxsize=32)
def _plain(count: int) -> dict[str, int]:
    """The commonest answers: a letter and its usual decorations."""
    return {shape.format(letter): index for index, letter in enumerate(LETTERS[:count]) for shape in _SHORT}


def _verbatim(text: str, index: int, options: Options) -> int | None:
    """An option word for word, unless it reads as another option's label too."""
    statement = Statement(text, options)
    start = next((place for place, char in enumerate(statement.flat) if char not in " \n"), None)
    label = None if start is None else statement.label(start)
    if label is not None and label[0] != index and not statement.flat[label[1] :].strip():
        return None
    return index


def _without_echo(text: str, options: Options) -> str:
    """The text without the list of options, repeated or discussed: lines that start with A, B and so on, in order."""
    if text.count("\n") < 1:
        return text
    statement = Statement(text, options)
    listed: list[tuple[int, int]] = []
    for match in _ECHO.finditer(statement.text):
        label = statement.label(match.start(1))
        if label is not None and label[1] == match.end(1) and label[0] == len(listed):
            end = text.find("\n", match.start(1))
            listed.append((match.start(), len(text) if end < 0 else end))
    if len(listed) < 2:
        return text
    for start, end in reversed(listed):
        text = text[:start] + text[end:]
    return text


def _decided(statement: Statement) -> int | None:
    """The option that the statements agree on, or that the last of them puts in the place of the others."""
    strong, weak = _announced(statement), _stated(statement)
    claims = sorted([*strong, *weak])
    if not claims:
        found = _contrasted(statement)
        if found is None:
            found = _opposed(statement)
        return _concluded(statement) if found is None else found
    last, index = (strong or weak)[-1]
    others = [place for place, other in claims if other != index]
    if index == AMBIGUOUS or _withdrawn(statement, last) or (others and others[-1] > last):
        return None
    return index if not others or _revised(statement, others[-1], last) else None


def _announced(statement: Statement) -> list[tuple[int, int]]:
    """Where in the text, and what, words such as "answer" and "correct" announce."""
    found: dict[int, int] = {}
    read = 0
    for word in statement.marks(_ANNOUNCING)[-_MOST:]:
        if word.start < read:
            continue  # "the correct answer is B" was read from its first word on
        languages = frozenset().union(*(word.meanings.get(kind, frozenset()) for kind in _ANNOUNCING))
        if _denied(statement, word, languages):
            continue
        said = statement.span(word.end, languages, told=True)
        if said is None:
            start = _last(_CLAUSE, statement.text, word.start)
            said = statement.span(start, languages)
            if said is not None and said[1] >= word.start:
                said = None
        if said is not None:
            found[said[1]] = said[0]
            read = max(read, said[1])
    return sorted(found.items())


def _contrasted(statement: Statement) -> int | None:
    """The option that a sentence puts in the place of others: "not the cat but the dog"."""
    for word in statement.marks(("but",))[-4:]:
        languages = word.meanings["but"]
        start = _last(_SENTENCE, statement.text, word.start)
        if not statement.says(("not",), start, word.end, languages) or statement.says(
            ("only", "maybe"), start, word.start, languages | {"en"}
        ):
            continue
        denied = statement.named(start, word.start)
        said = statement.span(word.end, languages, told=True)
        if denied and said is not None and said[0] not in denied and said[0] != AMBIGUOUS:
            return said[0] if len(statement.named(said[1], len(statement.flat)) - denied) == 1 else None
    return None


def _opposed(statement: Statement) -> int | None:
    """The one option that stands while all others that are named are denied ("It seems a dog, not a cat").

    The denial opens the last clause of the only sentence, or fills all sentences before the last, which the option
    ends.
    """
    text = statement.text.rstrip()
    if (
        len(text) > 300
        or "?" in statement.flat
        or statement.says(("or", "maybe", "only", "revise"), 0, len(text), _ENGLISH)
    ):
        return None
    ends = [match.end() for match in _ENDED.finditer(text)]
    if ends:
        start = ends[-1]
        tail, denied = statement.mentions(start, len(text)), statement.named(0, start)
        closing = statement.low.rstrip(" .!\n\"'*_`”»)。").endswith(
            tuple(statement.options.folded[one] for one in tail if one >= 0)
        )
        every = all(
            statement.says(("not",), begin, end) or not statement.named(begin, end)
            for begin, end in zip([0, *ends], ends, strict=False)
        )
        if not closing or not every or statement.says(("not",), start, len(text)) or len(text[start:].split()) > 4:
            return None
    else:
        turn = next((word for word in statement.marks(("not",))[-1:] if _PAUSED.search(text, 0, word.start)), None)
        if turn is not None and _PAUSE.search(text, turn.end, len(text) - 1):
            return None
        if turn is None or "fill" in turn.meanings or statement.says(("not", "maybe"), 0, turn.start):
            return None
        tail, denied = statement.named(0, turn.start), statement.named(turn.end, len(text))
    return tail.pop() if len(tail) == 1 and denied and not tail & denied else None


def _stated(statement: Statement) -> list[tuple[int, int]]:
    """What the first and the last line name, where they name an option without more ado."""
    found: dict[int, int] = {}
    text = statement.flat
    first = len(statement.low) - len(statement.low.lstrip())
    last = text.rstrip().rfind("\n") + 1
    for start in (first, last):
        if start >= len(text) or (start == last and start <= first and found):
            continue
        said = statement.span(start)
        if said is None and start == last:
            prefix = _PREFIXED.match(statement.text, start)
            denied = prefix is None or statement.says(("not", "or", "maybe"), start, prefix.end())
            if prefix is not None and len(prefix[1].split()) <= 4 and not denied:
                said = statement.span(prefix.end(), ends=True)
        if said is not None:
            found[said[1]] = said[0]
    for said in filter(None, (_closing(statement), _therefore(statement))):
        found.setdefault(said[1], said[0])
    return sorted(found.items())


def _closing(statement: Statement) -> tuple[int, int] | None:
    """What the last sentence names, where it is nothing but a statement: "... Letter B."."""
    ends = [0, *(match.end() for match in _ENDED.finditer(statement.text.rstrip()))]
    start = ends[-1]
    if len(ends) > 1 and statement.says(("not", "maybe"), ends[-2], start) and not statement.named(ends[-2], start):
        return None  # "I cannot tell. C."
    said = statement.span(start, ends=True) if start else None
    return None if said is None or _broken(statement, said[1]) else said


def _therefore(statement: Statement) -> tuple[int, int] | None:
    """What stands after the last word that concludes, up to the end: "..., so C."."""
    text = statement.text
    for word in statement.marks(("so",))[-3:]:
        languages = word.meanings["so"]
        said = statement.span(word.end, languages, told=True, ends=True)
        if (
            said is None
            or _broken(statement, said[1])
            or _LIKEWISE.match(statement.low, word.start)
            or _SENTENCE.search(text, word.end, said[1])
        ):
            continue
        start = _last(_SENTENCE, text, word.start)
        if "\n" not in text[said[1] :].strip() and not statement.says(
            ("maybe",), start, word.start, languages | {"en"}
        ):
            return said
    return None


def _broken(statement: Statement, place: int) -> bool:
    """Whether a text ends on a letter with no sign after it: "So A" may go on."""
    return not statement.low[place + 1 : place + 41].strip(DECORATION) and statement.low[place - 1 : place].isspace()


def _denied(statement: Statement, word: Word, languages: frozenset[str]) -> bool:
    """Whether the sentence up to the announcing word denies or hedges: "I do not think that the answer is B"."""
    start = _last(_SENTENCE, statement.text, word.start)
    wanted = languages | {"en"}
    for turn in statement.marks(("so", "revise"), start, word.start):
        if turn.means("so", wanted) or turn.means("revise", wanted):
            start = turn.end
    for turn in statement.marks(("not",), start, word.start):
        if _DENIED.match(statement.low, turn.end) and _names(statement, start, turn.start):
            start = turn.end  # "A it is not, the answer is B"
    return statement.says(("not", "maybe"), start, word.start, wanted)


def _names(statement: Statement, start: int, end: int) -> bool:
    """Whether a label or an option's text stands between two places."""
    return any(
        statement.label(one.start()) or statement.option(one.start())
        for one in _WORD.finditer(statement.low, start, end)
    )


def _revised(statement: Statement, start: int, end: int) -> bool:
    """Whether words between say that what came before is taken back, or that what follows is final."""
    if statement.says(("revise", "final", "check"), start, end):
        return True
    return any(statement.cues.any(flat(match[1]), ("not",)) for match in _EXCLAIMED.finditer(statement.low, start, end))


def _withdrawn(statement: Statement, start: int) -> bool:
    """Whether what is said from there on takes something back, with nothing in its place."""
    return statement.says(("revise",), start, len(statement.flat))


def _last(pattern: re.Pattern[str], text: str, end: int) -> int:
    """Where the sentence or clause begins that holds a place; at most 400 characters before it."""
    start = max(0, end - 400)
    for match in pattern.finditer(text, start, end):
        start = match.end()
    return start


def _concluded(statement: Statement) -> int | None:
    """The one option that an English sentence ends on: "The text is about sports." Nothing if anything is denied."""
    line = statement.low.rstrip(" .!\n\"'*_`”»)")
    if len(line) > 400 or "?" in statement.flat or statement.says(("not", "maybe"), 0, len(line), frozenset({"en"})):
        return None
    mentioned = statement.mentions(0, len(line))
    if len(mentioned) != 1:
        return None
    index = mentioned.pop()
    option = statement.options.folded[index]
    if index < 0 or not line.endswith(option):
        return None
    before = line.removesuffix(option)
    start = _last(_CLAUSE, line, len(line))
    said = _SAID.search(before) is not None or (len(option.split()) >= 3 and len(option) >= 10)
    said = said or (len(before) - start > _VERB and statement.span(start, None, ends=True) is not None)
    return index if said and not statement.says(("but",), 0, len(line), _ENGLISH) else None


def labels(text: str, options: Sequence[str]) -> tuple[int, ...] | None:
    """Every option that the text lists, in its order and each once; None where anything else stands in the list.

    A list is labels or texts of options, one a line or with commas, semicolons or "and" between them.
    """
    ready = prepared(tuple(options))
    cleaned = clean(text)
    if not cleaned:
        return None
    cleaned = before_question(cleaned)
    found = _listed(cleaned, ready)
    if found is None and (not cleaned.isascii() or ready.respelled) and (written := spelled(cleaned, ready)) != cleaned:
        found = _listed(written, ready)
    return found


def _listed(text: str, ready: Options) -> tuple[int, ...] | None:
    statement = Statement(together(text, ready), ready)
    found = verdicts(statement)
    if found is not None:
        return found or None
    for word in reversed(statement.marks(("answer", "correct"))[-_MOST:]):
        languages = frozenset().union(*(word.meanings.get(kind, frozenset()) for kind in ("answer", "correct")))
        if _denied(statement, word, languages):
            return None
        found = listed(statement, word.end, languages)
        if found is not None:
            return found
    return listed(statement, 0, None) or introduced(statement)
