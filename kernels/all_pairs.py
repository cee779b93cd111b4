"""chrF of all pairs: minimum-Bayes-risk decoding, and answers that are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels import all_pairs_cpu, chrf_gpu, gpu
from kernels.base import Backend, Scores
from kernels.chrf_gpu import Orders, Resident, gathered
from kernels.gpu import Device
from kernels.text import Text, Units

CPU_TEXTS = 2048
CPU_UNITS = 1 << 19
"""A tile is at most so many references, and so many of their characters: what is counted stays in the cache."""
GPU_PAIRS = 1 << 20
ROWS = 4096
"""`near_duplicates` holds the scores of at most this many answers with a tile of others."""


def all_pairs_chrf(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    char_order: int = 6,
    word_order: int = 0,
    beta: int = 2,
    backend: Backend = "auto",
) -> Scores:
    """Sentence chrF of every hypothesis with every reference; with `word_order=2` chrF++. 0 to 100.

    Shape (hypotheses, references), each score equal to sacreBLEU's `sentence_score` bit by bit. Beside the result,
    memory is bounded. Raises `ValueError` for options that `Chrf` refuses, and for `gpu` where there is none;
    `TypeError` for what is no list of texts.
    """
    _check(char_order, word_order, beta)
    one, other = _text("hypotheses", hypotheses), _text("references", references)
    result = np.empty((len(one), len(other)), dtype=np.float64)
    device = gpu.chosen(backend, result.size)
    _fill(one.units, other.units, Orders(char_order, word_order, False), float(beta**2), device, result)
    return result


def minimum_bayes_risk(
    candidates: Sequence[str],
    pseudo_references: Sequence[str] | None = None,
    *,
    weights: Sequence[float] | None = None,
    char_order: int = 6,
    word_order: int = 0,
    beta: int = 2,
    backend: Backend = "auto",
) -> int:
    """Which candidate has the highest expected chrF, the first of equals (Kumar & Byrne 2004; Eikema & Aziz 2020).

    The expectation is over the pseudo-references, samples of the same model, which are the candidates themselves
    unless given; `weights` are their probabilities where they are not samples. Raises `ValueError` for no candidates
    or no pseudo-references, weights of another number, and as `all_pairs_chrf` does.
    """
    others = candidates if pseudo_references is None else pseudo_references
    if not len(candidates) or not len(others):
        raise ValueError("minimum Bayes risk needs a candidate and a pseudo-reference at least")
    if weights is not None and len(weights) != len(others):
        raise ValueError(f"{len(weights)} weights but {len(others)} pseudo-references")
    utility = all_pairs_chrf(
        candidates, others, char_order=char_order, word_order=word_order, beta=beta, backend=backend
    )
    expected = utility.mean(axis=1) if weights is None else utility @ np.asarray(weights, dtype=np.float64)
    return int(expected.argmax())


def near_duplicates(
    answers: Sequence[str],
    threshold: float,
    *,
    char_order: int = 6,
    word_order: int = 0,
    backend: Backend = "auto",
) -> list[tuple[int, int, float]]:
    """Pairs of answers whose chrF is at least the threshold (0 to 100): (i, j, score) with i < j, in that order.

    With beta 1, so that it is the same whichever of the two is the hypothesis. Memory is bounded, however many answers
    there are; time is not, for every pair is scored. Answers given by several models that should not know each other,
    or an answer and a gold one word for word, point to leaked data. Raises as `all_pairs_chrf` does.
    """
    _check(char_order, word_order, 1)
    text = _text("answers", answers)
    device = gpu.chosen(backend, len(text) ** 2 // 2)
    orders = Orders(char_order, word_order, False)
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(text), ROWS):
        rows = slice(start, min(start + ROWS, len(text)))
        for columns in _tiles(text.units, ROWS, text.units.units.size):
            if columns.stop <= start:
                continue
            scores = np.empty((rows.stop - start, columns.stop - columns.start), dtype=np.float64)
            _fill(_part(text.units, rows), _part(text.units, columns), orders, 1.0, device, scores)
            one, other = np.nonzero(scores >= threshold)
            later = one + start < other + columns.start
            one, other = one[later], other[later]
            numbers = (one + start).tolist(), (other + columns.start).tolist(), scores[one, other].tolist()
            found += zip(*numbers, strict=True)
    return sorted(found)


def _text(what: str, segments: Sequence[str]) -> Text:
    if isinstance(segments, (str, bytes)) or not isinstance(segments, Sequence):
        raise TypeError(f"{what} must be a list of texts, not {type(segments).__name__}")
    text = Text.of(segments)
    if not text.present.all():
        raise TypeError(f"{what} {int(np.argmin(text.present)) + 1} is None; an empty one is ''")
    return text


def _check(char_order: int, word_order: int, beta: int) -> None:
    if min(char_order, word_order) < 0 or char_order + word_order < 1:
        raise ValueError(f"chrF needs an order of at least 1, not {char_order} characters and {word_order} words")
    if beta <= 0:
        raise ValueError(f"chrF's beta must be above 0, not {beta}")


def _fill(hyp: Units, ref: Units, orders: Orders, factor: float, device: Device | None, out: Scores) -> None:
    if device is None:
        _fill_on_cpu(hyp, ref, orders, factor, out)
        return
    found = device

    def on_cpu() -> None:
        found.release()
        _fill_on_cpu(hyp, ref, orders, factor, out)

    gpu.or_else(lambda: _fill_on_gpu(hyp, ref, orders, factor, found, out), on_cpu)


def _fill_on_cpu(hyp: Units, ref: Units, orders: Orders, factor: float, out: Scores) -> None:
    options = orders.characters, orders.words, orders.whitespace, factor
    for rows in _tiles(hyp, len(hyp), CPU_UNITS):
        written = _part(hyp, rows).wide()
        for columns in _tiles(ref, CPU_TEXTS, CPU_UNITS):
            out[rows, columns] = all_pairs_cpu.scores(written, _part(ref, columns).wide(), *options)


def _fill_on_gpu(hyp: Units, ref: Units, orders: Orders, factor: float, device: Device, out: Scores) -> None:
    """Every text is on the device once; a pair is two numbers. Texts too long for a warp are scored on the CPU."""
    kind = np.promote_types(hyp.units.dtype, ref.units.dtype)
    one, other = (_resident(device, side, kind) for side in (hyp, ref))
    across = max(1, min(len(ref), GPU_PAIRS))
    for columns in _tiles(ref, across, ref.units.size + 1):
        for rows in _tiles(hyp, max(1, GPU_PAIRS // across), hyp.units.size + 1):
            matches, lengths = chrf_gpu.match(device, _of(one, rows), _of(other, columns), orders, all_pairs=True)
            scores = chrf_gpu.scores(device, matches, lengths, orders, factor)
            tile = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float64)
            device.download(scores.reshape(tile.shape), tile)
            out[rows, columns] = tile
    limit = chrf_gpu.capacities(device)[-1]
    long_hyp, long_ref = (np.flatnonzero(np.diff(side.offsets) > limit) for side in (hyp, ref))
    if len(long_hyp):
        part = np.empty((len(long_hyp), len(ref)), dtype=np.float64)
        _fill_on_cpu(gathered(hyp, long_hyp), ref, orders, factor, part)
        out[long_hyp] = part
    if len(long_ref):
        part = np.empty((len(hyp), len(long_ref)), dtype=np.float64)
        _fill_on_cpu(hyp, gathered(ref, long_ref), orders, factor, part)
        out[:, long_ref] = part


def _resident(device: Device, side: Units, kind: np.dtype[np.generic]) -> Resident:
    first = int(side.offsets[0])
    units = device.upload(side.units[first : side.offsets[-1]]).astype(kind, copy=False)
    return Resident(units, device.upload(side.offsets), first)


def _of(side: Resident, part: slice) -> Resident:
    return Resident(side.units, side.offsets[part.start : part.stop + 1], side.first)


def _part(side: Units, part: slice) -> Units:
    return Units(side.units, side.offsets[part.start : part.stop + 1])


def _tiles(side: Units, texts: int, units: int) -> Iterator[slice]:
    """Consecutive texts, at most so many and so many characters, but one at least."""
    start = 0
    while start < len(side):
        fitting = int(np.searchsorted(side.offsets, side.offsets[start] + units, "right")) - 1
        stop = max(start + 1, min(len(side), start + texts, fitting))
        yield slice(start, stop)
        start = stop
