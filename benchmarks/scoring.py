"""The scoring kernels against their peers on NTREX-128: each side in its own process, one core, medians, ratios.

    python benchmarks/scoring.py                 # about 20 minutes, most of it the peers'
    python benchmarks/scoring.py --only chrF2 --repeats 3

Seconds are processor time from Python strings to the score, without imports and without compilation, which the first
call of a new installation pays once; both sides get a warm-up of 64 segments. Memory is the process' peak. Runs of both
sides alternate, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corpus

SEED = 12345
Run = Callable[[list[str], list[str], list[str]], Any]
"""Hypotheses, references, and what another system wrote, for the paired tests."""


@dataclass(frozen=True)
class Case:
    """One row: how many segments, how often the peer runs at most, the ratio that the project holds itself to."""

    name: str
    segments: int
    wanted: float
    peer: str = "sacreBLEU"
    peer_repeats: int = 3


CASES = [
    Case("chrF2", 1_000, 0),
    Case("chrF2", 10_000, 85),
    Case("chrF2", 100_000, 120, peer_repeats=1),
    Case("chrF2++", 10_000, 60),
    Case("BLEU-13a", 10_000, 30),
    Case("BLEU-intl", 10_000, 0),
    Case("BLEU-zh", 10_000, 0),
    Case("BLEU-char", 10_000, 0),
    Case("TER", 1_000, 25),
    Case("TER", 10_000, 25, peer_repeats=1),
    Case("bootstrap chrF2", 10_000, 70, peer_repeats=1),
    Case("bootstrap BLEU", 10_000, 0, peer_repeats=1),
    Case("edits, characters", 10_000, 1, peer="rapidfuzz"),
    Case("edits, words", 10_000, 1, peer="rapidfuzz"),
]


def ours(case: str) -> Run:
    """What this project does for a case: from hypotheses and references to something that must equal the peer's."""
    import kernels

    name, _, option = case.partition("-")
    match name:
        case "chrF2" | "chrF2++":
            return lambda h, r, _: kernels.chrf(h, [r], word_order=2 * ("++" in name)).score
        case "BLEU":
            return lambda h, r, _: kernels.bleu(h, [r], tokenize=option).score
        case "TER":
            return lambda h, r, _: kernels.ter(h, [r]).score
        case "bootstrap chrF2" | "bootstrap BLEU":
            return lambda h, r, o: _our_bootstrap(kernels.metric("chrf" if "chrF" in name else "bleu"), h, r, o)
        case "edits, characters":
            return lambda h, r, _: int(kernels.edit_distance(h, r, unit="character").sum())
        case "edits, words":
            return lambda h, r, _: int(kernels.edit_distance(h, r, unit="word").sum())
    raise KeyError(case)


def theirs(case: str) -> Run:
    """The same by the peer."""
    name, _, option = case.partition("-")
    if name.startswith("edits"):
        from rapidfuzz.distance import Levenshtein

        if "words" in name:
            return lambda h, r, _: sum(Levenshtein.distance(a.split(), b.split()) for a, b in zip(h, r, strict=True))
        return lambda h, r, _: sum(Levenshtein.distance(a, b) for a, b in zip(h, r, strict=True))
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    metrics: dict[str, Callable[[], Any]] = {
        "chrF2": CHRF,
        "chrF2++": lambda: CHRF(word_order=2),
        "BLEU": lambda: BLEU(tokenize=option or None, force=True),
        "TER": TER,
    }
    if name.startswith("bootstrap"):
        return lambda h, r, o: _their_bootstrap(metrics[name.split()[1]](), h, r, o)
    return lambda h, r, _: metrics[name]().corpus_score(h, [r]).score


def _our_bootstrap(metric: Any, hypotheses: list[str], references: list[str], other: list[str]) -> Any:
    from kernels import sacrebleu_compat
    from kernels.text import Text

    known = Text(references)
    systems = [metric.statistics(written, [known]) for written in (hypotheses, other)]
    ((_, found),) = sacrebleu_compat.paired([sacrebleu_compat.Comparison(metric, systems)], "bs", 1000, SEED)
    return [found.score, found.p, found.mean, found.ci]


def _their_bootstrap(metric: Any, hypotheses: list[str], references: list[str], other: list[str]) -> Any:
    from sacrebleu.significance import PairedTest

    systems = [("baseline", hypotheses), ("other", other)]
    _, scores = PairedTest(systems, {"metric": metric}, [references], test_type="bs", n_samples=1000)()
    found: Any = next(results[1] for name, results in scores.items() if name != "System")
    return [float(number) for number in (found.score, found.p_value, found.mean, found.ci)]


def work(case: str, segments: int, side: str) -> None:
    """One measurement in a process of its own; prints JSON."""
    references = corpus.mixed(segments)
    hypotheses, other = corpus.system(references, 0), corpus.system(references, 1)
    before = _peak()
    run = (ours if side == "ours" else theirs)(case)
    run(hypotheses[:64], references[:64], other[:64])
    wall, spent = time.perf_counter(), time.process_time()
    value = run(hypotheses, references, other)
    spent, wall = time.process_time() - spent, time.perf_counter() - wall
    print(json.dumps({"seconds": spent, "wall": wall, "peak": _peak(), "before": before, "value": value}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: Case, side: str, cores: int) -> dict[str, Any]:
    """Runs one measurement pinned to so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    done = subprocess.run(
        [sys.executable, __file__, "--work", case.name, str(case.segments), side],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": str(cores)},
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(case: Case, repeats: int) -> bool:
    """Prints one row; false if the peer's result is another or the wanted ratio is missed."""
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for number in range(repeats):
        runs["ours"].append(measure(case, "ours", 1))
        if number < case.peer_repeats:
            runs["theirs"].append(measure(case, "theirs", 1))
    mine, peer = (statistics.median(run["seconds"] for run in runs[side]) for side in ("ours", "theirs"))
    memory = [max(run["peak"] for run in runs[side]) for side in ("ours", "theirs")]
    same = runs["ours"][0]["value"] == runs["theirs"][0]["value"]
    ratio = peer / mine
    wanted = f">= {case.wanted:.0f}x" if case.wanted else ""
    print(
        f"{case.name:18} {case.segments:8,} {mine:9.4f} s {case.segments / mine:10,.0f}/s {memory[0]:6.0f} MB   "
        f"{case.peer:9} {peer:9.3f} s {memory[1]:6.0f} MB {ratio:8.1f}x {wanted:>8}  {'equal' if same else 'DIFFERS'}",
        flush=True,
    )
    return same and ratio >= case.wanted


def all_cores(repeats: int) -> None:
    """Prints what every core together does, by the clock on the wall."""
    case, cores = Case("chrF2", 100_000, 0), len(os.sched_getaffinity(0))
    alone, together = (
        statistics.median(measure(case, "ours", count)["wall"] for _ in range(repeats)) for count in (1, cores)
    )
    gain = f"{alone:.3f} s on 1 core, {together:.3f} s on {cores}: {alone / together:.2f}x"
    print(f"\nchrF2 at 100,000 segments, wall: {gain}")


def main() -> int:
    """Prints the table; 1 if a row differs from its peer or misses its ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", nargs=3, metavar=("CASE", "SEGMENTS", "SIDE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], int(arguments.work[1]), arguments.work[2])
        return 0
    print(
        f"{'case':18} {'segments':>8} {'ours':>11} {'':>12} {'peak':>9}   {'peer':9} {'':>11} {'peak':>9} {'ratio':>9}"
    )
    good = [row(case, arguments.repeats) for case in CASES if case.name.startswith(arguments.only)]
    all_cores(arguments.repeats)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
