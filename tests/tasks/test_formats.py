"""Every format, and every way in which a file can be spoilt."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.formats import READERS, read, read_lines
from tasks.records import DataError
from tests.hostile import segments
from tests.tasks.declaring import check_line, put

OWN = ("tsv", "tsv-quoted", "csv", "jsonl", "json", "lines", "xlsx")
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
cells = segments.map(lambda text: text.encode("utf-8", "replace").decode())


def records(tmp_path: Path, format_: str, content: bytes | str, *columns: str) -> list[dict[str, Any]]:
    return list(read(format_, put(tmp_path / "file.any", content), columns))


def refusal(tmp_path: Path, format_: str, content: bytes | str, *columns: str) -> str:
    with pytest.raises(DataError, match=r"file\.any") as caught:
        records(tmp_path, format_, content, *columns)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    ("format_", "content", "found"),
    [
        ("tsv", 'a\tb\n"1"\t2\n', [{"a": '"1"', "b": "2"}]),
        ("tsv", "\ufeffa\tb\r\n1\t\r\n", [{"a": "1", "b": ""}]),
        ("tsv", "a\n\x00\u2028\x85\n", [{"a": "\x00\u2028\x85"}]),
        ("tsv", "a\tb\n", []),
        ("csv", 'a,b\n"1,5","two\nlines"\n', [{"a": "1,5", "b": "two\nlines"}]),
        ("csv", '\ufeff"a",b\r\n"say ""so""",\r\n\r\n', [{"a": 'say "so"', "b": ""}]),
        ("csv", "a\n\x00\n", [{"a": "\x00"}]),
        ("csv", ",b\n1,2\n", [{"": "1", "b": "2"}]),
        ("tsv-quoted", 'a\tb\n"1\t5"\tx,y\n', [{"a": "1\t5", "b": "x,y"}]),
        ("jsonl", '{"a": 1}\r\n\n  \n{"a": [null]}', [{"a": 1}, {"a": [None]}]),
        ("jsonl", '{"a": "\u2028\x85"}\n', [{"a": "\u2028\x85"}]),
        ("jsonl", "", []),
        ("json", '\ufeff[{"a": 1}, {"b": {}}]', [{"a": 1}, {"b": {}}]),
        ("json", "[]", []),
        ("lines", "one\n\n two \r\n", [{"text": "one"}, {"text": ""}, {"text": " two "}]),
        ("lines", "", []),
    ],
)
def test_read(tmp_path: Path, format_: str, content: str, found: list[dict[str, Any]]) -> None:
    assert records(tmp_path, format_, content) == found


@pytest.mark.parametrize(("format_", "mark"), [("tsv", "\t"), ("csv", ","), ("tsv-quoted", "\t")])
def test_a_table_without_a_header(tmp_path: Path, format_: str, mark: str) -> None:
    assert records(tmp_path, format_, f"1{mark}2\n", "a", "b") == [{"a": "1", "b": "2"}]
    assert "line 1: 2 columns, the header has 3" in refusal(tmp_path, format_, f"1{mark}2\n", "a", "b", "c")
    assert records(tmp_path, format_, "", "a") == []


