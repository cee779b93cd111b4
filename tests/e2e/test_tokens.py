"""`tokens` as a user starts it, and docs/tokens.md: its example runs as printed, and it names everything."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.premium import files
from bench.premium.plot import NAMESPACE
from bench.premium.reasons import MISSING
from bench.premium.records import Premium, Premiums
from bench.premium.texts import CORPORA
from bench.premium.tokenizers import PROVIDERS
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Bench, environment
from tests.openai_server import LLAMA_CPP_ENGINE, OPENAI, VLLM_ENGINE, Kind, Server, pieces
from tests.tasks import hub_layout
from tests.test_readme import sessions

PAGE = (REPOSITORY / "docs" / "tokens.md").read_text("utf-8")
CODES = ("est_Latn", "hau_Latn", "yor_Latn")


@pytest.fixture
def flores(tmp_path: Path) -> tuple[str, ...]:
    """The options for a FLORES-200 of three languages and four sentences."""
    hub_layout.write("flores200", tmp_path / "mirror")
    languages = (word for code in CODES for word in ("-l", code))
    return ("--corpus", "flores200", "--data", "mirror", *languages)


def sentences(code: str) -> list[str]:
    splits = hub_layout.fixture("flores200")["splits"]
    return [row[code] for split in ("dev", "devtest") for row in splits[split]]


def vocabulary(path: Path) -> Path:
    """A tokenizer of whole words and letters, as Hugging Face's library writes one."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    model = tokenizers.models.WordLevel({"[UNK]": 0, "The": 1, "náà": 2, ".": 3}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path.mkdir(parents=True)
    made.save(str(path / "tokenizer.json"))
    return path


def test_the_example_runs_as_printed(data: Path, tmp_path: Path) -> None:
    (block,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, shown in sessions(block):
        done = subprocess.run(
            command.replace("python -m", f"{sys.executable} -m"),
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=environment(BENCH_DATA=str(data)),
        )
        assert done.returncode == 0, done.stderr
        pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown.strip()))
        assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), f"$ {command}\n{done.stdout}"


def test_everything_is_on_the_page(bench: Bench) -> None:
    keys = {one.name for made in (Premium, Premiums) for one in fields(made)}
    for name in {*keys, *MISSING, *CORPORA, "version", "bytes", "codepoints"}:
        assert f"`{name}`" in PAGE, name
    for code, meaning in MISSING.items():
        assert f"| `{code}` | {meaning} |" in PAGE
    for provider in PROVIDERS:
        assert re.search(rf"`{provider}[`:]", PAGE), provider
    shown = " ".join(bench("tokens", "--help").stdout.split())
    for name in (*CORPORA, *(option for option in re.findall(r"`(--[a-z]+)", PAGE))):
        assert name in shown, name
    assert "tokens" in bench("--help").stdout


def test_bytes_and_code_points_are_a_plain_count(bench: Bench, flores: tuple[str, ...]) -> None:
    made = [files.from_json(one) for one in json.loads(bench("tokens", *flores, "--json").stdout)]
    assert [one.tokenizer for one in made] == ["bytes", "codepoints"]
    for one, length in zip(made, (lambda text: len(text.encode()), len), strict=True):
        assert [row.language for row in one.languages] == list(CODES)
        english = sum(map(length, sentences("eng_Latn")))
        for row in one.languages:
            own = sum(map(length, sentences(row.language)))
            assert (row.tokens, row.english_tokens, row.sentences) == (own, english, 4)
            assert row.premium == own / english


def test_several_side_by_side_and_one_in_detail(bench: Bench, flores: tuple[str, ...]) -> None:
    several = bench("tokens", *flores).stdout.splitlines()
    assert several[2].split() == ["language", "name", "bytes", "codepoints"]
    assert [line.split()[0] for line in several[4:7]] == ["est_Latn", "hau_Latn", "yor_Latn"]
    one = bench("tokens", "-m", "codepoints", *flores).stdout
    assert "codepoints on flores200-from-eng" in one and "tokens/sentence" in one
    assert "too few clusters" in one and "No share of unknown and fallback tokens" in one
    assert "unknown  " not in one.splitlines()[2]  # no column where nothing is known
    ordered = [line.split()[0] for line in one.splitlines() if line.startswith(CODES)]
    assert ordered == sorted(CODES, key=lambda code: sum(map(len, sentences(code))))
    by_code = bench("tokens", "-m", "codepoints", *flores, "--sort", "language").stdout
    assert [line.split()[0] for line in by_code.splitlines() if line.startswith(CODES)] == list(CODES)


