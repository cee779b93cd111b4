"""A tokenizer's premiums in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.premium.records import Premium, Premiums

ENGLISH = "eng_Latn"


@dataclass(frozen=True, slots=True)
class Summary:
    """The premiums of so many languages: the median, the one that nine in ten languages stay under, both ends.

    A variety counts as a language of its own. Everything is None where no language counts.
    """

    languages: int
    median: float | None = None
    p90: float | None = None
    lowest: Premium | None = None
    highest: Premium | None = None


def counts(premium: Premium) -> bool:
    """Whether a language counts in a summary: it has a premium, sound text, and is no variety of English itself."""
    return premium.premium is not None and "text" not in premium.reasons and premium.language != ENGLISH


def summarised(premiums: Premiums) -> Summary:
    """The summary over the languages that count; quantiles are interpolated linearly."""
    found = sorted((one for one in premiums.languages if counts(one)), key=lambda one: one.premium or 0.0)
    if not found:
        return Summary(0)
    median, p90 = np.quantile([one.premium or 0.0 for one in found], (0.5, 0.9)).tolist()
    return Summary(len(found), median, p90, found[0], found[-1])
