"""Recall of the language identifier for each language, its speed, verdicts, and packaged identifiers beside it.

    python -m benchmarks.identifier [--segments 200] [--table]

Reads NTREX-128 from the mirror that BENCH_DATA names. Each of py3langid, langdetect and lingua is measured where it is
installed, on the languages that it knows. Speed is CPU time of one core.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import languages
from bench.fidelity import Fidelity, identifiable, judge
from languages.identification import identify, model, recalls
from languages.identifier_texts import read_ntrex

LEAST = 0.95

Predict = Callable[[str], str]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--segments", type=int, default=200, help="of each language, to measure speed and the others on"
    )
    parser.add_argument("--table", action="store_true", help="the recall of every language")
    chosen = parser.parse_args()
    if chosen.table:
        for row in recalls().values():
            precision = "-" if row.precision is None else f"{row.precision:.4f}"
            print(
                f"{row.language}  {row.tested_on:8}  {row.segments:5}  {row.recall:.4f}  {precision}  {row.trained_on}"
            )
    for test in ("ntrex128", "sib200"):
        rows = [row for row in recalls().values() if row.tested_on == test]
        told = sum(row.recall >= LEAST for row in rows)
        print(f"{test}: {told} of {len(rows)} languages with a recall of {LEAST:.0%} or more")
    print(f"languages known: {len(model().group_of)}")
    data = os.environ.get("BENCH_DATA")
    if not data:
        raise SystemExit("BENCH_DATA must name a mirror of the datasets that holds ntrex128")
    segments = {code: texts[: chosen.segments] for code, texts in read_ntrex(Path(data), {}).items()}
    _verdicts(segments)
    _report("this identifier", segments, lambda texts: [guess.language for guess in identify(texts)])
    for name, make in (("py3langid", _py3langid), ("langdetect", _langdetect), ("lingua", _lingua)):
        try:
            predict = make()
        except ImportError:
            print(f"{name}: not installed")
            continue
        _report(name, segments, lambda texts, predict=predict: [predict(text) for text in texts])  # type: ignore[misc]


def _verdicts(segments: dict[str, list[str]]) -> None:
    """Verdicts on real sentences of the languages that get one, and on English ones in their place."""
    told = [code for code in segments if identifiable(code)[0]]
    own = [one for code in told for one in judge(segments[code], code)]
    english = [one for code in told if code != "eng_Latn" for one in judge(segments["eng_Latn"], code)]
    words = [one.word for one in own if one.word is not None]
    print(f"sentences of {len(told)} languages, {len(own):,} in all:")
    print(f"  line: {_share(own, True):.2%} right, {_share(own, False):.2%} wrong, the rest without a verdict")
    print(f"  word: {words.count(False) / len(words):.2%} of {len(words):,} in other scripts than Latin wrong")
    print(f"English in their place: line {_share(english, False):.2%} wrong, {_share(english, True):.2%} right")


def _share(found: Sequence[Fidelity], verdict: bool) -> float:
    return sum(one.line is verdict for one in found) / len(found)


def _report(name: str, segments: dict[str, list[str]], predict: Callable[[Sequence[str]], list[str]]) -> None:
    texts = [text for some in segments.values() for text in some]
    predict(texts[:100])
    started = time.process_time()
    found = iter(predict(texts))
    seconds = time.process_time() - started
    shares = {code: sum(next(found) == code for _ in some) / len(some) for code, some in segments.items()}
    told = sum(share >= LEAST for share in shares.values())
    speed = f"{len(texts) / seconds:,.0f} segments/s"
    print(f"{name}: {speed}; {told} of NTREX's {len(shares)} languages at {LEAST:.0%} or more")


def _py3langid() -> Predict:
    package = importlib.import_module("py3langid")
    return lambda text: _canonical(package.classify(text)[0], text)


def _langdetect() -> Predict:
    package = importlib.import_module("langdetect")

    def predict(text: str) -> str:
        try:
            return _canonical(package.detect(text), text)
        except package.LangDetectException:
            return ""

    return predict


def _lingua() -> Predict:
    package = importlib.import_module("lingua")
    detector = package.LanguageDetectorBuilder.from_all_languages().build()

    def predict(text: str) -> str:
        found = detector.detect_language_of(text)
        return _canonical(found.iso_code_639_1.name.lower(), text) if found else ""

    return predict


def _canonical(code: str, text: str) -> str:
    """The canonical code; of several scripts the one that the text is written in."""
    try:
        return languages.get({"no": "nb", "zh-cn": "zh-CN", "zh-tw": "zh-TW", "zh": "zh-CN"}.get(code, code)).code
    except languages.AmbiguousLanguage as error:
        cyrillic = any("\u0400" <= char <= "\u04ff" for char in text)
        wanted = "Cyrl" if cyrillic else "Latn"
        return next((one.code for one in error.candidates if one.script == wanted), "")
    except languages.UnknownLanguage:
        return ""


if __name__ == "__main__":
    main()
