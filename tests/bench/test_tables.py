"""Tables fit the terminal they are printed in, whatever the script."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from bench.cli import tables


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is a terminal of 60 columns from here on."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")


def test_a_wide_table_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    narrow(monkeypatch)
    rows = [("ଓଡ଼ିଆ " * 9, "x" * 50, "7")]
    tables.print_table({"name": False, "what": False, "n": True}, rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(wcswidth, lines)) <= 60
    assert lines[-1].count("…") == 2
    assert lines[-1].rstrip().endswith("7")


def test_many_columns_are_split_and_each_part_starts_alike(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch)
    columns = {"language": False, **{f"task-number-{number}": True for number in range(9)}}
    tables.print_table(columns, [("yor_Latn", *(f"{number}.0%" for number in range(9)))], repeat=1)
    out = capsys.readouterr().out
    assert max(map(wcswidth, out.splitlines())) <= 60
    assert out.count("yor_Latn") == out.count("language") == 5
    assert all(out.count(f"task-number-{number}") == 1 for number in range(9))


def test_nothing_is_cut_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_table({"name": False}, [("x" * 500,)])
    assert "x" * 500 in capsys.readouterr().out


@given(
    st.lists(st.integers(1, 80), min_size=1, max_size=12),
    st.integers(20, 200),
    st.data(),
)
def test_a_split_loses_no_column_and_fits_where_it_can(widths: list[int], room: int, draw: st.DataObject) -> None:
    repeat = draw.draw(st.integers(0, len(widths)))
    parts = tables._split(widths, repeat, room)
    assert [index for part in parts for index in part[repeat:]] == list(range(repeat, len(widths)))
    for part in parts:
        assert part[:repeat] == list(range(repeat))
        total = sum(widths[index] for index in part) + 2 * (len(part) - 1)
        assert total <= room or len(part) <= repeat + 1
