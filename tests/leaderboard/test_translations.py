"""The interface in other languages: the catalogues fit the sources, and nothing that people read bypasses them."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from flask.testing import FlaskClient
from jinja2 import Environment, nodes

import languages
import tasks
from leaderboard import catalogues, translation
from leaderboard.app import create_app
from leaderboard.prefixes import DEFAULT, LOCALES
from leaderboard.walking import Stop, site_of, stops

TEMPLATES = sorted(Path(catalogues.SOURCES, "templates").glob("*.html"))
OTHERS = [locale for locale in LOCALES if locale != DEFAULT]

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
TAG = re.compile(r"</?[a-z][^>]*>")

SAID = ("aria-label", "title", "alt", "placeholder", "aria-description", "aria-roledescription")
"""Attributes that people read or hear."""

PSEUDO = "fr"
"""The language whose catalogue is replaced by a marked one."""

SILENT = frozenset({"code", "bdi", "script", "style", "pre", "samp", "kbd"})
"""Elements whose text is data."""


# The catalogues


@pytest.fixture(scope="module")
def template() -> Catalog:
    """Every message of the sources."""
    return catalogues.template()


def keys(catalogue: Catalog) -> set[object]:
    return {message.id for message in catalogue if message.id}


@pytest.mark.parametrize("locale", OTHERS)
def test_a_catalogue_holds_the_messages_of_the_sources(locale: str, template: Catalog) -> None:
    found = catalogues.read(locale)
    assert keys(found) == keys(template), "make translations brings the catalogues up to date"
    assert not found.obsolete
    assert not [message.id for message in found if message.fuzzy and message.id]
    assert not catalogues.missing(found)


@pytest.mark.parametrize("locale", OTHERS)
def test_an_update_without_changes_changes_nothing(locale: str, template: Catalog) -> None:
    path = translation.FOLDER / f"{locale}.po"
    assert catalogues.updated(locale, template) == path.read_bytes()


def test_an_update_keeps_translations_and_drops_what_is_gone(
    tmp_path: Path, template: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path)
    held = Catalog(locale="ar")
    held.add("Languages", "اللغات")
    held.add("a text that is gone", "x")
    with (tmp_path / "ar.po").open("wb") as file:
        write_po(file, held)
    made = catalogues.updated("ar", template)
    (tmp_path / "ar.po").write_bytes(made)
    found = catalogues.read("ar")
    assert keys(found) == keys(template) and found["Languages"].string == "اللغات" and not found.obsolete
    assert found.num_plurals == 6 and catalogues.missing(found) == len(template) - 1
    assert catalogues.updated("ar", template) == made


def forms(message: Message) -> Sequence[str]:
    return message.string if isinstance(message.string, tuple | list) else (message.string or "",)


def fault(message: Message, plurals: int) -> str:
    """What is wrong with a translation; empty where nothing is, or where there is none."""
    said = forms(message)
    if not any(said):
        return ""
    ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
    if len(said) != (plurals if len(ids) > 1 else 1) or not all(said):
        return f"{len(said)} forms, {plurals} wanted"
    wanted = set(PLACEHOLDER.findall(ids[-1]))
    optional = wanted if len(ids) > 1 else set()
    for form in said:
        found = set(PLACEHOLDER.findall(form))
        # A form such as that of two need not name its number; all others keep every placeholder.
        if not found <= wanted or len(wanted - found) > (1 if optional else 0):
            return f"placeholders {sorted(found)}, not {sorted(wanted)}"
        if Counter(TAG.findall(form)) != Counter(TAG.findall(ids[-1])):
            return f"tags {TAG.findall(form)}, not {TAG.findall(ids[-1])}"
        formatted = "%%" in ids[-1] or bool(wanted)
        rest = PLACEHOLDER.sub("", form).replace("%%", "")
        if formatted and "%" in rest:
            return "a lone percent sign"
    return ""


@pytest.mark.parametrize("locale", OTHERS)
def test_translations_have_the_placeholders_tags_and_forms_of_their_message(locale: str) -> None:
    found = catalogues.read(locale)
    assert not {message.id: why for message in found if message.id and (why := fault(message, found.num_plurals))}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("%(n)s of %(m)s", "%(n)s"),
        ("%(n)s of", "%(m)s of"),
        ("95 %% of", "95 % of"),
        ('<a href="%(to)s">x</a>', '<a href="%(to)s" onclick="x()">x</a>'),
        ('<a href="%(to)s">x</a>', '<b>%(to)s</b><a href="">x</a>'),
        (("%(n)s a", "%(n)s b"), ("%(n)s x",)),
        (("%(n)s %(m)s a", "%(n)s %(m)s b"), ("x", "%(n)s %(m)s")),
    ],
)
def test_a_translation_that_does_not_fit_is_found(wanted: str, said: str) -> None:
    assert fault(Message(wanted, said), 2)


def test_arabic_has_six_forms(tmp_path: Path) -> None:
    empty = Catalog(locale="ar")
    empty.add(("%(n)s model", "%(n)s models"))
    (tmp_path / "ar.po").write_bytes(catalogues.updated("ar", empty).replace(b'msgstr[0] ""', b'msgstr[0] "zero"'))
    text = (tmp_path / "ar.po").read_text("utf-8")
    for number, name in enumerate(("zero", "one", "two", "few", "many", "other")):
        text = text.replace(f'msgstr[{number}] ""', f'msgstr[{number}] "{name}"')
    (tmp_path / "ar.po").write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "FOLDER", tmp_path)
        translation.catalogue.cache_clear()
        spoken = translation.catalogue("ar")
    translation.catalogue.cache_clear()
    counts = {"zero": [0], "one": [1], "two": [2], "few": [3, 10, 103], "many": [11, 99, 111], "other": [100, 101, 102]}
    for name, numbers in counts.items():
        assert {spoken.ungettext("%(n)s model", "%(n)s models", number) for number in numbers} == {name}


# The templates

_BLOCK = re.compile(r"\{%-?\s*trans\b.*?\{%-?\s*endtrans\s*-?%\}", re.DOTALL)
_PLURAL = re.compile(r"\{%-?\s*trans\b([^%]*)%\}(?:(?!endtrans).)*?\{%-?\s*pluralize\s*(\w*)", re.DOTALL)
_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_WORD = re.compile(r"(?<![\w.-])[a-z]+(?![\w-])")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_NAMES = frozenset({"kJ", "Wh", "kWh", "GB", "MB", "kB", "JSON", "CSV", "Parquet", "SHA"})
"""Units and names that every language writes like that."""


class Texts(HTMLParser):
    """Every text and read attribute of a page or template outside of what is data, with the element it stands in."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        silent = (
            tag in SILENT or named.get("lang") not in {None, "{{ locale }}", "fr"} or named.get("translate") == "no"
        )
        silent = silent or bool(self._open and self._open[-1][1])
        if not silent:
            self.found += [value for name in SAID if (value := named.get(name))]
            if tag == "input" and named.get("type") in {"submit", "button", "reset"}:
                self.found.append(named.get("value") or "")
        if tag not in {"meta", "link", "br", "img", "input", "hr", "wbr"}:
            self._open.append((tag, silent))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in SAID and value]

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.found.append(data)


