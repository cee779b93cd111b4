"""chrf.cu compiles for the GPUs there are, and, run on the CPU lane by lane, counts what the CPU kernels count."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from kernels import chrf_cpu, chrf_gpu, gpu
from kernels.chrf_gpu import Orders
from kernels.chrf_score import Chrf
from kernels.text import Text, Units
from tests.hostile import pairs
from tests.kernels.cuda_on_cpu.device import CpuDevice, library

OPTIONS = [(6, 0, False), (6, 2, False), (3, 1, True), (0, 2, False), (9, 4, False)]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return library(tmp_path_factory.mktemp("cuda_on_cpu"))


@pytest.fixture
def device(kernels: ctypes.CDLL) -> Iterator[CpuDevice]:
    made = CpuDevice(kernels)
    yield made
    chrf_gpu.cache_of.cache_clear()
    chrf_gpu._classes.cache_clear()


def units(strings: list[str]) -> Units:
    return Text(strings).units


def narrow(strings: list[str]) -> list[str]:
    """Nothing beyond the basic plane, so that two bytes a character suffice."""
    return [
        "".join(mark if ord(mark) < 0x10000 else chr(ord(mark) & 0xFFF | 0x4000) for mark in text) for text in strings
    ]


def expected(hyp: Units, ref: Units, options: tuple[int, int, bool]) -> list[list[int]]:
    return chrf_cpu.counts(hyp.wide(), ref.wide(), *options).tolist()  # type: ignore[no-any-return]


def ptx(architecture: str) -> str:
    """Compiles with NVRTC, which needs no GPU. Skips where the package is not installed."""
    found = importlib.util.find_spec("nvidia")
    places = [Path(place) for place in found.submodule_search_locations or []] if found else []
    library = next((file for place in places for file in place.glob("cuda_nvrtc/lib/libnvrtc.so.*")), None)
    if library is None:
        pytest.skip("no NVRTC here: pip install nvidia-cuda-nvrtc-cu12")
    nvrtc = ctypes.CDLL(str(library))
    program = ctypes.c_void_p()
    source = gpu.SOURCE.read_bytes()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"chrf.cu", 0, None, None) == 0
    options = [option.encode() for option in (*gpu.OPTIONS, f"--gpu-architecture={architecture}")]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = _text_of(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
    assert not failed, log
    return _text_of(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)


def _text_of(size_of: ctypes._NamedFuncPointer, copy: ctypes._NamedFuncPointer, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    buffer = ctypes.create_string_buffer(size.value)
    assert copy(program, buffer) == 0
    return buffer.value.decode()


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_source_compiles_and_fuses_nothing(architecture: str) -> None:
    compiled = ptx(architecture)
    for kernel in ("chrf_matches_16", "chrf_matches_32", "chrf_scores"):
        assert f".entry {kernel}(" in compiled
    assert "div.rn.f64" in compiled
    assert "fma.rn.f64" not in compiled
    assert ".local" not in compiled, "arrays on a thread's stack would be slow global memory"


def test_launches_pass_what_the_kernels_take(device: CpuDevice) -> None:
    """A wrong type is silent on a device: CuPy passes bytes."""
    compiled = ptx("sm_90")
    for text in ("ab", "🧬"):
        made = chrf_gpu.Uploads(device, units([text]), units([text]))
        orders = Orders(6, 0, False)
        matches, lengths = chrf_gpu.match(device, made.hypotheses(slice(0, 1)), made.references(slice(0, 1)), orders)
        chrf_gpu.scores(device, matches, lengths, orders, 4.0)
    seen = set()
    for kernel, _, _, _, arguments in device.launches:
        taken = re.findall(rf"\.param \.(\w+)[^\n]* {kernel}_param_\d+", compiled)
        sizes = {"i": "u32", "l": "u64", "q": "u64", "d": "f64"}
        given = ["u64" if isinstance(one, np.ndarray) else sizes[one.dtype.char] for one in arguments]
        assert given == taken
        seen.add(kernel)
    assert seen == {"chrf_matches_16", "chrf_matches_32", "chrf_scores"}


@pytest.mark.parametrize("options", OPTIONS)
def test_hostile_pairs_count_as_on_the_cpu(options: tuple[int, int, bool], device: CpuDevice) -> None:
    hypotheses, references = pairs(260, seed=OPTIONS.index(options))
    for change in (list, narrow):
        hyp, ref = units(change(hypotheses)), units(change(references))
        assert hyp.units.dtype == (np.uint32 if change is list else np.uint16)
        assert chrf_gpu.counts(hyp, ref, *options, device=device).tolist() == expected(hyp, ref, options)


def test_counts_are_sacrebleus(device: CpuDevice) -> None:
    hypotheses, references = pairs(150, seed=11)
    rows = chrf_gpu.counts(units(hypotheses), units(references), 6, 2, False, device=device)
    assert rows.tolist() == CHRF(word_order=2)._extract_corpus_statistics(hypotheses, [references])


@pytest.mark.parametrize("length", [0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 256, 257])
def test_lengths_around_the_edges_of_warps_and_capacities(length: int, device: CpuDevice) -> None:
    """Every symbol another one (a table as full as it gets), all the same (every lane wants one slot), all white."""
    kinds = ["".join(map(chr, range(0x4E00, 0x4E00 + length))), "a" * length, " " * length, "a " * (length // 2)]
    hyp = units([one for one in kinds for _ in kinds])
    ref = units([other for _ in kinds for other in kinds])
    for options in ((6, 2, False), (2, 0, True)):
        assert chrf_gpu.counts(hyp, ref, *options, device=device).tolist() == expected(hyp, ref, options)


def test_long_texts_take_more_memory_and_then_the_cpu(device: CpuDevice) -> None:
    sizes = [300, 700, 1500, 3000, 5000, 8192, 8193, 20000]
    hyp = units(["".join(chr(0x4E00 + (7 * i) % 4999) for i in range(size)) for size in sizes])
    ref = units(["".join(chr(0x4E00 + (7 * i + size % 5) % 4999) for i in range(size - 9)) for size in sizes])
    options = (6, 2, False)
    assert chrf_gpu.counts(hyp, ref, *options, device=device).tolist() == expected(hyp, ref, options)
    asked = {launch[4][-3]: launch[3] for launch in device.launches}
    assert asked == {512: 24576, 1024: 24576, 2048: 49152, 4096: 98304, 8192: 196608}


def test_a_small_device_leaves_more_to_the_cpu(kernels: ctypes.CDLL) -> None:
    small = CpuDevice(kernels, shared=64 * 1024)
    assert chrf_gpu.capacities(small)[-1] == 2048
    hyp, ref = units(["ab" * 1500, "ab"]), units(["ba" * 1500, "ab"])
    assert chrf_gpu.counts(hyp, ref, 6, 2, False, device=small).tolist() == expected(hyp, ref, (6, 2, False))
    assert [len(launch[4][8]) for launch in small.launches] == [1]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_lanes_does_not_matter(seed: int, device: CpuDevice) -> None:
    hyp, ref = (units(side) for side in pairs(80, seed=99))
    device.seed = 1000 * seed
    assert chrf_gpu.counts(hyp, ref, 6, 2, False, device=device).tolist() == expected(hyp, ref, (6, 2, False))


@pytest.mark.parametrize("number", [0, 4, 6])
def test_a_missing_meeting_of_lanes_would_be_seen(number: int, tmp_path: Path) -> None:
    """Without one __syncwarp (after clearing, after finding or naming words) the counts come out wrong."""
    pieces = gpu.SOURCE.read_text("utf-8").split("__syncwarp();")
    changed = tmp_path / "chrf.cu"
    changed.write_text("__syncwarp();".join(pieces[: number + 1]) + ";" + "__syncwarp();".join(pieces[number + 1 :]))
    racing = CpuDevice(library(tmp_path, changed))
    hyp, ref = (units(side) for side in pairs(150, seed=5))
    assert chrf_gpu.counts(hyp, ref, 6, 2, False, device=racing).tolist() != expected(hyp, ref, (6, 2, False))


def test_a_branch_that_only_some_lanes_take_would_be_seen(tmp_path: Path) -> None:
    source = gpu.SOURCE.read_text("utf-8")
    uniform = "if (hits == 0) return;"
    assert uniform in source
    changed = tmp_path / "chrf.cu"
    changed.write_text(source.replace(uniform, "if (lane % 2) return;"))
    wrong = CpuDevice(library(tmp_path, changed))
    with pytest.raises(AssertionError, match="lanes of a warp wait at lines|ended while others wait"):
        chrf_gpu.counts(units(["abcdef"]), units(["abcdef"]), 6, 0, False, device=wrong)


def test_chunks_and_slices_of_text(device: CpuDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small chunks, from offsets that do not begin at 0, one side in two bytes and the other in four."""
    monkeypatch.setattr(chrf_gpu, "CHUNK_PAIRS", 7)
    monkeypatch.setattr(chrf_gpu, "CHUNK_UNITS", 90)
    hypotheses, references = pairs(60, seed=3)
    hyp, ref = Text(narrow(hypotheses)), Text(references)
    assert [side.units.units.itemsize for side in (hyp, ref)] == [2, 4]
    for left, right in ((hyp, ref), (ref, hyp)):
        one, other = left[5:55].units, right[5:55].units
        got = chrf_gpu.counts(one, other, 6, 2, False, device=device)
        assert got.tolist() == expected(one, other, (6, 2, False))


