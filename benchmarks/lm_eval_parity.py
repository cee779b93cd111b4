"""The same items, prompts and model through this program and through lm-evaluation-harness: the numbers side by side.

    python benchmarks/lm_eval_parity.py --lm-eval VENV/bin/lm_eval                 # with BENCH_DATA set
    python benchmarks/lm_eval_parity.py --lm-eval VENV/bin/lm_eval --model FOLDER  # a model of your own

Both sides read the same files of the data mirror. This side is `python -m bench run`; the other's prompts are written
in `benchmarks/lm_eval/*.yaml` from the files' own columns, so that a prompt that changes here is noticed. Which items:
those that `bench run --limit` draws. Log-likelihoods are natural logarithms. Exits with 1 where a prompt, a generated
text or the verdict on an item differs, or a log-likelihood by more than 1e-4; docs/parity.md has the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import string
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_models import MODELS

TOLERANCE = 1e-4
TEMPLATES = Path(__file__).parent / "lm_eval"


@dataclass(frozen=True)
class Place:
    """One task in one language: our code of it, upstream's, and the language's name as the prompt should have it."""

    task: str
    language: str
    code: str
    name: str = ""


PLACES = (
    Place("xcopa", "qve_Latn", "qu"),
    Place("xcopa", "tha_Thai", "th"),
    Place("sib200", "quy_Latn", "quy_Latn", "Ayacucho Quechua"),
    Place("sib200", "amh_Ethi", "amh_Ethi", "Amharic"),
    Place("belebele-seahelm", "jav_Latn", "jv"),
    Place("belebele-seahelm", "sun_Latn", "su"),
    Place("americasnli", "quy_Latn", "quy", "Ayacucho Quechua"),
    Place("americasnli", "nah_Latn", "nah", "Nahuatl"),
    Place("mgsm", "swh_Latn", "sw"),
    Place("mgsm", "tha_Thai", "th"),
)
TAUGHT = (Place("mgsm", "swh_Latn", "sw"),)
CHOICE = ("loglikelihood", "first_token")
QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""For both sides: the CPU, no network, and one thread, which is many times faster than two on a busy machine."""
COLUMNS = {
    "model": "<10",
    "task": "<16",
    "language": "<9",
    "mode": "<13",
    "items": ">5",
    "cut": ">4",
    "skipped": ">7",
    "prompts": ">7",
    "apart": ">9",
    "ours": ">7",
    "theirs": ">7",
    "texts": ">7",
}


@dataclass(frozen=True)
class Answer:
    """What one side has of an item: the prompt as the model read it, and what came of it."""

    prompt: str
    numbers: tuple[float, ...]
    text: str
    right: bool
    cut: bool = False


Answers = dict[tuple[Place, str], dict[str, Answer]]
"""By place and mode, the answers by item."""
Skipped = Counter[tuple[Place, str]]
"""How many items our side left out; lm_eval is not asked them, because it ends at the first such item."""


class Failed(Exception):
    """A side did not run. The message is one line."""


def upstream_items(place: Place, data: Path) -> list[str]:
    """The items' names in the order of the upstream file, read here without either program."""
    code = place.code
    match place.task:
        case "xcopa":
            return [str(json.loads(line)["idx"]) for line in _lines(data / f"xcopa/data/{code}/test.{code}.jsonl")]
        case "belebele-seahelm":
            return [str(json.loads(line)["id"]) for line in _lines(data / f"belebele_jv_su/{code}_belebele.jsonl")]
        case "sib200":
            return [line.split("\t")[0] for line in _lines(data / f"sib200/data/annotated/{code}/test.tsv")[1:]]
        case "americasnli":
            head, *lines = _lines(data / f"americasnli/test/{code}.tsv")
            column = head.split("\t").index("id")
            return [line.split("\t")[column] for line in lines]
        case _:
            return [f"{number:03}" for number in range(1, len(_lines(data / f"mgsm/mgsm_{code}.tsv")) + 1)]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").rstrip("\n").split("\n")


