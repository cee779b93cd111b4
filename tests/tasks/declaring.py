"""Declarations and rows made in a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.declaration import load
from tasks.records import Row, Sample, Task, Variety

YORUBA = Variety("yor_Latn", code="yo")
HAUSA = Variety("hau_Latn", code="ha")

CHOICE = """
name = "tiny"
dataset = "tiny-set"
title = "Tiny"
area = "knowledge"
kind = "choice"
prompt = "choice"
languages = ["yo", "ha"]

[source]
format = "jsonl"
test = "{code}.jsonl"

[sample]
item = "{id}"
fields = { question = "{question}" }
options = ["{a}", "{b}"]
answer = { column = "answer", as = "letter" }
"""


def check_line(error: BaseException, *, without: str = "") -> None:
    """Whether what is said of an error is one line, but for a part that the test itself made."""
    assert "\n" not in str(error).replace(without, "")


def row(**values: Any) -> Row:
    return Row(values, "here row 1")


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def put_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    return put(path, "".join(json.dumps(one) + "\n" for one in rows))


def declare(folder: Path, text: str = CHOICE, **replaced: str) -> tuple[Task, ...]:
    """The tasks of a declaration; `replaced` gives lines of it anew, by key, and "" takes one out."""
    lines = []
    for line in text.splitlines():
        key = line.split(" = ")[0]
        lines.append(replaced.pop(key, line) if " = " in line else line)
    return load(put(folder / "tiny.toml", "\n".join([*replaced.values(), *lines])))


def sampled(task: Task, *rows: Mapping[str, Any], variety: Variety = YORUBA) -> list[Sample]:
    """What the task makes of the rows, without those that it leaves out."""
    made = (
        task.sample(task, variety, Row({"line": number, **one}, f"row {number}")) for number, one in enumerate(rows, 1)
    )
    return [sample for sample in made if sample is not None]
