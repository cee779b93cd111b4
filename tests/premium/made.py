"""Premiums made by hand."""

from __future__ import annotations

from typing import Any

from bench.premium.records import Premium, Premiums

NAMES = {"yor_Latn": "Yoruba", "swh_Latn": "Swahili", "mya_Mymr": "Burmese", "arb_Arab": "Standard Arabic"}


def premium(language: str, tokens: int = 150, english: int = 100, variety: str = "", **more: Any) -> Premium:
    """A language with everything that there is, or with what is given instead."""
    value = tokens / english
    known: dict[str, Any] = {
        "sentences": 10,
        "premium": value,
        "low": value * 0.9,
        "high": value * 1.1,
        "bytes_per_token": 2.5,
        "characters_per_token": 2.0,
        "byte_premium": 1.2,
        "unknown": 0.0,
        "fallback": 0.25,
    }
    return Premium(language=language, variety=variety, tokens=tokens, english_tokens=english, **(known | more))


def without(language: str, why: str = "no_sentences") -> Premium:
    """A language of which nothing is known."""
    missing = (
        *("premium", "low", "high", "bytes_per_token", "characters_per_token", "byte_premium", "unknown", "fallback"),
    )
    return Premium(language, "", 0, 0, 0, **dict.fromkeys(missing, None), reasons=dict.fromkeys(missing, why))


def premiums(*found: Premium, **more: Any) -> Premiums:
    """One tokenizer with these languages."""
    known: dict[str, Any] = {
        "tokenizer": "hf:example/one",
        "revision": "0123456789abcdef",
        "corpus": "ntrex",
        "corpus_revision": "fedcba",
        "gini": 0.125,
    }
    return Premiums(**(known | more), languages=found)
