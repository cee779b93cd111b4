"""Scores translations with COMET (Rei et al. 2020, 2022) for kernels.neural, in an environment of COMET's own.

A plain script that the other environment's Python runs, so it imports nothing of this project and parses on Python
3.8. It speaks JSON, a line each way: while it starts it names the step it has come to, then says what it loaded, and
then answers each list of rows with a list of scores. It catches nothing: the step and the last line of the traceback
say what went wrong. At the end of its input, which is also the end of the process that started it, it stops.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import IO, Any


def main() -> None:
    """Reads rows until there are no more."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--batch-size", type=int, required=True)
    arguments.add_argument("--devices", type=int, required=True)
    options = arguments.parse_args()
    requests, answers = protected()
    # Python looks for modules beside a script first, and what lies here has names that COMET's packages have too.
    here = Path(__file__).resolve().parent
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != here]

    say(answers, {"step": "import"})
    comet = importlib.import_module("comet")
    torch = importlib.import_module("torch")
    say(answers, {"step": "download"})
    local = Path(options.model).is_file()
    checkpoint = options.model if local else comet.download_model(options.model)
    say(answers, {"step": "load"})
    model = comet.load_from_checkpoint(checkpoint)
    ready = {
        "step": "ready",
        "model": Path(options.model).name if local else options.model,
        "checkpoint": digest(checkpoint),
        "comet": importlib.metadata.version("unbabel-comet"),
        "torch": str(torch.__version__),
        "needs_references": bool(model.requires_references()),
    }
    say(answers, ready)
    for line in requests:
        rows = json.loads(line)
        prediction = model.predict(rows, batch_size=options.batch_size, gpus=options.devices)
        say(answers, {"scores": [float(score) for score in prediction.scores]})


def protected() -> tuple[IO[str], IO[str]]:
    """Standard input and output for the protocol alone: whatever prints now prints to standard error."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def say(answers: IO[str], message: dict[str, Any]) -> None:
    """One line of ASCII, whatever the encoding of this machine is."""
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def digest(path: str) -> str:
    """The first 16 digits of the checkpoint's SHA-256: a name and a version do not say which weights these are."""
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()[:16]


if __name__ == "__main__":
    main()
