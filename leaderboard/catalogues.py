"""The catalogues of translations, brought up to date with the texts of the program: `python -m leaderboard.catalogues`.

Texts are found in the sources (Babel, by `translations/babel.cfg`), and in what the program says without having it
written down here: the meanings of reason codes and the like. Every message keeps its translation; one that is gone
goes, and a new one comes empty. A run that finds nothing new changes nothing: no file holds a date or a line number.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po
from werkzeug.exceptions import default_exceptions

import languages
import tasks
from bench.energy import reasons as energy
from bench.premium import reasons as premium
from leaderboard import wording
from leaderboard.desk.records import REASONS
from leaderboard.prefixes import DEFAULT, LOCALES
from leaderboard.translation import FOLDER
from tasks import FLAWS

SOURCES = Path(__file__).parent
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None, "lazy_ngettext": (1, 2)}
NOTE = "Translators:"
"""How a comment in the sources begins that is meant for translators."""

_HEADER = """\
# Translated by machine; not yet reviewed by a speaker.
msgid ""
msgstr ""
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""
_WIDTH = 110
_STATUSES = (400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503)

# Babel has the forms for 11 to 99 and for the rest of Arabic the other way round than every tool of translators.
_PLURALS = {
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"
}


def unwritten() -> Iterator[tuple[str, str]]:
    """Texts that are no literals in the sources, each with a word on where it comes from."""
    for metric in wording.METRICS.values():
        yield from ((text, "metrics") for text in (metric.label, metric.family, metric.meaning))
    for code, text in wording.REASONS.items():
        yield text, f"reason {code}"
        yield text.removeprefix(wording.UNRANKED).removeprefix(wording.UNCOUNTED), f"reason {code}"
    for meanings in (energy.MEANINGS, premium.MISSING, FLAWS, REASONS):
        yield from ((text, f"reason {code}") for code, text in meanings.items())
    declared = tasks.all_tasks().values()
    yield from ((text, "area or vertical of tasks") for task in declared for text in (task.area, task.vertical) if text)
    yield from ((one.macroarea, "part of the world") for one in languages.all_languages() if one.macroarea)
    yield from ((default_exceptions[status]().name, f"answer {status}") for status in _STATUSES)


def template(locale: str | None = None) -> Catalog:
    """Every message of the program, none of them translated."""
    with (FOLDER / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    made = Catalog(locale=locale, fuzzy=False)
    found = extract_from_dir(SOURCES, methods, options, KEYWORDS, (NOTE,), strip_comment_tags=True)
    for name, _line, message, comments, context in found:
        made.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    for text, where in unwritten():
        made.add(text, None, auto_comments=(where,))
    return made


def read(locale: str) -> Catalog:
    """A language's catalogue as it is; that of a language which has none yet is empty."""
    path = FOLDER / f"{locale}.po"
    with io.BytesIO(path.read_bytes() if path.exists() else b"") as file:
        return read_po(file, locale=locale)


def updated(locale: str, messages: Catalog) -> bytes:
    """A language's catalogue with exactly these messages, as the bytes of its file."""
    catalogue = read(locale)
    # Guesses at translations would have to be looked for and confirmed; an empty one shows what is to be done.
    catalogue.update(messages, no_fuzzy_matching=True)
    body = io.BytesIO()
    write_po(body, catalogue, _WIDTH, omit_header=True, sort_output=True, ignore_obsolete=True, include_lineno=False)
    plural = _PLURALS.get(locale, catalogue.plural_forms)
    return (_HEADER.format(locale=locale, plural=plural).encode() + body.getvalue()).rstrip(b"\n") + b"\n"


def missing(catalogue: Catalog) -> int:
    """How many messages have no translation, or not in all plural forms."""
    return sum(not all(_forms(message.string)) for message in catalogue if message.id)


def _forms(said: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return tuple(said) if isinstance(said, tuple | list) else (said or "",)


@click.command()
def update() -> None:
    """Brings the catalogue of every language of the interface up to date, and says what is left to translate."""
    messages = template()
    for locale in LOCALES:
        if locale != DEFAULT:
            (FOLDER / f"{locale}.po").write_bytes(updated(locale, messages))
            click.echo(f"{locale}: {missing(read(locale)):,} of {len(messages):,} messages to translate")


if __name__ == "__main__":
    update()
