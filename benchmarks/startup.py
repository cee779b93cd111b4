"""How long the commands take that people wait for, against an empty Python in the same run.

    python benchmarks/startup.py [RUNS]

Prints the median, minimum and maximum of whole processes, run in turn, and the ratio of the medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "bench --help": ["-m", "bench", "--help"],
    "bench list tasks": ["-m", "bench", "list", "tasks"],
    "bench list languages": ["-m", "bench", "list", "languages"],
    "bench list languages --json": ["-m", "bench", "list", "languages", "--json"],
}


def main(runs: int) -> None:
    """Times every command `runs` times after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for run in range(runs + 1):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            if run:
                seconds[name].append(time.perf_counter() - started)
    empty = statistics.median(seconds["python -c pass"])
    print(f"{'command':30} {'median':>8} {'min':>8} {'max':>8} {'ratio':>7}")
    for name, found in seconds.items():
        median = statistics.median(found)
        print(f"{name:30} {median:7.3f}s {min(found):7.3f}s {max(found):7.3f}s {median / empty:6.1f}x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