def untranslated(source: str) -> list[str]:
    """Words of a template that stand outside of messages: as text, in attributes, or as strings that are said."""
    bare = _CODE.sub(" ", _BLOCK.sub(" ", source))
    return [" ".join(text.split()) for text in Texts(bare).found if set(_LETTERS.findall(text)) - _NAMES]


def strings(source: str, environment: Environment) -> Iterator[str]:
    """String constants of a template that are put out as they are, and messages that are no constants."""

    def put_out(node: nodes.Node) -> Iterator[str]:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, nodes.CondExpr):
            yield from (text for part in (node.expr1, node.expr2) if part for text in put_out(part))
        elif isinstance(node, nodes.Concat):
            yield from (text for part in node.nodes for text in put_out(part))
        elif isinstance(node, nodes.Or):
            yield from (text for part in (node.left, node.right) for text in put_out(part))

    tree = environment.parse(source)
    for output in tree.find_all(nodes.Output):
        for child in output.nodes:
            yield from (text for text in put_out(child) if re.search(r"[^\W\d_]{2,} [^\W\d_]{2,}|^[A-Z][a-z]+$", text))
    for call in tree.find_all(nodes.Call):
        constant = bool(call.args) and isinstance(call.args[0], nodes.Const)
        if isinstance(call.node, nodes.Name) and call.node.name in {"_", "gettext", "ngettext"} and not constant:
            yield f"a message that is no constant in line {call.lineno}"
    for given, chosen_by in _PLURAL.findall(source):
        number = chosen_by or given.split("=")[0].strip()
        if number != "n" or re.search(r"\bn *= *['\"][^'\"]*['\"]\.format", given):
            yield f"a plural form chosen by {number}: the number itself has to be called n"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_all_that_people_read_in_a_template_is_a_message(path: Path) -> None:
    source = path.read_text("utf-8")
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    assert not untranslated(source)
    assert not list(strings(source, environment))


