"""Builds the language identifier: `python -m languages.identifier_build --data DIR [--check | --measure]`.

DIR holds `udhr`, `sib200` and `ntrex128` as their repositories have them. Writes `identifier.npz`, then measures it on
what it was not built from, into `identifier_recall.tsv`. `--check` says whether the committed files are what the data
give. `--measure` only measures, and the fastText model that BENCH_LID names where it is set.

Training text: UDHR, and SIB-200's train and dev splits. How much text is enough, and what margin, is measured on the
dev split with a model that has not seen it. SIB-200's test split and NTREX-128 are for the last measurement alone.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]

from . import identification
from .identification import KANA, IdentifierError, Model, guesses, identify
from .identifier_features import (
    ANY_SCRIPT,
    APOSTROPHES,
    COLUMNS,
    DROPPED,
    FIRST_SCRIPT,
    UNKNOWN_SCRIPT,
    Classes,
    Codes,
    Numbers,
    hash_features,
    read_letters,
)
from .identifier_texts import COMMITS, Texts, read_ntrex, read_sib200, read_udhr
from .scripts import SCRIPTS

LICENCE = (
    "Derived from the texts of the Universal Declaration of Human Rights (github.com/eric-muller/udhr) and from "
    "SIB-200 (github.com/dadelani/sib-200, sentences of FLORES-200, CC BY-SA 4.0): this file is under CC BY-SA 4.0."
)

_FEATURES = 1000  # a language: the most telling ones
_RAREST = 2  # occurrences in all languages together that a feature needs
_SMOOTHING = 500.0  # occurrences that the average of all languages counts for
_LEVELS = 15  # steps of a weight
_SLOT_BITS = 10
_ALPHABETS = ("Arab", "Cyrl", "Latn")  # a single letter tells too little there to be worth its time
_RIGHT = 0.95
_WRONG = 0.005
_LENGTHS = (5, 8, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_HAN = ("Hani", "Hans", "Hant", "Jpan")


def script_of(language: str) -> str:
    """The script by whose letters a language's text is found; Han for Chinese and for Japanese."""
    script = language.split("_")[1]
    return "Hani" if script in _HAN else script


def classify() -> tuple[list[str], Classes]:
    """The scripts of the registry, and the class of every code point (see `identifier_features`)."""
    scripts = sorted({KANA, "Hani", *(script for script in SCRIPTS if script not in _HAN)})
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    classes = np.zeros(0x110000, np.uint8)

    def put(pattern: str, value: int) -> None:
        classes[[ord(char) for char in regex.findall(pattern, everything)]] = value

    put(r"[\p{L}\p{M}]", UNKNOWN_SCRIPT)
    put(r"(?V1)[[\p{L}\p{M}]&&[\p{Script=Common}\p{Script=Inherited}]]", ANY_SCRIPT)
    for number, script in enumerate(scripts):
        names = r"\p{Script=Hira}\p{Script=Kana}" if script == KANA else rf"\p{{Script={script}}}"
        put(rf"(?V1)[[\p{{L}}\p{{M}}]&&[{names}]]", FIRST_SCRIPT + number)
    put(r"\p{Cf}", DROPPED)
    classes[[ord(char) for char in APOSTROPHES]] = ANY_SCRIPT
    return scripts, classes


class Counts:
    """How often each feature occurs in each language of one group."""

    def __init__(self, by_language: Mapping[str, tuple[Codes, Numbers, Numbers]]) -> None:
        self.languages = sorted(by_language)
        ordered = [by_language[language] for language in self.languages]
        everything = np.concatenate([hashes for hashes, _, _ in ordered])
        self.hashes, first = np.unique(everything, return_index=True)
        self.columns = np.concatenate([columns for _, columns, _ in ordered])[first]
        self.rows = [np.searchsorted(self.hashes, hashes) for hashes, _, _ in ordered]
        self.numbers = [numbers.astype(np.float64) for _, _, numbers in ordered]


