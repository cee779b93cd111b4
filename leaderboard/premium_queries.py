"""What a snapshot knows of tokenizers and of their premiums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.premium.records import Premium, Premiums
from leaderboard import premiums
from leaderboard.board import Board
from leaderboard.records import Tokenizer
from leaderboard.rows import premium_of, tokenizer_of

SHOWN = "tokenizer_id IN (SELECT id FROM tokenizers WHERE shown_as = '')"
"""The premiums that pages show: of several that are one tokenizer's, those of one."""


@dataclass(frozen=True, slots=True)
class PremiumRange:
    """The lowest and the highest premium of one language, and over how many tokenizers that is.

    `flawed` says that the text of some corpus in this language is.
    """

    lowest: float
    highest: float
    tokenizers: int
    flawed: bool


def tokenizers(board: Board) -> dict[int, Tokenizer]:
    """Every tokenizer that stands for itself by its number, in the order of their slugs."""
    rows = board.rows("SELECT * FROM tokenizers WHERE shown_as = '' ORDER BY slug")
    return {row["id"]: tokenizer_of(row) for row in rows}


def stand_ins(board: Board) -> dict[tuple[str, str, str], tuple[str, str, str]]:
    """Tokenizer, revision and corpus of what is not shown -> of what stands for it."""
    found = board.tuples(
        "SELECT own.name, own.revision, own.corpus, other.name, other.revision, other.corpus"
        " FROM tokenizers own JOIN tokenizers other ON own.shown_as = other.slug"
    )
    return {row[:3]: row[3:] for row in found}


def of_tokenizer(board: Board, tokenizer: Tokenizer) -> Premiums:
    """A tokenizer's premiums."""
    rows = board.rows(
        "SELECT * FROM premiums WHERE tokenizer_id = (SELECT id FROM tokenizers WHERE slug = ?) ORDER BY rowid",
        tokenizer.slug,
    )
    return premiums.of_tokenizer(tokenizer, map(premium_of, rows))


def of_board(board: Board) -> Iterator[tuple[int, Premium]]:
    """Every premium with its tokenizer's number."""
    rows = board.rows(f"SELECT * FROM premiums WHERE {SHOWN} ORDER BY tokenizer_id, language, variety")  # noqa: S608 - a constant
    for row in rows:
        yield row["tokenizer_id"], premium_of(row)


def of_language(board: Board, code: str) -> list[tuple[Tokenizer, Premium]]:
    """The premium of a language by every tokenizer that was counted in it."""
    known = tokenizers(board)
    rows = board.rows(
        f"SELECT * FROM premiums WHERE {SHOWN} AND language = ? ORDER BY tokenizer_id, variety",  # noqa: S608 - a constant
        code,
    )
    return [(known[row["tokenizer_id"]], premium_of(row)) for row in rows]


def ranges(board: Board) -> dict[str, PremiumRange]:
    """The lowest and highest premium of every language that has any."""
    found = board.tuples(
        "SELECT language, min(premium), max(premium), count(DISTINCT tokenizer_id),"  # noqa: S608 - a constant
        " max(json_extract(reasons, '$.text') IS NOT NULL) FROM premiums"
        f" WHERE {SHOWN} AND premium IS NOT NULL GROUP BY language"
    )
    return {
        language: PremiumRange(lowest, highest, number, bool(flawed))
        for language, lowest, highest, number, flawed in found
    }