@pytest.mark.parametrize(
    "source",
    [
        "<p>Languages</p>",
        '<nav aria-label="Main pages"></nav>',
        '<p title="{{ x }} items">{{ _("Items") }}</p>',
        '<img alt="A plot" src="{{ x }}">',
        "<p>{% if x %}not ranked{% endif %}</p>",
        '<input type="submit" value="Send it">',
        "<p><code>x</code> and more</p>",
    ],
)
def test_a_text_that_is_no_message_is_found(source: str) -> None:
    assert untranslated(source)


def test_messages_and_data_are_no_such_texts() -> None:
    source = """{# a comment #}<p class="note">{{ _("Languages") }}: {% trans n=3 %}one{% pluralize %}{{ n }} of
    them{% endtrans %} <code>a.b</code> <span lang="en" dir="ltr">JSON data</span> <bdi>{{ name }}</bdi> 95 %</p>"""
    assert not untranslated(source)


@pytest.mark.parametrize(
    "source",
    [
        '{{ "a" if x else "Not there" }}',
        '{{ x or "none yet" }}',
        "{{ _(reason) }}",
        '{% trans n="{:,}".format(x) %}{{ n }} model{% pluralize %}{{ n }} models{% endtrans %}',
        "{% trans x=name, n=1 %}{{ x }}: {{ n }} model{% pluralize %}{{ x }}: {{ n }} models{% endtrans %}",
    ],
)
def test_a_string_that_is_no_message_is_found(source: str) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    assert list(strings(source, environment))


# The pages

OPEN, CLOSE = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}", "\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"
COMMON = frozenset(
    """
    the and of not no with is are was were for from this that these has have its it by in on to at an or all more than
    into over under about each only model models language languages task tasks results result items item points value
    score scores rank ranked ranks family families script speakers region version versions metric interval intervals
    energy tokens token premium licence license origin chance floor floors badge prompt answers answer answered how why
    what where when which missing unknown measured stated yet never page show compare download accuracy generate writes
    likelihood snapshot data other others
    """.split()
)
"""English words that no page in another language says outside of a message, a name or data."""

A_RULE = 4
"""So many pages of each kind are read."""


