"""Tables fit the terminal they are printed in, whatever the script."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

import kernels
from bench.aggregate import aggregates
from bench.arrays import CellKey, Evidence
from bench.cli import tables
from bench.cli.ranks import print_ranks
from bench.joint import Scored
from bench.ranking import standings
from tests.bench.cells import answered


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


def test_aggregates_are_printed_with_their_intervals_or_the_reason_for_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays: dict[CellKey, Scored] = {}
    cells = []
    for code, right in (("hau_Latn", [1, 0] * 20), ("yor_Latn", [1, 1, 1, 0] * 10), ("swh_Latn", [1] * 10)):
        cell, scores = answered(right, language=code, reasons={} if len(right) >= 20 else {"rank": "too_few_items"})
        cells.append(cell)
        arrays |= scores
    (found,) = aggregates(cells, arrays).models
    tables.print_aggregates([found])
    out = capsys.readouterr().out
    assert f"0.500 [{found.macro_low:.3f}, {found.macro_high:.3f}]" in out
    assert "1 (too few items)" in out
    narrow(monkeypatch)
    tables.print_aggregates([replace(found, macro_low=None, macro_high=None, reasons={"macro_low": "no_spread"})])
    out = capsys.readouterr().out
    assert "0.500 (no spread)" in out
    assert max(map(wcswidth, out.splitlines())) <= 60
    nothing = replace(found, languages=(), macro=None, reasons={"macro": "no_languages"})
    assert tables.estimate(nothing, "macro") == "no languages"


def test_the_commonest_reason_is_told_and_of_equals_the_first_by_name() -> None:
    assert tables.left_out({}) == "0"
    assert tables.left_out({"a": "not_asked", "b": "not_asked"}) == "2 (not asked)"
    assert tables.left_out({"a": "too_long", "b": "errors"}) == "2 (mostly errors)"


def test_ranks_are_printed_as_ranges_and_floors_without(capsys: pytest.CaptureFixture[str]) -> None:
    evidence = Evidence((), {})
    for number, model in enumerate(("hf:a", "hf:b", "hf:poor", "baseline:copy")):
        hits = np.random.default_rng(number).random(200) < (0.1 if model == "hf:poor" else 0.8)
        cell, scores = answered(hits.astype(int).tolist(), model=model)
        evidence += Evidence((cell,), scores)
    print_ranks(standings(evidence))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "t (accuracy): ranks; languages left out: 0"
    rows = {line.split()[0]: line.split()[4:] for line in lines[4:8]}
    assert rows["hf:a"][:2] == rows["hf:b"][:2] == ["1-2", "1"]
    assert rows["hf:poor"] == ["3", "2", "0%", "1"]
    assert rows["baseline:copy"] == ["floor", "-", "-", "1"]


def test_metrics_from_0_to_1_are_printed_in_percent() -> None:
    assert {name for name in kernels.METRICS if kernels.metric(name).best == 1} == tables.SHARES
