"""A file that is no whole run file is refused in one line, whatever is wrong with it, before anything reads it."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import UsageError
from bench.runfile import RunFile
from leaderboard.desk import structure
from leaderboard.desk.limits import DEFAULT
from leaderboard.desk.structure import Refused
from tests.leaderboard.desk import hostile_files
from tests.leaderboard.desk.hostile_files import HOSTILE

PACKED = {"a gzip bomb", "half a gzip stream"}
LATER = {"forged_scores", "forged_plan", "picked_items", "wrong_plan"}
STRUCTURE = [name for name, (_, reason) in HOSTILE.items() if reason not in LATER and name != "a name in disguise"]


@pytest.fixture
def good(runs: list[Path]) -> Path:
    """A closed run of two tasks in three languages."""
    return runs[0]


def one_line(error: UsageError) -> bool:
    return bool(str(error)) and "\n" not in str(error)


def refusal(path: Path) -> Refused | None:
    try:
        structure.check(path)
    except Refused as refused:
        return refused
    return None


def test_a_run_file_passes(runs: list[Path]) -> None:
    for path in runs:
        structure.check(path)


@pytest.mark.parametrize("name", [name for name in STRUCTURE if name not in PACKED])
def test_what_no_run_wrote_is_refused(name: str, good: Path, tmp_path: Path) -> None:
    make, reason = HOSTILE[name]
    with pytest.raises(Refused) as refused:
        structure.check(make(good, tmp_path / "upload.run.db"))
    assert refused.value.reason == reason
    assert one_line(refused.value)


def test_a_packed_file_is_refused_by_name(good: Path, tmp_path: Path) -> None:
    for make, kind in ((hostile_files.zipped, "zip"), (hostile_files.tarred, "tar"), (hostile_files.gzip_bomb, "gzip")):
        path = make(good, tmp_path / kind)
        assert structure.packing(path) == kind
        with pytest.raises(Refused, match=rf"packed \({kind}\)"):
            structure.check(path)


def test_gzip_unpacks_to_the_very_file(good: Path, tmp_path: Path) -> None:
    packed, made = tmp_path / "packed", tmp_path / "made"
    packed.write_bytes(gzip.compress(good.read_bytes()))
    structure.unpack(packed, made)
    assert made.read_bytes() == good.read_bytes()


@pytest.mark.parametrize("name", sorted(PACKED))
def test_gzip_is_unpacked_no_further_than_the_limits(name: str, good: Path, tmp_path: Path) -> None:
    path = HOSTILE[name][0](good, tmp_path / "packed")
    with pytest.raises(Refused) as refused:
        structure.unpack(path, tmp_path / "made")
    assert refused.value.reason == "bad_file"
    assert (tmp_path / "made").stat().st_size <= DEFAULT.ratio * (path.stat().st_size + 2 * (1 << 20))


def test_gzip_beyond_the_largest_file_is_too_large(good: Path, tmp_path: Path) -> None:
    path = hostile_files.gzip_bomb(good, tmp_path / "packed")
    with pytest.raises(Refused) as refused:
        structure.unpack(path, tmp_path / "made", replace(DEFAULT, size=1 << 20))
    assert refused.value.reason == "too_large"
    assert (tmp_path / "made").stat().st_size <= 1 << 20


def test_something_behind_the_gzip_stream_is_refused(good: Path, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(gzip.compress(good.read_bytes()) + b"more")
    with pytest.raises(Refused, match="follows the gzip stream"):
        structure.unpack(tmp_path / "packed", tmp_path / "made")


def test_a_file_beyond_the_limit_is_too_large(good: Path) -> None:
    with pytest.raises(Refused) as refused:
        structure.check(good, replace(DEFAULT, size=good.stat().st_size - 1))
    assert refused.value.reason == "too_large"
    structure.check(good, replace(DEFAULT, size=good.stat().st_size))


def test_a_file_cut_short_anywhere_is_refused(good: Path, tmp_path: Path) -> None:
    whole, path = good.read_bytes(), tmp_path / "cut.run.db"
    page = int.from_bytes(whole[16:18])
    draw = random.Random(1)
    cuts = [*range(0, len(whole), page), *(draw.randrange(len(whole)) for _ in range(100)), 1, 15, 16, 99, 100]
    assert len(cuts) > 120
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(Refused) as refused:
            structure.check(path)
        assert refused.value.reason == "bad_file" and one_line(refused.value), cut


def test_a_cut_that_the_header_was_made_to_agree_with_is_found(good: Path, tmp_path: Path) -> None:
    whole, path = good.read_bytes(), tmp_path / "cut.run.db"
    page = int.from_bytes(whole[16:18])
    for pages in range(1, len(whole) // page):
        head = bytearray(whole[: pages * page])
        head[28:32] = pages.to_bytes(4)
        path.write_bytes(head)
        with pytest.raises(Refused):
            structure.check(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_leaves_a_run_that_reads(place: int, bit: int, good: Path, tmp_path: Path) -> None:
    content = bytearray(good.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path = tmp_path / "flipped.run.db"
    path.write_bytes(content)
    refused = refusal(path)
    if refused is not None:
        assert one_line(refused)
        return
    with RunFile.read(path) as run:  # nothing below raises
        run.planned(), run.datasets(), run.samples(), run.scores(), run.windows(), run.invocations(), run.manifest()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (b'{"a": [1, 2.5, null, "\\u00e9"]}', True),
        (b'["' + b"[" * 1000 + b'"]', True),
        (b"[" * 24 + b"]" * 24, True),
        (b"[" * 25 + b"]" * 25, False),
        (b'{"a":' * 10**6, False),
        (b'"' + b'\\"' * 10**6 + b"[" * 30, False),
        (b"[NaN]", False),
        (b"[-Infinity]", False),
        (b"[1e999]", False),
        (b'{"a": 1, "a": 2}', False),
        (b'["\\ud800"]', False),
        (b"[" + b"9" * 5000 + b"]", False),
        (b"[1", False),
    ],
)
def test_json_is_read_only_where_it_is_sound(text: bytes, right: bool) -> None:
    if right:
        assert structure.parse(text) == json.loads(text)
    else:
        with pytest.raises(ValueError, match=r"."):
            structure.parse(text)
