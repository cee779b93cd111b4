"""The corpus that the scoring benchmarks read: NTREX-128 and five systems that make the errors which systems make."""

from __future__ import annotations

import os
import random
from pathlib import Path

NOISE = (0.20, 0.21, 0.25, 0.30, 0.40)
"""The share of words that each system gets wrong."""


def mirror() -> Path:
    """The folder of NTREX-128's reference files. Exits in one line where it is absent."""
    folder = Path(os.environ.get("BENCH_DATA") or "../shared/data") / "ntrex128" / "NTREX-128"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent: BENCH_DATA must name a mirror that holds ntrex128/NTREX-128")
    return folder


def languages() -> dict[str, list[str]]:
    """The 1,997 lines of each of the 128 reference files, by the code in the file's name (Spanish has two)."""
    return {
        path.name.removeprefix("newstest2019-").removesuffix(".txt"): path.read_text("utf-8").split("\n")[:-1]
        for path in sorted(mirror().glob("newstest2019-ref*.txt"))
    }


def mixed(segments: int) -> list[str]:
    """So many lines of all languages, shuffled; always the same."""
    lines = [line for found in languages().values() for line in found]
    random.Random(20260101).shuffle(lines)
    if segments > len(lines):
        raise SystemExit(f"NTREX-128 has {len(lines):,} lines, fewer than {segments:,}")
    return lines[:segments]


def system(references: list[str], number: int) -> list[str]:
    """What system `number` (0 to 4) wrote: words lost, replaced, doubled, moved, letters changed, lines empty."""
    drawn = random.Random(1000 + number)
    return [_translated(line, NOISE[number], drawn) for line in references]


def _translated(line: str, noise: float, drawn: random.Random) -> str:
    if drawn.random() < 0.001:
        return ""
    words = line.split(" ")
    written: list[str] = []
    for word in words:
        chance = drawn.random() / noise
        if chance < 0.3:
            continue
        if chance < 0.6:
            written.append(drawn.choice(words))
        elif chance < 0.7:
            written += [word, word]
        elif chance < 1 and word:
            at = drawn.randrange(len(word))
            written.append(word[:at] + drawn.choice(line) + word[at + 1 :])
        else:
            written.append(word)
    if len(written) > 6 and drawn.random() < noise:
        start = drawn.randrange(len(written) - 3)
        moved = written[start : start + 3]
        del written[start : start + 3]
        at = drawn.randrange(len(written) + 1)
        written[at:at] = moved
    return " ".join(written)
