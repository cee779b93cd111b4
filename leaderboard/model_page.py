"""The page of one model: what is known of it, where it stands, its family, how it was run."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard import board_pages, energy, lineage, lookup, model_means, run_queries
from leaderboard.board import Board
from leaderboard.desk import queue
from leaderboard.desk.records import Sent
from leaderboard.grid import way_of_mean
from leaderboard.lineage import Lineage
from leaderboard.pages import Energy
from leaderboard.records import Badge, Coverage, Mean, Model, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import Standing


@dataclass(frozen=True, slots=True)
class TaskMean:
    """A model's mean in a task, and where it stands among the models asked in the same way.

    `badge` is the lowest of the `runs` that its results are from.
    """

    task: TaskFacts
    mean: Mean
    standing: Standing | None
    invalid: str
    badge: Badge
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model: what is known of it, where it stands, its family, and how it was run.

    `standings` are over all tasks of a kind. `not_run` are the board's tasks that it was not asked. `sent` says who
    sent its runs, as far as they came from submissions; None where the desk cannot be read.
    """

    snapshot: str
    model: Model
    coverage: Coverage
    standings: tuple[Standing, ...]
    benchmarks: tuple[TaskMean, ...]
    self_test: tuple[TaskMean, ...]
    not_run: tuple[TaskFacts, ...]
    lineage: Lineage
    energy: Energy
    sent: tuple[Sent, ...] | None


def page(board: Board, found: Model) -> ModelPage:
    """One model."""
    facts = board.task_facts()
    number = board.number(found.slug)
    sources = run_queries.of_model(board, found.slug)
    made = [
        TaskMean(
            task=facts[mean.task, mean.version],
            mean=mean,
            standing=standing,
            invalid=board.why_invalid(mean.task, mean.version),
            badge=sources[way_of_mean(mean)].badge,
            runs=sources[way_of_mean(mean)].runs,
        )
        for mean, standing in model_means.of_model(board, found.slug)
    ]
    run = {(mean.task.name, mean.task.version) for mean in made}
    return ModelPage(
        snapshot=board.name,
        model=found,
        coverage=board.coverage()[found.slug],
        standings=tuple(one for own in board_pages.over(board).values() for one in own if one.model == number),
        benchmarks=tuple(mean for mean in made if not mean.task.floor),
        self_test=tuple(mean for mean in made if mean.task.floor),
        not_run=tuple(task for name, task in facts.items() if name not in run),
        lineage=lineage.of_model(board, found),
        energy=energy.of_model(board, found.slug),
        sent=queue.sent(board.folder, [run.id for run in found.runs]),
    )


def register(site: Site) -> None:
    """Puts the page under its address."""
    site.page(
        "/models/<slug>",
        "model.html",
        lambda board, slug: page(board, lookup.model(board, slug)),
        ModelPage,
        rows=lambda page: (*page.benchmarks, *page.self_test),
        row=TaskMean,
        variables=lambda board: ({"slug": one.slug} for one in board.model_names().values()),
    )
