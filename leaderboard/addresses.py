"""Every page of the site and its address."""

from __future__ import annotations

from leaderboard import (
    board_pages,
    board_words,
    compare,
    coverage,
    energy,
    families,
    history_pages,
    home_page,
    language_list,
    language_page,
    lookup,
    maps,
    model_pages,
    openapi,
    pages,
    plot_words,
    plots,
    plots_heat,
    run_pages,
    task_pages,
    tokens,
    verticals,
    words_pages,
)
from leaderboard.asking import Asked
from leaderboard.desk import web
from leaderboard.site import Site


def register(site: Site) -> None:
    """Puts all pages under their addresses."""
    for module in (board_words, home_page, board_pages, task_pages, history_pages, words_pages):
        module.register(site)
    model_pages.register(site)
    compare.register(site)
    run_pages.register(site)
    language_list.register(site)
    language_page.register(site)
    verticals.register(site)
    families.register(site)
    coverage.register(site)
    for module in (plot_words, plots, plots_heat, maps):
        module.register(site)
    _tokens(site)
    web.register(site)
    openapi.register(site)


def _tokens(site: Site) -> None:
    def sought(asked: Asked) -> str:
        return asked.one("language")[:80]

    site.page("/tokens", "tokens.html", tokens.tokenizer_list, pages.TokenizerList, rows=lambda page: page.tokenizers)
    site.page(
        "/tokens/<slug>",
        "tokenizer.html",
        lambda board, asked, slug: tokens.tokenizer(board, lookup.tokenizer(board, slug)),
        pages.TokenizerPage,
        rows=lambda page: page.rows,
        parameters=("page",),
        variables=lambda board: ({"slug": one.slug} for one in board.tokenizers().values()),
    )
    site.page(
        "/energy",
        "energy.html",
        energy.page,
        pages.EnergyPage,
        rows=lambda page: [row for table in page.energy.tables for row in table.rows],
        parameters=("language", "task"),
    )
    site.page(
        "/costs",
        "costs.html",
        lambda board, asked: tokens.costs(board, sought(asked)),
        pages.Costs,
        rows=lambda page: [row for table in page.tables for row in table.rows],
        parameters=("language",),
    )
