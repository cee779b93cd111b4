"""The addresses of models and tokenizers: readable, none twice, the same whatever order they come in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from bench.premium.records import Premiums
from bench.runfile_records import Identity
from bench.text import slug
from leaderboard import premiums
from leaderboard.records import Tokenizer

Named = TypeVar("Named", bound=Hashable)


def of_models(known: Iterable[Identity]) -> dict[Identity, str]:
    """The models' addresses, in their order. One that several would share gets a hash of what tells them apart."""
    made = _distinct({each: each.model for each in known})
    return dict(sorted(made.items(), key=lambda pair: pair[1]))


def of_tokenizers(found: Mapping[premiums.Key, Premiums]) -> dict[premiums.Key, Tokenizer]:
    """The tokenizers in the order of their addresses. One that another stands for leaves the shorter address to it."""
    shown = premiums.stand_ins(found)
    names = {key: f"{key[0]}-{key[2]}{f'-{key[1]}' if key in shown else ''}" for key in found}
    own_slugs = _distinct(names)
    made = {
        key: premiums.tokenizer(own, found[key], own_slugs[shown[key]] if key in shown else "")
        for key, own in own_slugs.items()
    }
    return dict(sorted(made.items(), key=lambda pair: pair[1].slug))


def _distinct(names: Mapping[Named, str]) -> dict[Named, str]:
    """A slug for each name, none twice: a name may also look like another's slug with its hash."""
    digits = dict.fromkeys(names, 0)
    while True:
        made = {identity: _slug(identity, names[identity], length) for identity, length in digits.items()}
        held = Counter(made.values())
        if len(held) == len(made):
            return made
        for identity, own in made.items():
            if held[own] > 1:
                digits[identity] += 6


def _slug(identity: Hashable, name: str, digits: int) -> str:
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()
    return f"{slug(name)}-{digest[:digits]}" if digits else slug(name)
