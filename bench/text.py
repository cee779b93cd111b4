"""Line breaks, which decide what a line is for every program that reads one; letters for options; names for files."""

from __future__ import annotations

import re
import string

LETTERS = string.ascii_uppercase

_BREAKS = re.compile(r"[\r\n]+")


def one_line(text: str) -> str:
    """The text with each run of line breaks (CR, LF) turned into a space, and none at the ends."""
    return _BREAKS.sub(" ", text.strip("\r\n"))


def slug(name: str) -> str:
    """A name as part of a file name or an address: its ASCII letters and digits, at most 80."""
    return re.sub(r"[^\w]+", "-", name, flags=re.ASCII).strip("-").lower()[:80] or "model"
