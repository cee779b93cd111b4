"""What goes through a model together: every item once, bounds kept, little padding."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench.models.hf_batching import TOKENS, WASTE, Count, batches

SHAPES = st.integers(1, 3).flatmap(
    lambda axes: st.lists(st.tuples(*[st.integers(0, 300)] * axes).filter(any), max_size=60)
)


def width(shapes: Sequence[tuple[int, ...]], batch: list[int]) -> int:
    return sum(max(lengths) for lengths in zip(*(shapes[index] for index in batch), strict=True))


@given(
    SHAPES,
    st.integers(1, 20),
    st.integers(1, 2_000),
    st.floats(0, 0.9),
    st.integers(0, 200),
    st.integers(0, 400),
)
def test_every_item_once_and_every_bound_kept(
    shapes: list[tuple[int, ...]], rows: int, tokens: int, waste: float, extra: int, turn: int
) -> None:
    made = batches(shapes, rows, tokens, waste, extra, turn)
    assert sorted(index for batch in made for index in batch) == list(range(len(shapes)))
    for batch in made:
        whole = len(batch) * width(shapes, batch)
        held = sum(sum(shapes[index]) for index in batch)
        assert len(batch) <= rows
        assert len(batch) == 1 or whole + len(batch) * extra <= tokens
        assert whole - held <= waste * whole + 1e-9
        assert len({sum(shapes[index]) > turn for index in batch}) == 1
    totals = [sum(shapes[index]) for batch in made for index in batch]
    assert totals == sorted(totals, reverse=True)


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 20))
def test_no_batch_could_have_taken_the_next_item(lengths: list[int], rows: int) -> None:
    """Batches are as large as the bounds let them be."""
    made = batches([(length,) for length in lengths], rows)
    for batch, following in pairwise(made):
        more = [lengths[index] for index in (*batch, following[0])]
        whole = len(more) * more[0]
        assert len(more) > rows or whole > TOKENS or whole - sum(more) > WASTE * whole


def test_equal_lengths_fill_the_rows() -> None:
    assert [len(batch) for batch in batches([(10,)] * 130, 64)] == [64, 64, 2]
    assert [len(batch) for batch in batches([(1_000,)] * 40, 64)] == [16, 16, 8]
    assert [len(batch) for batch in batches([(1_000,)] * 4, 64, extra=15_384)] == [1, 1, 1, 1]
    assert batches([(100_000,), (200_000,)], 64) == [[1], [0]]


def test_sentences_waste_less_than_a_tenth_in_large_batches(data: Path) -> None:
    """Windows of 512 real sentences in twelve languages, at four bytes to a token."""
    folder = data / "ntrex128"
    lines = [
        len(line.encode()) // 4 + 20
        for path in sorted(folder.rglob("newstest2019-ref.*.txt"))[::11]
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(lines) > 10_000
    random.Random(0).shuffle(lines)
    count, rows = Count(), []
    for at in range(0, len(lines), 512):
        window = [(length,) for length in lines[at : at + 512]]
        for batch in batches(window, 64):
            rows.append(len(batch))
            count.read += sum(sum(window[index]) for index in batch)
            count.columns += len(batch) * width(window, batch)
    assert count.padding < WASTE
    assert sum(rows) / len(rows) > 20


def test_nothing_was_read_yet() -> None:
    assert Count().padding == 0
