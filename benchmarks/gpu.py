"""Everything that is claimed of the GPU, measured in one go: first that it is right, then how fast it is.

    python benchmarks/gpu.py [--pairs 1000000] [--repeats 5]

Prints one table: what, how fast (the median of the repeats), and the bound derived in docs/gpu.md. Without a GPU it
says why in one line. The text is made up, with the lengths and alphabets of NTREX-128, so that no data is needed.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import array_path, chrf_cpu, chrf_gpu, gpu
from kernels.all_pairs import all_pairs_chrf
from kernels.base import Backend
from kernels.chrf_gpu import Orders, Uploads
from kernels.chrf_score import Chrf
from kernels.resampling import multiplicities, resampled
from kernels.text import Text, Units

HOSTILE = (
    "ab ", "a", " \t\n\u00a0\u2028\u3000\u200b", "the cat, (sat) on-a mat. ", "ሀለመሠረሰ ።", "中国人民的一是不了在有和",
    "\u1019\u1039\u101b\u1014\u103a ", "e\u0301é\u200d👩🧬𠀀 ", "\ud800\udc00\udfff x",
    "".join(map(chr, range(0x4E00, 0x4F00))),
)  # fmt: skip
EDGES = (0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 1025)
PLAIN = (
    "abcdefghijklmnopqrstuvwxyzáéí,.",
    "ሀለሐመሠረሰሸቀበተቸነኘአከኸወዐዘዠየደጀገጠጨጰጸፀፈፐ",
    "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह",
)
BLOCK = 50_000
"""Texts made at a time."""
CELLS = 100, 200, 1000, 10_000
"""Systems, languages, segments and rounds of the resampling that a leaderboard needs."""

WHERE: tuple[tuple[Backend, str], ...] = (("gpu", "5-10"), ("cpu", "-"))
"""Backends, and the milliseconds that 1,024 x 1,024 pairs should take there."""

Row = tuple[str, str, str]


def texts(alphabets: tuple[str, ...], lengths: NDArray[np.int64], seed: int) -> tuple[list[str], list[str]]:
    """Hypotheses and references: most of the former are the latter with characters replaced and lost."""
    drawn = np.random.default_rng(seed)
    widest = max(map(len, alphabets))
    table = np.array([[ord(one) for one in (alphabet * widest)[:widest]] for alphabet in alphabets], dtype=np.uint32)
    hypotheses, references = [], []
    for start in range(0, len(lengths), BLOCK):
        sizes = lengths[start : start + BLOCK]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        alphabet = drawn.integers(len(alphabets), size=len(sizes))[owner]
        one, other = (table[alphabet, drawn.integers(widest, size=len(owner))] for _ in range(2))
        noise = drawn.choice([0.0, 0.1, 0.3, 1.0], size=len(sizes))[owner]
        chance = drawn.random(len(owner))
        kept = (chance >= noise / 4) | (noise == 1.0)
        written = np.where(chance < noise, other, one)[kept]
        hypotheses += cut(written, np.bincount(owner[kept], minlength=len(sizes)))
        references += cut(one, sizes)
    return hypotheses, references


def cut(symbols: NDArray[np.uint32], lengths: NDArray[np.int64]) -> list[str]:
    """Code points to strings of these lengths."""
    joined = symbols.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum(lengths).tolist()
    return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def hostile(count: int) -> tuple[list[str], list[str]]:
    """Every kind of white space and punctuation, astral text, lone surrogates; lengths at every edge, and some long."""
    drawn = np.random.default_rng(1)
    lengths = np.where(drawn.random(count) < 0.3, drawn.choice(EDGES, size=count), drawn.geometric(1 / 40, size=count))
    lengths[drawn.integers(count, size=max(1, count // 50_000))] = 9000
    return texts(HOSTILE, lengths, 2)


def plain(count: int) -> tuple[list[str], list[str]]:
    """As NTREX-128 has them: 132 characters on average, a fifth of them white space."""
    drawn = np.random.default_rng(3)
    lengths = np.maximum(drawn.gamma(4, 33, size=count), 5).astype(np.int64)
    return texts(tuple(letters + " " * (len(letters) // 4) for letters in PLAIN), lengths, 4)


def seconds(repeats: int, work: Callable[[], Any]) -> float:
    """The median after one run that does not count."""
    device = gpu.required()
    taken = []
    for repeat in range(repeats + 1):
        device.synchronize()
        started = time.perf_counter()
        work()
        device.synchronize()
        if repeat:
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def equality(pairs: int) -> list[Row]:
    """Integers and scores of the GPU against those of the CPU, bit by bit. Exits with an error if any differs."""
    hypotheses, references = hostile(pairs)
    wrong = 0
    for options in ((6, 2, False), (6, 0, True)):
        on_gpu, on_cpu = (
            Chrf(*options[:2], whitespace=options[2], backend=where).statistics(hypotheses, [references])
            for where, _ in WHERE
        )
        wrong += int((on_gpu != on_cpu).any(axis=1).sum())
    some = slice(0, min(pairs, 20_000))
    wrong += array_mismatches(Text(hypotheses)[some].units, Text(references)[some].units)
    few = hypotheses[:300], references[:200]
    scores = [all_pairs_chrf(*few, word_order=2, backend=where).view(np.int64) for where, _ in WHERE]
    wrong += int((scores[0] != scores[1]).sum())
    if wrong:
        raise SystemExit(f"{wrong:,} rows of the GPU are not those of the CPU")
    return [(f"rows that differ from the CPU's, of {2 * pairs:,} hostile pairs", "0", "0")]


def array_mismatches(hyp: Units, ref: Units) -> int:
    """Rows of the array path under CuPy that are not the compiled kernel's."""
    xp = gpu.required().xp
    one, other = ((xp.asarray(side.units), xp.asarray(side.offsets)) for side in (hyp.wide(), ref.wide()))
    got = xp.asnumpy(array_path.matches(xp, *one, *other, 6))
    return int((got != chrf_cpu.counts(hyp.wide(), ref.wide(), 6, 0, True)[:, 2::3]).any(axis=1).sum())


