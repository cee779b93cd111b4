"""How many hostile answers are read right, in each language, and how fast answers are read.

    python benchmarks/extraction.py [CORPUS] [ANSWERS]

The corpus is `tests/bench/hostile_answers.tsv` or another file of its columns. Prints a row a language: answers that
say something, those read right, those unparsed, and those read wrong (an undecidable one that was read counts there).
Speed is processor time on one core, on distinct texts, and on the same few texts again and again.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path

from bench.extraction import choice, labels, number

CORPUS = Path(__file__).parents[1] / "tests" / "bench" / "hostile_answers.tsv"
ANIMALS = ("cat", "dog", "horse", "cow")
SENTENCE = "After reading the passage number {} with care I can say that the correct answer to this one is B. dog"


def told(kind: str, options: str, text: str) -> str:
    """What is read of a row, as its last column would say it."""
    text = text.replace("\\\\", "\0").replace("\\n", "\n").replace("\\u200f", "\u200f").replace("\0", "\\")
    if kind == "number":
        return number(text) or "none"
    among = options.split("|")
    found = labels(text, among) if kind == "labels" else choice(text, among)
    return "none" if found is None else ",".join(map(str, found)) if isinstance(found, tuple) else str(found)


def quality(corpus: Path) -> None:
    """Prints a row a language and one of all."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for line in corpus.read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "language\t")):
            continue
        language, kind, options, text, wanted = line.split("\t")
        read = told(kind, options, text)
        for row in (counts[language], counts["all"]):
            row[0] += wanted != "none"
            row[1] += read == wanted != "none"
            row[2] += read == "none" != wanted
            row[3] += read not in (wanted, "none")
    print(f"{'language':10} {'decidable':>9} {'right':>6} {'unparsed':>8} {'wrong':>6}")
    for language, (decidable, right, unparsed, wrong) in sorted(counts.items()):
        print(f"{language:10} {decidable:9} {right:6} {unparsed:8} {wrong:6}")


def speed(answers: int) -> None:
    """Prints answers a second of `choice`."""
    choice(SENTENCE, ANIMALS)  # compiles the patterns
    kinds = {
        "B": ["B"] * answers,
        "Jibu: C": ["Jibu: C"] * answers,
        "distinct sentences": [SENTENCE.format(place) for place in range(answers)],
        "a third of each": [("B", "Jibu: C", SENTENCE.format(answers + place))[place % 3] for place in range(answers)],
    }
    for name, texts in kinds.items():
        started = time.process_time()
        for text in texts:
            choice(text, ANIMALS)
        print(f"{name:20} {answers / (time.process_time() - started):12,.0f} answers/s")


if __name__ == "__main__":
    quality(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS)
    speed(int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
