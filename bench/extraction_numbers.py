"""The final number of an answer to an arithmetic question, in any decimal digits and any country's punctuation.

What could be two numbers is none: "1.234" is a thousand in German and a little over one in English, and is read only
where the words or the other numbers around it tell which.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import Literal

from bench.extraction_cues import JOINED, Languages, cues, flat, lower
from bench.extraction_numerals import in_digits
from bench.extraction_options import ascii_digits
from bench.extraction_shapes import before_question, restated
from bench.extraction_text import clean

_GROUP = ",.'’٬،_ \u00a0\u2009\u202f"
_SPACES = "\u00a0\u2009\u202f"
_NUMBER = re.compile(rf"(?:(?<![^\s(:=$])\.)?\d(?:[\d]|[{re.escape(_GROUP)}٫·](?=\d))*")
_PLAIN = re.compile(r"[-−+]?\d+(?:\.\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<sign>[^\d])\d{3})(?:(?P=sign)\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")
_MINUS = frozenset("-−–")
_UNITS = re.compile(
    r"(?:kg|g|mg|km|m|cm|mm|l|ml|dl|h|hr|hrs|min|mins|s|sec|usd|eur|gbp|kn|kr|zł|zl|ft|lbs?|oz|mph|kmh|pcs|%"
    r"|лв|руб|р|шт|кг|км|м|г|л|см|ч)(?![^\W\d_])"
)
_OTHER = re.compile(
    r"\d{1,4}\s?[/:]\s?\d{1,4}|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}\.\d{1,2}\.\d{4}|\d\s?[-–—~]\s?\d|\d\s?(?:to|or)\s\d|\d\s*\^|\d[eE][+-]?\d"
)
_LIST = re.compile(r"^[ \t>*_-]*(?:\(?\d{1,2}[.)](?:\s+(?=\S)|(?<=\n\d[.)])[ \t]*$)|[*•–-]\s+)", re.MULTILINE)
_STEP = re.compile(
    r"(?:step|stap|stapp?e|schritt|paso|passo|étape|etape|krok|шаг|крок|steg|trin|lépés|adım|hatua|langkah|bước|चरण|ধাপ|الخطوة|خطوة"
    r"|مرحله|步骤|步驟|第|단계|ขั้นตอนที่|ขั้นที่|ステップ|שלב|question|problem|example|day|page|chapter|\bno\.|\bnr\.|№|#)\s*\d+",
    re.IGNORECASE,
)
_DAYS = re.compile(r"\d\s*(?:年|月|日|년|월|일)\s*\d")
_BOLD = re.compile(r"(?:\*\*|__)([^*_\n]{1,40}?)(?:\*\*|__)")
_SENTENCES = re.compile(r"(?<=[!?。！？।۔॥።])\s*|(?<=\.)\s+|\n+")
_STOP = re.compile(r"[\n!?。！？।۔॥።]|\.(?=\s|$)")
_SIGNS = re.compile(r"[^\w\n?]*\n*[^\w\n?]*")
_CURRENCY = "$€£¥₹₦₵₺₽₩₫₱฿៛₭₴₸₮₪﷼৳₨"
_UNKNOWNS = re.compile(r"=[^=]*[,;]\s*[a-z]\s*=", re.IGNORECASE)  # "x = 5, y = 6"
_BARE = re.compile(r"[^\w\n]*\d[^:：]*[^,:：]$")
_BEFORE = re.compile(r"(?<![^\W\d_])(?:rs|us|usd|eur|ksh|tsh|n|r|rm|rp|s|x)\.?$", re.IGNORECASE)
_LETTER_LAST = re.compile(rf"(?:(?![{JOINED}])[^\W\d])$")
_LETTER_FIRST = re.compile("[a-zA-Zа-яА-Я]")
_ENDS = re.compile(r"\d[ ]*$")
_STARTS = re.compile(r"[ ]*\d")
_REMARK = re.compile(r"(?<=\S)[ *_]*\([^()\n]{1,30}\)")
_SHORT = 120  # characters of an answer that is taken as a whole


def canonical_number(text: str) -> str | None:
    """One number alone, such as a reference's "1,000" or "18.0", as "1000" and "18"; None for anything else."""
    bare = ascii_digits(text).strip()
    sign = "-" if bare[:1] in _MINUS else ""
    bare = bare.lstrip("-−–+").strip()
    if not _NUMBER.fullmatch(bare):
        return None
    return _value(sign, bare, decimal=".")


