"""A fastText language identifier (GlotLID, OpenLID and the like) in place of the one here."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .identification import ENVIRONMENT, Guess, IdentifierError
from .records import LanguageError
from .registry import get

_LABEL = "__label__"
_SHOWN = 2
_LEAST = 1e-9


def identify_with(path: Path, texts: Sequence[str]) -> list[Guess]:
    """The most likely language of each text by the model in this file; the margin is the log of p1 / p2.

    A label is what `languages.get` takes it for (`__label__yor_Latn`), and no language where that knows none. Raises
    `IdentifierError` where the package or the file is missing.
    """
    known = _load(path)
    lines = [" ".join(text.split()) for text in texts]
    return [_guess(known.predict(line, k=_SHOWN)) if line else Guess("", 0.0) for line in lines]


def _guess(predicted: tuple[Sequence[str], Sequence[float]]) -> Guess:
    labels, chances = predicted
    code = _language(labels[0]) if len(labels) else ""
    if not code:
        return Guess("", 0.0)
    other = float(chances[1]) if len(chances) > 1 else 0.0
    return Guess(code, math.log(max(float(chances[0]), _LEAST) / max(other, _LEAST)))


@cache
def _language(label: str) -> str:
    try:
        return get(label.removeprefix(_LABEL)).code
    except LanguageError:
        return ""


@cache
def _load(path: Path) -> Any:
    try:
        package = importlib.import_module("fasttext")
    except ImportError as error:
        raise IdentifierError(
            f"{ENVIRONMENT} names a fastText model and no package reads it: pip install 'bench[lid]'"
        ) from error
    if not os.access(path, os.R_OK):
        raise IdentifierError(f"{ENVIRONMENT} names {path}, which cannot be read: give the .bin of a fastText model")
    try:
        return package.load_model(str(path))
    except (ValueError, RuntimeError) as error:
        raise IdentifierError(f"{path} is no fastText model: {error}") from error
