"""Who is surely better by energy: ranges of ranks among models that were measured in the same way.

Pure functions of cells. A figure is ranked only where it was measured, passed every gate, and has an interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from bench.records import Cell
from leaderboard.aggregate import BASELINE, SELF_TEST
from leaderboard.records import EnergyRank
from leaderboard.standings import LEVEL, WIDTH

PER_CORRECT, EQUIVALENT = "joules_per_correct", "english_equivalent_tokens_per_joule"
LOWER_IS_BETTER = {PER_CORRECT: True, EQUIVALENT: False}
"""The figures that are ranked, and which end of them is the good one."""

GENERAL_REASONS = ("energy", "energy_scope", "output_tokens_per_joule")
"""Where a cell says why it has no energy at all, the first that it has; "energy" is what runs write now."""

Peers = tuple[str, str, str, str, str, str, str, str, int]
"""What two figures share to be ranked together: setup, scope, task, version, language, variety and way of asking."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A positive figure with its 95 % interval."""

    value: float
    low: float
    high: float


def peers(cell: Cell) -> Peers:
    """Models are ranked on the same questions in the same language, inside one setup and scope."""
    return (
        *(cell.energy_setup, cell.energy_scope or "", cell.task, cell.task_version),
        *(cell.language, cell.variety, cell.mode, cell.prompt_language, cell.shots),
    )


def estimate(cell: Cell, figure: str) -> Estimate | None:
    """A figure with its interval; None where either is missing.

    That of English-equivalent tokens is the interval of the joules per request, which turns into tokens per joule by
    division. The premium's own error is not in it.
    """
    if figure == PER_CORRECT:
        value, low, high = cell.joules_per_correct, cell.joules_per_correct_low, cell.joules_per_correct_high
    else:
        value = cell.english_equivalent_tokens_per_joule
        joules = cell.joules_per_request
        low, high = cell.joules_per_request_low, cell.joules_per_request_high
        if value is not None and joules and low and high:
            low, high = value * joules / high, value * joules / low
    return None if not value or not low or not high else Estimate(value, low, high)


def surely_more(one: Estimate, other: Estimate, wider: float = 1.0) -> bool:
    """Whether the interval of the log difference of two figures lies above zero: the 95 % one, or one so much wider.

    The interval of a difference from the intervals of its two parts: Zou and Donner (2008), Statistics in Medicine 27.
    """
    difference = math.log(one.value / other.value)
    return difference > wider * math.hypot(math.log(one.value / one.low), math.log(other.high / other.value))


def _all_pairs(models: int) -> float:
    """How much wider the intervals of all differences are that hold together with 95 % confidence (Bonferroni)."""
    pairs = max(1, models * (models - 1) // 2)
    return NormalDist().inv_cdf(1 - LEVEL / (2 * pairs)) / WIDTH


def why_not(cell: Cell, figure: str, *, baseline: bool) -> str:
    """Why a figure is not ranked, as a code; empty where it may be. What it is comes before what it lacks."""
    # A doubtful score makes a doubtful number of right answers; how many tokens a joule gives is another matter.
    score = cell.reasons.get("rank", "") if figure == PER_CORRECT else ""
    said = (
        BASELINE if baseline else "",
        SELF_TEST if cell.floor else "",
        missing(cell, figure) if getattr(cell, figure) is None else "",
        cell.reasons.get("energy_rank", ""),
        "attributed" if cell.energy_provenance != "measured" else "",
        score,
        "too_few_repeats" if estimate(cell, figure) is None else "",
    )
    return next(filter(None, said), "")


def missing(cell: Cell, figure: str) -> str:
    """Why a cell has not some figure of energy, as a code: its own reason, or that of all."""
    said = (cell.reasons.get(name) for name in (figure, *GENERAL_REASONS))
    return next((code for code in said if code), "not_stated")


def no_interval(cell: Cell) -> str:
    """Why the joules per request have no interval, as a code; empty where they have one or are not there at all."""
    if cell.joules_per_request is None or None not in (cell.joules_per_request_low, cell.joules_per_request_high):
        return ""
    said = (cell.reasons.get(name) for name in ("joules_per_request_low", "energy_rank", "joules_per_request"))
    return next((code for code in said if code), "not_stated")


def rank_doubt(cell: Cell, rank: EnergyRank) -> str:
    """Why a figure that is there is not ranked, as a code; empty where that is said of the cell's energy as a whole."""
    if rank.first is not None or getattr(cell, rank.figure) is None or rank.reason == cell.reasons.get("energy_rank"):
        return ""
    return rank.reason


def ranks(cells: Iterable[tuple[int, bool, Cell]]) -> list[EnergyRank]:
    """The ranges of both ranked figures for every cell that has energy; `cells` are (number, baseline, cell)."""
    groups: dict[Peers, list[tuple[int, bool, Cell]]] = {}
    for number, baseline, cell in cells:
        if cell.headline and cell.energy_provenance != "none":
            groups.setdefault(peers(cell), []).append((number, baseline, cell))
    made = [each for group in groups.values() for figure in LOWER_IS_BETTER for each in _ranked(group, figure)]
    return sorted(made, key=lambda rank: (rank.cell, rank.figure))


def _ranked(group: Sequence[tuple[int, bool, Cell]], figure: str) -> list[EnergyRank]:
    reasons = {number: why_not(cell, figure, baseline=baseline) for number, baseline, cell in group}
    found = {number: estimate(cell, figure) for number, _, cell in group if not reasons[number]}
    ranges = ranges_of({number: each for number, each in found.items() if each}, lower=LOWER_IS_BETTER[figure])
    made = []
    for number, why in reasons.items():
        first, last = ranges.get(number, (None, None))
        made.append(EnergyRank(number, figure, first, last, len(ranges), why))
    return made


def ranges_of(found: Mapping[int, Estimate], *, lower: bool) -> dict[int, tuple[int, int]]:
    """The best and the worst rank that each may have: 1 and how many are surely better, all less the surely worse.

    All ranges hold together with 95 % confidence.
    """
    wider = _all_pairs(len(found))

    def better(one: Estimate, other: Estimate) -> bool:
        return surely_more(other, one, wider) if lower else surely_more(one, other, wider)

    return {
        number: (
            1 + sum(better(other, own) for other in found.values()),
            len(found) - sum(better(own, other) for other in found.values()),
        )
        for number, own in found.items()
    }
