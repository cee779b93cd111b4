"""What a user may set for `hf:`: precision, devices, adapters, truncation, and what a wrong value is told."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from bench.backend import Settings
from bench.models.hf import HuggingFace, Options, load
from bench.models.hf_source import fingerprint
from bench.records import UsageError
from tests.bench.models.test_hf import Plain, answers, request
from tests.fixtures_llama import POSITIONS

torch.set_num_threads(1)

QUESTIONS = [request(number, text) for number, text in enumerate(("France", "Yemen, Zaïre"))]
QUESTIONS += [request(9, "France", mode="generate", continuations=(), max_tokens=12)]


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """A GPU computes in bfloat16, which is too coarse for comparisons to 1e-4."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


def opened(folder: Path, **options: Any) -> HuggingFace:
    return load(str(folder), Settings(training=lambda task, language, variety: [], options=options))


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        opened(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# The word for a run's decoding


def test_decoding_names_what_changes_answers() -> None:
    assert Options().decoding() == "greedy"
    assert Options(device_map="cpu", attn_implementation="eager", lora="x", seed=3, top_p=0.5).decoding() == "greedy"
    assert Options(dtype="float32").decoding() == "greedy|dtype:float32"
    every = Options(temperature=0.7, top_p=0.9, seed=3, dtype="float16", truncation="skip", thinking=False)
    assert every.decoding() == "sampled|temperature:0.7|top_p:0.9|seed:3|dtype:float16|truncation:skip|thinking:false"
    assert Options(temperature=1.0).decoding() == "sampled|temperature:1.0|seed:0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tempreature": "1"}, "no option 'tempreature'; did you mean"),
        ({"temperature": "hot"}, "option"),
        ({"temperature": "-1"}, "option"),
        ({"dtype": "int8"}, "option"),
        ({"truncation": "right"}, "option"),
        ({"top_p": "0"}, "option"),
        ({"attn_implementation": "nonsense"}, "its weights do not load with attn_implementation=nonsense"),
        ({"device_map": "nonsense"}, "no device 'nonsense'"),
        ({"device_map": "cuda:99"}, "device_map is one of auto, balanced"),
        ({"lora": "./nowhere"}, "is no folder with adapter_config.json, and no name of a hub repository either"),
        ({"lora": "nobody/nothing"}, "lora nobody/nothing: no such folder here, and"),
    ],
)
def test_wrong_options_are_told(llama: Path, options: dict[str, str], said: str) -> None:
    assert said in refused(llama, **options)


# Precision and devices


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_precision(llama: Path, dtype: str) -> None:
    model, plain = opened(llama, dtype=dtype), Plain(llama)
    assert model._engine is not None
    assert model._engine._network.model.dtype == getattr(torch, dtype)
    assert model._engine._scorer._reach > 0
    for asked, response in zip(QUESTIONS, answers(model, QUESTIONS), strict=True):
        expected = [plain.log_likelihood(*plain.pair(asked.prompt, option)) for option in asked.continuations]
        assert response.status == "ok"
        assert response.loglikelihoods == pytest.approx(expected, abs=1e-4 if dtype == "float32" else 1.0)


@pytest.mark.parametrize("options", [{"device_map": "cpu"}, {"attn_implementation": "eager"}, {"device_map": "auto"}])
def test_devices_and_kernels_change_no_answer(llama: Path, options: dict[str, str]) -> None:
    if options.get("device_map") == "auto":
        pytest.importorskip("accelerate", reason="needs accelerate")
    for one, two in zip(answers(opened(llama), QUESTIONS), answers(opened(llama, **options), QUESTIONS), strict=True):
        assert one.loglikelihoods == pytest.approx(two.loglikelihoods, abs=1e-4)
        assert one.text == two.text


def test_a_spread_model_needs_accelerate(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert "device_map=auto needs accelerate" in (message := refused(llama, device_map="auto"))
    assert message.endswith("run: pip install accelerate")


# Truncation


def test_what_is_too_long_is_skipped_where_so_asked(llama: Path) -> None:
    long = "one two three " * POSITIONS
    requests = [request(0, long), request(1, "France"), request(2, long, mode="generate", max_tokens=4)]
    requests += [request(3, "France", mode="generate", max_tokens=4)]
    found = answers(opened(llama, truncation="skip"), requests)
    assert [(response.status, response.reason) for response in found] == [
        ("skipped", "too_long"),
        ("ok", ""),
        ("skipped", "too_long"),
        ("ok", ""),
    ]
    assert [response.reason for response in answers(opened(llama), requests)] == ["prompt_truncated", ""] * 2


# Padding


def test_padding_is_measured(llama: Path) -> None:
    model = opened(llama)
    requests = [request(number, "France, " * (1 + number * 7 % 40)) for number in range(64)]
    requests += [
        request(100 + number, "France, " * (1 + number * 7 % 40), mode="generate", max_tokens=2) for number in range(64)
    ]
    answers(model, requests)
    assert model._engine is not None
    assert 0 < model._engine.padding < 0.1


# Adapters


def adapter(folder: Path, base: Path, seed: int = 0) -> Any:
    """Writes an adapter with random weights; returns the model with peft's own adapter merged in."""
    peft = pytest.importorskip("peft", reason="needs the extra `lora`")
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(
        r=4, lora_alpha=64, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads names that transformers is about to drop
        torch.manual_seed(seed)
        adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(folder)
    return adapted.merge_and_unload()


def test_an_adapter_changes_answers_as_peft_does(llama: Path, tmp_path: Path) -> None:
    merged = adapter(tmp_path / "adapter", llama)
    folder = shutil.copytree(llama, tmp_path / "merged")
    merged.save_pretrained(folder)
    model = opened(llama, lora=str(tmp_path / "adapter"))
    found, expected, base = (answers(one, QUESTIONS) for one in (model, opened(folder), opened(llama)))
    for one, two, three in zip(found, expected, base, strict=True):
        assert one.loglikelihoods == pytest.approx(two.loglikelihoods, abs=1e-4)
        assert one.loglikelihoods != pytest.approx(three.loglikelihoods, abs=0.5) or not one.loglikelihoods
        assert one.text == two.text
    assert found[-1].text != base[-1].text
    assert model.name == f"hf:{llama.name}+adapter"
    written = fingerprint(tmp_path / "adapter")[:16]
    assert model.revision == f"sha256:{fingerprint(llama)[:16]}+sha256:{written}"
    adapter(tmp_path / "other", llama, seed=1)
    assert fingerprint(tmp_path / "other")[:16] != written


def test_an_adapter_of_another_model_is_refused(llama: Path, tmp_path: Path) -> None:
    adapter(tmp_path / "adapter", llama)
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(config.read_text("utf-8").replace('"q_proj"', '"nonsense"').replace('"r": 4', '"r": 8'), "utf-8")
    assert "lora: adapter does not load as an adapter of this model" in refused(llama, lora=str(config.parent))
    config.write_text("not json", "utf-8")
    assert "lora: adapter does not load as an adapter of this model" in refused(llama, lora=str(config.parent))


def test_an_adapter_is_no_model(llama: Path, tmp_path: Path) -> None:
    adapter(tmp_path / "adapter", llama)
    message = refused(tmp_path / "adapter")
    assert "that is an adapter without its base model; give the base model, and -M lora=" in message
    assert "lora: there is no adapter_config.json in" in refused(llama, lora=str(llama))


def test_an_adapter_needs_peft(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "peft", None)
    assert "lora needs peft, which does not import here" in (message := refused(llama, lora=str(tmp_path)))
    assert message.endswith("install the extra `lora` (pip install -e '.[lora]')")
