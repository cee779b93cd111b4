"""Every page of the site. A module's `register` puts its own under their addresses; a new one is a line here."""

from __future__ import annotations

from leaderboard import (
    board_pages,
    board_words,
    compare,
    compare_words,
    coverage,
    energy,
    fact_words,
    families,
    history_pages,
    home_page,
    language_list,
    language_page,
    maps,
    model_list,
    model_page,
    model_task,
    openapi,
    plot_words,
    plots,
    plots_heat,
    run_pages,
    task_pages,
    tokens,
    verticals,
    words_pages,
)
from leaderboard.desk import web
from leaderboard.site import Site

MODULES = (
    # These have no page, but filters that several templates call.
    *(board_words, compare_words, fact_words, plot_words),
    *(home_page, board_pages, task_pages, history_pages, words_pages),
    *(model_list, model_page, model_task, compare, run_pages),
    *(language_list, language_page, verticals, families, coverage, plots, plots_heat, maps, tokens, energy),
    *(web, openapi),
)


def register(site: Site) -> None:
    """Puts all pages under their addresses."""
    for module in MODULES:
        module.register(site)
