"""Thinking and answer told apart, in whichever marks a model family writes its thinking."""

from __future__ import annotations

import re

_NAMES = r"think(?:ing)?|thoughts?|reasoning|reflection|analysis|seed:think|scratchpad"
OPENED = re.compile(
    rf"<\|?({_NAMES})\|?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|channel\|>\s*(?:analysis|commentary)\b"
    r"|<unused94>thought",
    re.IGNORECASE,
)
CLOSED = re.compile(
    rf"</(?:{_NAMES})>|<\|/(?:{_NAMES})\|>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<unused95>"
    r"|<\|channel\|>\s*final\s*(?:<\|message\|>)?|\bassistantfinal",
    re.IGNORECASE,
)


def apart(text: str, *, begun: bool = False) -> tuple[str, str]:
    """(thinking, answer) of what a model wrote; the answer is empty where it was cut off while still thinking.

    `begun`: the prompt itself opened the thinking, as some chat templates do, so that the text has only its end.
    """
    if not begun and not any(mark in text for mark in "<[◁") and "assistantfinal" not in text:
        return "", text
    closed = list(CLOSED.finditer(text))[-1:]
    thought = text[: closed[0].start()] if closed else ""
    said = text[closed[0].end() :] if closed else text
    opened = OPENED.search(said)
    if opened or (begun and not closed):
        return text, ""  # thinks still, or again
    return (thought, said.lstrip("\n")) if closed else ("", said)
