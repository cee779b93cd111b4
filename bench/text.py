"""Line breaks, which decide what a line is for every program that reads one, and the letters that name options."""

from __future__ import annotations

import re
import string

LETTERS = string.ascii_uppercase

_BREAKS = re.compile(r"[\r\n]+")


def one_line(text: str) -> str:
    """The text with each run of line breaks (CR, LF) turned into a space, and none at the ends."""
    return _BREAKS.sub(" ", text.strip("\r\n"))
