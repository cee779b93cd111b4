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
    """Lists tasks, languages, models or runs."""


@list_.command()
@as_json
def tasks(as_json: bool) -> None:
    """Every task: what is asked, of how many languages, scored how."""
    import tasks as declared

    found = declared.all_tasks().values()
    if as_json:
        _print_json(task_facts(task) for task in found)
        return
    from bench.cli.tables import print_table

    names = ("task", "area", "kind", "languages", "metric", "origin", "licence", "suites")
    rows = []
    for task in found:
        count = len({variety.language for variety in task.varieties})
        suites = ", ".join(filter(None, (task.group, *task.suites)))
        rows.append((task.name, task.area, task.kind, str(count), task.metrics[0], task.origin, task.licence, suites))
    print_table({name: name == "languages" for name in names}, rows)


def task_facts(task: Any) -> dict[str, Any]:
    """A task as JSON has it."""
    modes = ["generate"] if task.kind == "generation" else ["loglikelihood", "first_token", "generate"]
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
        "suites": list(task.suites),
        "group": task.group,
        "floor": task.floor,
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
@as_json
def models(as_json: bool) -> None:
    """The ways to name a model."""
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

    names = ("run", "model", "answered", "planned", "cells", "last")
    table = [tuple("-" if facts[name] is None else str(facts[name]) for name in names) for facts in found]
    print_table({name: name in ("answered", "planned", "cells") for name in names}, table)


def _run_facts(path: Path) -> Mapping[str, Any]:
    from bench.records import BenchError
    from bench.runfile import RunFile

    try:
        with RunFile.read(path) as run:
            last = run.invocations()[-1:]
            return {
                "run": str(path),
                "model": run.manifest().get("model", ""),
                "answered": len(run.answered()),
                "planned": len(run.planned()),
                "cells": len(run.cells()),
                "last": (last[0]["outcome"] or "killed") if last else "empty",
            }
    except BenchError as error:
        return {"run": str(path), "model": "", "answered": None, "planned": None, "cells": None, "last": str(error)}


def _print_json(records: Iterable[Mapping[str, Any]]) -> None:
    json.dump(list(records), sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
