"""The interface in several languages. A catalogue is a `.po` file in `translations/`; nothing has to be compiled."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, has_request_context
from flask_babel import Babel, Domain

from leaderboard import numerals, prefixes
from leaderboard.prefixes import DEFAULT, LOCALES

FOLDER = Path(__file__).parent / "translations"


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language of the interface: its code, its own name, its direction, and the same page in it."""

    code: str
    autonym: str
    direction: str
    href: str


class _Catalogue(Translations):
    """A catalogue that writes per cents as its language does; without a file it says everything as it is written."""

    def __init__(self, locale: str, file: IO[bytes] | None = None) -> None:
        super().__init__(file)
        self._locale = locale

    def ugettext(self, message: str) -> str:
        """The translation of a message."""
        return numerals.percents(super().ugettext(message), self._locale)

    def ungettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The translation of a message in the form for that number."""
        return numerals.percents(super().ungettext(msgid1, msgid2, n), self._locale)


class _Catalogues(Domain):  # type: ignore[misc]
    """The catalogues, read from their sources."""

    def get_translations(self) -> NullTranslations:
        """That of the request's language."""
        return catalogue(prefixes.current().locale) if has_request_context() else NullTranslations()


@functools.cache
def catalogue(locale: str) -> NullTranslations:
    """The translations into one language; those into the default say everything as it is written."""
    if locale == DEFAULT:
        return _Catalogue(locale)
    compiled = io.BytesIO()
    with (FOLDER / f"{locale}.po").open("rb") as source:
        # Fuzzy ones are guesses of a tool and stay out, so that such a text is shown in English.
        write_mo(compiled, read_po(source, locale=locale))
    compiled.seek(0)
    return _Catalogue(locale, compiled)


def load() -> None:
    """Reads every catalogue."""
    for locale in LOCALES:
        catalogue(locale)


def init(app: Flask) -> None:
    """Makes templates and Python texts speak the language of the address."""
    babel = Babel(app, default_locale=DEFAULT, locale_selector=lambda: prefixes.current().locale)
    babel.domain_instance = _Catalogues()
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True


def direction(locale: str) -> str:
    """`ltr` or `rtl`."""
    found: str = Locale.parse(locale).text_direction
    return found


def tongues(path: str) -> tuple[Tongue, ...]:
    """Every language of the interface with the address of the same page in it."""
    prefix = prefixes.current()
    made = []
    for code in LOCALES:
        own = Locale.parse(code).get_display_name(code) or code
        made.append(Tongue(code, own, direction(code), f"{prefix.at(locale=code)}{path}"))
    return tuple(made)
