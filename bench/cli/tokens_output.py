"""What `tokens` prints: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields

import click

import languages
from bench.cli.tables import note, print_table
from bench.premium import files
from bench.premium.plot import ordered, place_of
from bench.premium.reasons import meaning
from bench.premium.records import Premium, Premiums
from bench.premium.summary import summarised

MISSING = "–"
Place = tuple[str, str]


def print_json(found: Iterable[Premiums]) -> None:
    """One array; each object is what a file `NAME.premium.json` holds."""
    json.dump([files.to_json(one) for one in found], sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def print_csv(found: Iterable[Premiums], sort: str) -> None:
    """A line for each tokenizer and language; what is missing is empty, and `reasons` says why as JSON."""
    about = ("tokenizer", "revision", "corpus", "corpus_revision")
    names = [one.name for one in fields(Premium)]
    writer = csv.DictWriter(sys.stdout, [*about, *names], lineterminator="\n")
    writer.writeheader()
    for made in found:
        for one in sorted_rows(made, sort):
            row = {name: getattr(one, name) for name in names} | {"reasons": json.dumps(dict(one.reasons))}
            writer.writerow({name: getattr(made, name) for name in about} | row)


def print_premiums(found: Sequence[Premiums], sort: str) -> None:
    """The languages, one tokenizer with all there is to say, several side by side; then each in a few numbers."""
    if len(found) == 1:
        _print_one(found[0], sort)
    else:
        _print_several(found, sort)
    click.echo()
    _print_summaries(found)
    click.echo()
    _print_notes(found)


def sorted_rows(found: Premiums, sort: str) -> list[Premium]:
    """By premium, the lowest first and the missing last, or by code."""
    if sort == "premium":
        return ordered(found.languages)
    return sorted(found.languages, key=_place)


def _place(one: Premium) -> Place:
    return one.language, one.variety


def _code(one: Premium) -> str:
    return f"{one.language}{one.variety and '-' + one.variety}"


def _marked(one: Premium) -> str:
    """The code, with an asterisk where the corpus's text is flawed."""
    return _code(one) + "*" * (files.TEXT in one.reasons)


def _name(one: Premium) -> str:
    return place_of(one, {one.language: languages.get(one.language).name})


def _print_one(found: Premiums, sort: str) -> None:
    rows = sorted_rows(found, sort)
    columns: dict[str, tuple[bool, list[str]]] = {
        "language": (False, [_marked(one) for one in rows]),
        "name": (False, [_name(one) for one in rows]),
        "premium": (True, [_figure(one.premium) for one in rows]),
        "95 % interval": (False, [_interval(one) for one in rows]),
        "tokens/sentence": (True, [_figure(one.tokens / one.sentences if one.sentences else None, 1) for one in rows]),
        "bytes/token": (True, [_figure(one.bytes_per_token) for one in rows]),
        "chars/token": (True, [_figure(one.characters_per_token) for one in rows]),
        "byte premium": (True, [_figure(one.byte_premium) for one in rows]),
        "unknown": (True, [_share(one.unknown) for one in rows]),
        "fallback": (True, [_share(one.fallback) for one in rows]),
    }
    for name in _absent(found):
        del columns[name]
    body = list(zip(*(column for _, column in columns.values()), strict=True))
    right = {name: number for name, (number, _) in columns.items()}
    print_table(right, body, f"{found.tokenizer} on {found.corpus}", 2)


def _absent(found: Premiums) -> list[str]:
    """The shares that the tokenizer has in no language."""
    return [name for name in ("unknown", "fallback") if all(getattr(one, name) is None for one in found.languages)]


def _print_several(found: Sequence[Premiums], sort: str) -> None:
    known = [{_place(one): one for one in made.languages} for made in found]
    rows = [
        (
            _marked(one),
            _name(one),
            *(_figure(made[_place(one)].premium if _place(one) in made else None) for made in known),
        )
        for one in sorted_rows(found[0], sort)
    ]
    columns = [(made.tokenizer, True) for made in found]
    names = dict([("language", False), ("name", False), *columns])
    print_table(names, rows, f"Premium against English on {found[0].corpus}", 2)


def _print_summaries(found: Iterable[Premiums]) -> None:
    columns = ("tokenizer", "languages", "median", "p90", "highest", "in", "Gini")
    rows = []
    for made in found:
        short = summarised(made)
        highest = short.highest
        rows.append(
            (
                made.tokenizer,
                f"{short.languages:,}",
                _figure(short.median),
                _figure(short.p90),
                _figure(highest.premium if highest else None),
                _name(highest) if highest else MISSING,
                _figure(made.gini, 3),
            )
        )
    print_table({name: name not in ("tokenizer", "in") for name in columns}, rows)


def _print_notes(found: Sequence[Premiums]) -> None:
    note(
        "Premium: tokens of the sentences divided by the tokens of the same sentences in English. Gini: 0 where a"
        " sentence costs the same in every language. The last table leaves out varieties of English and flawed text."
    )
    for made in found:
        whose = f" by {made.tokenizer}" if len(found) > 1 else ""
        for code, places in _why([made], "premium").items():
            note(f"No premium{whose}: {meaning(code)}: {_listed(places)}.")
    for code, places in _why(found, files.TEXT).items():
        note(f"* Flawed: {meaning(code)}: {_listed(places)}.")
    if len(found) == 1 and found[0].languages:
        absent: dict[str, list[str]] = {}
        for name in _absent(found[0]):
            absent.setdefault(found[0].languages[0].reasons[name], []).append(name)
        for code, names in absent.items():
            note(f"No share of {' and '.join(names)} tokens: {meaning(code)}.")


def _why(found: Iterable[Premiums], name: str) -> dict[str, list[str]]:
    """Reason code -> the languages that have it for a figure, each once."""
    made: dict[str, dict[str, None]] = {}
    for one in (one for premiums in found for one in premiums.languages):
        if name in one.reasons:
            made.setdefault(one.reasons[name], {})[_code(one)] = None
    return {code: sorted(places) for code, places in made.items()}


def _listed(places: Sequence[str]) -> str:
    return ", ".join(places[:8]) + (f" and {len(places) - 8:,} more" if len(places) > 8 else "")


def _figure(value: float | None, digits: int = 2) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1%}"


def _interval(one: Premium) -> str:
    """The interval, or why there is none."""
    if one.low is None or one.high is None:
        return one.reasons.get("premium", one.reasons.get("low", "")).replace("_", " ")
    return f"[{one.low:.2f}, {one.high:.2f}]"