def count(
    texts: Texts, classes: Classes, width: int, lettering: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, Counts]:
    """Script -> the counts of its languages. `lettering` says which classes are letters in texts of a script."""
    found: dict[str, dict[str, tuple[Codes, Numbers, Numbers]]] = defaultdict(dict)
    for language, segments in sorted(texts.items()):
        script = script_of(language)
        letters = read_letters(segments, classes, width)
        hashes, valid = hash_features(letters, np.tile(lettering[script], (len(segments), 1)))
        if script in _ALPHABETS:
            valid[:, 0] = False
        columns = np.broadcast_to(np.arange(COLUMNS), valid.shape)[valid]
        own, first, numbers = np.unique(hashes[valid], return_index=True, return_counts=True)
        found[script][language] = own, columns[first], numbers
    return {script: Counts(found[script]) for script in sorted(found)}


class Fitted:
    """Weights of the selected features of one group of languages."""

    def __init__(self, counts: Counts) -> None:
        self.languages = counts.languages
        totals = np.array(
            [
                np.bincount(counts.columns[rows], numbers, COLUMNS)
                for rows, numbers in zip(counts.rows, counts.numbers, strict=True)
            ]
        )
        totals = np.maximum(totals, 1)
        average = np.zeros(len(counts.hashes))
        occurrences = np.zeros(len(counts.hashes))
        for number, (rows, numbers) in enumerate(zip(counts.rows, counts.numbers, strict=True)):
            average[rows] += numbers / totals[number][counts.columns[rows]] / len(self.languages)
            occurrences[rows] += numbers
        selected = np.zeros(len(counts.hashes), np.bool_)
        for number, (rows, numbers) in enumerate(zip(counts.rows, counts.numbers, strict=True)):
            share = numbers / totals[number][counts.columns[rows]]
            gain = share * np.log(share / average[rows])
            gain[occurrences[rows] < _RAREST] = 0
            best = np.argsort(-gain, kind="stable")[:_FEATURES]
            selected[rows[best[gain[best] > 0]]] = True
        # Of two features in one slot of the table the rarer goes; so does the one whose slot means "no feature".
        chosen = np.flatnonzero(selected)
        chosen = chosen[np.argsort(-average[chosen], kind="stable")]
        _, first = np.unique(counts.hashes[chosen] >> np.uint32(_SLOT_BITS), return_index=True)
        chosen = np.sort(chosen[first])
        self.hashes = counts.hashes[chosen]
        index = np.full(len(counts.hashes), -1)
        index[chosen] = np.arange(len(chosen))
        weights = np.zeros((len(chosen), len(self.languages)))
        for number, (rows, numbers) in enumerate(zip(counts.rows, counts.numbers, strict=True)):
            kept = index[rows] >= 0
            weights[index[rows[kept]], number] = np.log1p(numbers / (_SMOOTHING * average[rows]))[kept]
        self.step = max(float(np.quantile(weights[weights > 0], 0.995)), 0.1) / _LEVELS if weights.any() else 1.0
        self.weights = np.clip(np.rint(weights / self.step), 0, _LEVELS).astype(np.uint8)
        cost = np.log1p(totals / _SMOOTHING).mean(axis=1)
        self.costs = (cost - cost.min()) / self.step


