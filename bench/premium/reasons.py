"""Why a figure of a premium is missing: every reason code, and what it means for a reader.

A code whose field is "text" takes no figure away: it is a flaw of the corpus in that language (`tasks.FLAWS`).
"""

from __future__ import annotations

from tasks import FLAWS

MISSING = {
    "no_sentences": "the corpus has no sentence that both languages have",
    "no_tokens": "the tokenizer makes no tokens of one of the two texts",
    "mostly_unknown": "more than a tenth of the tokens stand for what the vocabulary does not have",
    "too_few_clusters": "too few documents for an interval",
    "no_such_token": "the tokenizer has no such token",
    "tokens_unseen": "the model says how many tokens a text has, not which",
}


def meaning(code: str) -> str:
    """A code in words, with its detail if it has one; a code that nobody knows as it stands."""
    bare, colon, detail = code.partition(":")
    said = MISSING.get(bare) or FLAWS.get(bare) or bare.replace("_", " ")
    return f"{said} ({detail.strip()})" if colon else said
