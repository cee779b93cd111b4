"""`energy report`: every energy figure of a run, the windows behind it, and what is missing and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.counting import counted
from bench.runfile import RunFile, reading

if TYPE_CHECKING:
    from bench.energy.attribution import Phases
    from bench.energy.checked import Checked
    from bench.energy.explaining import Control, Controlled, Entry, Explanation, Line, Missing, Setup
    from bench.energy.records import Subject

SCOPES = {
    "gpu_board": "the GPU boards alone: not the processor, the memory of the machine, fans or cooling",
    "gpu_module": "the modules of GPU and processor together: not comparable with a GPU board",
    "cpu_package": "the processors alone: not the memory of the machine, fans or cooling",
    "gpu_cpu_dram": "GPU boards, processors and memory: not fans, disks or cooling",
    "node": "the whole machine, as it counts itself",
    "wall": "all that the machine draws from the wall",
}
METHODS = {"counter": "the device's own energy counter", "integral": "power readings, added up over time"}
FIELDS = {
    "energy": "all energy figures",
    "quality": "what a score or the premium is needed for",
    "energy_scope": "scope",
    "joules_per_request_low": "interval of joules per request",
    "joules_per_correct_low": "interval of joules per correct",
}
HERE = 6
"""So many languages are named where something is missing; of more, how many there are."""
PIPED = 100
"""Columns of text where the output is no terminal, as wide as the sentences."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; what is missing is null.")
def report(run: Path, as_json: bool) -> None:
    """Explains every energy figure of a run: what was measured, when, how sure that is, and what is missing and why."""
    from bench.energy import keeping
    from bench.energy.explaining import explain
    from bench.energy.reasons import meaning

    with RunFile.read(run) as opened, reading(run):
        windows = keeping.windows(opened)
        manifest, cells, invocations = opened.manifest(), opened.cells(), opened.invocations()
    found = explain(windows, cells)
    model, unmeasured = manifest["model"], manifest.get("energy", {}).get("unmeasured", "")
    devices = [one["hardware"]["metered"] for one in invocations if one["hardware"].get("metered")]
    if as_json:
        facts = {"model": model, "devices": devices[-1] if devices else [], "unmeasured": unmeasured or None}
        click.echo(json.dumps({**facts, **asdict(found)}, ensure_ascii=False, allow_nan=False))
        return
    click.echo(f"{model}, energy\n")
    if not windows:
        why = f": {meaning(unmeasured)}" if unmeasured else ""
        _say(f"No energy was measured in this run{why}. `python -m bench run --energy` measures (docs/energy.md).")
    for device in devices[-1] if devices else []:
        limit = f", power limit {device['power_limit']:g} W" if device["power_limit"] is not None else ""
        driver = f", driver {device['driver']}" if device["driver"] else ""
        _say(f"Device: {device['name']} {device['uuid_hash']}{limit}{driver}.")
    _print(found, run, scored=bool(cells))


def _print(found: Explanation, run: Path, *, scored: bool) -> None:
    for setup in found.setups:
        _print_setup(setup, latest=setup is found.setups[0])
    if found.entries:
        _print_entries(found.entries)
        if not scored:
            _say(f"Not scored yet: `python -m bench rescore {run}` adds what needs quality and the premium.")
    if found.control:
        _print_control(found.control)
    if found.phases:
        _print_phases(found.phases)
    if found.costs:
        _print_costs(found)
    if found.windows:
        _print_windows(found.windows, found.sentinels)
    if found.checks:
        _print_checks(found.checks)
    if found.missing:
        _print_missing(found.missing, apart=not found.windows)