def test_no_pairs(device: CpuDevice) -> None:
    assert chrf_gpu.counts(units([]), units([]), 6, 2, False, device=device).shape == (0, 24)


def test_references_are_uploaded_once_and_leave_with_their_text(device: CpuDevice) -> None:
    references = Text(["ሰላም ለዓለም", "two"] * 40)
    size = references.units.units.nbytes
    hypotheses = [Text(["ሰላም ዓለም", "too"] * 40) for _ in range(3)]
    for system in hypotheses:
        got = chrf_gpu.counts(system.units, references.units, 6, 0, False, device=device)
        assert got.tolist() == expected(system.units, references.units, (6, 0, False))
    assert device.uploaded.count(size) == 1
    assert len(chrf_gpu.cache_of(device)) == 1
    del references
    gc.collect()
    assert len(chrf_gpu.cache_of(device)) == 0


def test_cached_references_make_room_for_newer_ones(kernels: ctypes.CDLL) -> None:
    cache = chrf_gpu.Cache(CpuDevice(kernels, memory=4 * 100))
    one, two, three, large = (Text(["x" * size]).units.units for size in (20, 20, 20, 60))
    assert cache.get(one, keep=False) is None
    first = cache.get(one, keep=True)
    assert first.tolist() == one.tolist()
    cache.get(two, keep=True)
    assert cache.get(one, keep=False) is first
    cache.get(three, keep=True)
    assert cache.get(two, keep=False) is None, "the one used longest ago"
    assert cache.get(one, keep=False) is first
    assert cache.get(large, keep=True) is None
    assert cache.get(np.array([1, 2], np.uint16), keep=True) is None, "somebody may still write to it"


