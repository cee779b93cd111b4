"""`board`: what the people who run a leaderboard do. Tokens, moderation, invalidations and the log."""

# ruff: noqa: A002 - click passes an argument ID as `id`

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.cli import board_site
from bench.cli.board_site import board_option, json_option
from bench.cli.counting import counted
from bench.records import BenchError

if TYPE_CHECKING:
    from leaderboard.desk.outlook import Outlook
    from leaderboard.desk.records import Event, Submission
    from leaderboard.invalidations import Invalidation

SHOWN = 10
"""So many cells are listed; the rest are counted."""

Command = TypeVar("Command", bound=Callable[..., Any])

by_option = click.option(
    "--by", metavar="NAME", default="moderator", show_default=True, help="Who decides; the log is public."
)


def _decorated(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


shown = _decorated(board_option, json_option)
decided = _decorated(board_option, json_option, by_option)


@click.group()
def board() -> None:
    """Runs a leaderboard: tokens, moderation, invalidations, the log, snapshots, the site as files."""


for command in (board_site.history, board_site.diff, board_site.warm, board_site.freeze):
    board.add_command(command)


@board.group()
def tokens() -> None:
    """Makes, lists and revokes the tokens that submissions need."""


@tokens.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, default=("submit",), show_default=True, help="submit or withdraw.")
@click.option("--days", type=int, default=90, show_default=True, help="How long it holds; at most 366.")
@shown
def create_token(name: str, scopes: tuple[str, ...], days: int, board: Path, as_json: bool) -> None:
    """Makes a token for NAME and prints it: it is shown this once."""
    from leaderboard.desk import access
    from leaderboard.desk.store import Desk

    with Desk.open(board) as desk:
        secret, token = access.create(desk, name, scopes, days)
    if as_json:
        _print_json({**asdict(token), "token": secret})
        return
    click.echo(secret)
    click.echo(f"token {token.id} of {token.name}: {', '.join(token.scopes)}, until {token.expires}", err=True)
    click.echo("give it to its owner now; nobody can read it again", err=True)


@tokens.command("list")
@shown
def list_tokens(board: Path, as_json: bool) -> None:
    """Lists all tokens, without their secrets."""
    from leaderboard.desk import access
    from leaderboard.desk.store import Desk

    with Desk.open(board) as desk:
        found = access.listed(desk)
    if as_json:
        _print_json([asdict(token) for token in found])
        return
    rows = [
        (
            *(each.id, each.name, ", ".join(each.scopes), each.created[:10], each.expires[:10]),
            *(each.last_used or "never", each.revoked[:10] or "-"),
        )
        for each in found
    ]
    _table(("id", "name", "scopes", "created", "expires", "last used", "revoked"), rows, "no tokens yet")


@tokens.command("revoke")
@click.argument("id")
@shown
def revoke_token(id: str, board: Path, as_json: bool) -> None:
    """Ends the token ID for ever."""
    from leaderboard.desk import access
    from leaderboard.desk.store import Desk

    with Desk.open(board) as desk:
        token = access.revoke(desk, id)
    _said(asdict(token), f"token {token.id} of {token.name} is revoked since {token.revoked}", as_json=as_json)


@board.group()
def review() -> None:
    """Lists submissions and decides on them."""


