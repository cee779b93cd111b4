"""The codes that datasets write, through the one reviewed table that names every default taken."""

from __future__ import annotations

import difflib
from functools import cache

from .records import DatasetCode, UnknownLanguage
from .registry import all_languages
from .tables import normalise, quoted, read_table


def has_dataset(dataset: str) -> bool:
    """Whether the table knows the codes of a dataset."""
    return dataset in _table()


def dataset_codes(dataset: str) -> tuple[DatasetCode, ...]:
    """Every code of a dataset, in the order of the codes."""
    table = _table()
    if dataset not in table:
        near = difflib.get_close_matches(dataset[:80], table, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise UnknownLanguage(f"no codes are known for a dataset {quoted(dataset)}{hint}")
    return tuple(table[dataset].values())


def resolve(dataset: str, code: str) -> DatasetCode:
    """What a dataset's code stands for; case and hyphen or underscore do not matter."""
    known = dataset_codes(dataset)
    found = _table()[dataset].get(normalise(code))
    if found:
        return found
    near = difflib.get_close_matches(code[:80], [one.code for one in known], n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    candidates = {one.language.code: one.language for one in known if one.code in near}
    raise UnknownLanguage(f"the dataset {dataset} has no code {quoted(code)}{hint}", candidates.values())


@cache
def _table() -> dict[str, dict[str, DatasetCode]]:
    languages = {one.code: one for one in all_languages()}
    table: dict[str, dict[str, DatasetCode]] = {}
    for row in read_table("dataset_codes.tsv"):
        record = DatasetCode(row["dataset"], row["code"], languages[row["language"]], row["variety"], row["note"])
        table.setdefault(record.dataset, {})[normalise(record.code)] = record
    return table