def number(text: str) -> str | None:
    """The final number that the text states, as `canonical_number` writes one; None where it states none, or several.

    It is the number after (or before) the last words that announce an answer, in a box or a tag; else the result of the
    last line's equation, its bold number, or its only number, if the text is short or the line concludes.
    """
    cleaned = clean(text)
    if not cleaned:
        return None
    head = before_question(cleaned)
    found = _Reader(in_digits(head).replace("\\", " ")).final()
    if found is not None or head == cleaned or not restated(cleaned, head):
        return found
    return _Reader(in_digits(cleaned).replace("\\", " ")).final()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = _LIST.sub("", ascii_digits(text)) if "\n" in text or _LIST.match(text) else ascii_digits(text)
        self.low = lower(self.text)
        self.flat = flat(self.low)

    def final(self) -> str | None:
        announced = self._announced()
        if announced is not False:
            return announced
        lines = [line for line in self.text.split("\n") if re.search(r"\d", line)]
        if not lines:
            return None
        whole = self.text.strip()
        if whole.split("\n")[-1].strip() != lines[-1].strip() and len(whole) > _SHORT:
            return None
        return self._last(whole, lines)

    def _last(self, whole: str, lines: list[str]) -> str | None:
        """The number of the last line that has any, where that line concludes or is all there is."""
        line = lines[-1].strip()
        sentences = [part for part in _SENTENCES.split(line) if re.search(r"\d", part)]
        last = sentences[-1] if sentences else line
        bold = _BOLD.findall(line)
        if len(bold) == 1 and (found := self._only(bold[0])) and not self._doubtful(line):
            return found
        if self._doubtful(last) or _STEP.search(line) or _UNKNOWNS.search(last):
            return None
        if "=" in last and self._goes_on(last):
            return None
        if "=" in last and (found := self._only(last.rsplit("=", 1)[1])):
            return found
        found = self._only(last) or self._concluded(last)
        short = len(whole) <= _SHORT and len(lines) == 1 and len(sentences) == 1
        alone = len(lines) > 1 and _NUMBER.fullmatch(lines[-2].strip())
        bare = not alone and line == last and _BARE.match(last) and len(last.split()) <= 4
        repeated = found is not None and found == self._result(line.removesuffix(last))
        return found if short or bare or repeated or self._concludes(last) else None

    def _goes_on(self, part: str) -> bool:
        """Whether an equation's result is reckoned with further: "= 36, then we take away"."""
        rest = part.rsplit("=", 1)[1]
        if rest.rstrip().endswith(tuple("+-−×*÷/=")):
            return True
        return cues().any(flat(lower(rest)), ("then",), None if not rest.isascii() else self._languages() | {"en"})

    def _result(self, part: str) -> str | None:
        """The result of the last equation in a part of the text."""
        after = part.rpartition("=")[2] if "=" in part else ""
        return self._only(after) if after else None

    def _announced(self) -> str | Literal[False] | None:
        """The number of the last statement that announces one; False where none does."""
        values: list[tuple[int, str | None]] = []
        for word in list(cues().find(self.flat, ("answer",)))[-24:]:
            languages = word.meanings.get("answer", frozenset())
            start, end = self._sentence(word.start, word.end)
            after, before = _REMARK.sub(_unless_alone, self.text[word.end : end]), self.text[start : word.start]
            if not re.search(r"\d", after + before):
                continue
            if "?" in self.flat[start : end + 1] or cues().any(
                self.flat[start:end], ("not", "maybe"), languages | {"en"}
            ):
                values.append((word.start, None))
                continue
            if re.search(r"\d", after):
                value = self._first(after)
                values.append((word.start, value))
            elif (value := self._only(before)) is not None:
                values.append((word.start, value))
        if not values:
            return False
        place, value = values[-1]
        if any(one is not None and one != value for _, one in values[:-1]):
            final = max(0, place - 40)  # "the final answer": the word stands before
            if not cues().any(self.flat[values[-2][0] : place], ("revise", "check")) and not cues().any(
                self.flat[max(final, values[-2][0]) : place + 40], ("final",)
            ):
                return None
        rest = self.flat[place:]
        if cues().any(rest, ("revise",)) or (
            cues().any(rest, ("maybe",), frozenset({"en"})) and len(_NUMBER.findall(rest)) > 1
        ):
            return None
        return value

    def _sentence(self, start: int, end: int) -> tuple[int, int]:
        """The sentence around an announcing word. A line break right after the word does not end it."""
        head = max(0, start - 200)
        for match in _STOP.finditer(self.text, head, start):
            head = match.end()
        rest = _SIGNS.match(self.text, end)
        stop = _STOP.search(self.text, rest.end() if rest else end)
        return head, stop.start() if stop else len(self.text)

    def _first(self, part: str) -> str | None:
        """The number of what follows an announcing word: its only one, its equation's result or the bold one."""
        if (found := self._only(part)) is not None:
            return found
        if "=" in part:
            return self._only(part.rsplit("=", 1)[1])
        bold = _BOLD.findall(part)
        if len(bold) == 1:
            return self._only(bold[0])
        if re.search(r"[+×*÷]|\d\s*[-/]\s*\d", part):
            return None
        because = next(iter(cues().find(flat(lower(part)), ("because",))), None)
        if because is not None:
            return self._only(part[: because.start])
        return None

    def _only(self, part: str) -> str | None:
        """The one number of a part of the text, unless it is a date, a range, a label, or multiplied by a word."""
        if self._doubtful(part):
            return None
        found = {value for match in _NUMBER.finditer(part) for value in [self._read(part, match)]}
        return found.pop() if len(found) == 1 else None

    def _doubtful(self, part: str) -> bool:
        low = flat(lower(part))
        if _OTHER.search(part) or _STEP.search(part) or _DAYS.search(part) or "?" in low:
            return True
        languages = self._languages()
        wanted = languages | {"en"} if languages else None
        for word in cues().find(low, ("times",)):
            if (word.means("times", wanted) or not word.phrase.isascii()) and (
                _ENDS.search(low[: word.start]) or _STARTS.match(low, word.end)
            ):
                return True
        return cues().any(low, ("not", "maybe"), wanted)

    def _concluded(self, part: str) -> str | None:
        """The only number after the last word that concludes: "so 18 are left"."""
        place = -1
        low = flat(lower(part))
        for word in cues().find(low, ("so",)):
            if re.search(r"\d", part[word.end :]):
                place = word.end
        return self._only(part[place:]) if place >= 0 else None

    def _concludes(self, part: str) -> bool:
        return cues().any(flat(lower(part)), ("so", "answer", "final"), self._languages() | {"en"})

    def _read(self, part: str, match: re.Match[str]) -> str | None:
        start, end = match.span()
        before, after = part[:start], part[end:]
        if _LETTER_LAST.search(before) and not _BEFORE.search(before):
            return None
        if before.endswith((".", ",", "٫")) or (_LETTER_FIRST.match(after) and not _UNITS.match(after.lower())):
            return None
        lead = before.rstrip(_CURRENCY)
        if re.search(r"\d\s*[-−–]$", lead):
            return None
        # "is -3" and "-3" are negative; "a-3", ")-3" and "word – 3" are not.
        sign = "-" if re.search(r"(?:^|[^\w)\s]|[\s(])[-−]$|(?:^|[=:(])\s*–$", lead) else ""
        return _value(sign, match[0], self._decimal)

    def _languages(self) -> Languages:
        """The languages of the announcing words in the text."""
        found: set[str] = set()
        for word in cues().find(self.flat, ("answer", "so")):
            for kind in ("answer", "so"):
                found |= word.meanings.get(kind, frozenset())
        return frozenset(found)

    @cached_property
    def _decimal(self) -> str | None:
        """The decimal sign that the text's other numbers, or else its language, use; None where they do not tell."""
        told = {sign for match in _NUMBER.finditer(self.text) if (sign := _sign(match[0]))}
        told = told or {sign for one in self._languages() if (sign := _locale_decimal(one))}
        return told.pop() if len(told) == 1 else None


