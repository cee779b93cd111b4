"""All of NTREX-128: 128 reference files, 5 systems, 4 metrics, every interval and every paired test, strings to table.

    python benchmarks/whole.py                      # sacreBLEU does 4 of the files, and its time is scaled up
    python benchmarks/whole.py --peer-files 128     # sacreBLEU does all; hours

Both sides do for each file what `sacrebleu REF -i SYSTEM... -m chrf chrf bleu ter --paired-bs` does: scores, means and
half widths from 1,000 rounds, and the p of each system against the first. Every number of the files that both did is
compared. Seconds are by the clock on the wall, all cores allowed to both.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import corpus

Table = dict[str, list[tuple[float, float | None, float | None, float | None]]]
"""By metric, for each system: score, p, mean, half width."""
SYSTEMS = 5
ROUNDS = 1000


def ours(systems: list[list[str]], references: list[str]) -> Table:
    """One file by this project."""
    import kernels
    from kernels.sacrebleu_compat import Comparison, paired

    known, written = kernels.Text(references), [kernels.Text(system) for system in systems]
    metrics = [kernels.metric(name) for name in ("chrf", "chrf++", "bleu", "ter")]
    found = paired(
        [Comparison(metric, [metric.statistics(system, [known]) for system in written]) for metric in metrics],  # type: ignore[arg-type]
        rounds=ROUNDS,
    )
    return {
        metric.name: [(result.score, result.p, result.mean, result.ci) for result in results]
        for metric, results in zip(metrics, found, strict=True)
    }


def theirs(systems: list[list[str]], references: list[str]) -> Table:
    """The same file by sacreBLEU."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER
    from sacrebleu.significance import PairedTest

    named: Any = [(f"system {number}", system) for number, system in enumerate(systems)]
    metrics: Any = {"chrF2": CHRF(), "chrF2++": CHRF(word_order=2), "BLEU": BLEU(force=True), "TER": TER()}
    _, found = PairedTest(named, metrics, [references], test_type="bs", n_samples=ROUNDS)()
    results: dict[str, list[Any]] = {name: list(column) for name, column in found.items() if name != "System"}
    return {name: [(one.score, one.p_value, one.mean, one.ci) for one in column] for name, column in results.items()}


def main() -> None:
    """Runs both sides and prints times, the ratio, and whether the numbers agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=128, help="how many reference files this project does")
    parser.add_argument("--peer-files", type=int, default=4, help="how many of them sacreBLEU does too")
    arguments = parser.parse_args()
    files = dict(list(corpus.languages().items())[: arguments.files])
    made = {code: [corpus.system(lines, number) for number in range(SYSTEMS)] for code, lines in files.items()}
    warm = next(iter(files))
    ours([system[:64] for system in made[warm]], files[warm][:64])

    started = time.perf_counter()
    tables = {code: ours(made[code], lines) for code, lines in files.items()}
    seconds = time.perf_counter() - started
    numbers = sum(len(results) for table in tables.values() for results in table.values())
    segments = sum(map(len, files.values())) * SYSTEMS
    print(
        f"{len(files)} files x {SYSTEMS} systems, {segments:,} segments, {numbers:,} scores with intervals and p-values"
    )
    print(f"this project   {seconds:9.1f} s")

    step = max(1, len(files) // max(1, arguments.peer_files))
    chosen = list(files)[::step][: arguments.peer_files]
    if not chosen:
        return
    started = time.perf_counter()
    peers = {code: theirs(made[code], files[code]) for code in chosen}
    peer = (time.perf_counter() - started) * len(files) / len(chosen)
    scaled = "" if len(chosen) == len(files) else f", scaled up from {len(chosen)} files: {' '.join(chosen)}"
    print(f"sacreBLEU      {peer:9.1f} s{scaled}\nratio          {peer / seconds:9.1f}x")
    for metric in peers[chosen[0]]:
        apart = [
            abs((one or 0) - (other or 0))
            for code in chosen
            for mine, theirs_ in zip(tables[code][metric], peers[code][metric], strict=True)
            for one, other in zip(mine, theirs_, strict=True)
        ]
        print(f"{metric:14} {len(apart)} numbers compared, largest difference {max(apart):.3g}")


if __name__ == "__main__":
    main()
