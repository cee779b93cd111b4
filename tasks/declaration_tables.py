"""What a declaration may say: its tables and keys, and the type of each. Anything else is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from tasks.records import Access, Area, Kind, Origin

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+_-]*\Z", max_length=60)]
Word = Annotated[str, msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """A table that refuses names it does not know."""


class JoinTable(_Table):
    """`[source] join`."""

    by: Word
    columns: dict[str, str]
    path: str = ""
    config: str = ""


class SourceTable(_Table):
    """`[source]`."""

    kind: Literal["hub", "files", "local"] = "local"
    repository: str = ""
    commit: str = ""
    revision: str = "main"
    config: str | list[str] = ""
    format: str = ""
    columns: list[str] = []
    test: str | list[str] | dict[str, str] = ""
    train: str | list[str] | dict[str, str] = ""
    elsewhere: dict[str, str] = {}
    where: dict[str, Any] = {}
    where_not: dict[str, Any] = {}
    join: JoinTable | None = None
    by_hand: str = ""
    folder: str = ""
    excerpt: bool = False


class ValueTable(_Table):
    """A column, and how its values are written."""

    column: str = ""
    encoding: str = msgspec.field(name="as", default="text")
    map: dict[str, Any] = {}
    text: str = "text"
    label: str = "label"
    by: str = "/"
    fixed: list[str] = []
    before: str = ""


class RulesTable(_Table):
    """What a program can check."""

    instructions: str = ""
    kwargs: str = ""
    encoding: Literal["json"] = msgspec.field(name="as", default="json")
    fixed: list[dict[str, Any]] = []


class FirstTable(_Table):
    """The first rows of each kind."""

    by: Word
    n: int


class SampleTable(_Table):
    """`[sample]`."""

    fields: dict[str, str | ValueTable]
    item: Word = "{line}"
    cluster: str = ""
    input: str = ""
    options: list[str] | ValueTable | None = None
    answer: ValueTable | None = None
    answers: ValueTable | None = None
    references: list[str] | ValueTable | None = None
    rules: RulesTable | None = None
    skip: dict[str, list[str]] = {}
    skip_empty: bool = False
    shuffle: bool = False
    first_per: FirstTable | None = None


class PromptTable(_Table):
    """`[prompt]`."""

    text: Word
    cue: str = "Answer:"
    version: str = "1"
    instruction: str = "Answer with the letter alone."
    author: str = ""
    review: str = "unreviewed"
    native: dict[str, dict[str, str]] = {}


class Declared(_Table):
    """One task, as a declaration has it: shared keys and its own, merged."""

    name: Name
    dataset: Name
    area: Area
    kind: Kind
    title: Word
    sample: SampleTable
    source: SourceTable
    prompt: str | PromptTable
    version: str = "1"
    codes: str = ""
    vertical: Literal["", "legal", "medical"] = ""
    group: str = ""
    metrics: list[str] = []
    origin: Origin = "native"
    licence: str = "unknown"
    access: Access = "open"
    citation: str = ""
    contamination: str = ""
    provenance: str = ""
    unverified: list[str] = []
    content: list[str] = []
    notes: str = ""
    chance: float | None = None
    items: int | dict[str, int] = {}
    max_tokens: int | None = None
    languages: list[str] = []
    exclude: dict[str, str] = {}
    flaws: dict[str, str] = {}
    origins: dict[str, list[str]] = {}
    held_out: int = 0
    answer_language: str = ""
    raw_input: bool = False
    suites: list[str] = []