@review.command("list")
@click.option("--state", help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many, the newest first.")
@click.option("--before", metavar="ID", help="Only those that are older than this one.")
@shown
def list_submissions(state: str | None, limit: int, before: str | None, board: Path, as_json: bool) -> None:
    """Lists submissions, the newest first."""
    from leaderboard.desk.records import STATES
    from leaderboard.desk.store import Desk

    chosen = next((each for each in STATES if each == state), None)
    if state and chosen is None:
        raise click.BadParameter(f"no state {state!r}; there are {', '.join(STATES)}")
    with Desk.open(board) as desk:
        found = desk.submissions(chosen, limit, before)
    if as_json:
        _print_json([asdict(each) for each in found])
        return
    rows = [
        (each.id, each.received, _state(each), each.sender, each.model or "-", each.badge or "-", _count(each.attempt))
        for each in found
    ]
    _table(("id", "received", "state", "sender", "model", "badge", "attempt"), rows, "no submissions")


@review.command("show")
@click.argument("id")
@shown
def show_submission(id: str, board: Path, as_json: bool) -> None:
    """Shows one submission, what became of it, and what accepting it would replace."""
    from leaderboard.desk.review import foreseen
    from leaderboard.desk.store import Desk

    with Desk.open(board) as desk:
        found, events = desk.submission(id), desk.events(id, limit=1000)
        outlook, unknown = None, ""
        try:
            outlook = foreseen(board, desk, found)
        except BenchError as error:  # its history can be read all the same
            unknown = f"what accepting it would replace is not known: {error}"
    if as_json:
        told = {"events": [asdict(event) for event in reversed(events)], "outlook": outlook and asdict(outlook)}
        _print_json({**asdict(found), **told, **({"unknown": unknown} if unknown else {})})
        return
    for field, value in asdict(found).items():
        name = "results" if field == "cells" else field.replace("_", " ")
        click.echo(f"{name:14}{'-' if value is None or value == '' else value}")
    click.echo()
    _print_events(events[::-1])
    if outlook is not None or unknown:
        click.echo()
        if outlook is None:
            click.echo(unknown)
        else:
            _print_outlook(outlook)


@review.command()
@click.argument("id")
@click.option("--badge", help="self_reported, re_scored, re_run or sealed_set, instead of what checking gave it.")
@click.option("--replace", is_flag=True, help="Even where it replaces more, better checked or another's results.")
@decided
def accept(id: str, badge: Any, replace: bool, board: Path, as_json: bool, by: str) -> None:
    """Publishes the submission ID and makes the new snapshot current."""
    from leaderboard.desk.review import accept as decide

    info = decide(board, id, by, badge, replace=replace)
    told = {"submission": id, "state": "accepted", "snapshot": info.snapshot, "changed": info.changed}
    _said(told, f"submission {id} is accepted: snapshot {info.snapshot}", as_json=as_json)


@review.command()
@click.argument("id")
@click.option("--reason", required=True, help="contamination, not_reproducible, wrong_metadata, spam or other.")
@click.option("--detail", required=True, metavar="TEXT", help="One line for the sender.")
@decided
def decline(id: str, reason: str, detail: str, board: Path, as_json: bool, by: str) -> None:
    """Declines the submission ID."""
    from leaderboard.desk.review import decline as decide

    found = decide(board, id, by, reason, detail)
    _said(asdict(found), f"submission {id} is declined: {found.reason}, {found.detail}", as_json=as_json)


@review.command()
@click.argument("id")
@click.argument("run", type=click.Path(path_type=Path))
@decided
def rerun(id: str, run: Path, board: Path, as_json: bool, by: str) -> int:
    """Compares the submission ID with RUN, a run of the same plan that you made; exit code 1 where they differ."""
    from leaderboard.desk.review import mark_rerun

    found = mark_rerun(board, id, run, by)
    if as_json:
        _print_json(asdict(found))
    elif found.differing:
        rows = [(each.task, each.language, each.metric, each.why) for each in found.differing[:50]]
        _table(("task", "language", "metric", "difference"), rows, "")
        differ = "differs" if len(found.differing) == 1 else "differ"
        click.echo(f"\n{len(found.differing):,} of {counted(found.compared, 'cell')} {differ}; the badge stays")
    else:
        agree = "the only cell agrees" if found.compared == 1 else f"all {counted(found.compared, 'cell')} agree"
        click.echo(f"{agree}; the badge is re_run now")
    return int(bool(found.differing))


@board.command()
@click.argument("task")
@click.option("--version", "versions", multiple=True, help="Version that is wrong; all unless told.")
@click.option("--reason", required=True, metavar="TEXT", help="What is wrong, in one line for readers.")
@click.option("--fixed-in", default="", metavar="VERSION", help="Version that is right again.")
@shown
def invalidate(task: str, versions: tuple[str, ...], reason: str, fixed_in: str, board: Path, as_json: bool) -> None:
    """Marks the results of TASK as wrong, in every snapshot."""
    from leaderboard.invalidations import add

    made = add(board, task, versions, reason, fixed_in=fixed_in)
    _said(asdict(made), f"invalidation {made.number}: {made.task} {_versions(made)}, {made.reason}", as_json=as_json)


@board.command()
@click.option("--lift", "number", type=int, metavar="NUMBER", help="End the invalidation of this number.")
@shown
def invalidations(number: int | None, board: Path, as_json: bool) -> None:
    """Lists or lifts invalidations."""
    from leaderboard.invalidations import lift, read

    if number is not None:
        ended = lift(board, number)
        _said(asdict(ended), f"invalidation {number} of {ended.task} is lifted", as_json=as_json)
        return
    found = read(board)
    if as_json:
        _print_json([asdict(each) for each in found])
        return
    rows = [
        (str(each.number), each.task, _versions(each), each.since, each.fixed_in or "-", each.reason) for each in found
    ]
    _table(("number", "task", "versions", "since", "fixed in", "reason"), rows, "no invalidations")


@board.command()
@click.option("--verify", is_flag=True, help="Check that every event follows the one before it.")
@click.option("--head", default="", metavar="HASH", help="With --verify: a hash read earlier that has to be there.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="So many, the newest last.")
@shown
def log(verify: bool, head: str, limit: int, board: Path, as_json: bool) -> None:
    """Shows or verifies the log of the desk.

    --json prints all of it, a line an event.
    """
    from leaderboard.desk import log as chain
    from leaderboard.desk.store import Desk

    with Desk.open(board) as desk:
        if verify:
            fault = chain.check(desk, head)
            if fault is not None:
                raise BenchError(f"the log of {board} was tampered with: {fault}")
            _said(
                {"verified": True, "head": chain.head(desk)},
                f"the log is whole; its newest hash is {chain.head(desk)}",
                as_json=as_json,
            )
        elif as_json:
            sys.stdout.writelines(chain.export(desk))
        else:
            _print_events(desk.events(limit=limit)[::-1])


@board.command()
@click.option("--data", metavar="DIR", type=click.Path(path_type=Path), help="Data to score anew; also BENCH_DATA.")
@shown
def work(data: Path | None, board: Path, as_json: bool) -> None:
    """Checks the submissions that came in, until none is left."""
    from leaderboard.desk.intake import work as check

    count = check(board, data)
    _said({"checked": count}, f"{counted(count, 'submission')} checked", as_json=as_json)


def _print_outlook(outlook: Outlook) -> None:
    """What accepting a submission would do, and whether it takes --replace."""
    from bench.cli.tables import print_table

    if not outlook.replaces:
        click.echo(f"accepting it as {outlook.badge} replaces nothing")
        return
    click.echo(f"accepting it as {outlook.badge} replaces")
    rows = [
        (each.run, each.sender or "published here", each.badge, f"{each.cells:,}", f"{each.items:,}", each.date[:10])
        for each in outlook.replaces
    ]
    columns = dict.fromkeys(("run", "from", "badge"), False) | {"cells": True, "items": True, "date": False}
    print_table(columns, rows)
    fewer = [
        f"{each.before:,} -> {each.after:,} items in {each.cell}" for one in outlook.replaces for each in one.fewer
    ]
    for title, places in (("fewer items", fewer), ("dropped", outlook.dropped)):
        for told in places[:SHOWN]:
            click.echo(f"{title}: {told}")
        if len(places) > SHOWN:
            click.echo(f"{title}: {len(places) - SHOWN:,} more; --json lists them")
    click.echo(f"it would {outlook.why}: that takes --replace" if outlook.why else "that takes no --replace")


def _print_events(events: Sequence[Event]) -> None:
    rows = [
        (f"{each.number:,}", each.at, each.submission, each.state, each.reason or "-", each.actor, each.detail or "-")
        for each in events
    ]
    _table(("number", "at", "submission", "state", "reason", "by", "detail"), rows, "no events yet")


def _state(found: Submission) -> str:
    return f"{found.state} ({found.reason})" if found.reason else found.state


def _versions(found: Invalidation) -> str:
    return ", ".join(found.versions) or "all versions"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> None:
    from bench.cli.tables import print_table

    if rows:
        # Split where it is too wide: whoever decides has to copy the first column, and to read the others.
        print_table({column: column in ("number", "attempt") for column in columns}, rows, repeat=1)
    else:
        click.echo(none)


def _said(told: Mapping[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(told)
    else:
        click.echo(words)


def _print_json(told: object) -> None:
    click.echo(json.dumps(told, ensure_ascii=False))
