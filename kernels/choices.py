"""Multiple choice from log-likelihoods: which option a model chose, how sure it was, and how far that can be trusted.

Options are ragged: item i's are `values[offsets[i]:offsets[i + 1]]` of a flat float64 array, with int64 offsets from 0
that end at its length; an item may have none. `xp` is the module of the arrays, NumPy or CuPy: nothing is copied
between host and device, and only functions that both have are used (CuPy's `maximum` has `at` but no `reduceat`).
Where CuPy adds up an item's options, the order and so the last bit may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["raw", "character", "byte", "token", "pmi"]
Unit = Literal["character", "byte"]
NORMALISATIONS = ("raw", "character", "byte", "token", "pmi")


def choose(
    loglikelihoods: Any,
    offsets: Any,
    *,
    normalisation: Normalisation = "raw",
    lengths: Any = None,
    unconditional: Any = None,
    xp: Any = np,
) -> Any:
    """The index of the option with the best score in each item, the first of equals; int64 of shape (items,).

    The score is the log-likelihood of an option after its prompt (`raw`, `acc` in lm-evaluation-harness), the same a
    character (`acc_norm` there), a byte of UTF-8 (`acc_bytes`) or a token (Brown et al. 2020), or less that of the
    option after a neutral prompt (`pmi`: `acc_mutual_info`; the quotient P(option | prompt) / P(option | "Answer:") of
    Brown et al. 2020, named domain-conditional pointwise mutual information by Holtzman et al. 2021). `lengths` are
    the options' lengths in the unit, `unconditional` the log-likelihoods after the neutral prompt; both are flat.

    -1 where there is nothing to choose from: no options, a score that is not a number (an option that is impossible
    both with and without its prompt, too), no option with any probability, or an option of length 0 where lengths
    divide. lm-evaluation-harness answers with an arbitrary option there. Raises `ValueError` for offsets, lengths or
    unconditional log-likelihoods that do not fit, and for an unknown normalisation.
    """
    values = _flat("log-likelihoods", loglikelihoods, None, xp)
    owners, items = _owners(offsets, len(values), xp)
    scores, empty = _scores(values, normalisation, lengths, unconditional, xp)
    spoilt = xp.isnan(scores) | empty
    scores = xp.where(spoilt, -xp.inf, scores)
    top = _largest(scores, owners, items, xp)
    (best,) = xp.nonzero(scores == top[owners])
    of = owners[best]
    first = xp.ones(len(best), dtype=bool)
    first[1:] = of[1:] != of[:-1]
    chosen = xp.full(items, -1, dtype=xp.int64)
    chosen[of[first]] = best[first] - offsets[of[first]]
    nothing = top == -xp.inf
    nothing[owners[spoilt]] = True
    return xp.where(nothing, -1, chosen)


def option_lengths(options: Sequence[str], unit: Unit) -> NDArray[np.int64]:
    """The options' lengths in characters (code points, as `len` has them) or bytes of UTF-8; shape (options,).

    A lone surrogate, which UTF-8 cannot write, counts 3 bytes, as any code point of its size. Raises `ValueError` for
    another unit; tokens are the model's to count.
    """
    if unit == "character":
        return np.fromiter(map(len, options), np.int64, len(options))
    if unit == "byte":
        written = (option.encode("utf-8", "surrogatepass") for option in options)
        return np.fromiter(map(len, written), np.int64, len(options))
    raise ValueError(f"unknown unit {unit!r}; known are character and byte")


def probabilities(loglikelihoods: Any, offsets: Any, *, xp: Any = np) -> Any:
    """The softmax over each item's options; float64 of shape (options,).

    Log-likelihoods are taken relative to the item's largest, so that none is too small for the exponential. An item
    with a value that is not a number or is plus infinity, and one whose options are all impossible, has no
    probabilities: they are not numbers.
    """
    values = _flat("log-likelihoods", loglikelihoods, None, xp)
    owners, items = _owners(offsets, len(values), xp)
    top = _largest(xp.where(xp.isnan(values), xp.inf, values), owners, items, xp)
    top = xp.where(xp.isinf(top), xp.nan, top)
    weights = xp.exp(values - top[owners])
    return weights / _sums(weights, owners, items, xp)[owners]


def accuracy(chosen: Any, gold: Any, *, xp: Any = np) -> Any:
    """Right (0 or 1) and counted (0 or 1) for each item; int64 of shape (items, 2), whose column sums are the score's.

    `gold` is the index of the right option, -1 where there is none: such an item is not counted. Where nothing was
    chosen the item is counted and wrong. Raises `ValueError` for unequal lengths.
    """
    if len(chosen) != len(gold):
        raise ValueError(f"{len(chosen)} choices but {len(gold)} gold options")
    counted = gold >= 0
    return xp.stack([counted & (chosen == gold), counted], axis=1).astype(xp.int64)


def expected_calibration_error(confidences: Any, right: Any, bins: int = 15, *, xp: Any = np) -> float:
    """How far confidence lies from accuracy on average (Guo et al. 2017), 0 to 1; not a number for no items.

    `confidences` are the probabilities of the chosen options, `right` is whether they were right. Bins are of equal
    width, ((k - 1) / bins, k / bins] for k from 1, and the first takes 0 as well; each weighs as many items as it has.
    Raises `ValueError` for unequal lengths, confidences outside 0 to 1 or not numbers, and fewer than one bin.
    """
    if bins < 1:
        raise ValueError(f"at least 1 bin is needed, not {bins}")
    if len(confidences) != len(right):
        raise ValueError(f"{len(confidences)} confidences but {len(right)} items right or wrong")
    if not len(confidences):
        return float("nan")
    confidences = xp.asarray(confidences, dtype=xp.float64)
    if not bool(((confidences >= 0) & (confidences <= 1)).all()):
        raise ValueError("a confidence lies outside 0 to 1")
    hits = xp.asarray(right).astype(xp.float64)
    bin_of = xp.maximum(xp.ceil(confidences * bins).astype(xp.int64) - 1, 0)
    gaps = _sums(hits - confidences, bin_of, bins, xp)
    return float(xp.abs(gaps).sum()) / len(confidences)


def brier(chances: Any, offsets: Any, gold: Any, *, xp: Any = np) -> Any:
    """Brier's score of each item (1950), 0 to 2, 0 the best; float64 of shape (items,), whose mean is the corpus's.

    The squared difference between an option's probability and 1 for the gold option, 0 for others, summed over the
    item's options. Not a number where the probabilities are not, and for an item with no options or no gold option
    (-1). Raises `ValueError` for a gold option that an item does not have.
    """
    values = _flat("probabilities", chances, None, xp)
    owners, items = _owners(offsets, len(values), xp)
    sizes = xp.diff(offsets)
    if len(gold) != items:
        raise ValueError(f"{items} items but {len(gold)} gold options")
    if bool(((gold >= sizes) & (sizes > 0)).any()):
        raise ValueError("a gold option lies outside its item's options")
    target = xp.arange(len(values)) - offsets[owners] == gold[owners]
    sums = _sums((values - target) ** 2, owners, items, xp)
    return xp.where((gold >= 0) & (sizes > 0), sums, xp.nan)


def _flat(what: str, values: Any, size: int | None, xp: Any) -> Any:
    flat = xp.asarray(values, dtype=xp.float64)
    if flat.ndim != 1:
        raise ValueError(f"{what} must be one flat array, not of {flat.ndim} dimensions")
    if size is not None and len(flat) != size:
        raise ValueError(f"{size} options but {len(flat)} {what}")
    return flat


def _owners(offsets: Any, size: int, xp: Any) -> tuple[Any, int]:
    """The item of each option, and how many items there are."""
    if offsets.ndim != 1 or not len(offsets) or int(offsets[0]) != 0 or int(offsets[-1]) != size:
        raise ValueError(f"offsets must go from 0 to the number of options, {size}")
    if bool((xp.diff(offsets) < 0).any()):
        raise ValueError("offsets must not decrease")
    return xp.searchsorted(offsets[1:], xp.arange(size), side="right"), len(offsets) - 1


def _largest(values: Any, owners: Any, items: int, xp: Any) -> Any:
    """The largest value of each item, minus infinity for one without options."""
    top = xp.full(items, -xp.inf)
    xp.maximum.at(top, owners, values)
    return top


def _sums(values: Any, owners: Any, items: int, xp: Any) -> Any:
    """The sum of each item's values, 0 for one without options."""
    sums = xp.zeros(items)
    xp.add.at(sums, owners, values)
    return sums


def _scores(values: Any, normalisation: str, lengths: Any, unconditional: Any, xp: Any) -> tuple[Any, Any]:
    """Normalised scores, and where an option has no length to divide by."""
    nowhere = xp.zeros(len(values), dtype=bool)
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"unknown normalisation {normalisation!r}; known are {', '.join(NORMALISATIONS)}")
    if normalisation == "raw":
        return values, nowhere
    if normalisation == "pmi":
        if unconditional is None:
            raise ValueError("normalisation by pmi needs unconditional log-likelihoods")
        with np.errstate(invalid="ignore"):
            return values - _flat("unconditional log-likelihoods", unconditional, len(values), xp), nowhere
    if lengths is None:
        raise ValueError(f"normalisation by {normalisation} needs the options' lengths")
    sizes = _flat("lengths", lengths, len(values), xp)
    if not bool((sizes >= 0).all()):
        raise ValueError("an option's length is below 0 or not a number")
    return values / xp.where(sizes > 0, sizes, 1.0), sizes == 0
