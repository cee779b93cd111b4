"""What `list models` prints of given models: facts, and the family tree."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cards import facts as model_facts
from bench.cards import family, file
from bench.cards.facts import Facts
from bench.models import provider
from bench.records import UsageError
from bench.runfile import RunFile

if TYPE_CHECKING:
    from rich.tree import Tree

UNKNOWN = "run made before facts were kept"


@dataclass(frozen=True, slots=True)
class Given:
    """One model as it was given, and what is known of it; None where its run has no facts."""

    model: str
    facts: Facts | None


def read(given: str) -> Given:
    """A run file, a model file, or the name of a model. Raises `UsageError`."""
    if given.endswith(".db") and ":" not in given.partition("/")[0]:
        return _of_run(Path(given))
    chosen = file.resolve(given)
    if chosen.source is None:
        _check_name(given)
    known = model_facts.of(chosen.name, chosen.options, chosen.facts)
    return Given(model_facts.published(chosen.name, chosen.options), known)


def _check_name(given: str) -> None:
    try:
        provider(given)
    except UsageError as error:
        if ":" in given:
            raise
        raise UsageError(f"{given!r} is no run file (.run.db), model file (.toml) or provider:model") from error


def _of_run(path: Path) -> Given:
    with RunFile.read(path) as run:
        manifest = run.manifest()
    record = manifest.get("facts")
    try:
        return Given(str(manifest.get("model", "")), None if record is None else model_facts.from_json(record))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def records(found: Iterable[Given]) -> list[dict[str, Any]]:
    """The facts as JSON has them."""
    return [
        {
            "model": one.model,
            "facts": None if one.facts is None else model_facts.to_json(one.facts),
            "reason": UNKNOWN if one.facts is None else "",
        }
        for one in found
    ]


def print_facts(found: Sequence[Given]) -> None:
    """A row a model, and under the table what contradicts what."""
    from bench.cli.tables import note, print_table

    columns = {name: name in ("parameters", "context") for name in _COLUMNS}
    print_table(columns, [_row(one) for one in found], "", 1)
    click.echo()
    for one in found:
        if one.facts is None:
            note(f"{one.model}: unknown: {UNKNOWN}")
        for name, reason in _doubts(one.facts):
            note(f"{one.model}: {name.replace('_', ' ')}: {reason}")
    click.echo("A dash is unknown; `--json` says why, and where each fact comes from.")


_COLUMNS = (
    *("model", "licence", "weights", "parameters", "context", "level", "languages", "training data"),
    *("organisation", "country", "released", "base"),
)


def _row(one: Given) -> tuple[str, ...]:
    known = one.facts or Facts()
    weights = {True: "open", False: "closed", None: "-"}[known.open_weights]
    spoken = known.languages or ()
    listed = " ".join(spoken[:3]) + (f" +{len(spoken) - 3}" if len(spoken) > 3 else "")
    return (
        one.model,
        known.licence or "-",
        weights,
        amount(known.parameters),
        f"{known.context:,}" if known.context else "-",
        known.level or "-",
        listed or "-",
        known.training_data or "-",
        known.organisation or "-",
        known.country or "-",
        known.released or "-",
        ", ".join(known.base or ()) or "-",
    )


def amount(parameters: int | None) -> str:
    """A number of parameters with three digits: 7.24 B, 135 M."""
    if parameters is None:
        return "-"
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= size:
            value = parameters / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return str(parameters)


def _doubts(known: Facts | None) -> Iterable[tuple[str, str]]:
    """What speaks against a fact that has a value."""
    if known is not None:
        yield from ((name, why) for name, why in known.reasons.items() if getattr(known, name, None) is not None)


def family_records(found: Iterable[Given]) -> list[dict[str, Any]]:
    """The family trees as nested JSON."""
    return [family.to_json(root) for root in _roots(found)]


def print_family(found: Iterable[Given]) -> None:
    """The family trees: drawn in a terminal, indented elsewhere."""
    roots = _roots(found)
    if not sys.stdout.isatty():
        for root in roots:
            _indent(root, 0)
        return
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    for root in roots:
        drawn = Tree(Text(_label(root)))
        _draw(root, drawn)
        Console().print(drawn)


def _roots(found: Iterable[Given]) -> tuple[family.Member, ...]:
    unknown = Facts(reasons=dict.fromkeys(model_facts.FIELDS, UNKNOWN))
    return family.tree((one.model, one.facts or unknown) for one in found)


def _indent(member: family.Member, depth: int) -> None:
    click.echo("  " * depth + _label(member))
    for child in member.children:
        _indent(child, depth + 1)


def _draw(member: family.Member, drawn: Tree) -> None:
    from rich.text import Text

    for child in member.children:
        _draw(child, drawn.add(Text(_label(child))))


def _label(member: family.Member) -> str:
    """A model in one line: its level, relation and size, and what is odd."""
    known = member.facts or Facts()
    said = [known.level, known.relation, amount(known.parameters) if known.parameters else None]
    words = ", ".join(word for word in said if word)
    remarks = "".join(f" [{remark}]" for remark in member.remarks)
    return f"{member.name}{f' ({words})' if words else ''}{remarks}"


def as_json(found: Sequence[Given], *, tree: bool) -> list[Mapping[str, Any]]:
    """What `--json` prints."""
    return [*(family_records(found) if tree else records(found))]
