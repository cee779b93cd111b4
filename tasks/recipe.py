"""Row -> sample as a declaration says it: which columns are the question, the options and the gold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks import encodings, template
from tasks.encodings import Unreadable
from tasks.records import DataError, Row, Sample, Task, Variety, by_hash


@dataclass(frozen=True, slots=True)
class Worded:
    """A column whose values a table puts into words, or of which only what stands before a mark is taken."""

    column: str
    map: Mapping[str, str] = field(default_factory=dict)
    before: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that holds several values, and how it is written (`encodings.MEMBERS`)."""

    column: str
    encoding: str
    text: str = "text"
    label: str = "label"
    by: str = "/"


@dataclass(frozen=True, slots=True)
class Gold:
    """The column with the right answer, and how it is written (`encodings.ANSWERS`)."""

    column: str
    encoding: str = "text"
    map: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a program can check: ids and arguments in columns, or fixed. `{language}` is the canonical code."""

    instructions: str = ""
    kwargs: str = ""
    fixed: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the rows of one task become samples. Templates are `template`'s.

    `options` are templates, a column or fixed texts; empty ones at the end are dropped. With `skip_empty` a row that
    lacks a text is left out, otherwise it is refused. `skip` names values of columns whose rows cannot be asked.
    With `shuffle` the options stand in an order drawn by the item's name, the same in parallel languages: for datasets
    whose right option always comes first.
    """

    item: str
    fields: Mapping[str, str | Worded]
    input: str = ""
    cluster: str = ""
    options: tuple[str, ...] | Column = ()
    fixed: tuple[str, ...] = ()
    answer: Gold | None = None
    answers: Gold | None = None
    references: tuple[str, ...] | Column = ()
    rules: Rules | None = None
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip_empty: bool = False
    shuffle: bool = False

    def __call__(self, task: Task, variety: Variety, row: Row) -> Sample | None:
        """The sample, or None where the row cannot be asked. Raises `DataError`."""
        if any(template.text(template.lookup(name, row, variety)) in values for name, values in self.skip.items()):
            return None
        try:
            return self._sample(task, variety, row)
        except Unreadable as error:
            raise DataError(f"{row.where}: {error}") from error

    def _sample(self, task: Task, variety: Variety, row: Row) -> Sample | None:
        fields = {name: self._field(made, row, variety) for name, made in self.fields.items()}
        options, labels = self._options(row, variety)
        references = self._references(task, variety, row)
        item = template.fill(self.item, row, variety)
        _check_text(item)
        place = list(range(len(options)))
        if self.shuffle:
            place = by_hash(place, lambda index: f"{item}/{index}")
        answers = self._answers(row, variety, options, labels)
        lacking = _lacking(task, fields, options, references)
        if task.kind == "labels" and not answers:
            lacking.append("the list of right labels")
        if lacking:
            if self.skip_empty:
                return None
            raise DataError(f"{row.where}: {', '.join(lacking)} is empty")
        if not item:
            raise DataError(f"{row.where}: the item has no name")
        _check_gold(task, options, references)
        answer = self._answer(self.answer, row, variety, options, labels) if task.kind == "choice" else None
        made = Sample(
            task=task.name,
            version=task.version,
            language=variety.language,
            variety=variety.variety,
            item=item,
            input=template.fill(self.input, row, variety) if self.input else next(iter(fields.values())),
            fields=fields,
            options=tuple(options[index] for index in place),
            answer=None if answer is None else place.index(answer),
            references=references,
            cluster=template.fill(self.cluster, row, variety) if self.cluster else "",
            answers=tuple(sorted(place.index(index) for index in answers)),
        )
        _check_text(made.input, made.cluster, *fields.values(), *options, *references)
        return made

    def _field(self, made: str | Worded, row: Row, variety: Variety) -> str:
        if isinstance(made, str):
            return template.fill(made, row, variety).strip("\n")  # of what an empty part leaves
        value = template.lookup(made.column, row, variety)
        if not made.before:
            return str(encodings.mapped(value, made.map))
        taken, mark, _ = template.text(value).partition(made.before)
        if not mark:
            raise Unreadable(f"the column {made.column!r} has no {made.before!r}")
        return taken.strip()

    def _options(self, row: Row, variety: Variety) -> tuple[tuple[str, ...], list[str]]:
        """The options, and their labels where they have any."""
        labels: list[str] = []
        if self.fixed:
            return self.fixed, list(self.fixed)
        if isinstance(self.options, Column):
            value = template.lookup(self.options.column, row, variety)
            if self.options.encoding in ("records", "dict"):
                options, labels = encodings.records(value, self.options.text, self.options.label)
            else:
                options = [template.text(one) for one in encodings.members(value, self.options.encoding)]
        else:
            options = [template.fill(one, row, variety) for one in self.options]
        while options and not options[-1].strip():
            options.pop()
        return tuple(option.strip() for option in options), labels[: len(options)]

    def _answer(
        self, gold: Gold | None, row: Row, variety: Variety, options: tuple[str, ...], labels: list[str]
    ) -> int | None:
        if gold is None:
            return None
        return self._index(gold, template.lookup(gold.column, row, variety), options, labels)

    def _index(self, gold: Gold, value: Any, options: tuple[str, ...], labels: list[str]) -> int:
        if gold.encoding == "map":
            value, encoding = encodings.mapped(value, gold.map), "0-based"
        else:
            encoding = gold.encoding
        return encodings.index(value, encoding, options, labels)

    def _answers(self, row: Row, variety: Variety, options: tuple[str, ...], labels: list[str]) -> tuple[int, ...]:
        gold = self.answers
        if gold is None:
            return ()
        values = template.lookup(gold.column, row, variety)
        written = isinstance(values, str) and not values.lstrip().startswith("[")
        values = encodings.members(values, "lines" if written else "json")
        return tuple(sorted({self._index(gold, value, options, labels) for value in values}))

    def _references(self, task: Task, variety: Variety, row: Row) -> tuple[str, ...]:
        if self.rules is not None:
            return (self._rules(self.rules, variety, row),)
        if task.kind == "number":
            return (template.text(template.lookup(self.answer.column, row, variety)),) if self.answer else ()
        made = self.references
        if isinstance(made, tuple):
            filled = (template.fill(one, row, variety) for one in made)
            return tuple(one for one in filled if one.strip())  # an empty answer is never right
        value = template.lookup(made.column, row, variety)
        if made.encoding == "split":
            return tuple(part.strip() for part in template.text(value).split(made.by) if part.strip())
        several = (template.text(one) for one in encodings.members(value, made.encoding))
        return tuple(one for one in several if one.strip())

    def _rules(self, rules: Rules, variety: Variety, row: Row) -> str:
        if rules.fixed:
            filled: Any = json.loads(json.dumps(rules.fixed).replace("{language}", variety.language))
            return json.dumps(filled, ensure_ascii=False, sort_keys=True)
        names = encodings.members(template.lookup(rules.instructions.strip("{}"), row, variety), "json")
        arguments = encodings.members(template.lookup(rules.kwargs.strip("{}"), row, variety), "json")
        if len(names) != len(arguments):
            raise Unreadable(f"{len(names)} instructions have {len(arguments)} sets of arguments")
        made = [
            {"id": name, "kwargs": {key: told for key, told in _decoded(given).items() if told is not None}}
            for name, given in zip(names, arguments, strict=True)
        ]
        return json.dumps(made, ensure_ascii=False, sort_keys=True)


