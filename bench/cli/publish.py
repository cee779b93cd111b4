"""`publish` and `serve`: the leaderboard."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.counting import counted
from bench.cli.declarations import add_declarations, declarations
from bench.records import BenchError, UsageError

if TYPE_CHECKING:
    from leaderboard.records import Badge
    from leaderboard.snapshot import Info, PublishedModel

board_option = click.option(
    "--board", type=click.Path(path_type=Path), default=Path("board"), show_default=True, help="Folder of the board."
)


@click.command()
@click.argument("files_made", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN|PREMIUMS...")
@board_option
@click.option(
    "--rescore",
    is_flag=True,
    help="Check the runs as a board checks what it is sent, from plan to scores; what passes is marked re-scored.",
)
@click.option(
    "--data", metavar="DIR", type=click.Path(path_type=Path), help="With --rescore: the data; also BENCH_DATA."
)
@click.option("--to", metavar="URL", help="Send the runs to the board at this address instead.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the board's token, with --to; else the environment's BENCH_TOKEN.",
)
@click.option("--wait", is_flag=True, help="With --to: wait until the board has checked what was sent.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@declarations
def publish(
    files_made: tuple[Path, ...],
    board: Path,
    rescore: bool,
    data: Path | None,
    to: str | None,
    token_file: Path | None,
    wait: bool,
    as_json: bool,
    files: tuple[str, ...],
) -> int:
    """Makes a snapshot of runs for the leaderboard, and makes it current; or sends them to a board elsewhere.

    Models that are on the board already stay; one that is published again is replaced. Files of tokenizer premiums,
    FILE.premium.json as `tokens --output` writes them, are published beside runs or alone. With --rescore the answers
    are scored anew from the data here; where these are lacking a run stays self-reported, and nothing is published
    where one does not pass. What is sent with --to URL is checked and scored anew there, and a moderator decides; the
    command lines of the run stay here.
    """
    from bench.premium.files import SUFFIX
    from leaderboard.snapshot import publish as make

    if rescore and files:
        raise UsageError("--rescore knows the program's tasks alone; publish runs of your own tasks without it")
    add_declarations(files)
    premiums = [path for path in files_made if path.name.endswith(SUFFIX)]
    if to is not None:
        from bench.cli.submit import submit

        if premiums:
            raise UsageError(f"{premiums[0]} is no run: a board elsewhere takes run files, which hold their premiums")
        if rescore:
            raise UsageError("--to sends the runs to a board that scores them anew itself; leave --rescore out")
        return int(not submit(list(files_made), to, token_file, wait=wait, as_json=as_json, say=click.echo))
    if token_file is not None or wait:
        raise UsageError("--token-file and --wait go with --to URL")
    if data is not None and not rescore:
        raise UsageError("--data goes with --rescore")
    runs = [path for path in files_made if path not in premiums]
    badges = _rescored(runs, data) if rescore else {}
    info = make(runs, board, premiums, badges)
    if as_json:
        told = {**asdict(info), "path": str(info.path), **({"badges": badges} if rescore else {})}
        json.dump(told, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _report(info, board)
    return 0


def _rescored(runs: list[Path], data: Path | None) -> dict[str, Badge]:
    """The badge of each run by its id, with a line for each that could not be scored anew. Raises `BenchError`."""
    from bench.cli.progress import plain, watch
    from leaderboard.desk.vetting import vetted

    found = vetted(runs, data, watch)
    for path, verdict in found.items():
        if verdict.detail:
            click.echo(f"{path}: {plain(verdict.detail)}", err=True)
    return {verdict.run: verdict.badge for verdict in found.values()}


def _what_became(model: PublishedModel) -> str:
    """What a publish did to a model; neither results nor a better badge that it no longer has go in silence."""
    if not model.replaced:
        return "new"
    dropped = f"{counted(model.dropped, 'result')} dropped" if model.dropped else ""
    outranked = f"was {model.outranked}" if model.outranked else ""
    return ", ".join(filter(None, ["replaced", dropped, outranked]))


def _report(info: Info, board: Path) -> None:
    from bench.cli.tables import print_table

    rows = [
        (
            model.model,
            f"/models/{model.slug}",
            _what_became(model),
            f"{model.results:,}",
            f"{model.cells - model.results:,}",
            f"{model.languages:,}",
        )
        for model in info.published
    ]
    if rows:
        columns = {"model": False, "address": False, "": False, "results": True, "other metrics": True}
        print_table({**columns, "languages": True}, rows)
    for address in info.premiums:
        click.echo(f"tokenizer premiums: /tokens/{address}")
    left_out: dict[tuple[str, str], dict[str, None]] = {}
    for one in info.withheld:
        place = f"{one.language}{one.variety and '-' + one.variety} ({one.errors} of {one.asked} without an answer)"
        left_out.setdefault((one.model, one.task), {})[place] = None  # once, whatever the metric
    for (model, task), places in left_out.items():
        more = f" and {len(places) - 3:,} more" if len(places) > 3 else ""
        click.echo(f"withheld: {model} {task}, too many errors: {', '.join(list(places)[:3])}{more}")
    done = "is current" if info.changed else "was current already"
    held = f"{counted(info.models, 'model')}, {counted(info.results, 'result')}"
    click.echo(f"\nsnapshot {info.snapshot} {done}: {held}, {info.path}")
    click.echo(f"`python -m bench serve --board {board}` shows it")


@click.command()
@board_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 takes any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--workers", type=click.IntRange(0, 64), default=0, help="Processes for the public, under gunicorn; 0: just a look."
)
def serve(board: Path, port: int, host: str, workers: int) -> None:
    """Serves the leaderboard. Ctrl-C ends it.

    It shows each newly published snapshot at once. For the public give --workers, as many as there are cores, and put
    a web server before it.
    """
    if workers:
        from leaderboard import serving

        _listen(host, port).close()  # says in one line what gunicorn would say in twenty
        serving.serve(board, host, port, workers, _say_where)
        return
    from werkzeug.serving import make_server

    from leaderboard.app import create_app

    app = create_app(board)
    with _listen(host, port) as listening:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line a request
        address, bound = listening.getsockname()[:2]
        server = make_server(host, bound, app, threaded=True, fd=listening.fileno())
        _say_where(address, bound)
        try:
            server.serve_forever()
        finally:
            server.server_close()


def _say_where(address: str, port: int) -> None:
    click.echo(f"the board is at http://{f'[{address}]' if ':' in address else address}:{port}/ (Ctrl-C ends)")


def _listen(host: str, port: int) -> socket.socket:
    """The socket, bound here because werkzeug would print three lines and exit where the port is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise UsageError(f"no such address {host}: {error.strerror}; give another --host") from error
    except OverflowError as error:
        raise UsageError(f"no such port {port}; give another --port") from error
    except OSError as error:
        why = os.strerror(error.errno or 0)  # the error's own words repeat the address
        raise BenchError(f"cannot listen on {host} port {port}: {why}; give another --port") from error
