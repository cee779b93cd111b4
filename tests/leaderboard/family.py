"""Runs of a small family of models: a base, one made from it for a language, one made from that for a vertical."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cards.facts import MODEL_FILE, stated, to_json
from bench.plan import Block
from bench.records import Request, Response
from bench.runfile import RunFile
from leaderboard.board import Board
from leaderboard.snapshot import current, publish
from tests.leaderboard.conftest import TOPICS, Scripted, knows, run_sib200, sentences

CODES = ("yor_Latn", "pes_Arab", "amh_Ethi")
LONG = "<b>" + "\u202eمرحبا\n" * 500


def odd(request: Request) -> Response:
    """Answers of every kind: right ones, long and hostile ones, none, and one that was cut off."""
    number = int(request.sample.rsplit("/", 1)[1])
    if number == 0:
        return Response(request.id, "ok", LONG, finish="stop", output_tokens=900)
    if number == 1:
        return Response(request.id, "ok", "", finish="stop", output_tokens=0)
    return Response(request.id, "ok", TOPICS[number % len(TOPICS)], finish="stop", output_tokens=3)


def run_of(path: Path, model: Scripted, blocks: Sequence[Block], **said: Any) -> Path:
    """A run whose model file states some facts."""
    run_sib200(path, model, blocks)
    with RunFile.open(path, None) as run:
        run.describe("facts", to_json(stated(MODEL_FILE, reasons_of(said), **said)))
    return path


def reasons_of(said: Mapping[str, Any]) -> dict[str, str]:
    """That nobody says the rest."""
    return {name: "not_declared" for name in ("licence", "parameters", "base", "released") if name not in said}


def make(folder: Path) -> Path:
    """A board with the family, a model that stands alone, and a floor."""
    blocks = [sentences(code) for code in CODES]
    open_weights: dict[str, Any] = {"licence": "apache-2.0", "open_weights": True}
    base = "org/base"
    runs = [
        run_of(folder / "1.run.db", Scripted("hf:org/base", knows(4)), blocks, level="general", parameters=2 * 10**9),
        run_of(
            folder / "2.run.db",
            Scripted("hf:org/base-yo", knows(8)),
            blocks[:2],
            level="language",
            base=(base,),
            parameters=2 * 10**9,
            **open_weights,
        ),
        run_of(
            folder / "3.run.db",
            Scripted("hf:org/base-yo-health", odd),
            blocks[:1],
            level="vertical",
            base=("org/base-yo",),
            **open_weights,
        ),
        run_of(folder / "4.run.db", Scripted("hf:other/closed", knows(4)), blocks, open_weights=False),
        run_sib200(folder / "5.run.db", Scripted("baseline:majority", knows(2)), blocks),
    ]
    publish(runs, folder / "board")
    return folder / "board"


def opened(folder: Path) -> Board:
    """The current snapshot of a board."""
    return Board.open(folder, current(folder))