def test_what_is_missing_is_a_dash_with_its_reason_and_never_zero(
    bench: Bench, flores: tuple[str, ...], tmp_path: Path
) -> None:
    vocabulary(tmp_path / "words")
    given = ("tokens", "-m", "hf:words", "-m", "bytes", *flores)
    shown = bench(*given).stdout
    row = next(line.split() for line in shown.splitlines() if line.startswith("hau_Latn"))
    assert row[2] == "–"
    assert f"No premium by hf:words: {MISSING['mostly_unknown']}: est_Latn, hau_Latn, yor_Latn." in " ".join(
        shown.split()
    )
    (first, _) = json.loads(bench(*given, "--json").stdout)
    assert all(one["premium"] is None and one["reasons"]["premium"] == "mostly_unknown" for one in first["languages"])
    lines = list(csv.DictReader(bench(*given, "--csv").stdout.splitlines()))
    assert [(line["tokenizer"], line["premium"] == "") for line in lines] == [("hf:words", True)] * 3 + [
        ("bytes", False)
    ] * 3
    assert json.loads(lines[0]["reasons"])["premium"] == "mostly_unknown"


def test_files_and_pictures_are_written(bench: Bench, flores: tuple[str, ...], tmp_path: Path) -> None:
    shown = bench("tokens", *flores, "--output", "out", "--plot", "out").stdout
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [
        "bytes-flores200.premium.json",
        "bytes-flores200.svg",
        "codepoints-flores200.premium.json",
        "codepoints-flores200.svg",
    ]
    assert all(f"out/{name}" in shown for name in written)
    found = files.read(tmp_path / "out" / written[0])
    assert [one.language for one in found.languages] == list(CODES)
    root = ET.parse(tmp_path / "out" / written[1]).getroot()
    assert {"Yoruba", "Hausa", "Estonian"} <= {one.text for one in root.iter(f"{{{NAMESPACE}}}text")}
    again = bench("tokens", "-m", "bytes", *flores, "--json", "--output", "one.premium.json", "--plot", "one.svg")
    assert json.loads(again.stdout) == [json.loads((tmp_path / "one.premium.json").read_text("utf-8"))]
    assert "replaced" not in again.stderr
    more = bench("tokens", "-m", "bytes", *flores, "--output", "one.premium.json", "--plot", "two.svg")
    assert more.stderr.splitlines()[-1] == "replaced one.premium.json"
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "out" / written[1]).read_bytes()


def test_results_do_not_say_where_a_tokenizer_lies(bench: Bench, flores: tuple[str, ...], tmp_path: Path) -> None:
    folder = vocabulary(tmp_path / "deep" / "words")
    for spec in (f"hf:{folder}", f"hf:{folder / 'tokenizer.json'}"):
        done = bench("tokens", "-m", spec, *flores, "--json", "--output", "out", "--plot", "out")
        (made,) = json.loads(done.stdout)
        assert made["tokenizer"] == "hf:words"
        for path in (tmp_path / "out").iterdir():
            assert str(tmp_path) not in path.read_text("utf-8")


def test_a_model_file_names_a_tokenizer_too(bench: Bench, flores: tuple[str, ...], tmp_path: Path) -> None:
    vocabulary(tmp_path / "words")
    (tmp_path / "model.toml").write_text('model = "hf:words"\n\n[options]\ndtype = "float32"\n', "utf-8")
    (made,) = json.loads(bench("tokens", "-m", "model.toml", *flores, "--json").stdout)
    assert made["tokenizer"] == "hf:words"


@pytest.mark.parametrize("kind", [VLLM_ENGINE, LLAMA_CPP_ENGINE], ids=["vllm", "llama.cpp"])
def test_a_model_that_is_being_run_shows_its_tokenizer(bench: Bench, flores: tuple[str, ...], kind: Kind) -> None:
    with Server(kind) as server:
        options = ("-M", f"base_url={server.url}")
        shown = bench("tokens", "-m", "openai:tiny", "-m", "bytes", *options, *flores, "--json")
    model, control = json.loads(shown.stdout)
    assert (model["tokenizer"], control["tokenizer"]) == ("openai:tiny", "bytes")
    english = sum(len(pieces(text)) for text in sentences("eng_Latn"))
    for one in model["languages"]:
        assert one["tokens"] == sum(len(pieces(text)) for text in sentences(one["language"]))
        assert one["english_tokens"] == english
        assert one["reasons"]["unknown"] == one["reasons"]["fallback"] == "tokens_unseen"


