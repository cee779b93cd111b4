"""The language registry: one row for each language in one script, and every spelling by which a dataset knows it."""

from .datasets import dataset_codes, has_dataset, resolve
from .records import AmbiguousLanguage, DatasetCode, Language, LanguageError, UnknownLanguage
from .registry import all_languages, get

__all__ = [
    "AmbiguousLanguage",
    "DatasetCode",
    "Language",
    "LanguageError",
    "UnknownLanguage",
    "all_languages",
    "dataset_codes",
    "get",
    "has_dataset",
    "resolve",
]
