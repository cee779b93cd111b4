"""Run files whose cells have energy, written into them as `rescore` does, and premiums to go with them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.premium.files import to_json
from bench.premium.records import Premium, Premiums
from bench.records import Cell
from leaderboard import collect

SETUP = "1x H100, 700 W, vllm 0.32, bfloat16, 64 at a time, gpu_board, counter"

Change = Callable[[Cell], Cell]


def measured(joules: float = 20.0, spread: float = 1.02, **more: Any) -> Change:
    """Energy in every cell: `joules` a request, the interval a factor of `spread` to either side."""

    def change(cell: Cell) -> Cell:
        value = cell.value or 1.0
        values: dict[str, Any] = {
            "energy_provenance": "measured",
            "energy_scope": "gpu_board",
            "energy_setup": SETUP,
            "energy_windows": 3,
            "joules_per_request": joules,
            "joules_per_request_low": joules / spread,
            "joules_per_request_high": joules * spread,
            "joules_per_correct": joules / value,
            "joules_per_correct_low": joules / value / spread,
            "joules_per_correct_high": joules / value * spread,
            "joules_per_1000_words": joules * 50,
            "output_tokens_per_joule": 200 / joules,
            "english_equivalent_tokens_per_joule": 200 / joules / 1.6,
            "quality_per_kilojoule": 800 / joules,
            "language_energy_ratio": 2.08,
            "premium": 1.6,
            "verbosity": 1.2,
            "joules_per_token_ratio": 1.0833,
        }
        reasons = {name: code for name, code in cell.reasons.items() if "energy" not in name and "joule" not in name}
        changed = {**values, **more}
        changed["reasons"] = {**reasons, **more.get("reasons", {})}
        return replace(cell, **changed)

    return change


def without(code: str, figure: str = "energy") -> Change:
    """No energy at all for a reason, or one figure less."""

    def change(cell: Cell) -> Cell:
        if figure != "energy":
            lost: dict[str, Any] = {figure: None, f"{figure}_low": None, f"{figure}_high": None}
            known = {name: value for name, value in lost.items() if hasattr(cell, name)}
            return measured(20.0, 1.02, **known, reasons={figure: code})(cell)
        return replace(cell, reasons={**cell.reasons, "energy": code})

    return change


def rewrite(path: Path, change: Change) -> Path:
    """Changes every cell of a run file."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT position, cell FROM cells").fetchall()
        for position, text in rows:
            cell = change(Cell(**json.loads(text)))
            connection.execute("UPDATE cells SET cell = ? WHERE position = ?", (json.dumps(asdict(cell)), position))
    connection.close()
    return path


@contextlib.contextmanager
def believing() -> Iterator[None]:
    """Believes cells with energy that no window of their run gives: what is shown is tested, not where it is from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "check_windows", lambda cells, known, path: None)
        yield


def describe(path: Path, **facts: Any) -> Path:
    """Puts something into the manifest of a run file."""
    with sqlite3.connect(path) as connection:
        for name, value in facts.items():
            connection.execute("INSERT OR REPLACE INTO manifest VALUES (?, ?)", (name, json.dumps(value)))
    connection.close()
    return path


def premium(language: str, tokens: int, english: int = 1000, **more: Any) -> Premium:
    """The premium of a language over forty sentences."""
    found = tokens / english
    made = Premium(
        language=language,
        variety="",
        sentences=40,
        tokens=tokens,
        english_tokens=english,
        premium=found,
        low=found * 0.97,
        high=found * 1.03,
        bytes_per_token=2.5,
        characters_per_token=1.9,
        byte_premium=1.1,
        unknown=0.0,
        fallback=None,
        reasons={"fallback": "no_such_tokens"},
    )
    return replace(made, **more)


def premiums(tokens: Mapping[str, int], name: str = "hf:maker/good", **more: Any) -> Premiums:
    """A tokenizer in some languages, English among them."""
    rows: Sequence[Premium] = [premium("eng_Latn", 1000), *(premium(code, count) for code, count in tokens.items())]
    made = Premiums(name, "abc123", "ntrex-from-eng", "def456", 0.21, tuple(rows))
    return replace(made, **more)


def as_json(*found: Premiums) -> list[dict[str, Any]]:
    """As a run's manifest has them."""
    return [to_json(each) for each in found]


def as_english(text: str) -> str:
    """A text of the program as an English page has it: no space before a per cent."""
    return text.replace(" %", "%")
