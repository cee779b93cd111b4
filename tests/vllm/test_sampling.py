"""Answers that are drawn; what is refused; and an engine that dies."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import bench.models
from bench.backend import Model
from bench.models import ModelStopped, load
from bench.records import UsageError
from tests.vllm.asked import PROMPTS, answers, mixed, request
from tests.vllm.conftest import Opened, settings

BFLOAT16 = 0.02
"""Of a log-likelihood's own size, or of 10 where it is smaller: a number in bfloat16 has eight bits, so that each step
of the computation is wrong by up to 0.4 %."""
# Measured without vLLM, whose attention in bfloat16 is an illegal instruction on some CPUs.


@pytest.fixture(scope="module")
def model(opened: Opened, base: Path) -> Model:
    return opened(f"vllm:{base}", temperature="0.9", seed="5", enforce_eager="true", batch=16)


def test_what_bfloat16_does_to_log_likelihoods(base: Path) -> None:
    """The number that `docs/backends.md` states."""
    requests = [one for one in mixed() if one.mode != "generate"]
    rough, exact = (answers(load(f"hf:{base}", settings(dtype=dtype)), requests) for dtype in ("bfloat16", "float32"))
    worst = 0.0
    for coarse, fine in zip(rough, exact, strict=True):
        for ours, theirs in zip(coarse.loglikelihoods, fine.loglikelihoods, strict=True):
            worst = max(worst, abs(ours - theirs) / max(10, abs(theirs)))
    assert 0 < worst < BFLOAT16


def test_a_draw_is_the_requests_own(model: Model) -> None:
    """The same request, the same draw, whatever else is asked; a repeat, which has another id, another draw."""
    assert model.decoding == "sampled|temperature:0.9|seed:5"
    requests = [request(number, text, mode="generate") for number, text in enumerate(PROMPTS[:4])]
    repeats = [replace(one, id=f"again{one.id}", repeat=1) for one in requests]
    together = answers(model, [*requests, *repeats])
    alone = [answers(model, [one])[0] for one in requests]
    assert [one.text for one in together[:4]] == [one.text for one in alone]
    assert [one.text for one in together[:4]] != [one.text for one in together[4:]]


def test_what_vllm_does_not_load(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line, with vLLM's own reason, and nothing printed."""
    with pytest.raises(UsageError) as longer:
        load(f"vllm:{base}", settings(max_model_len="5000"))
    assert "vllm:base: vLLM does not load it (User-specified max_model_len (5000)" in str(longer.value)
    folder = shutil.copytree(base, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UsageError) as broken:
        load(f"vllm:{folder}", settings(enforce_eager="true"))
    assert "vllm:broken: vLLM does not load it (" in str(broken.value)
    assert "header" in str(broken.value).lower()
    assert not any("\n" in str(error.value) for error in (longer, broken))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_paralel_size": "2"}, "did you mean 'tensor_parallel_size'"),
        ({"dtype": "float8"}, "option dtype should be one of auto, bfloat16, float16, float32"),
        ({"gpu_memory_utilization": "90"}, "option gpu_memory_utilization should be a number above 0 up to 1"),
        ({"data_parallel_size": "2"}, "vllm serve"),
    ],
)
def test_wrong_options(base: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(f"vllm:{base}", settings(**options))  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_vllm_is_not_installed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bench.models.vllm_engine", raising=False)
    monkeypatch.delattr(bench.models, "vllm_engine", raising=False)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match="needs vllm.*pip install --constraint constraints-vllm.txt"):
        load(f"vllm:{base}", settings())


def test_the_distribution_kernels_is_refused(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "kernels-0.9.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.9.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="run: pip uninstall kernels"):
        load(f"vllm:{base}", settings())


def test_an_engine_that_dies(model: Model, capfd: pytest.CaptureFixture[str]) -> None:
    """The last test here: what was answered until then is kept, and one line says why no more comes."""
    psutil = pytest.importorskip("psutil")
    (engine,) = [child for child in psutil.Process().children() if "VLLM::EngineCor" in child.name()]
    reading = model.respond([replace(one, max_tokens=200) for one in mixed(times=4)])
    next(reading)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(ModelStopped, match="vLLM's engine died") as stopped:
        list(reading)
    assert "\n" not in str(stopped.value)
    assert capfd.readouterr() == ("", "")