def _unless_alone(match: re.Match[str]) -> str:
    """Nothing in the place of a remark in brackets that names a step."""
    return "" if _STEP.search(match[0]) else match[0]


def _sign(written: str) -> str | None:
    """The decimal sign that a number's own form betrays: "1.234,5" and "2,50" the comma, "3.75" the point."""
    dots, commas = written.count("."), written.count(",")
    if dots and commas:
        return "," if written.rfind(",") > written.rfind(".") else "."
    if dots > 1 or commas > 1:
        return "," if dots > 1 else "."
    for sign in ".,":
        whole, found, fraction = written.partition(sign)
        if found and (len(fraction) != 3 or len(whole) > 3):
            return sign
    return None


@lru_cache(maxsize=256)
def _locale_decimal(language: str) -> str | None:
    """The decimal sign of a language, where CLDR gives it one and no country of its differs."""
    if language in ("es", "en", "ar", "fr", "de", "pt"):
        return {"de": ",", "pt": ",", "fr": ","}.get(language)
    from tasks import cldr

    try:
        numbers = cldr.read(language).numbers
    except LookupError:
        return None
    return numbers.decimal if numbers is not None and numbers.decimal in ",." else None


def _value(sign: str, written: str, decimal: str | None) -> str | None:
    """A number's canonical form; None where its groups are not groups, or it could be two numbers."""
    written = ("0" + written if written.startswith(".") else written).replace("٫", "·")
    for space in _SPACES + "_":
        written = written.replace(space, " ")
    written = written.replace("’", "'").replace("٬", "'").replace("،", ",")
    whole, point, fraction = written.partition("·")
    if not point:
        parts = _parts(written, decimal)
        if parts is None:
            return None
        whole, point, fraction = parts
    if point and not fraction.isdigit():
        return None
    if not whole.isdigit():
        if not _GROUPED.fullmatch(whole):
            return None
        whole = "".join(filter(str.isdigit, whole))
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0") if point else ""
    result = f"{whole}.{fraction}" if fraction else whole
    return sign + result if result != "0" else result


def _parts(written: str, decimal: str | None) -> tuple[str, str, str] | None:
    """A number's whole part, decimal sign and fraction, by its points and commas; None where they can be either."""
    signs = [char for char in written if char in ".,"]
    if len(set(signs)) == 2:
        return written.rpartition(signs[-1]) if signs.count(signs[-1]) == 1 else None
    if len(signs) != 1:
        return written, "", ""
    head, only, tail = written.partition(signs[0])
    if len(tail) != 3 or len(head) > 3 or head.startswith("0") or not head.isdigit():
        return head, only, tail
    if decimal == only:  # where the comma is the decimal sign, many write English groups all the same
        return None if only == "," else (head, only, tail)
    return None if only == "." and decimal is None else (written, "", "")
