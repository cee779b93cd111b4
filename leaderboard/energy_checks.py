"""What an uploaded run says of energy, held for plausible or refused in one line. A missing figure is never zero."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from bench.energy.records import Provenance, Scope
from bench.records import Cell, UsageError
from leaderboard.checks import name_of
from leaderboard.efficiency import GENERAL_REASONS

FIGURES = (
    *("joules_per_request", "output_tokens_per_joule", "joules_per_correct", "joules_per_1000_words"),
    *("english_equivalent_tokens_per_joule", "quality_per_kilojoule", "language_energy_ratio"),
    "joules_per_token_ratio",
)
"""Figures that only a measurement gives."""
COUNTED = ("premium", "verbosity")
"""Ratios of tokens, which may be known where no energy is."""
INTERVALS = ("joules_per_request", "joules_per_correct")
"""Figures with an interval."""
MEASURED = (*FIGURES, *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")))


def check_energy(path: Path, cell: Cell) -> None:
    """Raises `UsageError` unless what a cell says of energy can be true, and says why wherever it says nothing."""
    for fault in _faults(cell):
        raise UsageError(f"{path}: {fault} in {name_of(cell)}; `python -m bench rescore {path}` mends it")


def _faults(cell: Cell) -> Iterator[str]:
    """What is wrong with a cell's energy."""
    known = get_args(Provenance)
    if cell.energy_provenance not in known:
        yield f"energy_provenance is {cell.energy_provenance!r}, and may be {', '.join(known)}"
    yield from _missing_faults(cell) if cell.energy_provenance == "none" else _figure_faults(cell)


def _missing_faults(cell: Cell) -> Iterator[str]:
    """Without a measurement nothing may be said that only one can tell."""
    if cell.energy_scope is not None or cell.energy_setup or cell.energy_windows:
        yield "a scope, setup or windows of energy that was not measured"
    yield from (f"{name} of energy that was not measured" for name in MEASURED if getattr(cell, name) is not None)
    if not any(cell.reasons.get(name) for name in GENERAL_REASONS):
        yield "no reason for the missing energy"
    yield from _counted_faults(cell)


def _figure_faults(cell: Cell) -> Iterator[str]:
    if cell.energy_scope not in get_args(Scope):
        yield f"energy_scope is {cell.energy_scope!r}, and may be {', '.join(get_args(Scope))}"
    if not cell.energy_setup.strip():
        yield "energy without its setup, the machine that it was measured on"
    if not cell.energy_windows:
        yield "energy without a window that it was measured in"
    yield from _counted_faults(cell)
    for name in (*FIGURES, *COUNTED):
        if getattr(cell, name) is None and not _reason(cell, name):
            yield f"no reason for the missing {name}"
    for name in INTERVALS:
        yield from _interval_faults(cell, name)


def _counted_faults(cell: Cell) -> Iterator[str]:
    for name in (*MEASURED, *COUNTED):
        value = getattr(cell, name)
        if value is not None and value <= 0:
            yield f"{name} is {value}, and what is missing is null"


def _interval_faults(cell: Cell, name: str) -> Iterator[str]:
    value, low, high = (getattr(cell, each) for each in (name, f"{name}_low", f"{name}_high"))
    if low is None and high is None:
        if not _reason(cell, name, f"{name}_low", f"{name}_high", "energy_rank"):
            yield f"no reason for the missing interval of {name}"
    elif value is None or low is None or high is None or not low <= value <= high:
        yield f"{name} is {value}, which its interval from {low} to {high} does not hold"


def _reason(cell: Cell, *names: str) -> str:
    return next((cell.reasons[name] for name in (*names, "energy") if cell.reasons.get(name)), "")
