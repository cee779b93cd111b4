"""Tokens per joule of a Llama-shaped model of random weights over languages in several scripts, beside known figures.

    python benchmarks/energy.py --folder FOLDER [--parameters 8B] [--engine vllm] [--concurrency 64] [--seconds 30]

Makes tokenizer, sentences and weights in the folder, runs `python -m bench run --energy` on them, and prints what came
out. Run again, it goes on where it was. With `--make` it makes tokenizer and sentences only (this needs NTREX-128,
`--data` or BENCH_DATA): the folder can then be carried to a machine without a network, where everything else is done.
`--scripted` pretends a GPU of 300 W, to see that everything runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' pretended GPU is no installed package

from energy_made import SHAPES, limit_answers, llama, sentences, tokenizer

from bench.records import UsageError

ROOT = Path(__file__).parents[1]
LANGUAGES = (
    *("eng_Latn", "swh_Latn", "yor_Latn", "rus_Cyrl", "arb_Arab", "hin_Deva", "tam_Taml"),
    *("amh_Ethi", "tha_Thai", "kat_Geor"),
)
ANCHORS = {8: 2.20, 32: 6.06, 64: 8.43, 128: 10.5, 256: 13.05, 512: 14.25}
"""ML.ENERGY v3: output tokens per joule of the GPU board, Llama-3.1-8B in bfloat16 on an H100 with vLLM, by batch."""


def measure(given: argparse.Namespace, task: Path, model: Path) -> Path:
    """Runs the measurement, with its own output on the terminal; returns the run file."""
    run = given.folder / f"{given.engine}-{given.parameters}-{given.concurrency}.run.db"
    energy = {"concurrency": given.concurrency, "seconds": given.seconds, "repeats": given.repeats}
    if given.seconds < 10:
        energy["warmup"] = given.seconds
    if given.scripted:
        energy["elsewhere"] = "true"
    command = [
        *(sys.executable, "-m", "bench", "run", "--energy", "--require-energy"),
        *("-m", f"{given.engine}:{model}", "-M", f"dtype={given.dtype}", "-t", str(task), "--output", str(run)),
        *(f"-E{name}={value}" for name, value in energy.items()),
    ]
    for option in given.option:
        command += ["-M", option]
    _call(command, _environment(given))
    return run


def explained(given: argparse.Namespace, run: Path) -> Any:
    """What `energy report` says of the run."""
    command = [sys.executable, "-m", "bench", "energy", "report", str(run), "--json"]
    return json.loads(_call(command, _environment(given), capture=True))


def _environment(given: argparse.Namespace) -> dict[str, str]:
    path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    known = {**os.environ, "BENCH_DATA": str(given.folder / "data"), "HF_HUB_OFFLINE": "1"}
    if given.scripted:
        path.insert(0, str(ROOT / "tests" / "energy" / "fake_site"))
        known["BENCH_FAKE_NVML"] = json.dumps({"gpus": [{"power": 300.0}]})
    return {**known, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def _call(command: Sequence[str], environment: Mapping[str, str], *, capture: bool = False) -> str:
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        command, env=dict(environment), check=False, text=True, stdout=subprocess.PIPE if capture else None
    )
    if done.returncode:
        sys.exit(f"exit code {done.returncode}; what was measured is kept, and the same command goes on")
    return done.stdout or ""


def show(report: Any, given: argparse.Namespace, parameters: int) -> None:
    """Prints the table, the control, and the anchor beside them."""
    print(f"\n{parameters:,} parameters; {report['setups'][0]['setup']}")
    columns = (
        "language",
        "energy",
        "windows",
        "tok/J",
        "whole",
        "J/request",
        "CV",
        "LER",
        "premium",
        "verbosity",
        "J/token",
    )
    columns += ("same content", "control J/token", "over the mean")
    control = {one["language"]: one for one in (report["control"] or {"languages": []})["languages"]}
    rows = [_row(entry, control) for entry in report["entries"]]
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    for row in (columns, *rows):
        print("  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)))
    print(
        "\nLER is joules per request over English; = premium x verbosity x J/token. Random weights never end an answer,"
        "\nso that all are of one length: `same content` is premium x J/token, the ratio of answers that say the same."
    )
    if report["control"]:
        found = report["control"]
        told = {True: "equal", False: "NOT equal", None: f"not told ({found['reason']})"}[found["equal"]]
        largest = "" if found["largest"] is None else f", at most {found['largest']:.1%} from the mean"
        print(f"Fixed-length control: joules per token {told} over languages{largest} (limit 3 %).")
    english = next((one for one in report["entries"] if one["subject"]["language"] == "eng_Latn"), None)
    measured = english and english["figures"]["output_tokens_per_joule"]
    anchor = ANCHORS.get(given.concurrency)
    if given.parameters == "8B" and anchor and measured:
        print(
            f"Anchor (ML.ENERGY v3, Llama-3.1-8B, H100, vLLM, batch {given.concurrency}): {anchor:g} tok/J; here, in"
            f" English: {measured:.3g}, {measured / anchor:.0%} of it. Its prompts and lengths were others: no gate."
        )


def _row(entry: Any, control: Mapping[str, Any]) -> tuple[str, ...]:
    figures, cell = entry["figures"], entry["cell"] or {}
    subject = entry["subject"]
    code = f"{subject['language']}-{subject['variety']}" if subject["variety"] else subject["language"]
    premium, ratio = cell.get("premium"), cell.get("joules_per_token_ratio")
    fixed = control.get(code, {})
    return (
        code,
        figures["provenance"],
        str(figures["windows"]),
        *map(
            _digits,
            (figures["output_tokens_per_joule"], entry["whole_tokens_per_joule"], figures["joules_per_request"]),
        ),
        "-" if figures["variation"] is None else f"{figures['variation']:.1%}",
        *map(_digits, (cell.get("language_energy_ratio"), premium, cell.get("verbosity"), ratio)),
        _digits(premium * ratio if premium and ratio else None),
        *map(_digits, (fixed.get("joules_per_token"), fixed.get("relative"))),
    )


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def main() -> None:
    """Makes, measures and shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where everything is made, and kept")
    parser.add_argument("--parameters", choices=SHAPES, default="8B")
    parser.add_argument("--engine", choices=("hf", "vllm"), default="hf")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, metavar="CODE")
    parser.add_argument("--sentences", type=int, default=128, help="in every language")
    parser.add_argument("--max-tokens", type=int, default=256, help="length of every answer")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0, help="of a steady window; under 20 none is valid")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="another -M of the engine")
    parser.add_argument("--data", help="mirror with NTREX-128; also BENCH_DATA")
    parser.add_argument("--make", action="store_true", help="make tokenizer and sentences, and end")
    parser.add_argument("--scripted", action="store_true", help="pretend a GPU of 300 W")
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    if given.data:
        os.environ["BENCH_DATA"] = given.data
    model = given.folder / f"llama-{given.parameters}"
    try:
        task = sentences(given.folder, given.languages, given.sentences)
        trained = tokenizer(given.folder, SHAPES[given.parameters].vocabulary)
    except UsageError as error:
        sys.exit(str(error))
    limit_answers(task, given.max_tokens)
    if given.make:
        print(f"made {task} and {trained}")
        return
    parameters = llama(model, given.parameters, given.dtype, trained)
    show(explained(given, measure(given, task, model)), given, parameters)


if __name__ == "__main__":
    main()
