"""A declaration in TOML -> tasks. The package's own lie in `declared/`, a file a dataset; `-t FILE.toml` gives others.

`docs/tasks.md` has the format. A declaration holds no code: what it may say is listed here, and anything else is
refused in one line that names the place.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import msgspec

import languages
from tasks import declaration_checks, encodings, formats, lock, prompts, store
from tasks.declaration_tables import Declared, RulesTable, ValueTable
from tasks.hub import Hub
from tasks.recipe import Column, Gold, Recipe, Rules, Worded
from tasks.records import FLAWS, Kind, Origin, Prompt, Task, Variety
from tasks.selection import Join, Selection
from tasks.sources import Files
from tasks.template import text

METRICS: Mapping[str, tuple[str, ...]] = {
    "choice": ("accuracy",),
    "number": ("accuracy",),
    "generation": ("chrf++", "bleu"),
    "labels": ("label_f1", "exact_set"),
    "rules": ("obeyed",),
}
MAX_TOKENS: Mapping[str, int] = {"choice": 16, "number": 512, "generation": 512, "labels": 64, "rules": 512}


class DeclarationError(ValueError):
    """A declaration does not say what it should. The message is one line and names file and place."""


def load(path: Path) -> tuple[Task, ...]:
    """The tasks of one file. Raises `DeclarationError`."""
    try:
        pinned = lock.beside(path.resolve().parent, path.name)
        if pinned and pinned.sha256 != store.sha256(path):
            raise DeclarationError(f"{path} is not the file that the bundle's data.lock pins")
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DeclarationError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeclarationError(f"{path} is no TOML: {error}") from error
    made = tuple(_task(path, table) for table in _tables(content))
    twice = [name for name, count in Counter(task.name for task in made).items() if count > 1]
    if twice:
        raise DeclarationError(f"{path.name}: two tasks are called {twice[0]}")
    return made


def _tables(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each task's keys: the shared ones, and over them its own."""
    own = content.pop("task", None)
    if not isinstance(own, list) or not all(isinstance(table, dict) for table in own) or not own:
        yield content if own is None else {**content, "task": own}
        return
    for table in own:
        yield _merged(content, table)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; all else replaced."""
    made = dict(base)
    for key, value in over.items():
        known = made.get(key)
        made[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def _task(path: Path, table: dict[str, Any]) -> Task:
    named = " ".join(str(table.get("name", "a task without a name")).split())[:60]
    try:
        declared = msgspec.convert(table, Declared)
        return _made(declared, path)
    except (msgspec.ValidationError, DeclarationError, languages.LanguageError) as error:
        raise DeclarationError(f"{path.name}, {named}: {error}") from error


def _made(declared: Declared, path: Path) -> Task:
    table = declared.sample
    for fault in declaration_checks.faults(declared):
        raise DeclarationError(fault)
    prompt, native = _prompts(declared)
    return Task(
        name=declared.name,
        version=declared.version,
        title=declared.title,
        area=declared.area,
        kind=declared.kind,
        source=_source(declared, path),
        varieties=tuple(_varieties(declared)),
        sample=Recipe(
            item=table.item,
            fields={name: _field(name, made) for name, made in table.fields.items()},
            input=table.input,
            cluster=table.cluster,
            options=_several("options", table.options),
            fixed=tuple(table.options.fixed) if isinstance(table.options, ValueTable) else (),
            answer=_gold("answer", table.answer, declared.kind),
            answers=_gold("answers", table.answers, declared.kind),
            references=_several("references", table.references),
            rules=_rules(table.rules),
            skip={name: tuple(values) for name, values in table.skip.items()},
            skip_empty=table.skip_empty,
            shuffle=table.shuffle,
        ),
        prompt=prompt,
        metrics=tuple(declared.metrics) or METRICS[declared.kind],
        origin=declared.origin,
        licence=declared.licence,
        citation=declared.citation,
        group=declared.group,
        vertical=declared.vertical or (declared.area if declared.area in ("legal", "medical") else ""),
        access=declared.access,
        suites=tuple(declared.suites),
        max_tokens=declared.max_tokens or MAX_TOKENS[declared.kind],
        chance=declared.chance,
        notes=declared.notes,
        contamination=declared.contamination,
        provenance=declared.provenance,
        unverified=tuple(declared.unverified),
        content=tuple(declared.content),
        items=declared.items if isinstance(declared.items, dict) else {"": declared.items},
        answer_language=declared.answer_language or "own",
        held_out=declared.held_out,
        language_rule=table.rules is not None and any(one.get("id") == "language:only" for one in table.rules.fixed),
        native=native,
        raw_input=declared.raw_input,
    )


def _prompts(declared: Declared) -> tuple[Prompt, dict[str, Prompt]]:
    made = declared.prompt
    if isinstance(made, str):
        if made not in prompts.families():
            raise DeclarationError(f"no prompt is called {made!r}; there are {', '.join(prompts.families())}")
        english = prompts.english(made)
    else:
        english = Prompt(**{name: getattr(made, name) for name in made.__struct_fields__ if name != "native"})
    native = {}
    for code, words in {} if isinstance(made, str) else made.native.items():
        try:
            native[languages.get(code).code] = Prompt(**{**words, "language": "native"})
        except TypeError as error:
            raise DeclarationError(f"[prompt.native.{code}]: {error}") from error
    fields = dict.fromkeys(declared.sample.fields, "")
    for one in (english, *native.values()):
        problem = prompts.problem(one, fields)
        if problem:
            raise DeclarationError(f"[prompt]: {problem}")
    return english, native


def _varieties(declared: Declared) -> Iterator[Variety]:
    """The languages, by the reviewed table of the dataset's codes or, where it has none, by the codes themselves."""
    origins = {code: origin for origin, codes in declared.origins.items() for code in codes}
    wrong = [origin for origin in declared.origins if origin not in get_args(Origin)]
    if wrong:
        raise DeclarationError(f"no origin is called {wrong[0]!r}; there are {', '.join(get_args(Origin))}")
    unknown = set(declared.flaws.values()) - FLAWS.keys()
    if unknown:
        raise DeclarationError(f"no flaw is called {min(unknown)!r}; there are {', '.join(FLAWS)}")
    table = declared.codes or declared.dataset
    if languages.has_dataset(table):
        known = languages.dataset_codes(table)
        chosen = [languages.resolve(table, code) for code in declared.languages] if declared.languages else known
        found = [(one.language.code, one.variety, one.code) for one in chosen]
    elif declared.languages:
        found = [(languages.get(code).code, "", code) for code in declared.languages]
    else:
        raise DeclarationError("`languages` should name the languages, ['yor_Latn'] say")
    _check_codes(declared, found)
    for language, variety, code in found:
        if code not in declared.exclude:
            flaw = declared.flaws.get(code, declared.flaws.get("*", ""))
            yield Variety(language, variety, code, flaw, origins.get(code))  # type: ignore[arg-type]


