"""What part of an address stands for: a model, a task, a language, a tokenizer.

Each function raises `Missing`, with what is near, where it stands for nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from flask_babel import gettext as _

from languages import Language
from leaderboard import naming, premium_queries
from leaderboard.board import Board
from leaderboard.problems import Link, Missing
from leaderboard.records import Model, TaskFacts, Tokenizer


def model(board: Board, slug: str) -> Model:
    """The model at `/models/<slug>`."""
    found = board.model(slug)
    if found is None:
        names = {one.slug: one.name for one in board.model_names().values()}
        raise Missing(_("No model on this board has that address."), _near(slug, names, "models"))
    return found


def task(board: Board, name: str) -> list[TaskFacts]:
    """Every version of the task at `/tasks/<name>`, the newest first."""
    found = board.task(name)
    if not found:
        titles = {each.name: each.title for each in board.tasks()}
        raise Missing(_("No task on this board has that name."), _near(name, titles, "tasks"))
    return found


def tokenizer(board: Board, slug: str) -> Tokenizer:
    """The tokenizer at `/tokens/<slug>`."""
    known = {one.slug: one for one in premium_queries.tokenizers(board).values()}
    if slug not in known:
        names = {slug: one.name for slug, one in known.items()}
        raise Missing(_("No tokenizer on this board has that address."), _near(slug, names, "tokens"))
    return known[slug]


def language(code: str) -> Language:
    """The language that a code or name stands for; its own code may be another."""
    found = naming.meant(code)
    if len(found) == 1:
        return found[0]
    near = [Link(f"/languages/{one.code}", naming.labelled(one)) for one in found or naming.near(code)]
    raise Missing(_("That name is ambiguous.") if found else _("No language has that name or code."), near)


def _near(sought: str, names: Mapping[str, str], folder: str) -> list[Link]:
    near = [one for one in names if one.startswith(f"{sought}-")]
    near = near or difflib.get_close_matches(sought[:80], names, cutoff=0.5)
    return [Link(f"/{folder}/{one}", names[one]) for one in near[:5]]
