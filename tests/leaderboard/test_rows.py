"""A cell's row says everything that the cell says, and one cell has one row."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.records import Cell
from leaderboard import rows
from leaderboard.records import Published

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
REASONS = st.dictionaries(st.sampled_from(["rank", "value", "energy"]), TEXT, max_size=3)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "int": st.integers(0, 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    "bool": st.booleans(),
    "Mapping[str, str]": REASONS,
}


def of_type(said: str) -> st.SearchStrategy[Any]:
    """Values that a field of that type may hold."""
    kind = KINDS[said.removesuffix(" | None")]
    return st.none() | kind if said.endswith("None") else kind


@given(st.builds(Cell, **{each.name: of_type(str(each.type)) for each in fields(Cell)}))
def test_a_cell_comes_back_from_its_row(cell: Cell) -> None:
    row = rows.cell_row(Published(cell, None, "0123456789abcdef"))
    again = rows.cell_from(cell.model, row)
    assert again == cell
    assert rows.cell_row(Published(again, None, "0123456789abcdef")) == row
    assert dict(zip(rows.LOGICAL, row, strict=True))["rank"] == cell.reasons.get("rank", "")
