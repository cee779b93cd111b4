"""What a tokenizer promises to the premium: how many tokens each text has, and how many of them say little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Mask = NDArray[np.bool_]

NO_SUCH = "no_such_token"
UNSEEN = "tokens_unseen"


@dataclass(frozen=True, slots=True)
class Counts:
    """The tokens of some texts: `tokens` has shape (texts,).

    `unknown` of them all stand for what the vocabulary does not have; `fallback` are single bytes of a byte fallback,
    or, in a vocabulary of bytes, no whole number of characters. Where one is None, `reason` says why.
    """

    tokens: Tokens
    unknown: int | None = None
    fallback: int | None = None
    reason: str = NO_SUCH


class Tokenizer(Protocol):
    """Counts tokens of texts as they stand, without the tokens that begin or end every text.

    `name` is the specification as the user wrote it, `revision` the hash of its files ("none" for what has none),
    `vocabulary` the number of its tokens, None where it does not say.
    """

    name: str
    revision: str
    vocabulary: int | None

    def count(self, texts: Sequence[str]) -> Counts:
        """The tokens of each text. A model that is asked for them raises `bench.backend.ModelStopped`."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which tokens are unknown and which are fallbacks: masks of shape (vocabulary,), None where there are none."""

    unknown: Mask | None
    fallback: Mask | None

    def counts(self, encoded: Iterable[Sequence[int]]) -> Counts:
        """The counts of texts from their tokens' numbers."""
        rows = list(encoded)
        tokens = np.fromiter(map(len, rows), np.int64, len(rows))
        drawn = np.fromiter(chain.from_iterable(rows), np.int64, int(tokens.sum()))
        return Counts(tokens, _of(self.unknown, drawn), _of(self.fallback, drawn))


def mask(numbers: Iterable[int], size: int) -> Mask:
    """True at these numbers."""
    made = np.zeros(size, np.bool_)
    made[list(numbers)] = True
    return made


def is_part(token: bytes) -> bool:
    """Whether a token's bytes are no whole number of characters: they begin or end inside of one."""
    try:
        token.decode()
    except UnicodeDecodeError:
        return True
    return False


def _of(kind: Mask | None, drawn: Tokens) -> int | None:
    return None if kind is None else int(np.count_nonzero(kind[drawn]))
