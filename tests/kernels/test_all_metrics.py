"""What all metrics share: input that is refused, sums, slices of text; and exact match."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from bench.cli.score import read_segments
from tests.hostile import References, segments


@pytest.mark.parametrize("name", kernels.METRICS)
def test_the_sum_of_segments_is_the_corpus(name: str) -> None:
    hypotheses, references = ["a b c d e", "f g", ""], [["a b c d f", "f g", "h"]]
    metric = kernels.metric(name)
    parts = [metric.statistics([h], [[r]]) for h, r in zip(hypotheses, references[0], strict=True)]
    assert np.vstack(parts).tolist() == metric.statistics(hypotheses, references).tolist()


@settings(max_examples=200)
@given(text=segments)
def test_normalise(text: str) -> None:
    once = kernels.normalise(text)
    assert kernels.normalise(once) == once
    assert kernels.normalise(f"\u3000{text}\n") == once
    assert once == once.strip()
    assert "  " not in once
    assert kernels.exact_match([text], [[once]]).score == 1.0


def test_exact_match_keeps_what_tells_words_apart() -> None:
    hypotheses = ["e\u0301", "a\u00a0 b", "A", "می\u200cخواهم", "ẹ", "١"]
    references = [["é", "a b", "a", "میخواهم", "e", "1"]]
    result = kernels.exact_match(hypotheses, references)
    assert result.segments.tolist() == [1, 1, 0, 0, 0, 0]
    assert result.score == pytest.approx(2 / 6)


def test_exact_match_takes_any_reference() -> None:
    references: References = [["a", None, "x"], ["b", "c", None]]
    assert kernels.exact_match(["b", "c", "y"], references).segments.tolist() == [1, 1, 0]


@pytest.mark.parametrize("function", [kernels.chrf, kernels.bleu, kernels.exact_match])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [[]], "no hypotheses"),
        (["a"], [], "no references"),
        (["a", "b", "c"], [["a", "b"]], "3 hypotheses but 2 references in stream 1"),
        (["a"], [["a"], ["a", "b"]], "1 hypotheses but 2 references in stream 2"),
    ],
)
def test_unequal_and_empty_input(
    function: Callable[..., kernels.Result], hypotheses: list[str], references: References, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(hypotheses, references)


@pytest.mark.parametrize("function", [kernels.chrf, kernels.bleu])
def test_a_segment_without_any_reference_is_refused(function: Callable[..., kernels.Result]) -> None:
    with pytest.raises(ValueError, match="segment 2 has no reference"):
        function(["a", "b"], [["a", None]])


@pytest.mark.parametrize("name", kernels.METRICS)
@pytest.mark.parametrize("wrong", [0, b"a", None, ["a"], 1.5, np.zeros(2)])
def test_what_is_no_text_is_named_by_its_place(name: str, wrong: object) -> None:
    lines: list[Any] = ["a b"] * 3000
    broken = [*lines[:1500], wrong, *lines[1501:]]
    with pytest.raises(TypeError, match="hypothesis 1501 is"):
        kernels.score(kernels.metric(name), broken, [lines])
    if wrong is not None:
        with pytest.raises(TypeError, match="in stream 2 reference 1501 is"):
            kernels.score(kernels.metric(name), lines, [lines, broken])


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(segments, max_size=6), part=st.slices(7), again=st.slices(7), touched=st.booleans())
def test_a_slice_of_a_text_is_that_of_its_list(texts: list[str], part: slice, again: slice, touched: bool) -> None:
    text = kernels.Text(texts)
    if touched:
        assert len(text.units) == len(text.lower.units)
    for sliced, expected in ((text[part], texts[part]), (text[part][again], texts[part][again])):
        assert list(sliced) == expected
        fresh = kernels.Text(expected)
        assert sliced.units.wide().units.tolist() == fresh.units.wide().units.tolist()
        assert sliced.lower.units.wide().offsets.tolist() == fresh.lower.units.wide().offsets.tolist()
    assert [text[np.int64(index)] for index in range(len(texts))] == texts  # type: ignore[call-overload]


def test_an_unknown_metric_names_those_known() -> None:
    with pytest.raises(KeyError, match="chrf"):
        kernels.metric("rouge")


def test_a_file_is_cut_where_sacrebleu_cuts_it(tmp_path: Path) -> None:
    from sacrebleu.utils import smart_open

    path = tmp_path / "written.txt"
    path.write_bytes("one\rstill one\ntwo\u2028\x85still two\r\nthree".encode())
    with smart_open(str(path)) as stream:  # type: ignore[no-untyped-call]
        assert [line.rstrip() for line in read_segments(path)] == [line.rstrip() for line in stream]