def test_a_service_that_counts_no_tokens_gets_one_line(bench: Bench, flores: tuple[str, ...], tmp_path: Path) -> None:
    with Server(OPENAI) as server:
        given = ("tokens", "-m", "openai:tiny", "-M", f"base_url={server.url}", *flores, "--output", "out")
        refused = bench(*given, expect=1)
    assert "the service does not count tokens" in refused.stderr and refused.stderr.count("\n") == 1
    assert not refused.stdout and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-m byts", "or a model such as openai:MODEL; did you mean 'bytes'?"),
        ("-m opnai:x", "did you mean 'openai'?"),
        ("-m mirror", "of a folder or file of Hugging Face's give hf:NAME"),
        ("-m hf:", "nothing after 'hf'"),
        ("-m hf:none-here", "hf:none-here"),
        ("-m sp:none.model", "none.model"),
        ("-m tiktoken:o200k", "o200k"),
        ("-m baseline:random", "baseline:random does not show its tokenizer"),
        ("-m bytes -M pattrn=x", "bytes: no option 'pattrn'; it has none"),
        ("-m hf:none -M pattrn=x", "no option 'pattrn'; did you mean 'pattern'?"),
        ("-m hf:mirror -M revision=main", "revision is for repositories of the hub"),
        ("-m hf:mirror/nothing.json", "there is no such file"),
        ("-m openai:some", "OpenAI's service does not count tokens; tiktoken:NAME"),
        ("-l xx", "unknown language 'xx'; `python -m bench list languages` has them all"),
        ("-m none.toml", "cannot read model file none.toml"),
        ("--corpus flores20", "no corpus 'flores20'; did you mean 'flores200' or 'flores'?"),
        ("-l yorubaa", "did you mean Yoruba (yor_Latn)?"),
        ("--data nowhere", "data folder nowhere does not exist"),
        ("--data=", "--data is empty"),
        ("--json --csv", "--json and --csv exclude each other"),
        ("--sort speakers", "'speakers' is not one of 'premium', 'language'"),
        ("--plot one.svg", "--plot one.svg names one file for 2 tokenizers; name a folder"),
        ("-m bytes --plot one.png", "--plot one.png should end in .svg, or be a folder"),
        ("-m bytes --output one.json", "--output one.json should end in .premium.json, or be a folder"),
        ("-m bytes --output taken", "--output taken is a file whose name does not end in .premium.json"),
        ("-m bytes --plot folder.svg", "--plot folder.svg is a folder"),
        ("-m hf:one/words -m hf:two/words", "hf:one/words and hf:two/words would both be called hf:words"),
        ("-m hf:a/b -m hf:a-b --output out", "hf:a/b and hf:a-b would share out/hf-a-b-flores200.premium.json"),
    ],
)
def test_what_is_wrong_gets_one_line(
    bench: Bench, flores: tuple[str, ...], tmp_path: Path, arguments: str, said: str
) -> None:
    (tmp_path / "taken").write_text("mine", "utf-8")
    for name in ("folder.svg", "one/words", "two/words"):
        (tmp_path / name).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    refused = bench("tokens", *flores, *arguments.split(), expect=2)
    assert said in refused.stderr and refused.stderr.count("\n") == 1 and not refused.stdout
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_has_no_line_that_is_broken(flores: tuple[str, ...], tmp_path: Path, width: int) -> None:
    near, far = pty.openpty()
    command = [sys.executable, "-m", "bench", "tokens", "-m", "bytes", *flores]
    with os.fdopen(near, "rb", buffering=0) as terminal:
        more = {"TERM": "xterm", "COLUMNS": str(width), "PYTHONUTF8": "1"}
        with subprocess.Popen(command, cwd=tmp_path, stdout=far, env=environment(**more)) as process:
            os.close(far)
            shown = b""
            try:
                while part := terminal.read(4096):
                    shown += part
            except OSError:  # Linux: the other end is closed
                pass
        assert process.returncode == 0
    lines = shown.decode().split("\r\n")
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("yor_Latn") for line in lines) == (1 if width == 140 else 2)


def test_a_folder_that_cannot_be_written_gets_one_line(bench: Bench, flores: tuple[str, ...], tmp_path: Path) -> None:
    shutil.copy(tmp_path / "mirror" / "flores200" / "README.md", tmp_path / "file")
    refused = bench("tokens", "-m", "bytes", *flores, "--output", "file/deep/one.premium.json", expect=1)
    assert refused.stderr.count("\n") == 1 and "Not a directory" in refused.stderr
