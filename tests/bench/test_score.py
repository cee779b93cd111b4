"""`bench score` prints what the `sacrebleu` command prints, to the byte, and says in one line what it cannot do."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sacrebleu

from bench.cli import main

Score = Callable[..., str]
WORDS = "the cat, sat. on a mat 1,000.5 of Dogs — ሰላም ለዓለም። 日本語 (hi) A.b &amp; x".split()
SEGMENTS = 60


def _noisy(generator: random.Random, words: list[str], share: float) -> str:
    return " ".join(generator.choice(WORDS) if generator.random() < share else word for word in words)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files r1, r2 (references) and h1, h2, h3 (systems) in the working folder; some lines are empty or end oddly."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)
    monkeypatch.delenv("SACREBLEU_FORMAT", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    generator = random.Random(7)
    texts = [[generator.choice(WORDS) for _ in range(generator.randrange(14))] for _ in range(SEGMENTS)]
    for name, share in (("r1", 0.0), ("r2", 0.15), ("h1", 0.2), ("h2", 0.3), ("h3", 0.3)):
        lines = [_noisy(generator, words, share) + generator.choice(["", "", " \r", "\u3000"]) for words in texts]
        Path(name).write_text("\n".join(lines) + "\n", "utf-8", newline="")
    return tmp_path


@pytest.fixture
def ours(corpus: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    """Runs `bench score` on arguments in one line and returns what it printed."""

    def run(line: str, expect: int = 0) -> str:
        code = main(["score", *line.split()])
        captured = capsys.readouterr()
        assert code == expect, captured.err
        if expect:
            assert captured.err.startswith("bench: ")
            assert captured.err.count("\n") == 1
            assert not captured.out
            return captured.err
        assert not captured.err
        return captured.out

    return run


def theirs(line: str) -> str:
    command = [sys.executable, "-m", "sacrebleu", *line.split()]
    done = subprocess.run(command, capture_output=True, check=True, env=dict(os.environ))
    return done.stdout.decode()


def same(ours: Score, references: str, systems: str, metrics: str, options: str) -> None:
    own = " ".join(
        f"{option} {name}"
        for option, names in (("--references", references), ("-i", systems), ("-m", metrics))
        for name in names.split()
    )
    want = theirs(f"{references} -i {systems} -m {metrics} {options}")
    assert want.strip()
    assert ours(f"{own} {options}") == want


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "options",
    [
        "",
        "-w 12",
        "-ci -cin 200 -w 7",
        "--short -w 3",
        "-b",
        "-lc --chrf-lowercase --ter-case-sensitive -tok intl -s floor -sv 0.3 --chrf-beta 3 -w 8",
        "--smooth-method add-k --chrf-char-order 4 --chrf-word-order 2 --chrf-whitespace --ter-no-punct",
        "--chrf-eps-smoothing --ter-normalized --ter-asian-support --language-pair en-zh -w 9 --confidence",
    ],
)
def test_one_system_by_several_metrics_prints_what_sacrebleu_prints(ours: Score, options: str, form: str) -> None:
    same(ours, "r1", "h1", "chrf bleu ter", f"{options} -f {form}")


@pytest.mark.parametrize("metric", ["chrf", "bleu", "ter"])
def test_one_metric_prints_what_sacrebleu_prints(ours: Score, metric: str) -> None:
    same(ours, "r1 r2", "h1", metric, "-f json -w 12")
    same(ours, "r1", "h1", metric, "-f text")


@pytest.mark.parametrize("metric", ["chrf", "bleu", "ter"])
def test_sentences_print_what_sacrebleu_prints(ours: Score, metric: str) -> None:
    same(ours, "r1 r2", "h1", metric, "-sl -w 12 -f text")
    same(ours, "r1", "h2", metric, "-sl -b -f json")


@pytest.mark.parametrize("form", ["json", "text", "latex"])
@pytest.mark.parametrize("options", ["-w 4", "--paired-ar --paired-ar-n 200", "-w 5 --short -par -parn 30"])
def test_several_systems_print_what_sacrebleu_prints(ours: Score, options: str, form: str) -> None:
    same(ours, "r1 r2", "h1 h2 h3", "chrf bleu ter", f"{options} -f {form}")


@pytest.mark.parametrize("form", ["text", "latex"])
def test_the_paired_bootstrap_prints_what_sacrebleu_prints(ours: Score, form: str) -> None:
    same(ours, "r1 r2", "h1 h2 h3", "bleu chrf ter", f"--paired-bs -w 6 -f {form}")
    same(ours, "r1", "h1 h2", "bleu", f"-pbs -pbsn 77 -f {form}")


def test_the_paired_bootstrap_prints_sacrebleus_json_where_it_has_one(ours: Score) -> None:
    same(ours, "r1", "h1 h2 h3", "bleu", "--paired-bs -f json")
    # sacreBLEU fails at writing a mean of chrF or TER, which is a float32, as JSON.
    made = json.loads(ours("--references r1 -i h1 -i h2 -m chrf --paired-bs --json"))
    assert [list(system) for system in made] == [["system", "chrF2"]] * 2
    assert made[0]["chrF2"]["p_value"] is None
    assert 0 < made[1]["chrF2"]["p_value"] <= 1
    assert abs(made[1]["chrF2"]["mean"] - made[1]["chrF2"]["score"]) < 2


def test_the_seed_is_the_one_that_the_environment_names(ours: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours("--references r1 -i h1 -m bleu -ci -w 9 -f json")
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    same(ours, "r1", "h1", "bleu chrf", "-ci -w 9 -f json")
    assert ours("--references r1 -i h1 -m bleu -ci -w 9 -f json") != before
    monkeypatch.setenv("SACREBLEU_SEED", "none")
    assert "|seed:none|" in ours("--references r1 -i h1 -m chrf -ci")
    monkeypatch.setenv("SACREBLEU_SEED", "lucky")
    assert "SACREBLEU_SEED is 'lucky'; it must be" in ours("--references r1 -i h1 -ci", expect=2)


def test_packed_files_and_other_encodings_are_read(ours: Score) -> None:
    want = ours("--references r1 -i h1 --json")
    for name in ("r1", "h1"):
        Path(f"{name}.gz").write_bytes(gzip.compress(Path(name).read_bytes()))
        Path(f"{name}.utf16").write_text(Path(name).read_text("utf-8"), "utf-16", newline="")
    assert ours("--references r1.gz -i h1.gz --json") == want
    assert ours("--references r1.utf16 -i h1.utf16 --json -e utf-16") == want
    same(ours, "r1.gz", "h1.gz", "bleu", "-f json")


def test_json_holds_every_digit_unless_a_width_is_given(ours: Score) -> None:
    hypotheses, references = (Path(name).read_text("utf-8").split("\n")[:-1] for name in ("h1", "r1"))
    hypotheses, references = ([line.rstrip() for line in lines] for lines in (hypotheses, references))
    bleu, chrf = json.loads(ours("--references r1 -i h1 --json"))
    assert bleu["score"] == sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert chrf["score"] == sacrebleu.corpus_chrf(hypotheses, [references], word_order=2).score
    assert json.loads(ours("--references r1 -i h1 --json -w 3 -m bleu"))["score"] == round(bleu["score"], 3)
    assert f"= {chrf['score']:.2f}\n" in ours("--references r1 -i h1")
    sentences = json.loads(ours("--references r1 -i h1 -m chrf++ -sl --json"))
    metric = sacrebleu.CHRF(word_order=2)
    assert [made["score"] for made in sentences] == [
        metric.sentence_score(hypothesis, [reference]).score
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]


def test_a_share_is_printed_in_the_same_shape(ours: Score) -> None:
    Path("h").write_text("a\nb\nc\n")
    Path("r").write_text("a\nb\nx\n")
    want = "exact_match|case:mixed|norm:NFC|space:collapsed|version:1 = 66.67%\n"
    assert ours("--references r -i h -m exact_match") == want
    made = json.loads(ours("--references r -i h -m exact_match --json -ci -cin 100"))
    assert made["score"] == 2 / 3
    assert made["bs"] == "100"
    assert 0.1 < made["confidence_var"] < 0.6
    Path("g").write_text("a\nx\nc\n")
    table = ours("--references r -i h -i g -m exact_match")
    assert "exact_match %" in table
    assert "66.67" in table
    assert "33.33" in table
    made = json.loads(ours("--references r -i h -i g -m exact_match -w 2 --json"))
    assert made[1] == {"system": "g", "exact_match": "0.3333"}
    made = json.loads(ours("--references r -i h -i g -m exact_match --paired-ar --json"))
    assert made[1]["exact_match"]["score"] == 1 / 3
    assert "(μ = 6" in ours("--references r -i h -m exact_match -ci")


@pytest.mark.parametrize("metric", ["cer", "cer-grapheme", "wer", "token_f1", "rouge_l", "exact_match"])
def test_every_metric_has_every_kind_of_output(ours: Score, metric: str) -> None:
    files = "--references r1 --references r2 -i h1"
    (line,) = ours(f"{files} -m {metric}").splitlines()
    name, _, signature = line.partition(" = ")[0].partition("|")
    made = json.loads(ours(f"{files} -m {metric} --json"))
    assert (made["name"], made["signature"]) == (name, signature)
    assert len(ours(f"{files} -m {metric} -sl").splitlines()) == SEGMENTS
    sure = json.loads(ours(f"{files} -m {metric} --json -ci"))
    assert sure["score"] == made["score"]
    assert abs(sure["confidence_mean"] - made["score"]) < sure["confidence_var"]
    assert sure["signature"].removeprefix("nrefs:2|").startswith("bs:1000|seed:12345|")
    for test in ("--paired-bs", "--paired-ar"):
        systems = json.loads(ours(f"{files} -i h2 -i h3 -m {metric} --json {test}"))
        assert [system["system"] for system in systems] == ["Baseline: h1", "h2", "h3"]
        assert systems[0][name]["score"] == made["score"]
        assert all(0 < system[name]["p_value"] <= 1 for system in systems[1:])


def test_the_target_language_says_what_articles_are(ours: Score) -> None:
    Path("h").write_text("the cat\n")
    Path("r").write_text("a cat\n")
    line = "--references r -i h -m token_f1 --score-only"
    assert ours(line) == "50.00%\n"
    assert ours(f"{line} -l fr-en") == "100.00%\n"
    assert "--language-pair: " in ours(f"{line} -l en-xx", expect=2)


BAD = [
    ("--references r1 -i none", "cannot read none: No such file"),
    ("--references . -i h1", "cannot read .: Is a directory"),
    ("--references empty -i empty", "empty is empty: nothing to score"),
    ("--references r1 -i short", f"short has 1 line, r1 has {SEGMENTS}; they must be parallel"),
    ("--references r1 --references short -i h1", f"h1 has {SEGMENTS} lines, short has 1"),
    ("--references r1 -i latin", "latin is not UTF-8 text (byte 1)"),
    ("--references r1 -i cut.gz", "cut.gz is no gzip file, or one that is cut short"),
    ("--references r1 -i short.gz", "short.gz is no gzip file, or one that is cut short"),
    ("--references r1 -i h1 -e klingon", "--encoding klingon is no text encoding"),
    ("--references r1 -i h1 --paired-bs", "--paired-bs compares systems"),
    ("--references r1 -i h1 -i h2 -ci", "--confidence is for one system"),
    ("--references r1 -i h1 -i h2 --paired-bs --paired-ar", "--paired-bs and --paired-ar exclude each other"),
    ("--references r1 -i h1 -i h1", "h1 is given twice"),
    ("--references r1 -i h1 -sl", "--sentence-level takes one metric"),
    ("--references r1 -i h1 -i h2 -sl -m bleu", "--sentence-level takes one system"),
    ("--references r1 -i h1 -sl -m bleu -ci", "--sentence-level and --confidence exclude"),
    ("--references r1 -i h1 -m chrff", "chrff"),
    ("--references r1 -i h1 -tok 13b", "13b"),
    ("--references r1 -i h1 -tok flores200 --spm-model none", "no SentencePiece model at none"),
    ("--references r1 -i h1 -tok flores200 --spm-model h1", "h1 is no SentencePiece model"),
    ("--references r1 -i h1 --spm-model h1", "has no SentencePiece model"),
    ("--references r1 -i h1 -l zh", "--language-pair is 'zh'"),
    ("--references r1 -i h1 -m chrf -cc 0", "chrF needs an order of at least 1"),
    ("--references r1 -i h1 -cc -1", "-1"),
    ("--references r1 -i h1 -cw 1", "chrf++ has the word order 2; for 1 give --metric chrf"),
    ("--references r1 -i h1 --chrf-beta 0", "0"),
    ("--references r1 -i h1 -s floor -sv nan", "nan"),
    ("--references r1 -i h1 -w -3", "-3"),
    ("--references r1 -i h1 --json -f latex", "--json and --format latex exclude each other"),
    ("--references r1 -i h1 -m ter --backend gpu", "CPU only"),
    ("--references r1 -i h1 -m wer --backend gpu", "CPU only"),
    ("--references r1 -i h1 -m rouge_l --backend gpu", "rouge_l is computed on the CPU only"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_what_cannot_be_done_is_one_line_and_exit_2(ours: Score, line: str, message: str) -> None:
    Path("empty").write_text("")
    Path("short").write_text("one\n")
    Path("latin").write_bytes(b"a\xe9\n")
    Path("cut.gz").write_bytes(gzip.compress(b"one\n" * 999)[:-9])
    Path("short.gz").write_text("one\n")
    assert message in ours(line, expect=2)


def test_a_line_of_ten_megabytes_is_a_line(ours: Score) -> None:
    Path("long").write_text("ሰላም abc " * 1_000_000 + "\n", "utf-8")
    assert "chrF2++|nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|" in ours("--references long -i long")


def test_threads_change_no_number(ours: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCH_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    line = "--references r1 -i h1 -i h2 -m chrf --paired-bs --json"
    assert ours(f"{line} --threads 1") == ours(f"{line} --threads 2")
    assert os.environ["BENCH_THREADS"] == "2"
