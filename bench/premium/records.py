"""The nouns of the tokenizer premium. Small, frozen, and without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Premium:
    """One tokenizer in one language, against English on the same sentences.

    `premium` is the sum of tokens over the sentences divided by the same sum in English, `low` and `high` its 95 %
    interval, sentences of one document drawn together. `bytes_per_token` and `characters_per_token` are of the
    language's own text (UTF-8 bytes, code points); `byte_premium` is the premium of plain bytes on the same sentences.
    `unknown` is the share of tokens that stand for what the vocabulary does not have, `fallback` the share that are
    single bytes or parts of a character, None where the tokenizer has no such thing. What is missing is None, and
    `reasons` maps the field's name to a reason code; `reasons["text"]` is the flaw of the texts in this language, whose
    figures are there and say little.
    """

    language: str
    variety: str
    sentences: int
    tokens: int
    english_tokens: int
    premium: float | None
    low: float | None
    high: float | None
    bytes_per_token: float | None
    characters_per_token: float | None
    byte_premium: float | None
    unknown: float | None
    fallback: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Premiums:
    """One tokenizer over the languages of one parallel corpus.

    `tokenizer` is its name as `provider:name`, `revision` the hash of its content. `corpus` is the name of the task
    whose data were read, `revision` the hash of the files. `gini` is the Gini coefficient of tokens per sentence over
    the languages, English included: 0 where every language costs the same.
    """

    tokenizer: str
    revision: str
    corpus: str
    corpus_revision: str
    gini: float | None
    languages: tuple[Premium, ...]