def _print_setup(setup: Setup, *, latest: bool) -> None:
    from bench.energy.reasons import meaning

    _say(f"{'Setup' if latest else 'Another setup, not in the figures'}: {setup.setup}.")
    _say(f"Scope {setup.scope}: {SCOPES[setup.scope]}. Method {setup.method}: {METHODS[setup.method]}.")
    joules = "joules not known of all" if setup.joules is None else f"{digits(setup.joules)} J"
    _say(
        f"{counted(setup.windows, 'window')}, {setup.valid:,} of them valid,"
        f" {setup.seconds / 60:,.1f} minutes, {joules}. "
        + (
            "Power at rest was not measured."
            if setup.idle_watts is None
            else f"At rest, with the model loaded: {digits(setup.idle_watts)} W, which is in every figure."
        )
    )
    for note in setup.notes:
        _say(f"Note: {meaning(note)}.")
    click.echo()


def _print_entries(entries: Sequence[Entry]) -> None:
    from bench.energy.reasons import meaning

    names = (
        *("J/request", "95 % interval", "CV", "windows", "ranked", "tok/J", "whole run", "whole/steady", "J/correct"),
        *("J/1,000 words", "Engl.-eq. tok/J", "LER", "= premium", "x verbosity", "x J/token"),
    )
    rows = [
        (_task(entry.subject), _code(entry.subject), entry.figures.provenance, *_numbers(entry)) for entry in entries
    ]
    columns = {"task": False, "language": False, "energy": False, **dict.fromkeys(names, True)}
    _print_wide(columns, rows, "What it takes: steady stretches, unless it says whole run", 2)
    click.echo()
    _say(
        "J/request: joules of a steady token times tokens of an answer, at this concurrency. tok/J: output tokens per"
        " joule, the same as tokens per second per watt; not ranked, as more tokens for the same words raise it."
        " LER: Language Energy Ratio, joules per request over those of English on parallel questions."
    )
    lacking: dict[tuple[str, str], list[Subject]] = {}
    for entry in entries:
        for why in entry.unranked:
            lacking.setdefault(("Not ranked", why), []).append(entry.subject)
        if entry.figures.joules_per_request is None:
            why = entry.figures.reasons.get("energy", "no_valid_window")
            lacking.setdefault(("No energy", why), []).append(entry.subject)
    for (what, why), where in lacking.items():
        _say(f"{what}: {meaning(why)}: {_places(where)}.")
    click.echo()


def _places(subjects: Iterable[Subject]) -> str:
    """All of them, by task: whoever looks for a language has to find it."""
    by_task: dict[str, list[str]] = {}
    for subject in subjects:
        by_task.setdefault(_task(subject), []).append(_code(subject))
    return "; ".join(f"{task} {', '.join(dict.fromkeys(codes))}" for task, codes in by_task.items())


def _numbers(entry: Entry) -> list[str]:
    found, cell = entry.figures, entry.cell
    interval = "-" if found.low is None or found.high is None else f"{digits(found.low)} to {digits(found.high)}"
    derived = (
        [None] * 7
        if cell is None
        else [
            cell.joules_per_correct,
            cell.joules_per_1000_words,
            cell.english_equivalent_tokens_per_joule,
            cell.language_energy_ratio,
            cell.premium,
            cell.verbosity,
            cell.joules_per_token_ratio,
        ]
    )
    return [
        digits(found.joules_per_request),
        interval,
        "-" if found.variation is None else f"{found.variation:.1%}",
        f"{found.windows:,}",
        "-" if found.joules_per_request is None else "no" if entry.unranked else "yes",
        digits(found.output_tokens_per_joule),
        digits(entry.whole_tokens_per_joule),
        digits(entry.whole_to_steady),
        *map(digits, derived),
    ]


def _print_phases(phases: Phases) -> None:
    from bench.energy.reasons import meaning

    if phases.prompt_joules is None or phases.token_joules is None:
        _say(f"What a prompt takes and what a token of the answer cannot be told apart: {meaning(phases.reason)}.")
    else:
        _say(
            f"From controls in English of two lengths: {digits(phases.prompt_joules)} J for a prompt, "
            f"{digits(phases.token_joules)} J for each token of the answer."
        )
    click.echo()