def test_out_of_memory_counts_on_the_cpu(device: CpuDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError("Out of memory allocating 9 bytes")

    gpu._told.cache_clear()
    hyp, ref = units(["abc", "d"]), units(["abd", ""])
    chrf_gpu.counts(hyp, ref, 6, 2, False, device=device)
    monkeypatch.setattr(device, "launch", full)
    with pytest.warns(RuntimeWarning, match="the GPU is out of memory"):
        got = chrf_gpu.counts(hyp, ref, 6, 2, False, device=device)
    assert got.tolist() == expected(hyp, ref, (6, 2, False))
    assert device.released == 1
    assert len(chrf_gpu.cache_of(device)) == 0
    gpu._told.cache_clear()


def test_scores_on_the_device_are_those_of_the_host(device: CpuDevice) -> None:
    hypotheses, references = pairs(200, seed=21)
    made = chrf_gpu.Uploads(device, units(hypotheses), units(references))
    for orders, beta in ((Orders(6, 0, False), 2), (Orders(6, 2, False), 2), (Orders(2, 1, False), 3)):
        every = slice(0, len(hypotheses))
        matches, lengths = chrf_gpu.match(device, made.hypotheses(every), made.references(every), orders)
        got = chrf_gpu.scores(device, matches, lengths, orders, float(beta**2))
        metric = Chrf(orders.characters, orders.words, beta, backend="cpu")
        rows = chrf_cpu.columns(matches, lengths, orders.characters, orders.words)
        assert got.tobytes() == metric.segment_scores(rows).tobytes()
