"""A small Llama of our own runs over twenty languages, and its log-likelihoods are transformers' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.energy.keeping import windows
from bench.runfile import RunFile
from tests.e2e.conftest import Bench
from tests.e2e.test_energy_cli import scripted

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

LANGUAGES = (
    "yor_Latn hau_Latn swh_Latn amh_Ethi zul_Latn wol_Latn som_Latn tir_Ethi ibo_Latn kin_Latn "
    "ben_Beng tam_Taml khm_Khmr mya_Mymr sin_Sinh quy_Latn grn_Latn mri_Latn pes_Arab uig_Arab"
).split()
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.fixtures_llama import build_llama

    made = tmp_path_factory.mktemp("model")
    build_llama(made)
    return made


def by_hand(folder: Path, prompts: list[tuple[str, str]]) -> list[float]:
    """log p(continuation | prompt), one plain forward pass each."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    found = []
    for context, continuation in prompts:
        start = len(tokenizer(context).input_ids)
        ids = torch.tensor([tokenizer(context + continuation).input_ids])
        with torch.no_grad():
            steps = model(ids).logits[0].log_softmax(-1)
        found.append(sum(steps[place - 1, ids[0, place]].item() for place in range(start, ids.shape[1])))
    return found


def run(
    bench: Bench, tmp_path: Path, folder: Path, *arguments: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    chosen = [part for code in LANGUAGES for part in ("-l", code)]
    done = bench("run", "-m", f"hf:{folder}", *chosen, *arguments, "--output", "a.run.db", "--json")
    bench("export", "a.run.db", "--format", "jsonl", "--output", "a.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").split("\n") if line]
    return json.loads(done.stdout), answers


def assert_likelihoods(folder: Path, answers: list[dict[str, Any]], continuations: list[list[str]]) -> None:
    asked = [(answer["prompt"], text) for answer, texts in zip(answers, continuations, strict=True) for text in texts]
    ours = [value for answer in answers for value in answer["loglikelihoods"]]
    assert ours == pytest.approx(by_hand(folder, asked), abs=TOLERANCE)


TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")


def test_sib200(bench: Bench, tmp_path: Path, folder: Path, data: Path) -> None:
    cells, answers = run(bench, tmp_path, folder, "-t", "sib200", "--limit", "10", "--data", str(data))
    assert {cell["language"] for cell in cells} == set(LANGUAGES)
    assert {(cell["mode"], cell["n"], cell["errors"]) for cell in cells} == {("loglikelihood", 10, 0)}
    sampled = answers[::10]
    assert_likelihoods(folder, sampled, [[f" {topic}" for topic in TOPICS]] * len(sampled))


def test_the_embedded_suite(bench: Bench, tmp_path: Path, folder: Path) -> None:
    import tasks

    cells, answers = run(bench, tmp_path, folder, "--limit", "2")
    assert len({cell["language"] for cell in cells}) == len(LANGUAGES)
    assert {cell["mode"] for cell in cells} == {"loglikelihood", "generate"}
    assert not any(cell["errors"] for cell in cells)
    generated = [cell for cell in cells if cell["mode"] == "generate"]
    assert all(cell["output_tokens"] for cell in generated)

    options = {
        sample.id: [f" {option}" for option in sample.options]
        for task in tasks.select(["embedded"])
        if task.kind == "choice"
        for variety in task.varieties
        if variety.language in LANGUAGES
        for sample in task.samples(variety)
    }
    sampled = [answer for answer in answers if answer["mode"] == "loglikelihood"][::5]
    assert len(sampled) > 20
    assert_likelihoods(folder, sampled, [options[answer["id"]] for answer in sampled])


def test_energy_of_a_real_model(bench: Bench, tmp_path: Path, folder: Path, data: Path) -> None:
    """Windows of a real engine beside a scripted GPU: tokens and batch, controls of an exact length, the premium."""
    how = ("seconds=2", "repeats=1", "concurrency=4", "warmup=0", "control_tokens=8", "elsewhere=true")
    options = [part for one in how for part in ("-E", one)]
    plan = ("run", "-m", f"hf:{folder}", "-t", "sib200", "--mode", "generate", "-l", "yor", "--limit", "8", "--energy")
    refused = bench(*plan, "--output", "b.run.db", **scripted(), BENCH_DATA=str(data))
    assert "computes on another device" in refused.stderr
    bench(*plan, *options, "--output", "b.run.db", **scripted(), BENCH_DATA=str(data))
    with RunFile.read(tmp_path / "b.run.db") as opened:
        found = windows(opened)
        [cell] = [cell for cell in opened.cells() if cell.headline]
    assert {window.kind for window in found} == {"idle", "sentinel", "isolated", "control"}
    for window in found:
        if window.kind == "control":
            each = 1 if window.subject.mode == "prompt" else 8
            assert window.whole.work.output_tokens == each * window.whole.work.requests
            assert window.answer_tokens == each
        if window.kind not in ("idle", "mixed"):
            assert "not_on_device" in window.reasons
            assert window.setup.startswith("1x NVIDIA H100 80GB HBM3, 700 W, transformers ")
        if window.steady is not None:
            assert window.steady.work.output_tokens
            assert window.reached is not None
            assert window.reached <= 4
    assert cell.premium is not None
    assert cell.premium > 1
    assert cell.reasons["energy"] == "window_short"
