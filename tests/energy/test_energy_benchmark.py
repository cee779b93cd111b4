"""What benchmarks/energy.py makes: weights that transformers reads, which never end an answer."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="the extra hf is not installed")
transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("energy_made", REPOSITORY / "benchmarks" / "energy_made.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_weights_are_a_llama_that_never_ends_an_answer(
    made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "_lines", lambda: iter(["a few words of one text", "and of another one, ሰላም ለዓለም"] * 20))
    total = made.llama(tmp_path / "model", "1M", "float32", made.tokenizer(tmp_path, 400))
    untyped: Any = transformers.AutoModelForCausalLM
    model = untyped.from_pretrained(tmp_path / "model")
    assert sum(one.numel() for one in model.parameters()) == total
    read: Any = transformers.AutoTokenizer
    tokenizer = read.from_pretrained(tmp_path / "model")
    prompt = tokenizer("some words", return_tensors="pt")
    assert prompt.input_ids[0, 0] == tokenizer.bos_token_id == model.config.bos_token_id
    answer = model.generate(**prompt, do_sample=False, max_new_tokens=40)[0, prompt.input_ids.shape[1] :]
    assert len(answer) == 40
    assert int(answer.min()) > 1  # neither BOS nor EOS
    assert int(answer.max()) < len(tokenizer)


def test_a_second_time_nothing_is_made_anew(made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_lines", lambda: iter(["a few words"] * 5))
    trained = made.tokenizer(tmp_path, 300)
    first = made.llama(tmp_path / "model", "1M", "float32", trained)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "model").glob("*.safetensors")}
    assert made.llama(tmp_path / "model", "1M", "float32", trained) == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "model").glob("*.safetensors")} == times
