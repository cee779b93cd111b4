"""Packed score arrays: what goes in comes out, in the smallest form, and damage is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from leaderboard import arrays, packs
from leaderboard.packs import Place

HIGHEST = np.iinfo(np.int32).max


@st.composite
def found(draw: st.DrawFn) -> dict[Place, np.ndarray[tuple[int, ...], np.dtype[np.int32]]]:
    """Arrays of several languages, of one width, some rows missing."""
    width = draw(st.integers(1, 8))
    highest = draw(st.sampled_from([1, 60, 30_000, HIGHEST]))
    places = draw(st.lists(st.tuples(st.sampled_from(["yor_Latn", "pes_Arab"]), st.text(max_size=3)), unique=True))
    made = {}
    for place in places or [("yor_Latn", "")]:
        shape = (draw(st.integers(0, 9)), width)
        array = draw(arrays_of.arrays(np.int32, shape, elements=st.integers(-highest if highest > 1 else 0, highest)))
        gone = draw(arrays_of.arrays(np.bool_, shape[0]))
        array[gone] = arrays.MISSING
        made[place] = array
    return made


@given(found())
def test_arrays_come_back_as_they_were(
    known: dict[Place, np.ndarray[tuple[int, ...], np.dtype[np.int32]]],
) -> None:
    packed = packs.decompress(*packs.compress(packs.pack(known)))
    again = packs.unpack(packed)
    assert again.keys() == known.keys()
    assert all(np.array_equal(again[place], array) for place, array in known.items())
    assert packs.pack(dict(reversed(known.items()))) == packed


def test_right_or_wrong_takes_a_bit() -> None:
    right = np.ones((8000, 2), dtype=np.int32)
    packed = packs.pack({("yor_Latn", ""): right})
    assert (packed.kind, len(packed.body)) == (packs.BITS, 3000)


@pytest.mark.parametrize("highest", [1, 200])
def test_a_body_of_another_length_is_refused(highest: int) -> None:
    packed = packs.pack({("yor_Latn", ""): np.full((20, 3), highest, dtype=np.int32)})
    for body in (packed.body[:-1], packed.body + b"\0", b""):
        with pytest.raises(ValueError, match=r"short|reshape|smaller|buffer"):
            packs.unpack(replace(packed, body=body))
