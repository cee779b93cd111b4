"""Files of premiums: what is written reads back, and what is wrong is told in one line that names the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.premium import files
from bench.premium.records import Premium, Premiums
from bench.records import UsageError
from tests.premium.made import premium, premiums, without

WHOLE = premiums(premium("yor_Latn"), premium("eng_Latn", 101, variety="GB"), without("mya_Mymr", "no_sentences"))
Change = Callable[[dict[str, Any]], object]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.premium.json"
    files.write(WHOLE, path)
    assert files.read(path) == WHOLE
    assert files.from_json(json.loads(path.read_text("utf-8"))) == WHOLE == files.from_json(files.to_json(WHOLE))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_missing_is_null_in_the_file(tmp_path: Path) -> None:
    files.write(WHOLE, tmp_path / "one.premium.json")
    row = json.loads((tmp_path / "one.premium.json").read_text("utf-8"))["languages"][2]
    assert all(row[name] is None and row["reasons"][name] == "no_sentences" for name in files.FIGURES)


def test_the_schema_has_every_field_of_the_records() -> None:
    written = files.to_json(WHOLE)
    assert set(written) == {"version", *(one.name for one in fields(Premiums))}
    assert set(written["languages"][0]) == {one.name for one in fields(Premium)}


@given(
    st.lists(
        st.tuples(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.floats(1, 9)),
        min_size=1,
        max_size=4,
    )
)
def test_any_possible_premiums_read_back_to_the_last_digit(found: list[tuple[int, int, float, float]]) -> None:
    codes = ("yor_Latn", "swh_Latn", "mya_Mymr", "arb_Arab")
    made = premiums(
        *(
            premium(code, tokens, english, low=tokens / english * down, high=tokens / english * up, fallback=down)
            for code, (tokens, english, down, up) in zip(codes, found, strict=False)
        )
    )
    assert files.from_json(json.loads(json.dumps(files.to_json(made)))) == made


def first(name: str, value: object) -> Change:
    return lambda content: content["languages"][0].update({name: value})


def whole(name: str, value: object) -> Change:
    return lambda content: content.update({name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (whole("version", 2), "Invalid enum value 2 - at `$.version`"),
        (whole("gini", 1.5), "gini 1.5 should be from 0 to 1"),
        (whole("tokenizer", ""), "$.tokenizer"),
        (whole("tokenizer", "a\nb"), "tokenizer should be printable text in one line"),
        (whole("tokenizer", "a\x1b[2J"), "tokenizer should be printable text in one line"),
        (whole("extra", 1), "unknown field `extra`"),
        (lambda content: content.pop("corpus"), "missing required field `corpus`"),
        (lambda content: content["languages"].append(content["languages"][0]), "yor_Latn comes twice"),
        (first("language", "xyz_Zzzz"), "unknown language 'xyz_Zzzz'"),
        (first("language", "yoruba"), "'yoruba' should be the registry's code, yor_Latn"),
        (first("variety", "a/../b"), "variety 'a/../b' of yor_Latn should be letters, digits and hyphens"),
        (first("tokens", -1), "$.languages[0].tokens"),
        (first("tokens", 1.5), "$.languages[0].tokens"),
        (first("tokens", 160), "yor_Latn: premium 1.5 should be 160 / 100 tokens"),
        (first("english_tokens", 0), "yor_Latn: a premium needs sentences, tokens and tokens of the same"),
        (first("premium", "1.5"), "$.languages[0].premium"),
        (first("premium", 0), "yor_Latn: premium 0 should be 150 / 100 tokens"),
        (first("premium", None), "yor_Latn: premium is missing without a reason"),
        (first("low", 1.51), "yor_Latn: the interval from 1.51 to 1.65 does not hold the premium 1.5"),
        (first("unknown", 1.01), "yor_Latn: unknown 1.01 should be a share from 0 to 1"),
        (first("reasons", {"premium": "odd"}), "yor_Latn: premium has both a value and a reason why it is missing"),
        (first("reasons", {"colour": "odd"}), "yor_Latn: a reason for 'colour', which is no figure"),
        (first("reasons", {"unknown": "No\x1b!"}), "yor_Latn: the reason for unknown should be a code"),
    ],
)
def test_what_is_wrong_gets_one_line_with_the_place(tmp_path: Path, change: Change, said: str) -> None:
    content = files.to_json(WHOLE)
    change(content)
    with pytest.raises(UsageError, match="^[^\n]+$") as raised:
        files.from_json(content)
    assert said in str(raised.value)
    path = tmp_path / "one.premium.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UsageError) as again:
        files.read(path)
    assert str(again.value).startswith(f"{path}: ") and said in str(again.value)
    assert "\n" not in str(again.value) and "\x1b" not in str(again.value)


@pytest.mark.parametrize("name", files.FIGURES)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_figure_is_without_end(name: str, value: float) -> None:
    content = files.to_json(WHOLE)
    content["languages"][0][name] = value
    with pytest.raises(UsageError, match=name):
        files.from_json(content)


def test_an_interval_has_two_ends() -> None:
    content = files.to_json(WHOLE)
    content["languages"][0] |= {"low": None, "reasons": {"low": "one_sentence"}}
    with pytest.raises(UsageError, match="an interval has both low and high"):
        files.from_json(content)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b"[" * 100_000, b'{"gini": 1e999}'])
def test_what_is_no_file_of_premiums_gets_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.premium.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="^[^\n]+no tokenizer premiums as `tokens` writes them: [^\n]+$"):
        files.read(path)


def test_what_cannot_be_read_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read .*none.premium.json: No such file"):
        files.read(tmp_path / "none.premium.json")
    with pytest.raises(UsageError, match="cannot read .*: Is a directory"):
        files.read(tmp_path)
    large = tmp_path / "large.premium.json"
    with large.open("wb") as stream:
        stream.truncate(files.MOST_BYTES + 1)
    with pytest.raises(UsageError, match="larger than 16 MiB"):
        files.read(large)


def test_premiums_that_would_not_read_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="comes twice"):
        files.write(premiums(premium("yor_Latn"), premium("yor_Latn")), tmp_path / "one.premium.json")
    assert not list(tmp_path.iterdir())
