"""Every page of the site and its address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flask import redirect, request
from werkzeug.wrappers import Response as BaseResponse

import languages
from leaderboard import assembly, energy, lookup, method, pages, tokens
from leaderboard.asking import Asked
from leaderboard.board import Board
from leaderboard.site import Site


def register(site: Site) -> None:
    """Puts all pages under their addresses."""
    site.page("/", "home.html", assembly.home, pages.Home, rows=lambda page: (*page.models, *page.floors))
    site.page("/board", "board.html", assembly.overview, pages.Overview, rows=_board_rows)
    site.page("/models/", "models.html", assembly.models, pages.ModelList, rows=lambda page: page.models + page.floors)
    site.page("/tasks/", "tasks.html", assembly.task_list, pages.TaskList, rows=lambda page: page.benchmarks)
    site.page("/method", "method.html", method.page, method.Method, rows=lambda page: page.metrics)
    _languages(site)
    _models(site)
    _tokens(site)


def _board_rows(page: pages.Overview) -> Iterator[object]:
    for section in page.sections:
        for row in (*section.models, *section.floors):
            for means in row.means:
                yield from means


def _languages(site: Site) -> None:
    site.page(
        "/languages/",
        "languages.html",
        assembly.language_list,
        pages.LanguageList,
        rows=lambda page: [row for group in page.groups for row in group.rows],
    )
    site.page(
        "/languages/<code>",
        "language.html",
        language_page,
        pages.LanguagePage,
        rows=lambda page: _lines((*page.benchmarks, *page.self_test)),
        variables=lambda _board: ({"code": one.code} for one in languages.all_languages()),
    )


def _lines(tables: Iterable[pages.CellTable]) -> Iterator[pages.Line]:
    for table in tables:
        yield from table.models
        yield from table.floors


def language_page(board: Board, code: str) -> pages.LanguagePage | BaseResponse:
    """One language, under its canonical code."""
    found = lookup.language(code)
    if found.code != code:
        _path, dot, suffix = request.path.rpartition(".")
        return redirect(f"{request.script_root}/languages/{found.code}{dot and '.' + suffix}", 301)
    return assembly.language(board, found)


def _slugs(board: Board) -> Iterator[Mapping[str, str]]:
    return ({"slug": one.slug} for one in board.model_names().values())


def _models(site: Site) -> None:
    site.page(
        "/models/<slug>",
        "model.html",
        lambda board, slug: assembly.model(board, lookup.model(board, slug)),
        pages.ModelPage,
        rows=lambda page: (*page.benchmarks, *page.self_test),
        variables=_slugs,
    )
    site.page(
        "/models/<slug>/<name>",
        "model_task.html",
        lambda board, slug, name: assembly.model_task(board, lookup.model(board, slug), lookup.task(board, name)),
        pages.ModelTaskPage,
        rows=lambda page: [line for table in page.tables for line in table.lines],
    )
    site.page(
        "/tasks/<name>",
        "task.html",
        lambda board, name: assembly.task(board, lookup.task(board, name)),
        pages.TaskPage,
        rows=lambda page: [pair for version in page.versions for pair in version.rows],
        variables=lambda board: ({"name": one} for one in dict.fromkeys(task.name for task in board.tasks())),
    )


def _tokens(site: Site) -> None:
    def sought(asked: Asked) -> str:
        return asked.one("language")[:80]

    site.page("/tokens", "tokens.html", tokens.tokenizer_list, pages.TokenizerList, rows=lambda page: page.tokenizers)
    site.page(
        "/tokens/<slug>",
        "tokenizer.html",
        lambda board, slug: tokens.tokenizer(board, lookup.tokenizer(board, slug)),
        pages.TokenizerPage,
        rows=lambda page: page.rows,
        variables=lambda board: ({"slug": one.slug} for one in board.tokenizers().values()),
    )
    site.page(
        "/energy",
        "energy.html",
        lambda board, asked: energy.page(board, sought(asked)),
        pages.EnergyPage,
        rows=lambda page: [row for table in page.energy.tables for row in table.rows],
        parameters=("language",),
    )
    site.page(
        "/costs",
        "costs.html",
        lambda board, asked: tokens.costs(board, sought(asked)),
        pages.Costs,
        rows=lambda page: [row for table in page.tables for row in table.rows],
        parameters=("language",),
    )
