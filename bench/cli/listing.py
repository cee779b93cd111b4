"""`list`: what there is. Touches no data, and reads no locale."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from bench.records import UsageError

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")


@click.group(name="list")
def list_() -> None:
    """Lists tasks, suites, languages, models or runs."""


@list_.command()
@click.argument("names", nargs=-1, metavar="[TASK|SUITE|FILE.toml]...")
@as_json
def tasks(names: tuple[str, ...], as_json: bool) -> None:
    """Every task: what is asked, of how many languages, scored how. Named ones with each of their languages."""
    import tasks as declared

    try:
        found = declared.select(names) if names else tuple(declared.all_tasks().values())
    except (declared.UnknownTask, declared.DeclarationError) as error:
        raise UsageError(str(error)) from error
    if as_json:
        _print_json(task_facts(task) for task in found)
    elif names:
        _print_languages(found)
    else:
        _print_tasks(found)


def _print_tasks(found: Iterable[Any]) -> None:
    from bench.cli.tables import print_table

    columns = ("task", "area", "kind", "languages", "items", "metric", "origin", "licence", "access")
    rows = []
    for task in found:
        facts = coverage(task)
        known = [one["items"] for one in facts if one["items"] is not None]
        least, most = (min(known), max(known)) if known else (0, 0)
        items = "?" if not known else f"{most:,}" if least == most else f"{least:,}-{most:,}"
        origins = sorted({str(one["origin"]) for one in facts})
        area = f"{task.area} ({task.vertical})" if task.vertical not in ("", task.area) else task.area
        languages = str(len({one["language"] for one in facts}))
        origin = origins[0] if len(origins) == 1 else "mixed"
        rows.append((task.name, area, task.kind, languages, items, task.metrics[0], origin, task.licence, task.access))
    print_table({name: name in ("languages", "items") for name in columns}, rows, "", 1)
    click.echo("\n`list tasks TASK` shows each language; `list suites` the named suites.")


def _print_languages(found: Iterable[Any]) -> None:
    import languages as registry
    from bench.cli.tables import print_table

    columns = ("task", "language", "name", "code", "items", "basis", "origin", "flaw")
    rows = []
    for task in found:
        for one in coverage(task):
            place = f"{one['language']}{one['variety'] and '-' + one['variety']}"
            items = "?" if one["items"] is None else f"{one['items']:,}"
            name = registry.get(one["language"]).name
            origin, flaw = one["origin"], one["flaw"] or "-"
            rows.append((task.name, place, name, one["code"], items, one["items_basis"], origin, flaw))
    print_table({name: name == "items" for name in columns}, rows, "", 2)


def coverage(task: Any) -> list[dict[str, Any]]:
    """Each language of a task: how many items, who says so, how its text came about, what is wrong with it."""
    from tasks.counts import count

    made: list[dict[str, Any]] = []
    for variety in task.varieties:
        counted = count(task, variety)
        made.append(
            {
                "language": variety.language,
                "variety": variety.variety,
                "code": variety.code,
                "items": counted.items,
                "items_basis": counted.basis,
                "origin": task.origin_in(variety),
                "flaw": variety.flaw,
            }
        )
    return made


@list_.command()
@as_json
def suites(as_json: bool) -> None:
    """The named suites: which tasks, of how many languages."""
    import tasks as declared

    known = declared.all_tasks().values()
    made: list[dict[str, Any]] = []
    for suite in declared.suites().values():
        chosen = suite.of(known)
        made.append(
            {
                "name": suite.name,
                "title": suite.title,
                "tasks": [task.name for task in chosen],
                "languages": len({variety.language for task in chosen for variety in task.varieties}),
                "limit": suite.limit,
            }
        )
    if as_json:
        _print_json(made)
        return
    from bench.cli.tables import print_table

    columns = ("suite", "tasks", "languages", "limit", "what it is")
    rows = [(m["name"], str(len(m["tasks"])), str(m["languages"]), str(m["limit"] or "-"), m["title"]) for m in made]
    print_table({name: name in ("tasks", "languages", "limit") for name in columns}, rows)


def task_facts(task: Any) -> dict[str, Any]:
    """A task as JSON has it."""
    import tasks as declared
    from tasks.prompts import native_languages

    modes = ["loglikelihood", "first_token", "generate"] if task.kind == "choice" else ["generate"]
    suites = {suite.name for suite in declared.suites().values() if suite.has(task)}
    return {
        "name": task.name,
        "version": task.version,
        "title": task.title,
        "area": task.area,
        "vertical": task.vertical,
        "dataset": task.source.dataset,
        "languages": sorted({variety.language for variety in task.varieties}),
        "metric": task.metrics[0],
        "metrics": list(task.metrics),
        "chance": task.chance if task.kind == "choice" else 0.0,
        "modes": modes,
        "origin": task.origin,
        "licence": task.licence,
        "access": task.access,
        "suites": sorted({*suites, *task.suites}),
        "group": task.group,
        "floor": task.floor,
        "coverage": coverage(task),
        "kind": task.kind,
        "content": list(task.content),
        "native_prompts": native_languages(task),
        "contamination": task.contamination,
        "provenance": task.provenance,
        "unverified": list(task.unverified),
        "citation": task.citation,
        "notes": task.notes,
    }


@list_.command()
@as_json
def languages(as_json: bool) -> None:
    """Every language of the registry, with the tasks that it has."""
    import languages as registry
    import tasks as declared

    count: dict[str, int] = {}
    for task in declared.all_tasks().values():
        for code in {variety.language for variety in task.varieties}:
            count[code] = count.get(code, 0) + 1
    if as_json:
        facts = [field.name for field in fields(registry.Language)]
        _print_json(
            {**{name: getattr(found, name) for name in facts}, "tasks": count.get(found.code, 0)}
            for found in registry.all_languages()
        )
        return
    from bench.cli.tables import print_table

    names = ("code", "name", "autonym", "family", "area", "speakers", "class", "tasks")
    rows = [
        (
            found.code,
            found.name,
            found.autonym or "-",
            found.family or "-",
            found.macroarea or "-",
            f"{found.speakers:,}" if found.speakers is not None else "-",
            found.resource_class,
            str(count.get(found.code, 0)),
        )
        for found in registry.all_languages()
    ]
    print_table({name: name in ("speakers", "tasks") for name in names}, rows)


@list_.command()
@click.argument("given", nargs=-1, metavar="[RUN|MODEL.toml|PROVIDER:MODEL]...")
@click.option("--tree", is_flag=True, help="Show which of the models was made from which.")
@as_json
def models(given: tuple[str, ...], tree: bool, as_json: bool) -> None:
    """The ways to name a model; of given models what is known of them: licence, size, origin, languages."""
    if given:
        from bench.cli import models as known

        found = [known.read(one) for one in given]
        if as_json:
            _print_json(known.as_json(found, tree=tree))
        elif tree:
            known.print_family(found)
        else:
            known.print_facts(found)
        return
    if tree:
        raise UsageError("--tree needs models: run files, model files or names, such as `list models a.toml b.run.db`")
    from bench.models import PROVIDERS

    if as_json:
        _print_json({"provider": p.name, "usage": p.usage, "summary": p.summary} for p in PROVIDERS.values())
        return
    from bench.cli.tables import print_table

    rows = [(provider.usage, provider.summary) for provider in PROVIDERS.values()]
    print_table({"model": False, "what it is": False}, rows)


@list_.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@as_json
def runs(folder: Path, as_json: bool) -> None:
    """The run files in FOLDER (`runs` unless told)."""
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; `python -m bench run` makes run files in `runs`")
    found = [_run_facts(path) for path in sorted(folder.glob("*.db"))]
    if as_json:
        _print_json(found)
        return
    from bench.cli.tables import print_table

    names = ("run", "model", "answered", "planned", "results", "last")
    table = [tuple("-" if facts[name] is None else str(facts[name]) for name in names) for facts in found]
    print_table({name: name in ("answered", "planned", "results") for name in names}, table)


def _run_facts(path: Path) -> Mapping[str, Any]:
    from bench.records import BenchError
    from bench.runfile import RunFile

    try:
        with RunFile.read(path) as run:
            last = run.invocations()[-1:]
            planned, answered = run.counts()
            return {
                "run": str(path),
                "model": run.manifest().get("model", ""),
                "answered": answered,
                "planned": planned,
                "results": sum(cell.headline and cell.value is not None for cell in run.cells()),
                "last": (last[0]["outcome"] or "killed") if last else "empty",
            }
    except BenchError as error:
        return {"run": str(path), "model": "", "answered": None, "planned": None, "results": None, "last": str(error)}


def _print_json(records: Iterable[Mapping[str, Any]]) -> None:
    sys.stdout.write(json.dumps(list(records), ensure_ascii=False) + "\n")  # `json.dump` takes ten times as long
