"""The website under load, with the generator on the same machine: hot pages, uncached filters, a swap of snapshots.

    python benchmarks/board_load.py --board BOARD [--seconds 60] [--workers 2]

Needs `wrk` (Debian's package). BOARD is a board such as `benchmarks/board_build.py` makes. Hot pages are asked for by
`wrk` as fast as it can; filters by an open loop at a fixed rate, each one another, so that none was made before. The
swap goes back and forth between two snapshots of the board while hot pages are asked for. Memory is the proportional
set size (PSS) of all processes of the server together, the highest seen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import numpy as np

import languages
from leaderboard import snapshot, walking
from leaderboard.app import create_app
from leaderboard.board import Board

LUA = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at], {["Accept-Encoding"] = "gzip"})
end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %%d %%d %%d %%d %%f %%f %%f\\n", summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def server(board: Path, workers: int) -> Iterator[tuple[str, int]]:
    """The server's address and process id."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "bench",
        "serve",
        "--board",
        str(board),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    process = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"
    try:
        for _attempt in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(30)


class Memory(threading.Thread):
    """The highest PSS of a process and all below it, in MB, looked at twice a second."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.highest = 0.0
        self._process = process
        self._ended = threading.Event()

    def run(self) -> None:
        """Looks until it is ended."""
        while not self._ended.wait(0.5):
            self.highest = max(self.highest, sum(map(_pss, _family(self._process))))

    def end(self) -> float:
        """The highest that was seen."""
        self._ended.set()
        self.join()
        return self.highest


def _family(process: int) -> list[int]:
    found, left = [], [process]
    while left:
        one = left.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                left += map(int, task.read_text().split())
    return found


def _pss(process: int) -> float:
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def wrk(address: str, paths: Sequence[str], seconds: int, connections: int) -> str:
    """What `wrk` counted, as the script above prints it."""
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder) / "paths", Path(folder) / "load.lua"
        listed.write_text("\n".join(paths))
        script.write_text(LUA % listed)
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", str(script), address]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return next(line for line in out.splitlines() if line.startswith("RESULT"))


def told(name: str, line: str) -> None:
    """Prints what `wrk` counted."""
    requests, status, sockets, timeouts, seconds, median, p99 = map(float, line.split()[1:])
    print(
        f"{name}: {requests / seconds:,.0f} requests/s over {seconds:.0f} s, median {median:.1f} ms, p99 {p99:.1f} ms, "
        f"errors {status:.0f} by status, {sockets:.0f} by socket, {timeouts:.0f} timeouts",
        flush=True,
    )


def filters(board: Path) -> Iterator[str]:
    """Addresses of the board that differ from each other."""
    generator = random.Random(1)
    with Board.open(board, snapshot.current(board)) as opened:
        here = set(opened.languages())
    known = [one for one in languages.all_languages() if one.code in here]
    facets = {
        "family": sorted({one.family_id for one in known if one.family_id}),
        "script": sorted({one.script for one in known}),
        "area": sorted({one.macroarea for one in known if one.macroarea}),
        "class": sorted({one.resource_class for one in known}),
    }
    for number in itertools.count():
        chosen = generator.sample(["family", "script", "area", "class"], generator.choice([1, 1, 2]))
        query = "&".join(f"{name}={generator.choice(facets[name])}".replace(" ", "+") for name in chosen)
        # Every address is another, so that nothing was made before.
        codes = [generator.choice(known).code, generator.choice(known).code, known[number % len(known)].code]
        yield f"/board?{query}" + "".join(f"&language={code}" for code in codes)


async def open_loop(
    address: str, paths: Iterator[str], rate: float, seconds: float
) -> tuple[list[float], dict[int, int]]:
    """Asks at a fixed rate, whatever the answers take: the time of each in ms, and how often each status came."""
    times: list[float] = []
    statuses: dict[int, int] = {}

    async def one(session: aiohttp.ClientSession, path: str) -> None:
        begun = time.perf_counter()
        async with session.get(f"{address}{path}") as answer:
            await answer.read()
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
        times.append((time.perf_counter() - begun) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        begun, running = time.perf_counter(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            running.append(asyncio.create_task(one(session, next(paths))))
        await asyncio.gather(*running)
    return times, statuses


@contextlib.contextmanager
def swapping(board: Path, other: str) -> Iterator[list[int]]:
    """Makes one snapshot current and then the other again, every second."""
    ended, done = threading.Event(), [0]
    names = itertools.cycle([other, snapshot.current(board)])
    first = snapshot.current(board)

    def swap() -> None:
        while not ended.wait(1.0):
            snapshot.point(board, next(names))
            done[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()
        snapshot.point(board, first)


def others(board: Path) -> list[str]:
    """The snapshots that are not current."""
    names = sorted(path.stem for path in (board / snapshot.SNAPSHOTS).glob("*.db"))
    return [name for name in names if name != snapshot.current(board)]


def hot(board: Path) -> list[str]:
    """The pages that are asked for most, made beforehand: those without variables, and some languages and models."""
    site = walking.site_of(create_app(board))
    every = walking.hot(site, snapshot.current(board))
    single = [stop for stop in every if not stop.arguments]
    rest = [stop for stop in every if stop.page.rule in ("/languages/<code>", "/models/<slug>", "/tasks/<name>")]
    chosen = single + random.Random(1).sample(rest, min(60, len(rest)))
    begun = time.perf_counter()
    now = snapshot.current(board)
    for name in (now, *(other for other in others(board)[:1])):
        walking.warm(site, ("en",), only=chosen, name=name)
    print(f"{len(chosen)} hot pages made beforehand in {time.perf_counter() - begun:.0f} s", flush=True)
    return [stop.path for stop in chosen]


def main() -> None:
    """Runs all three and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, default=20.0, help="filters a second")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    paths = hot(given.board)
    with server(given.board, given.workers) as (address, process):
        memory = Memory(process)
        memory.start()
        wrk(address, paths, 10, given.connections)  # the first time of each page
        told(f"hot pages ({len(paths)})", wrk(address, paths, given.seconds, given.connections))
        times, statuses = asyncio.run(open_loop(address, filters(given.board), given.rate, given.seconds))
        median, p95, p99 = np.percentile(times, [50, 95, 99])
        print(
            f"uncached filters at {given.rate:g}/s: median {median:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, "
            f"statuses {json.dumps(statuses)}",
            flush=True,
        )
        if found := others(given.board):
            with swapping(given.board, found[0]) as done:
                line = wrk(address, paths[:40], given.seconds, given.connections)
            told(f"hot pages while the snapshot is swapped ({done[0]} times)", line)
        print(f"memory of the server, all processes: {memory.end():,.0f} MB (PSS)")


if __name__ == "__main__":
    main()
