"""Cells of made-up models, and the scores behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.arrays import CellKey, key
from bench.joint import Scored
from bench.records import Cell

EMPTY = Cell(
    model="hf:a",
    task="t",
    task_version="1",
    language="yor_Latn",
    variety="",
    vertical="",
    area="topic",
    metric="accuracy",
    signature="",
    value=None,
    normalised=None,
    chance=0.25,
    n=0,
    ci_low=None,
    ci_high=None,
    mode="generate",
    prompt_language="english",
    shots=0,
    errors=0,
    truncated=0,
    unparsed=0,
    wrong_language=None,
    output_tokens=None,
    output_tokens_per_joule=None,
    energy_scope=None,
    energy_provenance="none",
)


def answered(right: Sequence[int], units: Sequence[str] = (), **more: Any) -> tuple[Cell, dict[CellKey, Scored]]:
    """A cell of an accuracy task with a chance of a quarter, and its scores; each item is a unit unless told."""
    items = tuple(f"i{number:03d}" for number in range(len(right)))
    hits = np.array(right, dtype=np.int64)
    value = float(hits.mean())
    made = replace(EMPTY, value=value, normalised=(value - 0.25) / 0.75, n=len(right), **more)
    return made, {key(made): Scored(items, tuple(units) or items, np.stack([hits, np.ones_like(hits)], axis=1))}
