"""The beginning of a text that has so many tokens, by whoever counts them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable


def beginning(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The longest beginning found that has at most `tokens` tokens; the text itself where it has no more.

    Whole characters, so that it reads as it should: tokens cut out of the middle of a text may be parts of characters,
    and no text has just those. Where characters take several tokens, a few may be missing.
    """
    if count(text) <= tokens:
        return text
    # A longer beginning has as many tokens or more, but for the rare merge of its last ones.
    end = bisect_right(range(len(text)), tokens, key=lambda end: count(text[:end])) - 1
    return text[: max(0, end)]
