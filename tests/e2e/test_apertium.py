"""Debian's Apertium translates for real, and the scores are those of the `sacrebleu` command on the same output."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.text import one_line
from tests.e2e.conftest import Bench

needs_apertium = pytest.mark.skipif(shutil.which("apertium") is None, reason="apertium is not installed")
SYSTEMS = [
    (
        "eng-cat",
        "ntrex-from-eng",
        "cat_Latn",
        "NTREX-128/newstest2019-src.eng.txt",
        "NTREX-128/newstest2019-ref.cat.txt",
    ),
    (
        "mkd-eng",
        "ntrex-into-eng",
        "mkd_Cyrl",
        "NTREX-128/newstest2019-ref.mkd.txt",
        "NTREX-128/newstest2019-src.eng.txt",
    ),
]


@needs_apertium
@pytest.mark.parametrize(("pair", "task", "language", "source", "target"), SYSTEMS)
def test_apertium(
    pair: str, task: str, language: str, source: str, target: str, bench: Bench, data: Path, tmp_path: Path
) -> None:
    modes = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout.split()
    if pair not in modes:
        pytest.skip(f"apertium has no {pair}")
    done = bench(
        *("run", "-m", f"command:apertium -u {pair}", "-t", task, "-l", language),
        *("--data", str(data), "--output", "a.run.db", "--json"),
    )
    cells = {cell["metric"]: cell for cell in json.loads(done.stdout)}
    assert {cell["n"] for cell in cells.values()} == {1997}
    assert {cell["errors"] for cell in cells.values()} == {0}

    bench("export", "a.run.db", "--format", "jsonl", "--output", "a.jsonl", BENCH_DATA=str(data))
    exported = [json.loads(line)["text"] for line in (tmp_path / "a.jsonl").read_text("utf-8").split("\n") if line]
    (tmp_path / "hypotheses.txt").write_text("".join(one_line(text).strip() + "\n" for text in exported), "utf-8")
    peer = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "sacrebleu",
                str(data / "ntrex128" / target),
                "-i",
                str(tmp_path / "hypotheses.txt"),
            ),
            *("-m", "chrf", "bleu", "--chrf-word-order", "2", "-w", "12", "-f", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = {made["name"]: made for made in json.loads(peer.stdout)}
    assert cells["chrf++"]["value"] == pytest.approx(theirs["chrF2++"]["score"], abs=1e-9)
    assert cells["bleu"]["value"] == pytest.approx(theirs["BLEU"]["score"], abs=1e-9)
    assert cells["chrf++"]["signature"] == f"chrF2++|{theirs['chrF2++']['signature']}"
    assert cells["bleu"]["signature"] == f"BLEU|{theirs['BLEU']['signature']}"
    assert cells["chrf++"]["ci_low"] < cells["chrf++"]["value"] < cells["chrf++"]["ci_high"]

    ours = bench(
        *("score", "--hypotheses", "hypotheses.txt", "--references", str(data / "ntrex128" / target), "--json"),
    )
    assert [made["score"] for made in json.loads(ours.stdout)] == [cells["bleu"]["value"], cells["chrf++"]["value"]]

    # The lines went in as they are: Apertium by hand says the same of them.
    first = (data / "ntrex128" / source).read_bytes().split(b"\n")[:100]
    by_hand = subprocess.run(["apertium", "-u", pair], input=b"\n".join(first), capture_output=True, check=True)
    lines = by_hand.stdout.decode().split("\n")
    same = sum(one.removesuffix("\r") == other for one, other in zip(lines, exported, strict=False))
    assert same > 95