def assemble(
    texts: Texts, scripts: list[str], classes: Classes, about: Mapping[str, object]
) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of the model that these texts give, yet without what `calibrate` measures."""
    width = FIRST_SCRIPT + len(scripts)
    used = sorted({script_of(language) for language in texts})
    group_of_class = np.full(width, len(used))
    for script in used:
        group_of_class[FIRST_SCRIPT + scripts.index(script)] = used.index(script)
    group_of_class[FIRST_SCRIPT + scripts.index(KANA)] = used.index("Hani") if "Hani" in used else len(used)
    lettering = {script: group_of_class == number for number, script in enumerate(used)}
    for kept in lettering.values():
        kept[ANY_SCRIPT] = True
    fitted = [Fitted(counts) for counts in count(texts, classes, width, lettering).values()]
    edges = np.flatnonzero(np.diff(classes, prepend=classes[0] ^ 1))
    entries = [np.count_nonzero(one.weights, axis=1) for one in fitted]
    places = [np.nonzero(one.weights) for one in fitted]
    return {
        "about": np.array(json.dumps({**about, "scripts": scripts, "groups": [one.languages for one in fitted]})),
        "class_runs": classes[edges],
        "class_lengths": np.diff(edges, append=len(classes)).astype(np.uint32),
        "group_of_class": group_of_class.astype(np.uint8),
        "steps": np.array([one.step for one in fitted], np.float32),
        "features": np.array([len(one.hashes) for one in fitted], np.uint32),
        "hash_steps": np.concatenate([np.diff(one.hashes, prepend=np.uint32(0)) for one in fitted]).astype(np.uint32),
        "entries": np.concatenate(entries).astype(np.uint8),
        "languages": np.concatenate([columns for _, columns in places]).astype(np.uint8),
        "values": np.concatenate([one.weights[place] for one, place in zip(fitted, places, strict=True)]),
        "costs": np.concatenate([one.costs for one in fitted]).astype(np.float32),
        "enough": np.full(len(fitted), 3, np.uint16),
        "margins": np.zeros(len(fitted), np.float32),
    }


def calibrate(known: Model, held_out: Texts) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """Letters from which 95 % of held-out texts are identified rightly, and the margin at which 0.5 % are wrong.

    One of each a group, over the languages of which 95 % of whole segments are identified: the others get no verdict.
    """
    enough, margins = np.full(len(known.groups), 3), np.zeros(len(known.groups))
    for number, group in enumerate(known.groups):
        if len(group) == 1:
            continue
        told = {}
        for language in group:
            segments = held_out.get(language, [])
            found = [guess.language for guess in guesses(known, segments)]
            if segments and found.count(language) >= _RIGHT * len(segments):
                told[language] = segments
        needed, margin = _LENGTHS[-1], 0.0
        for length in reversed(_LENGTHS):
            right, wrong = [], []
            for language, segments in told.items():
                made = guesses(known, [cut for text in segments if (cut := _cut(text, length, known.classes))])
                right += [guess.language == language for guess in made]
                wrong += [0.0 if guess.language == language else guess.margin for guess in made]
            if not right or sum(right) < _RIGHT * len(right):
                break
            needed, margin = length, max(margin, float(np.quantile(wrong, 1 - _WRONG)))
        enough[number], margins[number] = needed, margin
    return enough, margins


def _cut(text: str, length: int, classes: Classes) -> str:
    """The text up to so many letters and the end of that word; empty where it has fewer."""
    kinds = classes[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)]
    lettered = (kinds > ANY_SCRIPT) & (kinds != DROPPED)
    reached = np.flatnonzero(np.cumsum(lettered) >= length)
    if not len(reached):
        return ""
    end = int(reached[0]) + 1
    spaces = np.flatnonzero(~lettered[end : end + 10])
    return text[: end + int(spaces[0])] if len(spaces) else text[:end]


def build(data: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of the model that a data mirror gives. Raises `IdentifierError`."""
    read: dict[str, str] = {}
    declaration, train, dev = (
        read_udhr(data, read),
        read_sib200(data, ["train"], read),
        read_sib200(data, ["dev"], read),
    )
    scripts, classes = classify()
    about: dict[str, object] = {
        "licence": LICENCE,
        "commits": {name: COMMITS[name] for name in ("sib200", "udhr")},
        "inputs_sha256": hashlib.sha256(json.dumps(sorted(read.items())).encode()).hexdigest(),
        "trained_on": {
            language: " ".join(
                name for name, texts in (("sib200", train), ("udhr", declaration)) if texts.get(language)
            )
            for language in sorted({*train, *declaration})
        },
    }
    partial = _merge(train, declaration)
    enough, margins = calibrate(Model(assemble(partial, scripts, classes, about)), dev)
    whole = assemble(_merge(partial, dev), scripts, classes, about)
    return whole | {"enough": enough.astype(np.uint16), "margins": np.round(margins, 1).astype(np.float32)}


