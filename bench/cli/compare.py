"""`compare`: runs against the first one, item by item."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import comparison
from bench.cli.show import scored_cells
from bench.comparison import Comparison, Scored
from bench.prompting import rotation
from bench.records import UsageError
from bench.runfile import RunFile, reading

if TYPE_CHECKING:
    from bench.arrays import Evidence

COLUMNS = {"language": False} | dict.fromkeys(("n", "base", "run", "difference"), True)
COLUMNS |= {"verdict": False, "p": True, "MDD": True}  # what matters least is last: narrow terminals split it off
SUMMARY = ("better", "worse", "neither", "untested", "mean difference (of)")
TESTS = {
    "mcnemar_exact": "McNemar's exact test",
    "sign_flip_exact": "exact sign flips of clusters",
    "approximate_randomisation": "approximate randomisation",
}
REASONS = {
    "only_in_baseline": "only the baseline has them",
    "only_in_system": "the baseline does not have them",
    "other_task_version": "the runs have different versions of the task",
    "other_mode": "asked in different modes",
    "other_prompt_language": "asked in different prompt languages",
    "other_shots": "asked with different numbers of examples",
    "other_repeats": "asked different numbers of times",
    "uneven_repeats": "some items were asked more often than others: run again with as many repeats for all",
    "other_signature": "scored by different versions or options of the metric: rescore the older run",
    "other_data": "the items are not the same",
    "no_common_items": "no item that both scored",
}


@click.command()
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", metavar="NAME", help="Compare by this metric instead of each task's headline metric.")
@click.option(
    "--by",
    type=click.Choice(["language", "task"]),
    default="language",
    show_default=True,
    help="A row for each language and a summary, or the summary alone.",
)
@click.option("--ranks", is_flag=True, help="The models' rank ranges alone, by each task's headline metric.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparisons, or the ranks, as one JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the comparisons as CSV.")
def compare(runs: Sequence[Path], metric: str | None, by: str, ranks: bool, as_json: bool, as_csv: bool) -> None:
    """Compares runs with the first one, the baseline, on the items that both have scored.

    Under the comparisons stand the ranks of all models: ranges, as far as the data can tell.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    if ranks and (metric or as_csv):
        raise UsageError("--ranks goes by the headline metric, as a table or --json: leave out --metric and --csv")
    if ranks:
        _print_ranks(_read_evidence(runs), as_json)
        return
    scored = _read(runs, metric)
    found = comparison.compare(scored[0], scored[1:])
    if all(one.reasons.get("verdict", "").startswith("only_in") for one in found):
        by_metric = f" by {metric}" if metric else ""
        raise UsageError(f"nothing to compare: {runs[0]} shares no task and language{by_metric} with any other run")
    if as_json:
        json.dump([asdict(one) for one in found], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif as_csv:
        _write_csv(found, sys.stdout)
    else:
        print_comparisons(found, by)
        if not metric:
            click.echo()
            _print_ranks(_read_evidence(runs), as_json=False)


def _print_ranks(evidence: Evidence, as_json: bool) -> None:
    from bench.cli.ranks import print_ranks
    from bench.cli.tables import left_out
    from bench.ranking import standings

    found = standings(evidence)
    if as_json:
        json.dump([asdict(one) for group in found for one in group], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    ranked = [group for group in found if any(one.rank for one in group)]
    if ranked:
        print_ranks(ranked)
        return
    for group in found:
        compared = [one.aggregate for one in group if one.reason not in {"baseline", "self_test", "alone"}]
        if len(compared) > 1:
            click.echo(
                f"No ranks for {'+'.join(compared[0].tasks)}; languages left out: {left_out(compared[0].left_out)}"
            )
    click.echo("No ranks: fewer than two models can be ranked on the same items (floors and self-tests never are).")


def _read_evidence(paths: Sequence[Path]) -> Evidence:
    """What ranks are made from; two runs of the same model go by their files' names."""
    from bench.arrays import Evidence, read

    _check(paths)
    models = []
    for path in paths:
        with RunFile.read(path) as opened, reading(path):
            models.append(scored_cells(opened)[0].model)
    evidence = Evidence((), {})
    for path, name, model in zip(paths, _names(paths), models, strict=True):
        with RunFile.read(path) as opened, reading(path):
            evidence += read(opened, name if models.count(model) > 1 else "")
    return evidence


def _check(paths: Sequence[Path]) -> None:
    """Raises `UsageError` for fewer than two runs, or one twice. Says so where options stand in another order."""
    if len(paths) < 2:
        raise UsageError(f"one run alone: give another to compare with {paths[0]}")
    twice = [path for path, number in Counter(path.resolve() for path in paths).items() if number > 1]
    if twice:
        raise UsageError(f"{twice[0].name} is given twice: a run does not differ from itself")
    turned = {}
    for path in paths:
        with RunFile.read(path) as opened, reading(path):
            turned[path] = rotation(opened.identity().decoding)
    if len(set(turned.values())) > 1:
        moved = ", ".join(f"{path.name} by {places}" for path, places in turned.items() if places)
        click.echo(f"options stand in another order ({moved}): what differs may be their places", err=True)


def _read(paths: Sequence[Path], metric: str | None) -> list[Scored]:
    """The runs' scores. Raises `UsageError` for what `_check` refuses, and for a metric that none has."""
    from tasks.suggest import did_you_mean

    _check(paths)
    scored, known = [], dict[str, None]()
    for path, name in zip(paths, _names(paths), strict=True):
        with RunFile.read(path) as opened, reading(path):
            cells = scored_cells(opened)
            known |= dict.fromkeys(cell.metric for cell in cells)
            scored.append(comparison.read(opened, cells, name, metric))
    if metric and metric not in known:
        raise UsageError(f"no run has the metric {metric!r}{did_you_mean(metric, known)}; they have {', '.join(known)}")
    return scored


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' names, or where two are equal the whole paths."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _write_csv(found: Iterable[Comparison], stream: Any) -> None:
    writer = csv.DictWriter(stream, [field.name for field in fields(Comparison)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(one), "reasons": json.dumps(one.reasons)} for one in found)


def print_comparisons(found: Sequence[Comparison], by: str) -> None:
    """A table for each task and system with a row a language, unless by task; then how many languages are better."""
    from bench.cli.tables import print_table

    told = {one.baseline_run: one.baseline for one in found} | {one.system_run: one.system for one in found}
    if len(set(told.values())) < len(told):  # the same model in two runs: then the files tell them apart
        told = {name: name for name in told}
    groups = _grouped(found)
    if by == "language":
        for group in groups:
            first = group[0]
            title = f"{first.task} ({first.metric}): {told[first.system_run]} against {told[first.baseline_run]}"
            digits = _digits(group)
            print_table(COLUMNS, [_row(one, digits) for one in group if one.scope == "language"], title, 1)
            click.echo()
    several = len({one.system_run for one in found}) > 1
    text = ("task", "system") if several else ("task",)
    rows = [_summary(group, told if several else None) for group in groups]
    columns = dict.fromkeys(text, False) | dict.fromkeys(SUMMARY, True)
    print_table(columns, rows, f"All against {told[found[0].baseline_run]}" if several else "Summary", len(text))
    click.echo()
    for line in _notes(found, by):
        wrapped = textwrap.fill(line.replace(" %", "\N{NO-BREAK SPACE}%"), min(100, shutil.get_terminal_size().columns))
        click.echo(wrapped.replace("\N{NO-BREAK SPACE}", " "))


def _grouped(found: Sequence[Comparison]) -> list[list[Comparison]]:
    """What one table is of: a system in a task. Those of a task stand together."""
    tasks: dict[tuple[object, ...], dict[str, list[Comparison]]] = {}
    for one in found:
        if not one.reasons.get("verdict", "").startswith("only_in"):
            systems = tasks.setdefault((one.task, one.mode, one.prompt_language, one.shots, one.metric), {})
            systems.setdefault(one.system_run, []).append(one)
    return [group for systems in tasks.values() for group in systems.values()]


def _row(one: Comparison, digits: int) -> tuple[str, ...]:
    from bench.cli.tables import number

    return (
        f"{one.language}-{one.variety}" if one.variety else f"{one.language}",
        f"{one.n:,}",
        number(one.baseline_value, one.metric),
        number(one.system_value, one.metric),
        _difference(one, digits),
        "neither" if one.verdict == "not_separable" else (one.verdict or "-").replace("_", " "),
        "-" if one.p_adjusted is None else "<.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}",
        "-" if one.minimum_detectable is None else f"{one.minimum_detectable * _scale(one):.{digits}f}",
    )


def _difference(one: Comparison, digits: int) -> str:
    if one.difference is None:
        return "-"
    scale = _scale(one)
    told = f"{one.difference * scale:+.{digits}f}"
    if one.ci_low is None or one.ci_high is None:
        return told
    return f"{told} [{one.ci_low * scale:.{digits}f}, {one.ci_high * scale:.{digits}f}]"


def _scale(one: Comparison) -> int:
    """Differences of shares are in percentage points: without a sign for each they fit a narrow terminal."""
    from bench.cli.tables import number

    return 100 if number(0.0, one.metric).endswith("%") else 1


def _digits(group: Sequence[Comparison]) -> int:
    """One decimal, or two where a whole interval could vanish in one."""
    errors = [one.standard_error * _scale(one) for one in group if one.standard_error]
    return 2 if min(errors, default=1.0) < 0.25 else 1


def _summary(group: Sequence[Comparison], told: Mapping[str, str] | None) -> tuple[str, ...]:
    verdicts = Counter(one.verdict for one in group if one.scope == "language")
    tested = verdicts["better"], verdicts["worse"], verdicts["not_separable"]
    means = [one for one in group if one.scope == "macro"]
    return (
        group[0].task,
        *([told[group[0].system_run]] if told else []),
        *(f"{number:,}" for number in (*tested, verdicts.total() - sum(tested))),
        f"{_difference(means[0], _digits(group))} ({means[0].languages:,})" if means else "-",
    )


def _notes(found: Sequence[Comparison], by: str) -> Iterator[str]:
    single = [one for one in found if one.scope == "language"]
    if by == "language":
        yield (
            "n: items that both scored. difference: run less base, in points, with the 95 % interval of each by"
            f" itself. verdict: by p ({_tests(single)}; Holm's method over"
            f" {max(one.comparisons for one in single):,} comparisons), so that an interval may leave 0 out where it is"
            " neither. MDD: the minimum detectable difference, which"
            " a single test at 5 % finds in 80 % of cases."
        )
    yield (
        "neither: no difference that the data can show. untested: too few items or clusters, or not comparable."
        " mean difference: over the languages that every run has, so many; items that they share are drawn together."
    )
    left = sum(one.baseline_only + one.system_only for one in single)
    if left:
        yield f"Left out: {left:,} items that only one of the two scored."
    reasons = Counter(one.reasons.get("verdict", "") for one in single if one.verdict == "not_comparable")
    for reason, number in sorted(reasons.items()):
        yield f"Not compared: {number:,} {'language' if number == 1 else 'languages'} ({REASONS[reason]})."


def _tests(found: Iterable[Comparison]) -> str:
    return ", ".join(sorted({TESTS[one.test] for one in found if one.test})) or "none"
