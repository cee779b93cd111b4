"""What is wrong with a declaration each of whose keys is well formed: what would fail late, or silently ask nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tasks import prompts, template

if TYPE_CHECKING:
    from tasks.declaration_tables import Declared, SampleTable, SourceTable, ValueTable

TEXT_METRICS = (
    *("chrf++", "bleu", "chrf", "ter", "cer", "cer-grapheme", "wer", "exact_match", "token_f1", "rouge_l"),
    *("answer_match", "glossary_recall"),
)
METRICS: Mapping[str, tuple[str, ...]] = {
    "choice": ("accuracy",),
    "number": ("accuracy",),
    "generation": TEXT_METRICS,
    "labels": ("label_f1", "exact_set"),
    "rules": ("obeyed",),
}
"""Kind -> the metrics that it can be scored by."""


def faults(declared: Declared) -> Iterator[str]:
    """Each fault in words; none where the declaration is sound."""
    yield from _gold(declared)
    yield from _numbers(declared)
    yield from _columns(declared.sample)
    yield from _source(declared.source)
    wrong = [name for name in declared.metrics if name not in METRICS[declared.kind]]
    if wrong:
        known = ", ".join(METRICS[declared.kind])
        yield f"a {declared.kind} is not scored by {wrong[0]!r}; known are {known}"
    if len(set(declared.metrics)) != len(declared.metrics):
        yield "`metrics` names one twice"


def _gold(declared: Declared) -> Iterator[str]:
    """Whether there is what the kind is scored by."""
    table = declared.sample
    needed = {
        "choice": (("options", table.options), ("answer", table.answer)),
        "labels": (("options", table.options), ("answers", table.answers)),
        "number": (("answer", table.answer),),
        "generation": (("references", table.references),),
        "rules": (("rules", table.rules),),
    }[declared.kind]
    for name, given in needed:
        if not given:
            yield f"a {declared.kind} needs `{name}` in [sample]"
    if isinstance(table.options, list) and len(table.options) < 2:
        yield "`options` should name two at least"


def _numbers(declared: Declared) -> Iterator[str]:
    if declared.held_out < 0:
        yield "`held_out` is the number of items kept for examples: 0 or more"
    if declared.held_out and declared.source.train:
        yield "`held_out` is for datasets without a split for examples, and [source] has `train`: leave one out"
    if declared.max_tokens is not None and declared.max_tokens < 1:
        yield "`max_tokens` is 1 at least"
    if declared.chance is not None and not (math.isfinite(declared.chance) and 0 <= declared.chance < 1):
        yield "`chance` lies from 0 up to 1, and is not 1"
    if declared.sample.first_per and declared.sample.first_per.n < 1:
        yield "`first_per` takes 1 row at least: n = 1"


def _columns(table: SampleTable) -> Iterator[str]:
    """Whether the sample is made of columns."""
    if not table.fields:
        yield "[sample] fields should name a field at least, { question = '{question}' } say"
    for name, made in table.fields.items():
        if name in prompts.ALWAYS:
            yield f"no field can be called {name!r}: every prompt knows one already"
        if isinstance(made, str) and not template.places(made):
            yield f"the field {name!r} is {made!r} in every row; a column is written in braces, '{{{name}}}' say"
    for made in table.references if isinstance(table.references, list) else ():
        if not template.places(made):
            yield f"the reference is {made!r} in every row; a column is written in braces"
    yield from _values(table)


def _values(table: SampleTable) -> Iterator[str]:
    """Whether the columns of options and gold are named and can be read."""
    for name, value in (("options", table.options), ("references", table.references)):
        if value is not None and not isinstance(value, list):
            yield from _value(name, value)
            if name == "options" and value.encoding == "split":
                yield "options: as = 'split' is for references"
    for name, value in (("answer", table.answer), ("answers", table.answers)):
        if value is not None:
            yield from _value(name, value)
            yield from _map(name, value)


def _value(name: str, value: ValueTable) -> Iterator[str]:
    if not value.column and not value.fixed:
        yield f"{name}: `column` should name the column"
    if value.encoding == "split" and not value.by:
        yield f"{name}: `by` should say what stands between two"


def _map(name: str, value: ValueTable) -> Iterator[str]:
    if bool(value.map) != (value.encoding == "map"):
        yield f"{name}: `map` and as = 'map' go together"
    for key, index in value.map.items():
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            yield f"{name}: map has {key!r} = {index!r}, and should have the option's place, counted from 0"


def _source(table: SourceTable) -> Iterator[str]:
    needed = {"hub": ("repository",), "files": ("repository", "commit"), "local": ()}[table.kind]
    yield from (f"[source] of kind {table.kind} needs `{name}`" for name in needed if not getattr(table, name))
    if table.kind == "local" and (table.repository or table.commit):
        yield "[source] names a repository: say kind = 'files' (of Git) or kind = 'hub'"
    for name, wanted in (("where", table.where), ("where_not", table.where_not)):
        for column, values in wanted.items():
            if isinstance(values, Mapping):
                yield f"[source] {name}: a column inside another is written in quotes, {{ '{column}.name' = ... }}"
    if table.kind == "hub":
        return
    splits = [given for given in (table.test, table.train) if given]
    for given in splits:
        if isinstance(given, dict) != (table.format == "parallel"):
            yield "[source] has format 'parallel' where a split is a table, column -> file, and only there"
    joined = table.join.path if table.join else ""
    if table.join and (table.format == "parallel" or not joined):
        yield "[source] join needs `path`, the other file, of the same format (not 'parallel')"
    patterns = [pattern for given in splits for pattern in _paths(given)]
    named = [path for path in (joined, table.folder) if path]
    for path in (*patterns, *table.elsewhere.values(), *named):
        if not inside(path):
            yield f"[source] {path!r}: a path leads down from the dataset's folder, without '..' and a leading '/'"


def _paths(given: str | Iterable[str] | Mapping[str, str]) -> Iterable[str]:
    if isinstance(given, str):
        return (given,)
    return given.values() if isinstance(given, Mapping) else given


def inside(path: str) -> bool:
    """Whether a path names something below the folder that it starts from."""
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and not {"..", "\\"} & set(pure.parts) and path.isprintable()


def unknown(given: Mapping[str, Any] | Iterable[str], known: Iterable[str], what: str) -> Iterator[str]:
    """A fault for the first code that the dataset does not have: a typing error would change what is ranked.

    "*" stands for every code.
    """
    wrong = sorted(set(given) - {*known, "*"})
    if wrong:
        yield f"`{what}` names the code {wrong[0]!r}, which the dataset does not have"