def ours(model: Path, places: Sequence[Place], items: int, data: Path, folder: Path) -> tuple[Answers, Skipped]:
    """Runs `python -m bench run` once for each mode and reads the export."""
    found: Answers = {}
    skipped: Skipped = Counter()
    for mode in CHOICE:
        asked = {(place.task, place.language): place for place in places if place.task != "mgsm" or mode == CHOICE[0]}
        if not asked:
            continue
        chosen = [part for task, language in asked for part in ("-t", task, "-l", language)]
        run, exported = folder / f"{mode}.run.db", folder / f"{mode}.jsonl"
        command = [sys.executable, "-m", "bench", "run", "-m", f"hf:{model}", *chosen, "--mode", mode]
        _call([*command, "--limit", str(items), "--data", str(data), "--output", str(run), "--json"])
        _call([sys.executable, "-m", "bench", "export", str(run), "--format", "jsonl", "--output", str(exported)])
        for answer in map(json.loads, _lines(exported)):
            task, language, _, item = answer["id"].split("/")
            place = asked.get((task.split("@")[0], language))
            if place:  # the languages of one task are asked of the others too
                answers = found.setdefault((place, answer["mode"]), {})
                if answer["status"] == "ok":
                    answers[item] = _our_answer(answer)
                else:
                    skipped[place, answer["mode"]] += 1
    return found, skipped


def _our_answer(answer: Mapping[str, Any]) -> Answer:
    return Answer(
        answer["prompt"],
        tuple(float("-inf") if value is None else value for value in answer["loglikelihoods"]),
        answer["text"],
        answer["scores"]["accuracy"]["statistics"][0] == 1,
        answer["reason"] == "prompt_truncated",
    )


def theirs(program: str, model: Path, wanted: Answers, data: Path, folder: Path, *, chat: bool, more: str) -> Answers:
    """Runs lm_eval once over the items that our side answered and reads its logged samples."""
    tasks = {f"parity_{index}": key for index, key in enumerate(wanted) if wanted[key]}
    includes = folder / "tasks"
    includes.mkdir()
    samples = {}
    for name, (place, mode) in tasks.items():
        template = string.Template((TEMPLATES / f"{place.task}.{mode}.yaml").read_text("utf-8"))
        values = {"NAME": name, "DATA": str(data), "CODE": place.code, "LANGUAGE": place.name}
        (includes / f"{name}.yaml").write_text(template.substitute(values), "utf-8")
        answered = wanted[place, mode]
        samples[name] = [row for row, item in enumerate(upstream_items(place, data)) if item in answered]
    output = folder / "theirs"
    _call(
        [
            *(
                program,
                "run",
                "--model",
                "hf",
                "--model_args",
                f"pretrained={model},dtype=float32{more and f',{more}'}",
                "--device",
                "cpu",
            ),
            *("--tasks", ",".join(tasks), "--include_path", str(includes), "--samples", json.dumps(samples)),
            *("--batch_size", "16", "--log_samples", "--output_path", str(output)),
            *(["--apply_chat_template"] if chat else []),
        ]
    )
    found: Answers = {}
    for name, (place, mode) in tasks.items():
        (path,) = output.glob(f"*/samples_{name}_*.jsonl")
        names = upstream_items(place, data)
        found[place, mode] = {names[row["doc_id"]]: _their_answer(row) for row in map(json.loads, _lines(path))}
    return found


def _their_answer(row: Mapping[str, Any]) -> Answer:
    prompt = row["arguments"]["gen_args_0"]["arg_0"]
    if "acc" in row:
        numbers = tuple(float(value) for ((value, _),) in row["resps"])
        return Answer(prompt, numbers, "", row["acc"] == 1)
    ((text,),) = row["resps"]
    return Answer(prompt, (), text, row["exact_match"] == 1)


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, env={**os.environ, **QUIET}, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Failed(f"{' '.join(command[:4])} ... ended with {done.returncode}: {last}")


@dataclass(frozen=True)
class Compared:
    """One line of the table."""

    model: str
    place: Place
    mode: str
    items: int
    cut: int
    skipped: int
    missing: int
    prompts: int
    apart: float
    ours: float
    theirs: float
    verdicts: int
    texts: int

    @property
    def equal(self) -> bool:
        """Whether the two sides say the same of every item."""
        return not (self.missing or self.prompts or self.verdicts or self.texts) and self.apart <= TOLERANCE


