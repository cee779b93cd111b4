"""What the parts of `backends.py` share: sides in processes of their own, paired ratios, and the table."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).parent / "backends.py"
COLUMNS = {
    "what": "<46",
    "ours": ">9",
    "theirs": ">9",
    "unit": "<10",
    "pairs": ">5",
    "ratio": ">6",
    "95 % interval": ">14",
    "wanted": ">18",
    "met": "<3",
}
QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1",
    "OPENAI_API_KEY": "none",
    "TOKENIZERS_PARALLELISM": "false",
}
"""For every side: the CPU, and no network but this machine's own."""

Measured = TypeVar("Measured")


class Failed(Exception):
    """Something did not run. The message is one line."""


@dataclass(frozen=True)
class Setup:
    """How a part is measured: where it may write, with which peers, how often.

    `quick` is for a look whether everything runs: its figures say nothing. `pairs` None: as many as the part thinks.
    """

    folder: Path
    lm_eval: str
    vllm_python: str
    quick: bool
    pairs: int | None
    threads: int
    batches: tuple[str, ...]

    def count(self, full: int, quick: int) -> int:
        """One of the two numbers."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """One line of the table: (ours, theirs) of every pair, a rate or a time.

    `wanted` is the least ratio, None where there is no such wish; `above` what the interval's lower end has to exceed.
    Of a time less is better, and the ratio is theirs / ours; of a rate ours / theirs.
    """

    what: str
    unit: str
    pairs: tuple[tuple[float, float], ...]
    wanted: float | None = None
    above: float | None = None
    time: bool = False

    @property
    def ratios(self) -> list[float]:
        """How many times better our side was, for each pair."""
        return [theirs / ours if self.time else ours / theirs for ours, theirs in self.pairs]

    @property
    def met(self) -> bool:
        """Whether the ratio is as wanted."""
        ratio, low, _ = interval(self.ratios)
        above = self.above is None or (low is not None and low > self.above)
        return above and (self.wanted is None or ratio >= self.wanted)


def interval(ratios: Sequence[float]) -> tuple[float, float | None, float | None]:
    """(geometric mean, lower, upper end of its 95 % interval by Student's t on the logarithms); None under 3 pairs."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 3:
        return math.exp(mean), None, None
    from scipy.stats import t

    half = float(t.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def head(part: str) -> None:
    """Prints the part's name and the table's head."""
    print(f"\n{part}", flush=True)
    _print(list(COLUMNS))


def show(row: Row) -> None:
    """Prints one row: medians of both sides, and the ratio over the pairs."""
    ratio, low, high = interval(row.ratios)
    wishes = [f">= {row.wanted:g}"] if row.wanted is not None else []
    wishes += [f"from > {row.above:g}"] if row.above is not None else []
    _print(
        [
            row.what,
            *(_number(statistics.median(side)) for side in zip(*row.pairs, strict=True)),
            row.unit,
            str(len(row.pairs)),
            f"{ratio:.3g}",
            "-" if low is None or high is None else f"{low:.3g} to {high:.3g}",
            ", ".join(wishes) or "-",
            ("yes" if row.met else "NO") if wishes else "-",
        ]
    )


def note(text: str) -> None:
    """Prints what stands beside the table."""
    print(f"  {text}", flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _print(cells: Sequence[str]) -> None:
    print("  ".join(f"{cell:{how}}" for cell, how in zip(cells, COLUMNS.values(), strict=True)).rstrip(), flush=True)


class Results:
    """Rows that were measured, kept in a file as JSON lines, so that a part that was done is not measured again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, list[Row]] = {}
        for line in path.read_text("utf-8").splitlines() if path and path.exists() else []:
            made = json.loads(line)
            self._known[made["part"]] = [
                Row(**{**row, "pairs": tuple(map(tuple, row["pairs"]))}) for row in made["rows"]
            ]

    def of(self, part: str) -> list[Row] | None:
        """The rows of a part that was done."""
        return self._known.get(part)

    def add(self, part: str, rows: Sequence[Row]) -> None:
        """Keeps a part's rows."""
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"part": part, "rows": [asdict(row) for row in rows]}) + "\n")


def alternating(
    pairs: int, ours: Callable[[], Measured], theirs: Callable[[], Measured]
) -> Iterator[tuple[Measured, Measured]]:
    """Both sides measured side by side, each first as often as second: a machine that slows down slows both."""
    for number in range(pairs):
        if number % 2:
            second = theirs()
            yield ours(), second
        else:
            first = ours()
            yield first, theirs()


def column(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], which: int) -> tuple[tuple[float, float], ...]:
    """One of the figures of each measurement, pair by pair."""
    return tuple((ours[which], theirs[which]) for ours, theirs in pairs)


def needed(program: str, option: str) -> None:
    """Raises `Failed` where a peer is not there."""
    if shutil.which(program) is None:
        raise Failed(f"no program {program}; give {option} PATH (docs/throughput.md says how to install it)")


def environment(threads: int) -> dict[str, str]:
    """What every side runs under."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **QUIET, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}


def call(command: Sequence[str], threads: int, timeout: float = 1_800) -> tuple[float, str]:
    """Runs a command to its end: (seconds from start to end, what it wrote to both outputs). Raises `Failed`."""
    began = time.perf_counter()
    try:
        process = subprocess.Popen(
            command,
            env=environment(threads),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that it can be ended with all of its own processes
        )
    except OSError as error:
        raise Failed(f"{command[0]} does not start: {error.strerror}") from error
    with process:
        try:
            written, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{_short(command)} took more than {timeout:.0f} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise Failed(f"{_short(command)} ended with {process.returncode}: {_reason(written)}")
    return seconds, written


def _reason(written: str) -> str:
    """The line that says why a command failed: an exception's, else the last."""
    lines = written.strip().splitlines() or ["no message"]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Failed|Stopped)\b", line)]
    return (raised or lines)[-1]


def work(python: str, part: str, side: str, threads: int, **arguments: Any) -> dict[str, Any]:
    """One measurement in a process of its own: what the part's `work` returns. Raises `Failed`."""
    command = [python, str(SCRIPT), "--work", part, side, json.dumps(arguments)]
    _, written = call(command, threads)
    for line in reversed(written.splitlines()):
        if line.startswith('{"measured":'):
            found: dict[str, Any] = json.loads(line)["measured"]
            return found
    raise Failed(f"{part} {side}: it ended without a measurement")


def tell(measured: Mapping[str, Any]) -> None:
    """Prints a measurement as `work` reads it."""
    print("\n" + json.dumps({"measured": measured}), flush=True)


def tqdm_rate(written: str, title: str) -> float:
    """Steps per second over the whole of a tqdm bar, as its last line has it. Raises `Failed` where there is none."""
    found = re.findall(rf"{re.escape(title)}: 100%[^\r\n]*?\[[^\]\r\n]*?([0-9.]+)(it/s|s/it)", written)
    if not found:
        raise Failed(f"no finished progress bar {title!r} in what the command wrote")
    number, unit = found[-1]
    return float(number) if unit == "it/s" else 1 / float(number)


def _short(command: Sequence[str]) -> str:
    return " ".join(Path(part).name if part.startswith("/") else part for part in command[:5]) + " ..."
