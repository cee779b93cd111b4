"""Sends hostile requests to the website of a board, in this process, and says which it did not stand.

    python -m bench run && python -m bench publish runs/*.run.db --board board
    python benchmarks/hostile_requests.py --board board --number 100000

Works on a copy of the board. Exits with 1 where an answer was a 5xx, showed a trace or lacked a security header.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from leaderboard.desk import reception
from tests.leaderboard.desk.visitors import place
from tests.leaderboard.hostile_requests import run


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", type=Path, default=Path("board"))
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    os.environ[reception.CHECK] = "0"
    with tempfile.TemporaryDirectory() as name:
        there = place(Path(shutil.copytree(chosen.board, Path(name) / "board")))
        there.app.logger.disabled = True
        began = time.perf_counter()
        found = run(there.app, chosen.number, chosen.seed, there.secret)
        took = time.perf_counter() - began
    print(f"{chosen.number:,} requests, {took:,.0f} s, {chosen.number / took:,.0f} a second")
    print(", ".join(f"{status}: {count:,}" for status, count in sorted(found.statuses.items())))
    for fault, told in found.wrong[:20]:
        print(f"{fault}: {told}")
    print(f"{len(found.wrong):,} faults")
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())