def _check_codes(declared: Declared, found: Sequence[tuple[str, str, str]]) -> None:
    """Refuses codes that the dataset does not have, a language twice, and a task of no language."""
    table = declared.codes or declared.dataset
    known = {one.code for one in languages.dataset_codes(table)} if languages.has_dataset(table) else declared.languages
    named = (
        ("exclude", declared.exclude),
        ("flaws", declared.flaws.keys() - {"*"}),
        ("origins", chain.from_iterable(declared.origins.values())),
        ("elsewhere", declared.source.elsewhere),
        ("items", declared.items if isinstance(declared.items, dict) else ()),
    )
    for what, codes in named:
        for fault in declaration_checks.unknown(codes, known, what):
            raise DeclarationError(fault)
    seen: dict[tuple[str, str], str] = {}
    for language, variety, code in found:
        if code in declared.exclude:
            continue
        if (language, variety) in seen:
            raise DeclarationError(f"{seen[language, variety]!r} and {code!r} are one language, {language}")
        seen[language, variety] = code
    if not seen:
        raise DeclarationError("no language is left: `exclude` names them all")


def _source(declared: Declared, path: Path) -> Files | Hub:
    table = declared.source
    first = declared.sample.first_per
    selection = Selection(
        _values(table.where), _values(table.where_not), first.by if first else "", first.n if first else 0
    )
    join = Join(table.join.path or table.join.config, table.join.by, table.join.columns) if table.join else None
    splits = {split: given for split, given in (("test", table.test), ("train", table.train)) if given}
    if "test" not in splits:
        raise DeclarationError("[source] needs `test`: the file, or the split, that is scored")
    if table.kind == "hub":
        if not all(isinstance(given, str) for given in splits.values()):
            raise DeclarationError("[source] of kind hub names its splits, test = 'test' say")
        configs = (table.config,) if isinstance(table.config, str) else tuple(table.config)
        return Hub(declared.dataset, table.repository, table.revision, splits, configs, selection, join)  # type: ignore[arg-type]
    if table.format != "parallel" and table.format not in formats.READERS:
        known = ", ".join(("parallel", *formats.READERS))
        raise DeclarationError(f"[source] format is {table.format!r}; known are {known}")
    return Files(
        dataset=declared.dataset,
        repository=table.repository,
        commit=table.commit,
        format=table.format,
        files={split: _patterns(given) for split, given in splits.items()},  # type: ignore[misc]
        columns=tuple(table.columns),
        elsewhere=table.elsewhere,
        selection=selection,
        join=join,
        root=path.resolve().parent if table.kind == "local" else None,
        by_hand=table.by_hand,
        folder=table.folder,
        excerpt=table.excerpt,
    )


def _patterns(given: str | list[str] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
    if isinstance(given, dict):
        return given
    return (given,) if isinstance(given, str) else tuple(given)


def _values(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(text(value) for value in (values if isinstance(values, list) else [values]))
        for name, values in given.items()
    }


def _field(name: str, made: str | ValueTable) -> str | Worded:
    if isinstance(made, str):
        return made
    if not made.column or bool(made.map) == bool(made.before):
        raise DeclarationError(f"the field {name!r} needs `column` and either `map` or `before`, or a template")
    return Worded(made.column, {key: str(value) for key, value in made.map.items()}, made.before)


def _several(name: str, made: list[str] | ValueTable | None) -> tuple[str, ...] | Column:
    if made is None:
        return ()
    if isinstance(made, list):
        return tuple(made)
    if made.fixed:
        return ()
    if made.encoding not in encodings.MEMBERS:
        raise DeclarationError(f"{name}: as = {made.encoding!r}; known are {', '.join(encodings.MEMBERS)}")
    return Column(made.column, made.encoding, made.text, made.label, made.by)


def _gold(name: str, made: ValueTable | None, kind: Kind) -> Gold | None:
    if made is None:
        return None
    if kind != "number" and made.encoding not in encodings.ANSWERS:
        raise DeclarationError(f"{name}: as = {made.encoding!r}; known are {', '.join(encodings.ANSWERS)}")
    return Gold(made.column, made.encoding, made.map)


def _rules(made: RulesTable | None) -> Rules | None:
    return None if made is None else Rules(made.instructions, made.kwargs, tuple(made.fixed))
