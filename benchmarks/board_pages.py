"""What it takes to make the pages of a board anew: the CPU time of each kind of page, over addresses drawn by chance.

    python benchmarks/board_pages.py --board BOARD [--number 20] [--format csv] [--only /languages]

BOARD is a board such as `benchmarks/board_build.py` makes. Nothing comes from a cache of pages: each is made as for the
first visitor, in one process that has made one page of the kind. Filters and comparisons are drawn like the addresses.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from leaderboard import snapshot, twins, walking
from leaderboard.app import create_app
from leaderboard.board import Board
from leaderboard.prefixes import Prefix
from leaderboard.walking import Stop

Draw = Callable[[], dict[str, str | list[str]]]


def queries(board: Board, draw: random.Random) -> Mapping[str, Draw]:
    """Rule of a page -> what draws the parameters of one address."""
    models = [one.slug for one in board.model_names().values() if not one.baseline]
    tasks = sorted({one.name for one in board.tasks()})
    codes = board.languages()
    return {
        "/board": lambda: {"task": draw.choice(tasks), "language": draw.sample(codes, min(3, len(codes)))},
        "/compare": lambda: {"model": draw.sample(models, min(len(models), draw.choice((2, 3, 4))))},
        "/energy": lambda: {"task": draw.choice(tasks)} if draw.random() < 0.5 else {"language": draw.choice(codes)},
        "/plots/energy": lambda: {"language": draw.choice(codes)},
        "/plots/size": lambda: {"task": draw.choice(tasks)},
        "/plots/heatmap": lambda: {"task": draw.choice(tasks)},
        "/costs": lambda: {"language": draw.choice(codes)},
        "/coverage": lambda: {"page": str(draw.randint(1, 3))},
        "/map": lambda: {"page": str(draw.randint(1, 3))},
    }


def addresses(
    stops: Iterable[Stop], drawn: Mapping[str, Draw], draw: random.Random, number: int
) -> Iterator[tuple[str, list[tuple[Stop, str]]]]:
    """Rule of a page -> some of its addresses, each with a query; those with queries are a kind of their own."""
    for rule, found in itertools.groupby(stops, key=lambda stop: stop.page.rule):
        own = list(found)
        chosen = draw.sample(own, min(number, len(own)))
        yield rule, [(stop, "") for stop in chosen]
        if rule in drawn:
            yield f"{rule}?", [(own[0], urlencode(drawn[rule](), doseq=True)) for _ in range(number)]


def main() -> None:
    """Prints a line for each kind of page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, required=True)
    parser.add_argument("--number", type=int, default=20, help="addresses of each kind")
    parser.add_argument("--format", choices=("html", *twins.FORMATS), default="html")
    parser.add_argument("--only", default="", help="rules that begin so")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    site = walking.site_of(create_app(given.board))
    site.prepare()
    name, prefix, draw = snapshot.current(given.board), Prefix("", "en", ""), random.Random(given.seed)
    suffix = "" if given.format == "html" else given.format
    with Board.open(given.board, name) as board:
        drawn = queries(board, draw)
        here = {"", *board.languages()}  # a language without results is made in no time
        stops = [stop for stop in walking.stops(site, name) if stop.arguments.get("code", "") in here]
        print(f"{'seconds of CPU':28}{'pages':>6}{'median':>8}{'p95':>8}{'max':>8}  the dearest")
        for kind, found in addresses(stops, drawn, draw, given.number):
            if not kind.startswith(given.only):
                continue
            times = []
            walking.answered(site, found[0][0], name, prefix, suffix, found[0][1])  # reads the template, and much else
            for stop, query in found:
                begun = time.process_time()
                walking.answered(site, stop, name, prefix, suffix, query)
                times.append((time.process_time() - begun, f"{stop.path}?{query}"))
            median, p95 = np.percentile([seconds for seconds, _path in times], [50, 95])
            most, dearest = max(times)
            print(f"{kind:28}{len(times):6}{median:8.3f}{p95:8.3f}{most:8.3f}  {dearest.rstrip('?')}", flush=True)


if __name__ == "__main__":
    main()
