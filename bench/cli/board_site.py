"""`board history`, `diff`, `warm` and `freeze`: the snapshots of a leaderboard, and its site as files."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.counting import counted
from bench.cli.tables import print_table
from bench.records import UsageError

if TYPE_CHECKING:
    from leaderboard.history import Entry


def _published(_context: click.Context, _option: click.Parameter, board: Path) -> Path:
    """Raises `UsageError` where nothing was ever published: any other folder would get a desk and a list of its own."""
    from leaderboard import snapshot

    if not (board / snapshot.CURRENT).is_file():  # a damaged one is mended with what `history` and `log` tell
        raise snapshot.no_board(board)
    return board


board_option = click.option(
    "--board",
    type=click.Path(path_type=Path),
    default=Path("board"),
    show_default=True,
    callback=_published,
    help="Folder of the board.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print what was found or done as JSON.")
locale_option = click.option(
    "--locale", "locales", multiple=True, default=("en",), show_default=True, help="A language of the interface."
)


def _print(told: object) -> None:
    json.dump(told, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def _locales(given: tuple[str, ...]) -> tuple[str, ...]:
    from leaderboard.prefixes import LOCALES

    if "all" in given:
        return LOCALES
    for locale in given:
        if locale not in LOCALES:
            raise UsageError(f"no interface in {locale!r}; there are {', '.join(LOCALES)}, and all")
    return tuple(dict.fromkeys(given))


@click.command()
@board_option
@json_option
def history(board: Path, as_json: bool) -> None:
    """Lists every snapshot that was current, the newest first."""
    from leaderboard import history as kept

    entries = kept.read(board)[::-1]
    if as_json:
        _print([asdict(entry) for entry in entries])
        return
    if not entries:
        click.echo("this board is older than its history")
        return
    columns = {"published (UTC)": False, "snapshot": False, "results": True, "models": False}
    print_table(columns, [(entry.at[:16], entry.snapshot, _results(entry), _some(entry.models)) for entry in entries])


def _results(entry: Entry) -> str:
    """How many results there were; lines of older boards do not say."""
    return "-" if entry.results is None else f"{entry.results:,}"


def _some(models: Sequence[str]) -> str:
    """The first models, and how many there are besides."""
    more = f" and {len(models) - 3:,} more" if len(models) > 3 else ""
    return ", ".join(models[:3]) + more


@click.command()
@click.argument("old")
@click.argument("new")
@board_option
@json_option
def diff(old: str, new: str, board: Path, as_json: bool) -> None:
    """Says what changed from snapshot OLD to snapshot NEW: models that came and went, and every other number."""
    from leaderboard import history as kept
    from leaderboard import snapshot

    with contextlib.ExitStack() as opened:
        sides = []
        for name in (old, new):
            if not snapshot.is_name(name) or not snapshot.snapshot_path(board, name).is_file():
                raise UsageError(f"{board} has no snapshot {name!r}; `python -m bench board history` lists them")
            sides.append(opened.enter_context(contextlib.closing(snapshot.connect(board, name))))
        found = kept.diff(sides[0], sides[1])
    if as_json:
        _print(asdict(found))
        return
    for line in kept.lines(found):
        click.echo(line)


@click.command()
@board_option
@locale_option
@json_option
def warm(board: Path, locales: tuple[str, ...], as_json: bool) -> None:
    """Makes the pages of the current snapshot beforehand, so that nobody waits for the first one."""
    from bench.cli.progress import watch
    from leaderboard import walking
    from leaderboard.app import create_app

    written = walking.warm(walking.site_of(create_app(board, checks=False)), _locales(locales), watch)
    if as_json:
        _print({"pages": written})
    else:
        click.echo(f"{counted(written, 'page')} made beforehand")


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--root", default="", help="Where the files will lie on their server, such as /board; default: its top.")
@click.option("--live", default="", help="Address of the board that answers filters and submissions.")
@click.option("--snapshot", "name", default="", help="An older snapshot; default: the current one.")
@board_option
@locale_option
@json_option
def freeze(output: Path, root: str, live: str, name: str, board: Path, locales: tuple[str, ...], as_json: bool) -> None:
    """Writes the whole site as files, with the data of every page, for any plain file server or CDN."""
    from bench.cli.progress import watch
    from bench.services.secrets import plain_url
    from leaderboard import freezing, walking
    from leaderboard.app import create_app

    live = plain_url(live, "--live") if live else ""
    site = walking.site_of(create_app(board, checks=False))
    made = freezing.freeze(site, output, locales=_locales(locales), root=root, live=live, watch=watch, name=name)
    if as_json:
        _print(asdict(made))
        return
    click.echo(f"{counted(made.pages, 'page')}, {counted(made.files, 'file')}, {made.bytes / 1e6:,.1f} MB in {output}")
    if made.lost:
        some = ", ".join(made.lost[:3])
        lost = counted(len(made.lost), "address", "addresses")
        click.echo(f"not among the files, and no links: {lost}, such as {some}")
    click.echo(f"`python -m http.server --directory {output}` shows it")