def _merge(*sources: Texts) -> Texts:
    return {
        language: [text for source in sources for text in source.get(language, [])]
        for language in sorted({language for source in sources for language in source})
    }


def measure(data: Path, trained_on: Mapping[str, str]) -> str:
    """The table of recall, tab-separated, of the identifier in use. Raises `IdentifierError`."""
    tests = {"ntrex128": read_ntrex(data, {}), "sib200": read_sib200(data, ["test"], {})}
    guessed = {
        name: {
            language: Counter(guess.language for guess in identify(segments))
            for language, segments in sorted(texts.items())
        }
        for name, texts in tests.items()
    }
    chosen = dict.fromkeys(tests["sib200"], "sib200") | dict.fromkeys(tests["ntrex128"], "ntrex128")
    shares = {
        language: {found: number / total for found, number in guessed[test][language].items()}
        for language, test in chosen.items()
        for total in [guessed[test][language].total()]
    }
    lines = ["language\ttested_on\tsegments\trecall\tprecision\ttrained_on\tconfused"]
    for language, test in sorted(chosen.items()):
        own = guessed[test][language]
        named = sum(counter[language] for counter in guessed[test].values())
        near = {
            other: max(shares[language].get(other, 0.0), shares.get(other, {}).get(language, 0.0))
            for other in {*shares, *shares[language]} - {language, ""}
        }
        cells = (
            language,
            test,
            str(own.total()),
            f"{own[language] / own.total():.4f}",
            f"{own[language] / named:.4f}" if named else "",
            trained_on.get(language, ""),
            " ".join(sorted((other for other in near if near[other] >= 0.01), key=lambda other: (-near[other], other))),
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def save(arrays: Mapping[str, npt.NDArray[np.generic]], path: Path) -> None:
    """Writes the model; the same arrays always give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())


def differences(arrays: Mapping[str, npt.NDArray[np.generic]], path: Path) -> list[str]:
    """Which arrays of a saved model are not these."""
    if not path.is_file():
        return sorted(arrays)
    with np.load(path, allow_pickle=False) as saved:
        return sorted(
            name
            for name in {*arrays, *saved.files}
            if name not in arrays or name not in saved.files or not np.array_equal(arrays[name], saved[name])
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 where all is well."""
    parser = argparse.ArgumentParser(prog="python -m languages.identifier_build", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="mirror of udhr, sib200 and ntrex128")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    wanted.add_argument("--measure", action="store_true", help="measure the identifier in use, build nothing")
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen.data, check=chosen.check, only_measure=chosen.measure)
    except IdentifierError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(data: Path, *, check: bool, only_measure: bool) -> int:
    other = os.environ.get(identification.ENVIRONMENT)
    if other and not only_measure:
        raise IdentifierError(f"{identification.ENVIRONMENT} is set: that model can be measured (--measure), not built")
    if other:
        Path(f"{other}.recall.tsv").write_text(measure(data, {}), "utf-8")
        return 0
    if not only_measure:
        arrays = build(data)
        if check and (changed := differences(arrays, identification.MODEL)):
            sys.stdout.write(f"{identification.MODEL.name} is not what the data give: {', '.join(changed)} differ\n")
            return 1
        if not check:
            save(arrays, identification.MODEL)
            identification.model.cache_clear()
    table = measure(data, identification.model().about["trained_on"])
    if not check:
        identification.RECALL.write_text(table, "utf-8")
    elif not identification.RECALL.is_file() or table != identification.RECALL.read_text("utf-8"):
        sys.stdout.write(f"{identification.RECALL.name} is not what the model and the data give: build it anew\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
