"""Declarations of tasks outside the package, for verbs that look at runs which asked them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bench.records import UsageError

declarations = click.option(
    "-t",
    "--task",
    "files",
    multiple=True,
    metavar="FILE.toml",
    help="Declaration of a task of your own that the run asked.",
)


def add_declarations(files: Sequence[str]) -> None:
    """Makes the tasks of these files known. Raises `UsageError`."""
    if not files:
        return
    import tasks

    for name in files:
        if not name.endswith(".toml"):
            raise UsageError(f"-t {name}: here it names the declaration of a task of your own, FILE.toml")
        try:
            tasks.add(Path(name))
        except tasks.DeclarationError as error:
            raise UsageError(str(error)) from error
