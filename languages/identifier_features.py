"""What the language identifier looks at in a text: its letters, their scripts, and hashes of n-grams and words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Classes of characters. The scripts follow, in the order in which the model lists them.
BOUNDARY, ANY_SCRIPT, UNKNOWN_SCRIPT, FIRST_SCRIPT, DROPPED = 0, 1, 2, 3, 255
ORDERS = 4
"""The longest n-gram, in characters. Words of as many letters or more are features too."""
COLUMNS = ORDERS + 1
"""Features that may start at one character."""
APOSTROPHES = "'’‘`´ʻʼʹ"
"""Written for one another, and letters in many languages: one character to the identifier."""

_SPACE = np.uint32(32)
_PRIME = np.uint32(0x9E3779B1)
_INVERSE = np.uint32(pow(0x9E3779B1, -1, 1 << 32))
_LINKS = re.compile(r"(?:https?://|www\.)[^\s]+|[\w.+-]{1,64}@[^\s]+")
_LATER_APOSTROPHES = np.array([ord(char) for char in APOSTROPHES[1:]], np.uint32)

Codes = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]
Classes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of a batch of texts."""

    codes: Codes
    """Code points of all texts, lower case, NFC, with one line feed before, between and after the texts."""
    classes: Classes
    """The class of each code point."""
    starts: Numbers
    """Where the line feed before each text stands in `codes`, then the last one; shape (texts + 1,)."""
    counts: Numbers
    """How many characters of each class a text has; shape (texts, classes)."""


def read_letters(texts: Sequence[str], classes: Classes, width: int) -> Letters:
    """The letters of each text, without links, mail addresses and invisible characters.

    `classes` gives the class of every code point (`DROPPED` for invisible ones), `width` the number of other classes.
    """
    joined = "\n".join(["", *[text.replace("\n", " ") for text in texts], ""]).lower()
    joined = without_links(joined)
    if not joined.isascii():
        joined = unicodedata.normalize("NFC", joined)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = classes[codes]
    if (dropped := kinds == DROPPED).any():
        codes, kinds = codes[~dropped], kinds[~dropped]
    starts = np.flatnonzero(codes == 10)
    owner = np.repeat(np.arange(len(texts)) * width, np.diff(starts))
    counts = np.bincount(owner + kinds[: len(owner)], minlength=len(texts) * width).reshape(len(texts), width)
    return Letters(codes, kinds, starts, counts)


def without_links(text: str) -> str:
    """The text with a space for each web or mail address."""
    return _LINKS.sub(" ", text) if "://" in text or "www." in text or "@" in text else text


def hash_features(found: Letters, script_classes: npt.NDArray[np.bool_]) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Hashes of the features that start at each character, and which of them there are; both (characters, COLUMNS).

    `script_classes` (texts, classes) says which classes are letters in each text; all else parts words. Features are
    the n-grams of 1 to ORDERS characters that have no space inside (one may stand at either end), then whole words.
    """
    kinds = found.classes
    if (script_classes == script_classes[0]).all():
        kept = script_classes[0][kinds]
    else:
        texts, width = script_classes.shape
        lengths = np.diff(found.starts)
        lengths[-1] += 1  # the line feed after the last text
        kept = script_classes.ravel()[np.repeat(np.arange(texts) * width, lengths) + kinds]
    codes = np.where(kept, found.codes, _SPACE)
    any_script = np.flatnonzero(kinds == ANY_SCRIPT)
    codes[any_script[np.isin(codes[any_script], _LATER_APOSTROPHES)]] = ord("'")
    return _n_grams(codes)


def _n_grams(codes: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    size = len(codes)
    space = codes == _SPACE
    hashes = np.zeros((size, COLUMNS), np.uint32)
    valid = np.zeros((size, COLUMNS), np.bool_)
    rolled = codes * _PRIME
    hashes[:, 0], valid[:, 0] = rolled, ~space
    inside = ~(space[:-1] & space[1:])
    for order in range(2, min(ORDERS, size) + 1):
        rolled = (rolled[:-1] ^ (rolled[:-1] >> np.uint32(15))) * _PRIME + codes[order - 1 :]
        if order > 2:
            inside = inside[:-1] & ~space[order - 2 : size - 1]
        hashes[: size - order + 1, order - 1] = (rolled ^ (rolled >> np.uint32(13))) * _PRIME + np.uint32(order)
        valid[: size - order + 1, order - 1] = inside
    begins, ends = _words(space)
    # A word's hash is a difference of running sums of code * prime^position, moved back to position 0.
    powers = np.cumprod(np.full(size, _PRIME, np.uint32), dtype=np.uint32)
    sums = np.concatenate([np.zeros(1, np.uint32), np.cumsum(codes * powers, dtype=np.uint32)])
    back = np.cumprod(np.full(size, _INVERSE, np.uint32), dtype=np.uint32)
    word = (sums[ends] - sums[begins]) * back[begins]
    hashes[begins, ORDERS] = (word ^ (word >> np.uint32(15))) * _PRIME
    valid[begins, ORDERS] = True
    return hashes, valid


def _words(space: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Where words of at least ORDERS characters begin and end."""
    edges = np.flatnonzero(space[:-1] != space[1:]) + 1  # a text begins and ends with a space
    begins, ends = edges[::2], edges[1::2]
    long = ends - begins >= ORDERS
    return begins[long], ends[long]
