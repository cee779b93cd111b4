"""A chat model with a LoRA adapter, and prompts that are skipped where they are too long."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.backend import Model
from bench.models import load
from bench.records import UsageError
from tests.vllm.asked import PROMPTS, answers, assert_agree, mixed, request
from tests.vllm.conftest import Opened, settings

LENGTH = 400


@pytest.fixture(scope="module")
def adapter(chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of rank 4 that says something else than the model."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapters") / "yoruba"
    llama: Any = AutoModelForCausalLM.from_pretrained(chat, dtype=torch.float32)
    torch.manual_seed(2)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted: Any = get_peft_model(
        llama, LoraConfig(r=4, lora_alpha=16, target_modules=modules, init_lora_weights=False)
    )
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def merged(chat: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter added into the model's weights, by peft."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    llama: Any = AutoModelForCausalLM.from_pretrained(chat, dtype=torch.float32)
    folder = shutil.copytree(chat, tmp_path_factory.mktemp("models") / "merged")
    PeftModel.from_pretrained(llama, adapter).merge_and_unload().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(opened: Opened, chat: Path, adapter: Path) -> Model:
    return opened(
        f"vllm:{chat}", lora=str(adapter), truncation="skip", max_model_len=str(LENGTH), batch=16, enforce_eager=True
    )


@pytest.fixture(scope="module")
def plain(opened: Opened, merged: Path) -> Model:
    return opened(f"hf:{merged}")


def test_identity(model: Model, chat: Path, adapter: Path) -> None:
    alone = load(f"hf:{chat}", settings())
    assert model.name == "vllm:chat+yoruba"
    assert model.revision.startswith(f"{alone.revision}+sha256:")
    assert model.template == alone.template != "none"
    assert model.decoding == f"greedy|max_model_len:{LENGTH}|truncation:skip"


def test_answers_equal_those_of_the_merged_model(model: Model, plain: Model, chat: Path) -> None:
    requests = [one for one in mixed() if len(one.prompt) < 200]
    found = answers(model, requests)
    assert_agree(requests, found, answers(plain, requests))
    without = answers(load(f"hf:{chat}", settings()), requests)
    assert [response.text for response in found] != [response.text for response in without]


def test_what_is_too_long_is_not_asked(model: Model) -> None:
    long = "Afghanistan, Albania, Algeria, " * 100
    requests = [
        request(0, long),
        request(1, long, mode="generate"),
        request(2, PROMPTS[3], mode="generate", max_tokens=LENGTH - 20),
        request(3, PROMPTS[3]),
    ]
    found = answers(model, requests)
    assert [(response.status, response.reason) for response in found] == [
        ("skipped", "too_long"),
        ("skipped", "too_long"),
        ("skipped", "too_long"),
        ("ok", ""),
    ]


def test_an_adapter_that_is_none(chat: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lora: .*adapter_config\.json"):
        load(f"vllm:{chat}", settings(lora=str(tmp_path)))
    (tmp_path / "adapter_config.json").write_text("[]")
    with pytest.raises(UsageError, match="is not one that peft wrote"):
        load(f"vllm:{chat}", settings(lora=str(tmp_path)))
