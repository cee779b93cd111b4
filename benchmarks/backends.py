"""How fast the backends are against what does the same without this program: medians, paired ratios, yes or no.

    python benchmarks/backends.py --lm-eval VENV/bin/lm_eval --vllm-python VENV/bin/python    # all, some 15 minutes
    python benchmarks/backends.py openai hf --lm-eval VENV/bin/lm_eval                        # only these parts
    python benchmarks/backends.py --quick ...                                                 # does everything run?

`openai`: answers from a server that takes 50 ms, against a bare aiohttp loop and lm_eval. `hf`: multiple choice after a
long context, against lm_eval's hf. `vllm`: against `LLM.generate` on the same engine. Each side is a process of its own
(the engine is shared, in one process); sides take turns, and a ratio is the geometric mean over the pairs with its 95 %
interval by Student's t on the logarithms. A part that fails is told in one line, and the others go on. `--results FILE`
keeps what was measured: with the same file only missing parts are measured. Exits with 1 where a ratio is not as
wanted (not so with `--quick`), with 2 where a part failed. docs/throughput.md has the figures and what the peers need.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import backends_measure
from backends_measure import Failed, Results, Row, Setup

PARTS = ("openai", "hf", "vllm")


def _part(name: str) -> Any:
    return importlib.import_module(f"backends_{name}")


def run(parts: list[str], setup: Setup, results: Results) -> int:
    """Measures and prints every part: 0 where all is as wanted, 1 where a ratio is not, 2 where a part failed."""
    code = 0
    for part in parts:
        backends_measure.head(part)
        began = time.perf_counter()
        kept_as = f"{part}, quick" if setup.quick else part
        known = results.of(kept_as)
        rows: list[Row] = []
        try:
            for row in known or _part(part).measure(setup):
                backends_measure.show(row)
                code = code if row.met or setup.quick else max(code, 1)
                rows.append(row)
        except Failed as error:
            backends_measure.note(f"FAILED: {error}")
            code = 2
            continue
        if known:
            backends_measure.note("measured before, from the file of results")
        else:
            backends_measure.note(f"took {time.perf_counter() - began:.0f} s")
            results.add(kept_as, rows)
    return code


def main() -> int:
    """Reads the arguments; a process that is one side of a measurement is this script too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them unless told")
    add("--lm-eval", default="lm_eval", metavar="PROGRAM", help="lm_eval's own program, 0.4.13")
    add("--vllm-python", default=sys.executable, metavar="PROGRAM", help="a Python that has vLLM")
    add("--quick", action="store_true", help="few requests, few pairs: shows that it runs, measures nothing")
    add("--pairs", type=int, metavar="N", help="pairs of every measurement, instead of each part's own number")
    add("--threads", type=int, default=1, metavar="N", help="for torch, on both sides; 1")
    add("--lm-eval-batches", nargs="+", default=["1", "8"], metavar="N", help="lm_eval's hf runs at its best of these")
    add("--results", type=Path, metavar="FILE", help="keep what was measured here, and do not measure it again")
    add("--keep", type=Path, metavar="FOLDER", help="keep models, tasks and run files here")
    add("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        part, side, given = arguments.work
        backends_measure.tell(_part(part).run_side(side, **json.loads(given)))
        return 0
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")  # lm_eval's copies of the items
        setup = Setup(
            folder=folder,
            lm_eval=arguments.lm_eval,
            vllm_python=arguments.vllm_python,
            quick=arguments.quick,
            pairs=arguments.pairs,
            threads=arguments.threads,
            batches=tuple(arguments.lm_eval_batches),
        )
        return run(arguments.parts or list(PARTS), setup, Results(arguments.results))


if __name__ == "__main__":
    sys.exit(main())
