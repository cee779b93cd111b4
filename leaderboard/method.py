"""The page that says how the numbers are made."""

from __future__ import annotations

from dataclasses import dataclass

from bench.energy.reasons import MEANINGS
from bench.statistics import ROUNDS
from bench.summary import ERRORS_ALLOWED, TOO_FEW_ITEMS
from leaderboard import wording
from leaderboard.board import Board


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code as the data have it, and what it means."""

    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Method:
    """The limits, metrics and reasons that the page explains."""

    snapshot: str
    too_few_items: int
    errors_allowed: float
    rounds: int
    metrics: tuple[wording.MetricFacts, ...]
    reasons: tuple[Reason, ...]
    energy_reasons: tuple[Reason, ...]


def page(board: Board) -> Method:
    """How the numbers are made."""
    return Method(
        board.name,
        TOO_FEW_ITEMS,
        ERRORS_ALLOWED,
        ROUNDS,
        tuple(wording.METRICS.values()),
        tuple(Reason(code, meaning) for code, meaning in wording.REASONS.items()),
        tuple(Reason(code, meaning) for code, meaning in MEANINGS.items()),
    )
