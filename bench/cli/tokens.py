"""`tokens`: how many more tokens a text takes in a language than the same text in English."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.records import BenchError, UsageError
from bench.text import slug

if TYPE_CHECKING:
    from bench.premium.counting import Tokenizer
    from bench.premium.records import Premiums
    from bench.premium.texts import Corpus
    from tasks.records import Variety

PICTURE = ".svg"
LANGUAGES = "`python -m bench list languages` has them all"
WITHOUT = "tiktoken:NAME, hf:NAME and sp:FILE count without a service, tiktoken:o200k_base as GPT-4o and later do"
USUAL = ("tokenizer.json", "tokenizer.model")
"""What many tokenizers' files are called, so that it names none."""


@click.command()
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="TOKENIZER|MODEL|FILE.toml",
    help="hf:PATH_OR_REPO, sp:FILE.model, tiktoken:NAME_OR_FILE, bytes, codepoints, or a model that is being run, such"
    " as openai:MODEL; once for each (docs/tokens.md). The two controls unless told.",
)
@click.option(
    "-l", "--language", "codes", multiple=True, metavar="LANG", help="Language; all of the corpus's unless told."
)
@click.option(
    "--corpus",
    "name",
    default="ntrex",
    show_default=True,
    metavar="NAME",
    help="Parallel texts: ntrex, flores200, flores, tico19, udhr.",
)
@click.option("--data", metavar="DIR", help="Local mirror of the datasets, or a bundle; also BENCH_DATA.")
@click.option(
    "-M",
    "--model-option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the tokenizer or of the model's backend; never a secret: those come from the environment.",
)
@click.option(
    "--sort",
    type=click.Choice(["premium", "language"]),
    default="premium",
    show_default=True,
    help="By the first tokenizer's premium, the lowest first, or by the language's code.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Picture to write (NAME.svg), or a folder for them.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Premiums to write (NAME.premium.json), or a folder for them."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array, a tokenizer an object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a line for each tokenizer and language.")
def tokens(
    models: tuple[str, ...],
    codes: tuple[str, ...],
    name: str,
    data: str | None,
    options: tuple[str, ...],
    sort: str,
    plot: Path | None,
    output: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Counts what the same sentences cost in each language, in tokens, against English.

    The premium is the sum of tokens over the sentences divided by the sum in English, with a 95 % interval. With no
    arguments: plain bytes and code points, which show how much of a premium is not a vocabulary's doing.
    """
    from bench.backend import ModelStopped
    from bench.cli.choosing import use_mirror
    from bench.cli.progress import watch
    from bench.premium.files import SUFFIX
    from bench.premium.premium import compare
    from bench.premium.texts import corpus
    from bench.premium.tokenizers import CONTROLS

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    chosen = list(dict.fromkeys(models or CONTROLS))
    names = _names(chosen)
    files = _targets(names, name, output, "--output", SUFFIX)
    pictures = _targets(names, name, plot, "--plot", PICTURE)
    use_mirror(data)
    texts = corpus(name)
    varieties = _varieties(texts, codes)
    with contextlib.ExitStack() as opened:
        tokenizers = _open(chosen, options, opened)
        try:
            found = compare(tokenizers, texts, varieties, watch)
        except ModelStopped as stopped:
            raise BenchError(f"{stopped}; {WITHOUT}") from stopped
    made = {given: dataclasses.replace(one, tokenizer=names[given]) for given, one in zip(chosen, found, strict=True)}
    replaced = [path for path in (*files.values(), *pictures.values()) if path.exists()]
    written = _write(made, files, pictures)
    for path in replaced:
        click.echo(f"replaced {path}", err=True)
    _print(list(made.values()), sort, as_json=as_json, as_csv=as_csv, written=written)


def _varieties(texts: Corpus, codes: Sequence[str]) -> tuple[Variety, ...]:
    """The languages chosen. Raises `UsageError`, which says of an unknown one where the known ones are listed."""
    from languages import UnknownLanguage

    try:
        return texts.chosen(codes)
    except UsageError as error:
        if isinstance(error.__cause__, UnknownLanguage) and not error.__cause__.candidates:
            raise UsageError(f"{error}; {LANGUAGES}") from error
        raise


def _print(found: Sequence[Premiums], sort: str, *, as_json: bool, as_csv: bool, written: Iterable[Path]) -> None:
    from bench.cli import tokens_output

    if as_json:
        tokens_output.print_json(found)
    elif as_csv:
        tokens_output.print_csv(found, sort)
    else:
        tokens_output.print_premiums(found, sort)
        for path in written:
            click.echo(str(path))


def _names(chosen: Iterable[str]) -> dict[str, str]:
    """Tokenizer as given -> its name in results. Raises `UsageError` where two could not be told apart there."""
    names: dict[str, str] = {}
    for given in chosen:
        name = _published(given)
        same = next((one for one, known in names.items() if known == name), None)
        if same is not None:
            raise UsageError(f"{same} and {given} would both be called {name}; count them apart")
        names[given] = name
    return names


def _published(given: str) -> str:
    """A tokenizer's name as results have it: of a file its own name, not its place on somebody's machine.

    A file that is called what all of them are called is named after its folder.
    """
    from bench.cards.facts import published
    from bench.cards.file import resolve
    from bench.premium.tokenizers import PROVIDERS

    name = resolve(given).name
    provider, _, rest = name.partition(":")
    path, comma, pattern = rest.partition(",") if provider == "tiktoken" else (rest, "", "")
    place = Path(path.strip()).expanduser()
    if provider not in PROVIDERS or not place.is_file():
        return published(name)
    whole = place.absolute()
    known = whole.parent.name if whole.name in USUAL else whole.name
    return f"{provider}:{known or whole.name}{comma}{pattern}"


def _targets(names: Mapping[str, str], corpus: str, given: Path | None, option: str, suffix: str) -> dict[str, Path]:
    """Tokenizer as given -> the file to write, none where none is asked for.

    Raises `UsageError` where one file is named for several tokenizers, and for a name that a file cannot have.
    """
    if given is None:
        return {}
    if given.name.endswith(suffix):
        if len(names) > 1:
            raise UsageError(f"{option} {given} names one file for {len(names)} tokenizers; name a folder")
        if given.is_dir():
            raise UsageError(f"{option} {given} is a folder; name a file, or a folder without {suffix}")
        return dict.fromkeys(names, given)
    if given.exists() and not given.is_dir():
        raise UsageError(f"{option} {given} is a file whose name does not end in {suffix}; name another, or a folder")
    if given.suffix in (PICTURE, ".json", ".csv", ".png", ".pdf") and not given.is_dir():
        raise UsageError(f"{option} {given} should end in {suffix}, or be a folder")
    paths = {one: given / f"{slug(f'{name}-{corpus}')}{suffix}" for one, name in names.items()}
    for path in paths.values():
        sharing = [one for one in names if paths[one] == path]
        if len(sharing) > 1:
            raise UsageError(f"{' and '.join(sharing)} would share {path}; count them apart, each with its {option}")
    return paths


def _open(chosen: Iterable[str], options: Iterable[str], opened: contextlib.ExitStack) -> list[Tokenizer]:
    """The tokenizers; `opened` closes the models among them. The controls have no options and pass them by.

    Raises `UsageError`.
    """
    from bench.cli.run import named_values
    from bench.premium.tokenizers import CONTROLS

    chosen = list(chosen)
    given = named_values(options, "-M", "-M pattern=cl100k_base")
    bare = CONTROLS if set(chosen) - set(CONTROLS) else ()
    return [_open_one(one, {} if one in bare else given, opened) for one in chosen]


def _open_one(given: str, options: Mapping[str, object], opened: contextlib.ExitStack) -> Tokenizer:
    from bench.cards.file import resolve
    from bench.models import PROVIDERS, Settings, load
    from bench.premium import tokenizers
    from bench.session import training
    from tasks.suggest import did_you_mean

    known = resolve(given)
    if tokenizers.is_file_tokenizer(known.name):  # what a model file sets is for its backend, not for its tokenizer
        return tokenizers.open_tokenizer(known.name, options)
    word, colon, _ = known.name.partition(":")
    if word not in PROVIDERS:
        hint = did_you_mean(word, (*tokenizers.PROVIDERS, *PROVIDERS))
        if not colon and Path(given).exists():
            hint = "; of a folder or file of Hugging Face's give hf:NAME, of a SentencePiece model sp:NAME"
        raise UsageError(f"no tokenizer {given!r}; one is {tokenizers.USAGE}, or a model such as openai:MODEL{hint}")
    if word == "openai" and not {**known.options, **options}.get("base_url") and not os.environ.get("OPENAI_BASE_URL"):
        raise UsageError(f"{given}: OpenAI's service does not count tokens; {WITHOUT}; -M base_url=URL asks another")
    model = load(known.name, Settings(training, options={**known.options, **options}, price=known.price))
    opened.callback(model.close)
    return tokenizers.of_model(model)


def _write(made: Mapping[str, Premiums], files: Mapping[str, Path], pictures: Mapping[str, Path]) -> list[Path]:
    """Writes what was asked for, each file whole or not at all."""
    import languages
    from bench.premium.files import write
    from bench.premium.plot import svg

    for given, path in files.items():
        write(made[given], path)
    for given, path in pictures.items():
        names = {one.language: languages.get(one.language).name for one in made[given].languages}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            part.write_text(svg(made[given], names), "utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return [*files.values(), *pictures.values()]