def _lacking(task: Task, fields: Mapping[str, str], options: tuple[str, ...], references: tuple[str, ...]) -> list[str]:
    """The parts of a sample that are empty, by name."""
    lacking = [name for name, value in fields.items() if not value.strip()]
    lacking += [f"option {place}" for place, option in enumerate(options, 1) if not option.strip()]
    if task.kind in ("generation", "number") and not any(text.strip() for text in references):
        lacking.append("reference")
    return lacking


def _check_gold(task: Task, options: tuple[str, ...], references: tuple[str, ...]) -> None:
    """Refuses a choice of one option, more options than letters, and a number without a digit. `Unreadable`.

    In a declaration's own files two options of one text are a slip that can be mended; published sets have them.
    """
    if getattr(task.source, "root", None) and len(set(options)) < len(options):
        twice = next(option for option in options if options.count(option) > 1)
        raise Unreadable(f"two options are both {twice[:40]!r}")
    if task.kind == "choice" and len(options) < 2:
        raise Unreadable(f"a choice has two options at least, and this one {len(options) or 'none'}")
    if len(options) > len(encodings.LETTERS):
        raise Unreadable(f"{len(options)} options are more than there are letters ({len(encodings.LETTERS)})")
    if task.kind == "number" and not any(letter.isdecimal() for letter in references[0]):
        raise Unreadable(f"the answer {references[0][:40]!r} is no number")


def _check_text(*texts: str) -> None:
    """Refuses half of a surrogate pair, which JSON can spell and no file or database can hold. `Unreadable`."""
    for one in texts:
        try:
            one.encode()
        except UnicodeEncodeError as error:
            raise Unreadable(f"{one[error.start]!a} is no character") from error


def _decoded(value: Any) -> Mapping[str, Any]:
    """Arguments that are an object, or JSON of one, or nothing."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise Unreadable(f"the arguments {value[:40]!r} are no JSON") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unreadable(f"the arguments {str(value)[:40]!r} are no JSON object")
    return value