@pytest.fixture(scope="module")
def pseudo(board: Path, template: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A visitor of a board whose French is English with every message between marks."""
    folder = tmp_path_factory.mktemp("pseudo")
    for locale in OTHERS:
        shutil.copy(translation.FOLDER / f"{locale}.po", folder)
    marked = Catalog(locale=PSEUDO)
    for message in template:
        if message.id:
            plural = isinstance(message.id, tuple | list)
            said = tuple(f"{OPEN}{one}{CLOSE}" for one in message.id) if plural else f"{OPEN}{message.id}{CLOSE}"
            marked.add(message.id, said)
    with (folder / f"{PSEUDO}.po").open("wb") as file:
        write_po(file, marked)
    own = folder / "board"
    shutil.copytree(board, own)  # pages that were made are kept beside a board
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "FOLDER", folder)
        translation.catalogue.cache_clear()
        yield create_app(own).test_client()
    translation.catalogue.cache_clear()


def chosen(client: FlaskClient) -> list[Stop]:
    """Some pages of every kind, those with results among them."""
    site = site_of(client.application)
    name = (site.folder / "current").read_text("utf-8").strip()
    read: Counter[str] = Counter()
    every = stops(site, name)
    known = [stop for stop in every if any(word in stop.path for word in ("yor_Latn", "good", "hostile", "sib200"))]
    found = []
    for stop in [*known, *every]:
        if stop not in found and read[stop.page.rule] < A_RULE:
            read[stop.page.rule] += 1
            found.append(stop)
    return found


def outside(html: str) -> str:
    """What a page says outside of the marks of messages and of data."""
    start = html.index("<body")
    said = "".join(Texts(html[start:]).found)
    depth, kept = 0, []
    for char in said:
        if char == OPEN:
            depth += 1
        elif char == CLOSE:
            depth -= 1
        elif not depth:
            kept.append(char)
        if char == CLOSE:
            kept.append(" ")
    return "".join(kept)


def test_every_page_says_what_it_says_in_messages(pseudo: FlaskClient) -> None:
    names = {task.title for task in tasks.all_tasks().values()}
    names |= {name for one in languages.all_languages() for name in (one.name, one.family) if name}
    data = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    faults: dict[str, list[str]] = {}
    for stop in chosen(pseudo):
        answer = pseudo.get(f"/{PSEUDO}{stop.path}")
        if answer.status_code != 200:
            faults.setdefault(stop.page.template, []).append(f"{stop.path}: {answer.status}")
            continue
        rest = outside(answer.text)
        for line in rest.splitlines():
            if found := COMMON.intersection(_WORD.findall(data.sub(" ", line).lower())):
                faults.setdefault(stop.page.template, []).append(f"{sorted(found)}: {' '.join(line.split())[:100]}")
    assert not {name: sorted(set(lines))[:5] for name, lines in faults.items()}


def test_an_error_page_speaks_the_language_too(pseudo: FlaskClient) -> None:
    page = pseudo.get(f"/{PSEUDO}/models/nobody").text
    assert f"{OPEN}No model on this board has that address.{CLOSE}" in page
    assert not COMMON.intersection(_WORD.findall(outside(page).lower()))


def test_data_are_the_same_in_every_language(pseudo: FlaskClient) -> None:
    for stop in chosen(pseudo):
        for suffix in ("json", "csv"):
            path = f"{stop.path.rstrip('/') or '/index'}.{suffix}"
            assert pseudo.get(f"/{PSEUDO}{path}").data == pseudo.get(path).data, path


def test_pages_say_which_language_they_are_in_and_link_the_others(client: FlaskClient) -> None:
    for locale in LOCALES:
        prefix = "" if locale == DEFAULT else f"/{locale}"
        page = client.get(f"{prefix}/languages/yor_Latn").text
        assert f'<html lang="{locale}" dir="{"rtl" if locale == "ar" else "ltr"}">' in page
        for other in LOCALES:
            target = f"{'' if other == DEFAULT else f'/{other}'}/languages/yor_Latn"
            assert f'<link rel="alternate" hreflang="{other}" href="{target}">' in page
            assert re.search(rf'<a href="{target}" lang="{other}" dir="(ltr|rtl)" hreflang="{other}"', page)


def test_every_catalogue_can_be_compiled() -> None:
    for locale in OTHERS:
        with (translation.FOLDER / f"{locale}.po").open("rb") as source, Path("/dev/null").open("wb") as target:
            write_mo(target, read_po(source, locale=locale, abort_invalid=True))
