"""The command line. Each verb lives in a module that is imported when it is called, so that `--help` is instant.

This is the boundary where what went wrong becomes one line and an exit code: 0 done, 1 something failed (run again), 2
wrong arguments or input, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from bench.records import BenchError, UsageError

VERBS = {
    "run": ("bench.cli.run", "Evaluate models and write one run file for each."),
    "plan": ("bench.cli.run", "Print the requests that a run would make, as JSON lines."),
    "list": ("bench.cli.listing", "List tasks, languages, models or runs."),
    "show": ("bench.cli.show", "Print the results of a run as a table."),
    "compare": ("bench.cli.compare", "Say in which languages a run is better than another, and how sure that is."),
    "score": ("bench.cli.score", "Score plain text files, a segment a line, as sacrebleu does."),
    "rescore": ("bench.cli.show", "Score the answers of a run anew, asking no model."),
    "tokens": ("bench.cli.tokens", "Count what the same text costs in each language, in tokens."),
    "export": ("bench.cli.export", "Write a run as parquet, csv, jsonl or a copy of the database."),
    "energy": ("bench.cli.energy", "Say what energy this machine can measure, and explain what was measured."),
    "data": ("bench.cli.data", "Lock and verify the data files that tasks read."),
    "publish": ("bench.cli.publish", "Make a snapshot of runs for the leaderboard."),
    "serve": ("bench.cli.publish", "Serve the leaderboard."),
    "board": ("bench.cli.board", "Run a leaderboard: tokens, moderation, invalidations, the log."),
    "doctor": ("bench.cli.doctor", "Say what this machine can run and measure, and why not."),
}


class Verbs(click.Group):
    """Knows every verb's name and summary; imports the verb itself only when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order in which people meet them."""
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The verb, imported now."""
        if name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(VERBS[name][0]), name.replace("list", "list_"))
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest verb named where there is none of that name."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from tasks.suggest import did_you_mean

            context.fail(f"no command {args[0]!r}{did_you_mean(args[0], VERBS)}; `python -m bench --help` lists them")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Evaluates language models over hundreds of low-resource languages."""


def main(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code. What the user can mend is one line on standard error."""
    signal.signal(signal.SIGTERM, _terminate)
    _prepare_streams()
    try:
        # Not `bench.main`: it turns a broken pipe and Ctrl-C into exits of its own.
        with bench.make_context("python -m bench", list(arguments)) as context:
            code = int(bench.invoke(context) or 0)
    except click.exceptions.Exit as done:  # --help
        code = done.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message(), err=True)
        code = 2
    except BrokenPipeError:
        code = 0  # the reader (`head`) has seen enough
    except (click.ClickException, click.Abort, KeyboardInterrupt, OSError, MemoryError, BenchError) as error:
        message, code = _explain(error, arguments[0] if arguments else "")
        with contextlib.suppress(OSError):  # nobody reads, or the disk that standard error goes to is full
            click.echo(f"bench: {' '.join(message.split())}", err=True)
    _flush()
    return code


def _flush() -> None:
    """Writes out what is buffered; where that is not possible any more, Python must not complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(error: BaseException, verb: str) -> tuple[str, int]:
    """What to tell the user, and the exit code."""
    match error:
        case click.ClickException():
            return error.format_message(), 2
        case UsageError():
            return str(error), 2
        case BenchError():
            return str(error), 1
        case MemoryError():
            return "not enough memory for what was asked", 1
        case OSError():
            return f"{error.filename or 'output'}: {error.strerror}", 1
    told = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))  # batches that go on at a provider, say
    goes_on = "; a run goes on where it was when the same command is given again" if verb == "run" else ""
    return f"interrupted{goes_on}{told}", 130


def _prepare_streams() -> None:
    """UTF-8 whatever the locale says, for names of languages are in every script; and no stream is missing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
