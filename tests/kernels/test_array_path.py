"""N-gram matches by sorting are those of counting, in NumPy here and by the same lines in CuPy on a device."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import array_path, chrf_cpu
from kernels.text import Text
from tests.hostile import pairs

Sequence = list[int]


def ragged(sequences: list[Sequence], kind: Any = np.uint32) -> tuple[NDArray[Any], NDArray[np.int64]]:
    ids = np.array([one for sequence in sequences for one in sequence], dtype=kind)
    return ids, np.cumsum([0, *map(len, sequences)], dtype=np.int64)


def counted(hyp: Sequence, ref: Sequence, order: int) -> list[int]:
    def grams(sequence: Sequence, n: int) -> Counter[tuple[int, ...]]:
        return Counter(tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1))

    return [(grams(hyp, n) & grams(ref, n)).total() for n in range(1, order + 1)]


ids = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
sequences = st.lists(ids, max_size=12)
pair = st.one_of(
    st.tuples(sequences, sequences), sequences.map(lambda one: (one, one)), sequences.map(lambda one: (one, one[::-1]))
)


@pytest.mark.parametrize("bits", [64, 0], ids=["one sort", "a sort an order"])
@settings(max_examples=150, deadline=None)
@given(corpus=st.lists(pair, max_size=6), order=st.integers(1, 8))
def test_any_ids_of_any_order(bits: int, corpus: list[tuple[Sequence, Sequence]], order: int) -> None:
    before, array_path.KEY_BITS = array_path.KEY_BITS, bits
    try:
        got = array_path.matches(np, *ragged([hyp for hyp, _ in corpus]), *ragged([ref for _, ref in corpus]), order)
    finally:
        array_path.KEY_BITS = before
    assert got.dtype == np.int64
    assert got.shape == (len(corpus), order)
    assert got.tolist() == [counted(hyp, ref, order) for hyp, ref in corpus]


def test_characters_match_as_the_compiled_kernel_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile text, in many chunks, from offsets that do not begin at 0, some with alphabets that no key holds."""
    hypotheses, references = (Text(side) for side in pairs(600, seed=1))
    hyp, ref = hypotheses[50:].units, references[50:].units
    expected = chrf_cpu.counts(hyp.wide(), ref.wide(), 6, 0, True)[:, 2::3]
    taken: list[str] = []
    for path in ("_packed", "_ranked"):
        monkeypatch.setattr(array_path, path, _noted(taken, path, getattr(array_path, path)))
    for most_pairs, most_ids in ((100, 10**6), (10**6, 3000), (10**6, 1), (10**6, 10**6)):
        monkeypatch.setattr(array_path, "CHUNK_PAIRS", most_pairs)
        monkeypatch.setattr(array_path, "CHUNK_IDS", most_ids)
        got = array_path.matches(np, hyp.units, hyp.offsets, ref.units, ref.offsets, 6)
        assert got.tolist() == expected.tolist()
    assert set(taken) == {"_packed", "_ranked"}


def _noted(taken: list[str], path: str, function: Any) -> Any:
    def noting(*arguments: Any) -> None:
        taken.append(path)
        function(*arguments)

    return noting


def test_a_key_that_just_fits_and_one_that_just_does_not() -> None:
    """10 bits a symbol in 6 places, 1 for the side: 8 pairs leave 3 bits for their numbers, 9 would need 4."""
    for count, fits in ((8, True), (9, False)):
        symbols = list(range(700))
        hyp, ref = [symbols] * count, [symbols[5:] + symbols[:5]] * count
        bits = array_path._grams(np, [ragged(hyp), ragged(ref)]).alphabet.bit_length()
        assert ((count - 1).bit_length() + 6 * bits + 1 <= 64) == fits
        got = array_path.matches(np, *ragged(hyp), *ragged(ref), 6)
        assert got.tolist() == [counted(symbols, ref[0], 6)] * count


def test_sides_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 hypotheses but 1 references"):
        array_path.matches(np, *ragged([[1], [2]]), *ragged([[1]]), 2)