def _print_control(control: Control) -> None:
    from bench.cli.tables import print_table
    from bench.energy.explaining import EQUAL
    from bench.energy.reasons import meaning

    def row(one: Controlled) -> tuple[str, ...]:
        numbers = (one.prompt_tokens, one.output_tokens, one.joules_per_token, one.relative)
        return (one.language, f"{one.windows:,}", *map(digits, numbers))

    columns = {"language": False, **dict.fromkeys(("windows", "prompt tokens", "output tokens"), True)}
    columns |= {"J/token": True, "over the mean": True}
    print_table(columns, [row(one) for one in control.languages], "Fixed-length control", 1)
    click.echo()
    lost: dict[str, list[str]] = {}
    for one in control.languages:
        if one.joules_per_token is None:
            lost.setdefault(one.reason, []).append(one.language)
    for reason, where in lost.items():
        _say(f"No control: {meaning(reason)}: {_listed(where)}.")
    if control.equal is None:
        _say(f"Whether a token costs the same in every language cannot be told: {meaning(control.reason)}.")
    elif control.equal:
        _say(
            f"At equal lengths a token costs the same in every language, within {control.largest:.1%} of the mean"
            f" (limit {EQUAL:.0%}): languages differ by their number of tokens alone."
        )
    else:
        _say(
            f"At equal lengths a token does not cost the same in every language: up to {control.largest:.1%} from the"
            f" mean (limit {EQUAL:.0%})."
        )
    click.echo()


def _print_costs(found: Explanation) -> None:
    from bench.energy.attribution import LARGEST_ERROR

    costs = found.costs
    assert costs is not None
    parts = {
        "at rest": (costs.idle_watts, "W"),
        "for a prompt token": (costs.prompt_token_joules, "J"),
        "for an output token": (costs.output_token_joules, "J"),
        "for a context step": (costs.context_step_joules, "J"),
    }
    told = ", ".join(f"{digits(value)} {unit} {what}" for what, (value, unit) in parts.items() if value)
    without = [what for what, (value, _) in parts.items() if value == 0]
    if without:
        told += f"; nothing that can be told apart {' or '.join(without)}"
    checked = (
        "not checked: no isolated windows"
        if costs.error is None
        else f"{costs.error:.1%} off on held-out isolated windows (limit {LARGEST_ERROR:.0%})"
    )
    _say(f"Mixed windows are attributed by a fit on {counted(costs.windows, 'window')}: {told}; {checked}.")
    click.echo()


def _print_windows(lines: Sequence[Line], sentinels: Sequence[Subject]) -> None:
    from bench.energy.checks import DRIFT, SURE_SECONDS
    from bench.energy.reasons import meaning

    rows = [
        (
            str(line.number),
            line.kind,
            line.language or "(several)" * (line.kind == "mixed"),
            line.task,
            digits(line.steady_seconds),
            digits(line.whole_seconds),
            f"{line.requests:,}",
            "-" if line.tokens is None else f"{line.tokens:,}",
            digits(line.joules),
            digits(line.watts),
            str(line.batch_asked or "-"),
            digits(line.batch_reached),
            "yes" if line.valid else "no",
        )
        for line in lines
    ]
    numbers = ("steady s", "whole s", "requests", "tokens", "J", "W", "batch asked", "reached")
    columns = {"no.": True, "kind": False, "language": False, "task": False, **dict.fromkeys(numbers, True)}
    _print_wide(columns | {"valid": False}, rows, "Windows, in the order of measuring", 3)
    click.echo()
    _say("Tokens, joules and watts are those of the steady stretch, of the whole window where there is none.")
    if any(line.watts is None and line.joules is not None for line in lines):
        _say(f"W is left out under {SURE_SECONDS:g} s: a counter moves in steps, and one of them is too much of that.")
    for one in sentinels:
        _say(
            f"The sentinel is {_task(one)} in {_code(one)}: between two that differ by more than {DRIFT:.0%}, windows"
            " have drifted."
        )
    reasons: dict[str, list[Line]] = {}
    for line in lines:
        for reason in line.reasons:
            reasons.setdefault(reason, []).append(line)
    for reason, having in reasons.items():
        _say(f"{reason.partition(':')[0]}: {meaning(reason)}. {_numbered(having, lines)}.")
    click.echo()


