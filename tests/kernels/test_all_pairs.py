"""chrF of all pairs is sacreBLEU's sentence by sentence, on the CPU and by the CUDA kernels; and its uses."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sacrebleu.metrics.chrf import CHRF

from kernels import all_pairs, chrf_gpu, gpu
from kernels.all_pairs import all_pairs_chrf, minimum_bayes_risk, near_duplicates
from kernels.text import Text
from tests.hostile import pairs
from tests.kernels.cuda_on_cpu.device import CpuDevice, library

OPTIONS: list[dict[str, int]] = [
    {},
    {"word_order": 2},
    {"char_order": 3, "word_order": 1, "beta": 3},
    {"char_order": 0, "word_order": 2},
    {"char_order": 8, "beta": 1},
]


def expected(hypotheses: list[str], references: list[str], options: dict[str, int]) -> NDArray[np.float64]:
    metric = CHRF(**options)  # type: ignore[arg-type]
    return np.array([[metric.sentence_score(hyp, [ref]).score for ref in references] for hyp in hypotheses])


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return library(tmp_path_factory.mktemp("cuda_on_cpu"))


@pytest.fixture
def device(kernels: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> CpuDevice:
    made = CpuDevice(kernels)
    monkeypatch.setattr(gpu, "found", lambda: made)
    return made


@pytest.mark.parametrize("options", OPTIONS)
def test_every_pair_scores_as_in_sacrebleu(options: dict[str, int]) -> None:
    hypotheses, references = pairs(60, seed=4)
    got = all_pairs_chrf(hypotheses, references[:40], backend="cpu", **options)
    assert got.tobytes() == expected(hypotheses, references[:40], options).tobytes()


def test_real_text(data: Path) -> None:
    folder = data / "ntrex128" / "NTREX-128"
    names = ("swa", "amh", "mya", "zho-CN", "yor")
    lines = [(folder / f"newstest2019-ref.{name}.txt").read_text("utf-8").split("\n")[:8] for name in names]
    texts = [line for part in lines for line in part]
    for options in OPTIONS[:2]:
        got = all_pairs_chrf(texts, texts[::-1], backend="cpu", **options)
        assert got.tobytes() == expected(texts, texts[::-1], options).tobytes()


def test_tiles_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hypotheses, references = pairs(70, seed=8)
    whole = all_pairs_chrf(hypotheses, references, word_order=2, backend="cpu")
    monkeypatch.setattr(all_pairs, "CPU_TEXTS", 9)
    monkeypatch.setattr(all_pairs, "CPU_UNITS", 150)
    monkeypatch.setenv("BENCH_THREADS", "2")
    assert all_pairs_chrf(hypotheses, references, word_order=2, backend="cpu").tobytes() == whole.tobytes()
    part = all_pairs_chrf(Text(hypotheses)[5:20], Text(references)[3:], word_order=2, backend="cpu")  # type: ignore[arg-type]
    assert part.tobytes() == np.ascontiguousarray(whole[5:20, 3:]).tobytes()


@pytest.mark.parametrize(("options", "most"), [({}, 30), ({}, 3), (OPTIONS[1], 1 << 20), (OPTIONS[2], 100)])
def test_the_cuda_kernels_score_all_pairs_alike(
    options: dict[str, int], most: int, device: CpuDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tiles of so many pairs at most; with one text on either side that no warp can hold."""
    monkeypatch.setattr(all_pairs, "GPU_PAIRS", most)
    hypotheses, references = pairs(11, seed=6)
    hypotheses[3] = "long " * 2000
    references[5] = "long " * 1990
    got = all_pairs_chrf(hypotheses, references, backend="gpu", **options)
    assert got.tobytes() == all_pairs_chrf(hypotheses, references, backend="cpu", **options).tobytes()
    assert device.launches


def test_out_of_memory_scores_on_the_cpu(device: CpuDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Out of memory allocating 9 bytes")

    gpu._told.cache_clear()
    monkeypatch.setattr(chrf_gpu, "match", full)
    with pytest.warns(RuntimeWarning, match="the GPU is out of memory, scoring on the CPU"):
        got = all_pairs_chrf(["abc"], ["abd"], backend="gpu")
    assert got.tobytes() == expected(["abc"], ["abd"], {}).tobytes()
    assert device.released == 1
    gpu._told.cache_clear()


def test_nothing_with_something() -> None:
    assert all_pairs_chrf([], ["a"]).shape == (0, 1)
    assert all_pairs_chrf(["a"], []).shape == (1, 0)
    assert all_pairs_chrf(["", "  "], ["", "a"]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_what_makes_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="an order of at least 1"):
        all_pairs_chrf(["a"], ["a"], char_order=0)
    with pytest.raises(ValueError, match="beta must be above 0"):
        all_pairs_chrf(["a"], ["a"], beta=0)
    with pytest.raises(TypeError, match="hypotheses must be a list of texts, not str"):
        all_pairs_chrf("a", ["a"])
    with pytest.raises(TypeError, match="references 2 is None"):
        all_pairs_chrf(["a"], ["a", None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a candidate and a pseudo-reference"):
        minimum_bayes_risk([])
    with pytest.raises(ValueError, match="1 weights but 2 pseudo-references"):
        minimum_bayes_risk(["a", "b"], weights=[1.0])


def test_minimum_bayes_risk_picks_what_the_samples_agree_on() -> None:
    samples = ["a dog barked", "the cat sat on the mat", "the cat sat on a mat", "the cat sits on the mat", ""]
    utility = expected(samples, samples, {}).mean(axis=1)
    assert minimum_bayes_risk(samples) == int(np.argmax(utility)) == 1
    assert minimum_bayes_risk(samples, weights=[9, 0.1, 0.1, 0.1, 0.1]) == 0
    assert minimum_bayes_risk(samples, ["a dog barks"], word_order=2) == 0
    assert minimum_bayes_risk(["same", "same"]) == 0


@pytest.mark.parametrize("rows", [4096, 4, 1])
def test_near_duplicates_are_found_once_each(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_pairs, "ROWS", rows)
    answers, others = pairs(20, seed=13)
    answers += [*others[:6], "The capital of Mali is Bamako.", "the capital of Mali is Bamako"]
    scores = expected(answers, answers, {"beta": 1})
    assert (scores == scores.T).all(), "with beta 1 it is the same either way"
    for threshold in (60.0, 95.0):
        found = near_duplicates(answers, threshold)
        assert found == [
            (i, j, scores[i, j])
            for i in range(len(answers))
            for j in range(i + 1, len(answers))
            if scores[i, j] >= threshold
        ]
        assert found
    assert (26, 27) in [(i, j) for i, j, _ in near_duplicates(answers, 90.0)]