@pytest.mark.parametrize(
    ("format_", "content", "said"),
    [
        ("tsv", "", "no column at all"),
        ("csv", "", "no column at all"),
        ("csv", "\n\n", "no column at all"),
        ("tsv", "\n1\n", "no column at all"),
        ("csv", "a,a\n1,2\n", "names a column twice: 'a'"),
        ("csv", '"a\nb","a\nb"\n', r"names a column twice: 'a\nb'"),
        ("csv", "a,b\n1\n", "line 2: 1 columns, the header has 2"),
        ("csv", 'a,b\n1,"2\n3",4\n', "line 3: 3 columns"),
        ("csv", 'a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("csv", 'a,b\n1,"2"x\n', "line 2: "),
        ("csv", "a,b\n1\r2,3\n", "line 2: "),
        ("tsv", "a\tb\n1\t2\n\n", "line 3: 1 columns"),
        ("jsonl", '{"a": 1}\n{"a"\n', "line 2 is no JSON: "),
        ("jsonl", "[1]\n", "line 1 is no JSON object but a list"),
        ("jsonl", "\x00\n", "line 1 is no JSON: "),
        ("jsonl", "[" * 100_000, "line 1 is no JSON: "),
        ("jsonl", '{"a": ' + "9" * 5_000 + "}", "line 1 is no JSON: "),
        ("json", "", "is no JSON: "),
        ("json", '{"a": 1}', "should be one JSON array of objects"),
        ("json", "[1]", "should be one JSON array of objects"),
        ("json", "[" * 100_000, "is no JSON: "),
        ("xlsx", "", "is no XLSX file: "),
        ("xlsx", "a,b\n", "is no XLSX file: "),
    ],
)
def test_a_spoilt_file(tmp_path: Path, format_: str, content: str, said: str) -> None:
    assert said in refusal(tmp_path, format_, content)


@pytest.mark.parametrize("format_", [name for name in OWN if name != "xlsx"])
@pytest.mark.parametrize("content", [b"ok\n\xff\xfe\n", b"\xed\xa0\x80\n", "a\n".encode("utf-16"), b"\xc3"])
def test_not_utf_8(tmp_path: Path, format_: str, content: bytes) -> None:
    assert "is not UTF-8 text (byte " in refusal(tmp_path, format_, content)


@pytest.mark.parametrize("format_", OWN)
def test_a_file_that_is_none(tmp_path: Path, format_: str) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DataError) as caught:
            list(read(format_, path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format_", ["tsv", "csv", "tsv-quoted", "jsonl", "lines"])
def test_a_gigantic_line(tmp_path: Path, format_: str) -> None:
    """A judgment is longer than what Python's `csv` takes by itself."""
    long = "ọ" * 1_000_000
    content = {"jsonl": json.dumps({"text": long}), "lines": long}.get(format_, f"text\n{long}")
    assert records(tmp_path, format_, content + "\n") == [{"text": long}]


@shared_folder
@given(table=st.lists(st.lists(cells, min_size=2, max_size=2), max_size=5))
def test_what_csv_writes_is_read_back(tmp_path: Path, table: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *table])
    assert records(tmp_path, "csv", out.getvalue()) == [{"a": a, "b": b} for a, b in table]


@shared_folder
@given(texts=st.lists(cells, max_size=5))
def test_what_json_writes_is_read_back(tmp_path: Path, texts: list[str]) -> None:
    rows = [{"a": one} for one in texts]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert records(tmp_path, "jsonl", lines) == records(tmp_path, "json", json.dumps(rows)) == rows


@shared_folder
@given(content=st.binary(max_size=60) | cells.map(str.encode), format_=st.sampled_from(OWN))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, content: bytes, format_: str) -> None:
    try:
        assert all(isinstance(record, dict) for record in records(tmp_path, format_, content))
    except DataError as error:
        check_line(error)


def sheet(path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.create_sheet("another").append(["not", "read"])
    book.save(path)
    return path


def test_a_sheet(tmp_path: Path) -> None:
    path = sheet(tmp_path / "file.any", ["a", "b", None], ["1", 2], [None, None], ["ọ", None, "beyond"], [True])
    assert list(read("xlsx", path)) == [{"a": "1", "b": 2}, {"a": "ọ", "b": None}, {"a": True, "b": None}]
    assert next(read("xlsx", path, ["x", "y"])) == {"x": "a", "y": "b"}


def test_a_sheet_without_a_header(tmp_path: Path) -> None:
    for rows in ([], [[None, None]]):
        with pytest.raises(DataError, match=r"file\.any (has no column at all|is no XLSX file)"):
            list(read("xlsx", sheet(tmp_path / "file.any", *rows)))
    with pytest.raises(DataError, match="names a column twice: 'a'"):
        list(read("xlsx", sheet(tmp_path / "file.any", ["a", "a"])))


def test_a_truncated_or_spoilt_sheet(tmp_path: Path) -> None:
    path = sheet(tmp_path / "file.any", ["a", "b"], *([str(number), "x" * 50] for number in range(50)))
    whole = path.read_bytes()
    drawn = random.Random(5)
    spoilt = [whole[:length] for length in (1, 100, len(whole) // 2, len(whole) - 30)]
    for _ in range(60):
        place = drawn.randrange(len(whole))
        spoilt.append(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
    refused, said = 0, set()
    for content in spoilt:
        try:
            records(tmp_path, "xlsx", content)
        except DataError as error:
            refused += 1
            said.add(re.sub(r".*file\.any ", "", str(error))[:15])
            check_line(error)
    assert refused >= 4
    assert said <= {"is no XLSX file", "has no column a"}


def test_a_sheet_whose_parts_are_no_xml(tmp_path: Path) -> None:
    path = sheet(tmp_path / "file.any", ["a"], ["1"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for spoilt in parts:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content[: len(content) // 2] if name == spoilt else content)
        try:
            list(read("xlsx", path))
        except DataError as error:
            check_line(error)


def test_lines_of_a_file_keep_their_white_space(tmp_path: Path) -> None:
    assert read_lines(put(tmp_path / "file", " a \u00a0\n\tb\n")) == [" a \u00a0", "\tb"]


def test_every_format_is_tried_here_or_beside() -> None:
    assert set(OWN) <= set(READERS)
    beside = {name for name in READERS if name not in OWN}
    assert beside >= {"oab", "udhr", "blend"}
