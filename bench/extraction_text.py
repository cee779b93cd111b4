"""What a model said, without how it got there: reasoning blocks, markup and invisible marks taken away."""

from __future__ import annotations

import re
import unicodedata

from bench.extraction_shapes import unwrapped
from bench.reasoning import CLOSED, OPENED

_TOKENS = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:end_of_turn|eos|pad|start_of_turn)>|\[/?INST\]", re.IGNORECASE)
_TAGGED = re.compile(r"<(final[ _]?answer|answer|solution|response|output|result)>", re.IGNORECASE)
_UNTAGGED = re.compile(r"</(?:final[ _]?answer|answer|solution|response|output|result)>", re.IGNORECASE)
_HTML = re.compile(r"</?(?:b|i|u|em|strong|p|br|span|div|sub|sup|li|ul|ol|code)\s*/?>", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_STYLED = re.compile(
    r"\\(?:text|textbf|textit|texttt|mathrm|mathbf|mathit|mathsf|mathbb|boldsymbol|bm|operatorname)\s*\{([^{}]*)\}"
)
_LATEX = re.compile(r"\\[()\[\]]|\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle)\b|\{,\}")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
_LISTED = re.compile(
    r"[(\[]\s*\w{1,2}(?:\s*(?:[,/|،、]|\b(?:or|and)\b)\s*(?:(?:or|and)\s+)?\w{1,2}){1,9}\s*[)\]](?=\s*[:：])"
)
_TABLE = re.compile(r"^[ \t]*\|?[ \t:|-]*-{3}[ \t:|-]*$\n?", re.MULTILINE)
_SQUARED = {first + place: 65 + place for first in (0x1F150, 0x1F170) for place in range(26)}  # white on black
_FIRST, _LAST = 3000, 6000  # characters that are looked at: an answer stands at one end of a text


def clean(text: str) -> str | None:
    """The text in NFKC, without reasoning, tags and LaTeX commands; None where it was cut off while still thinking.

    What a tag, a box or "####" marks as the answer gets "answer:" before it. Of a long text the middle is left out.
    """
    if "<" in text or "[" in text or "◁" in text or "assistantfinal" in text:
        told = _spoken(text)
        if told is None:
            return None
        text = told
    if len(text) > _FIRST + _LAST:
        text = text[:_FIRST] + "\n\n" + text[-_LAST:]
    if '"' in text and ("{" in text or "[" in text):
        text = unwrapped(text)
    text = _normal(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if "<" in text:
        text = _HTML.sub("", _UNTAGGED.sub("\n", _TAGGED.sub("\nanswer: ", text)))
    if "\\" in text:
        text = _unboxed(text)
    if "####" in text:
        text = re.sub(r"####+ *(?=[-$€£¥]*\d[^\n]*$)", "answer: ", text, flags=re.MULTILINE)
    if "`" in text or "~~~" in text:
        text = _FENCE.sub("", text)
    if "---" in text:
        text = _TABLE.sub("", text)
    if "(" in text or "[" in text:
        text = _LISTED.sub("", text)
    return text.strip()


def _normal(text: str) -> str:
    """NFKC without invisible marks."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text.translate(_SQUARED))
    return text if text.isprintable() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def without_reasoning(text: str) -> str:
    """The text as it was said, without reasoning blocks; nothing where it was cut off while still thinking."""
    return (_spoken(text) or "").strip() if any(mark in text for mark in "<[◁") or "assistantfinal" in text else text


def _spoken(text: str) -> str | None:
    """What follows the last end of reasoning; None where reasoning was begun and not ended."""
    for closed in list(CLOSED.finditer(text))[-1:]:
        text = text[closed.end() :]
    if OPENED.search(text):
        return None
    return _TOKENS.sub(" ", text)


def _unboxed(text: str) -> str:
    for _ in range(3):  # styles are seldom nested deeper
        text = _STYLED.sub(r"\1", text)
    parts, rest = [], 0
    for box in list(_BOXED.finditer(text))[-8:]:
        if box.start() < rest:
            continue
        depth, end = 1, box.end()
        while end < len(text) and depth and end - box.end() < 200:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        if depth == 0:
            parts += [text[rest : box.start()], " answer: ", text[box.end() : end - 1], "\n"]
            rest = end
    text = "".join([*parts, text[rest:]])
    return _LATEX.sub("", text).replace("\\%", "%").replace("\\$", "$")
