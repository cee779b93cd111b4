"""Ranks of several runs, as `compare` prints them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bench.cli.tables import estimate, left_out, note, print_table
from bench.ranking import Rank, Standing

WHY = {"baseline": "floor", "self_test": "self-test", "alone": "alone"}
"""Why a model has no rank, where the reason code is not the plainest word for it."""


def print_ranks(standings: Sequence[Sequence[Standing]]) -> None:
    """A table for each task and way of asking, and a note on how to read them."""
    modes = {one.aggregate.mode for group in standings for one in group}
    columns = {"model": False, "macro mean": True, "rank": True, "tie": True, "first": True, "languages": True}
    for group in standings:
        first = group[0].aggregate
        mode = f", {first.mode}" if len(modes) > 1 else ""
        title = f"{'+'.join(first.tasks)} ({first.metric}{mode}): ranks; languages left out: {left_out(first.left_out)}"
        print_table(columns, [_row(one) for one in group], title)
        click.echo()
    note(
        "macro mean: normalised scores (0 is chance, 1 the best there is) over the languages in which every model"
        " counts. rank: all ranges hold together with 95 % confidence. tie: models that cannot be told from the"
        " group's first. first: share of resampling rounds in which the model is first. Floors have no rank."
    )


def _row(one: Standing) -> tuple[str, ...]:
    found = one.rank
    ranked = (_range(found), f"{found.group}", f"{found.first:.0%}") if found else (_why(one.reason), "-", "-")
    return (one.aggregate.model, estimate(one.aggregate, "macro"), *ranked, f"{len(one.aggregate.languages):,}")


def _range(found: Rank) -> str:
    return f"{found.best}" if found.best == found.worst else f"{found.best}-{found.worst}"


def _why(reason: str) -> str:
    return WHY.get(reason, reason.replace("_", " "))
