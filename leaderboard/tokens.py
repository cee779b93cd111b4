"""A snapshot -> the pages on tokenizers: the premium of every language, and what a sentence costs in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.premium.plot import ordered
from bench.premium.records import Premium
from leaderboard import lookup, premium_queries
from leaderboard.asking import Asked
from leaderboard.board import Board, ModelName
from leaderboard.naming import by_name, looked_for, named
from leaderboard.pages import (
    CostColumn,
    CostRow,
    Costs,
    CostTable,
    FlawedText,
    PremiumRow,
    Priced,
    TokenizerList,
    TokenizerPage,
)
from leaderboard.records import Tokenizer
from leaderboard.site import Site

TOKENIZERS_BESIDE = 8
"""So many tokenizers stand beside each other; a wider table nobody could read."""


def tokenizer_list(board: Board) -> TokenizerList:
    """The list of tokenizers."""
    return TokenizerList(board.name, tuple(premium_queries.tokenizers(board).values()))


def tokenizer(board: Board, found: Tokenizer) -> TokenizerPage:
    """One tokenizer."""
    premiums = premium_queries.of_tokenizer(board, found)
    rows = tuple(PremiumRow(named(one.language), one) for one in ordered(premiums.languages))
    return TokenizerPage(board.name, found, rows, premiums, flawed(premiums.languages))


def flawed(found: Iterable[Premium]) -> tuple[FlawedText, ...]:
    """What is wrong with the texts of these premiums, flaw by flaw."""
    places: dict[str, set[str]] = {}
    for one in found:
        if one.premium is not None and "text" in one.reasons:
            places.setdefault(one.reasons["text"], set()).add(one.language)
    return tuple(
        FlawedText(why, tuple(sorted(map(named, codes), key=by_name))) for why, codes in sorted(places.items())
    )


def costs(board: Board, language: str = "") -> Costs:
    """What a sentence costs, corpus by corpus: only sentences that say the same may stand beside each other."""
    known = premium_queries.tokenizers(board)
    found: dict[tuple[str, str], dict[int, dict[tuple[str, str], Premium]]] = {}
    for number, premium in premium_queries.of_board(board):
        corpus = known[number].corpus, known[number].corpus_revision
        found.setdefault(corpus, {}).setdefault(number, {})[premium.language, premium.variety] = premium
    priced = _priced(board)
    return Costs(
        board.name,
        language,
        tuple(_table(corpus, columns, known, priced, language) for corpus, columns in sorted(found.items())),
    )


def _table(
    corpus: tuple[str, str],
    found: Mapping[int, Mapping[tuple[str, str], Premium]],
    known: Mapping[int, Tokenizer],
    priced: Mapping[tuple[str, str, str], Sequence[Priced]],
    language: str,
) -> CostTable:
    shown = list(found)[:TOKENIZERS_BESIDE]
    places = {place for number in shown for place in found[number]}
    rows = [
        CostRow(named(code), variety, tuple(found[number].get((code, variety)) for number in shown))
        for code, variety in places
        if looked_for(named(code), language)
    ]
    rows.sort(key=lambda row: (*by_name(row.language), row.variety))
    columns = [
        CostColumn(one, tuple(priced.get((one.name, one.revision, one.corpus), ())))
        for one in (known[number] for number in shown)
    ]
    said = [one for row in rows for one in row.premiums if one is not None]
    counted = max(known[number].languages for number in shown)
    return CostTable(*corpus, counted, tuple(columns), len(found) - len(shown), tuple(rows), flawed(said))


def _priced(board: Board) -> dict[tuple[str, str, str], list[Priced]]:
    """The models with a price by the tokenizers that their runs name."""
    made: dict[tuple[str, str, str], list[Priced]] = {}
    shown = premium_queries.stand_ins(board)
    for model in board.models():
        prices = {
            shown.get(key, key): run.price for run in model.runs for key in run.tokenizers if run.price is not None
        }
        for key, price in prices.items():
            made.setdefault(key, []).append(Priced(ModelName.of(model), price))
    return made


def register(site: Site) -> None:
    """Puts the pages under their addresses."""
    site.page("/tokens", "tokens.html", tokenizer_list, TokenizerList, rows=lambda page: page.tokenizers, row=Tokenizer)
    site.page(
        "/tokens/<slug>",
        "tokenizer.html",
        lambda board, asked, slug: tokenizer(board, lookup.tokenizer(board, slug)),
        TokenizerPage,
        rows=lambda page: page.rows,
        row=PremiumRow,
        parameters=("page",),
        variables=lambda board: ({"slug": one.slug} for one in premium_queries.tokenizers(board).values()),
    )
    site.page(
        "/costs",
        "costs.html",
        lambda board, asked: costs(board, _sought(asked)),
        Costs,
        rows=lambda page: [row for table in page.tables for row in table.rows],
        row=CostRow,
        parameters=("language",),
    )


def _sought(asked: Asked) -> str:
    return asked.one("language")[:80]