def compare(model: str, mine: Answers, other: Answers, skipped: Skipped, *, chat: bool) -> Iterator[Compared]:
    """A line for each place and mode, from the items that both sides have."""
    for (place, mode), answers in mine.items():
        against = other.get((place, mode), {})
        shared = [(answers[item], against[item]) for item in answers if item in against]
        both = [pair for pair in shared if len(pair[0].numbers) == len(pair[1].numbers)]
        apart = [abs(a - b) for one, two in both for a, b in zip(one.numbers, two.numbers, strict=True) if a != b]
        count = max(1, len(both))
        yield Compared(
            model=model,
            place=place,
            mode=mode,
            items=len(both),
            cut=sum(one.cut for one, _ in both),
            skipped=skipped[place, mode],
            missing=len(answers.keys() | against.keys()) - len(both),
            prompts=sum(one.prompt not in two.prompt if chat else one.prompt != two.prompt for one, two in both),
            apart=max(apart, default=0.0),
            ours=sum(one.right for one, _ in both) / count,
            theirs=sum(two.right for _, two in both) / count,
            verdicts=sum(one.right != two.right for one, two in both),
            texts=sum(one.text != two.text for one, two in both),
        )


def _row(found: Compared) -> list[str]:
    generated = found.mode == "generate"
    return [
        *(found.model, found.place.task, found.place.language, found.mode),
        *(str(found.items), str(found.cut), str(found.skipped)),
        str(found.items - found.prompts),
        "-" if generated or not found.items else f"{found.apart:.2g}",
        *(f"{share:.4f}" if found.items else "-" for share in (found.ours, found.theirs)),
        str(found.items - found.texts) if generated else "-",
        "" if found.equal else f"DIFFERENT: {found.missing} missing, {found.verdicts} verdicts",
    ]


def _print(cells: Sequence[str]) -> None:
    formats = (*COLUMNS.values(), "")
    print(" ".join(f"{cell:{how}}" for cell, how in zip(cells, formats, strict=True)).rstrip(), flush=True)


def run(arguments: argparse.Namespace, data: Path, folder: Path) -> bool:
    """Every chosen model through both sides. True where all is equal."""
    _print([*COLUMNS, ""])
    own = {"own": arguments.model} if arguments.model else {}
    equal = True
    for name in own or arguments.models:
        work = folder / name
        work.mkdir()
        model = own.get(name) or work / "model"
        if not own:
            MODELS[name](model, data)
        more = arguments.model_args if own else ("add_bos_token=False" if name == "unled" else "")
        chat = arguments.chat if own else name in ("chat", "unled")
        places, items = (TAUGHT, 250) if name == "taught" else (PLACES, arguments.items)
        mine, skipped = ours(model, places, items, data, work)
        other = theirs(arguments.lm_eval, model, mine, data, work, chat=chat, more=more)
        lines = list(compare(name, mine, other, skipped, chat=chat))
        for line in lines:
            equal = equal and line.equal
            _print(_row(line))
        if not any(line.items for line in lines):
            raise Failed(f"{name}: our side answered nothing, so nothing was compared")
    return equal


def _checked(arguments: argparse.Namespace) -> Path:
    """The data mirror, once all that is named is there. Raises `Failed`."""
    data: Path = arguments.data or Path(os.environ.get("BENCH_DATA") or ".")
    if shutil.which(arguments.lm_eval) is None:
        wanted = "pip install 'lm-eval[hf]==0.4.13' in an environment of its own and give --lm-eval PATH"
        raise Failed(f"no program {arguments.lm_eval}; {wanted}")
    if not (data / "xcopa").is_dir():
        raise Failed(f"{data} has no folder xcopa; name the data mirror with --data or BENCH_DATA")
    if arguments.keep:
        if arguments.keep.exists():
            raise Failed(f"{arguments.keep} is there already; --keep makes a new folder")
        arguments.keep.mkdir(parents=True)
        arguments.keep = arguments.keep.resolve()
    return data.resolve()


def main() -> int:
    """Reads the arguments, runs both sides, and says whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--lm-eval", default="lm_eval", metavar="PROGRAM", help="lm_eval's own program, 0.4.13 or newer")
    add("--data", type=Path, metavar="FOLDER", help="the data mirror; BENCH_DATA unless told")
    add("--items", type=int, default=40, metavar="N", help="items of each task and language")
    add("--models", nargs="+", choices=list(MODELS), default=list(MODELS), help="which of the made models")
    add("--model", type=Path, metavar="FOLDER", help="a transformers model instead of the made ones")
    add("--chat", action="store_true", help="the model of --model has a chat template")
    add("--model-args", default="", metavar="ARGS", help="further model_args of lm_eval, for the model of --model")
    add("--keep", type=Path, metavar="FOLDER", help="keep runs and logs in this new folder")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            equal = run(arguments, _checked(arguments), arguments.keep or Path(temporary))
    except Failed as error:
        print(f"lm_eval_parity: {error}", file=sys.stderr)
        return 2
    print("equal" if equal else "DIFFERENT")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