def _numbered(having: Sequence[Line], lines: Sequence[Line]) -> str:
    """Which windows: mixed ones have numbers of their own."""
    mixed = [line for line in having if line.kind == "mixed"]
    apart = [str(line.number) for line in having if line.kind != "mixed"]
    told = [f"Window{'s' * (len(apart) > 1)} {_listed(apart, 12)}"] if apart else []
    if mixed and len(mixed) == sum(line.kind == "mixed" for line in lines):
        told.append("All mixed windows")
    elif mixed:
        told.append(f"Mixed window{'s' * (len(mixed) > 1)} {_listed((str(line.number) for line in mixed), 12)}")
    return "; ".join(told)


def _print_checks(checks: Sequence[Checked]) -> None:
    from bench.cli.energy import TITLES
    from bench.cli.tables import print_table

    titles = {**TITLES, "drift": ("sentinels agree", "{:.1%}")}
    rows = [
        (
            one.id,
            titles[one.id][0],
            *(f"{number:,}" for number in (one.passed, one.failed, one.not_made)),
            "-" if one.worst is None else titles[one.id][1].format(one.worst),
        )
        for one in checks
    ]
    numbers = ("passed", "failed", "not made", "largest found")
    print_table({"check": False, "what": False, **dict.fromkeys(numbers, True)}, rows, "Checks (docs/energy.md)")
    click.echo()
    for one in checks:
        limit = f"{one.limit} allowed" if one.limit else ""
        seen = "; ".join(filter(None, (limit, one.detail)))
        failed = f"failed in {_numbers_of(one.windows)}" if one.windows else ""
        unmade = f"not made: {one.why}" if one.why and one.why != one.detail else ""
        if said := "; ".join(filter(None, (failed, seen, unmade))):
            _say(f"{one.id}: {said}.")
    click.echo()


def _numbers_of(numbers: Sequence[int]) -> str:
    return f"window{'s' * (len(numbers) > 1)} {_listed(map(str, numbers), 12)}"


def _print_missing(missing: Sequence[Missing], *, apart: bool) -> None:
    from bench.energy.reasons import meaning

    if apart:
        click.echo()
    click.echo("Missing, and why\n")
    for one in missing:
        what = FIELDS.get(one.field, one.field.replace("_", " "))
        _say(f"{what}: {meaning(one.reason)}: {_listed(one.where)}.")


def _print_wide(columns: Mapping[str, bool], rows: Sequence[Sequence[str]], title: str, repeat: int) -> None:
    """A table in parts that fit the terminal, or `PIPED`, each with so many of the first columns."""
    from bench.cli.tables import print_table

    names = list(columns)
    if sys.stdout.isatty():
        print_table(columns, rows, title, repeat)
        return
    # tabulate pads a column that is as narrow as its header by two, and puts two between columns.
    widths = [max([len(name) + 2, *map(len, column)]) + 2 for name, *column in zip(names, *rows, strict=True)]
    first = list(range(repeat))
    parts = [list(first)]
    for index in range(repeat, len(names)):
        if sum(widths[one] for one in parts[-1]) + widths[index] - 2 > PIPED and len(parts[-1]) > repeat:
            parts.append(list(first))
        parts[-1].append(index)
    for number, part in enumerate(parts):
        if number:
            click.echo()
        kept = {names[index]: columns[names[index]] for index in part}
        print_table(kept, [[row[index] for index in part] for row in rows], "" if number else title)


def digits(value: float | None) -> str:
    """A number with three digits at least, a dash where there is none: what is missing is never written as a number."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _listed(names: Iterable[str], most: int = HERE) -> str:
    known = list(names)
    more = f" and {len(known) - most:,} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def _code(subject: Subject) -> str:
    return f"{subject.language}-{subject.variety}" if subject.variety else subject.language


def _task(subject: Subject) -> str:
    return subject.task.partition("@")[0]


def _say(text: str) -> None:
    from bench.cli.tables import note

    note(text)