def scoring(pairs: int, repeats: int) -> list[Row]:
    """Statistics of a corpus, chrF's and chrF++'s: from text on the device, in pinned memory, in Python strings."""
    device = gpu.required()
    hypotheses, references = plain(pairs)
    hyp, ref = Text(hypotheses).units, Text(references).units
    rows: list[Row] = []

    def speed(what: str, bound: str, work: Callable[[], Any]) -> None:
        rows.append((what, f"{pairs / seconds(repeats, work) / 1e6:,.2f} M pairs/s", bound))

    uploads = Uploads(device, hyp, ref)
    everything = slice(0, pairs)
    resident = uploads.hypotheses(everything), uploads.references(everything)
    for name, orders, bound in (("chrF", Orders(6, 0, False), "100-200"), ("chrF++", Orders(6, 2, False), "-")):
        speed(f"{name}, text on the device", bound, functools.partial(chrf_gpu.match, device, *resident, orders))
    # What may be written to is not kept on the device, so both sides cross the bus every time.
    one, other = (Units(pinned(side.units), side.offsets) for side in (hyp, ref))
    speed("chrF, from pinned memory", "95", lambda: chrf_gpu.counts(one, other, 6, 0, False, device))
    metric = Chrf(backend="gpu")
    speed("chrF, from Python strings", "1.6-1.7", lambda: metric.statistics(hypotheses, [references]))
    kept = Text(references)
    kept.units  # noqa: B018 - encoded here, once
    speed("chrF, from Python strings, references kept", "3.3", lambda: metric.statistics(hypotheses, [kept]))
    on_cpu = Chrf(backend="cpu")
    speed(
        "chrF, from Python strings, on all cores of the CPU", "-", lambda: on_cpu.statistics(hypotheses, [references])
    )
    return rows


def pinned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy in memory that the device can read by itself."""
    copy: NDArray[Any] = importlib.import_module("cupyx").empty_pinned(array.shape, array.dtype)
    copy[...] = array
    return copy


def all_pairs(repeats: int) -> list[Row]:
    """1,024 samples against themselves."""
    samples, _ = plain(1024)
    found = []
    for where, bound in WHERE:
        for name, word_order in (("chrF", 0), ("chrF++", 2)):
            work = functools.partial(all_pairs_chrf, samples, samples, word_order=word_order, backend=where)
            taken = seconds(repeats, work)
            found.append(
                (f"{name}, 1,024 x 1,024 pairs, {where}", f"{1000 * taken:,.1f} ms", bound if not word_order else "-")
            )
    return found


def resampling(repeats: int) -> list[Row]:
    """The bootstrap of one system in one language, and what that makes of all of them."""
    systems, languages, segments, rounds = CELLS
    metric = Chrf()
    hypotheses, references = plain(segments)
    sums = metric.statistics(hypotheses, [references])
    counts = multiplicities(segments, rounds, 1)
    found = []
    for where, _ in WHERE:
        taken = seconds(repeats, functools.partial(resampled, metric, sums, counts, backend=where))
        found += [
            (f"{rounds:,} rounds of {segments:,} segments, {where}", f"{1000 * taken:,.1f} ms", "-"),
            (
                f"the same for {systems} systems and {languages} languages, {where} (times {systems * languages:,})",
                f"{systems * languages * taken:,.0f} s",
                "-",
            ),
        ]
    return found


def main(pairs: int, repeats: int) -> None:
    """Measures everything and prints the table."""
    if reason := gpu.available():
        print(f"nothing measured: {reason}")
        return
    device = gpu.required()
    print(f"{device.name}, CuPy {device.xp.__version__}, Python {sys.version.split()[0]}, {pairs:,} pairs")
    rows = [*equality(pairs), *scoring(pairs, repeats), *all_pairs(repeats), *resampling(repeats)]
    width = max(len(what) for what, _, _ in rows)
    print(f"{'':{width}} {'measured':>20} {'bound':>10}")
    for what, measured, bound in rows:
        print(f"{what:{width}} {measured:>20} {bound:>10}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    main(given.pairs, given.repeats)
