"""The whole site as files, for any plain file server: that is how a board outlives its machine, and how it scales.

Every page of a snapshot becomes `<address>/index.html`, its data lie beside it under the live site's own
addresses. A file server knows no parameters: pages of a long table become addresses of their own (`page-2/`), and what
asks the board (filters, forms, other orders) is left out, with a line that says where to find it. What was linked to
and is no file after all is on the live board, or is no link.
"""

from __future__ import annotations

import html
import re
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from bench.records import UsageError
from bench.watch import Watch, unwatched
from leaderboard import snapshot, twins, walking
from leaderboard.prefixes import DEFAULT, LOCALES, Prefix
from leaderboard.site import Site
from leaderboard.walking import Stop

TURNED = frozenset({"page", "cols"})
"""Parameters that show another part of the same table; each part is a file."""

MOST_PARTS = 400
"""So many parts of one page at most."""

LIVE = ("/snapshots/", "/submit", "/submissions", "/openapi.json", "/diff")
"""What only the live board has."""

_HREF = re.compile(r' href="([^"]*)"')
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
_ASKS = re.compile(
    r"</?form\b[^>]*>|<label\b[^>]*>\s*<input\b[^>]*>\s*</label>|<p\b[^>]*>\s*<button\b.*?</p>", re.DOTALL
)
"""What is left out of a form that holds a table: its tags, ticks and the line with its button."""
_MAIN = re.compile(r"(<main\b[^>]*>)")
_ALTERNATE = re.compile(r'<link rel="(?:canonical|alternate)"[^>]*>\n?')


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was written. `lost` are addresses that pages linked to and nothing was written for."""

    snapshot: str
    pages: int
    files: int
    bytes: int
    lost: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    site: Site
    name: str
    output: Path
    root: str
    live: str
    locales: Collection[str]
    pages: int = 0
    files: int = 0
    bytes: int = 0
    written: set[str] = field(default_factory=set)
    linked: dict[str, str] = field(default_factory=dict)  # address as a file -> that on the live board


def freeze(
    site: Site,
    output: Path,
    *,
    locales: Collection[str] = (DEFAULT,),
    root: str = "",
    live: str = "",
    watch: Watch = unwatched,
    name: str = "",
) -> Frozen:
    """Writes a snapshot's site to a new folder. Raises `UsageError` where the folder holds something else.

    The folder is there when all of it is, and not before. Raises `BoardError` where it cannot be written. `root` is
    where the site will lie on its server, "" for its top; `live` the address of the board that answers what files
    cannot. Without a name it is the current snapshot; raises `UsageError` for one that the board does not have.
    """
    if name and not (snapshot.is_name(name) and snapshot.snapshot_path(site.folder, name).is_file()):
        raise UsageError(f"{site.folder} has no snapshot {name!r}; `python -m bench board history` lists them")
    root = root.rstrip("/")
    if root and not root.startswith("/"):
        raise UsageError(f"--root is {root!r}; give a path that begins with a slash, such as /board")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not empty; name a new folder")
    output = output.absolute()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as beside:
            name = name or snapshot.current(site.folder)
            work = _Work(site, name, Path(beside) / "site", root, live.rstrip("/"), locales)
            made = _write_all(work, watch)
            work.output.replace(output)
    except OSError as error:
        raise snapshot.BoardError(f"cannot write {output}: {error.strerror}; nothing of it is kept") from error
    return made


def _write_all(work: _Work, watch: Watch) -> Frozen:
    site, root, locales = work.site, work.root, work.locales
    walked = walking.stops(site, work.name)
    with watch("pages", len(walked)) as progress:
        for done, stop in enumerate(walked, start=1):
            for suffix in twins.FORMATS:
                _data(work, stop, suffix)
            for locale in locales:
                _parts(work, stop, Prefix(root, locale, ""))
            progress(done)
    _static(work)
    lost = sorted(work.linked.keys() - work.written)
    if lost:
        _mend(work, frozenset(lost))
    return Frozen(work.name, work.pages, work.files, work.bytes, tuple(lost))


def _data(work: _Work, stop: Stop, suffix: str) -> None:
    made = walking.answered(work.site, stop, work.name, Prefix(work.root, DEFAULT, ""), suffix)
    if made is not None and made.status == 200:
        _write(work, f"{stop.path.rstrip('/') or '/index'}.{suffix}", made.body())


def _parts(work: _Work, stop: Stop, prefix: Prefix) -> None:
    """A page and the other parts of its table."""
    waiting, seen = [""], {""}
    while waiting:
        query = waiting.pop(0)
        made = walking.answered(work.site, stop, work.name, prefix, query=query)
        if made is None or made.status != 200:
            continue
        own = prefix.at().removeprefix(work.root)
        for other in _turned(made.body().decode(), f"{prefix.at()}{stop.path}"):
            if other not in seen and len(seen) < MOST_PARTS:
                seen.add(other)
                waiting.append(other)
        address = f"{own}{stop.path.rstrip('/')}{_folder(query)}"
        _write(work, f"{address}/index.html", _page(work, made.body().decode(), prefix).encode())
        work.written.add(address or "/")
        work.pages += 1


def _turned(page: str, address: str) -> Iterator[str]:
    """The queries of links to other parts of the same page."""
    for link in _HREF.findall(page):
        where = urlsplit(html.unescape(link))
        if where.query and unquote(where.path) == address and _is_turn(where.query):
            yield where.query


def _is_turn(query: str) -> bool:
    return all(name in TURNED and value.isdigit() for name, value in parse_qsl(query))


def _folder(query: str) -> str:
    return "".join(f"/{name}-{value}" for name, value in sorted(parse_qsl(query)))


def _page(work: _Work, page: str, prefix: Prefix) -> str:
    """A page as a file: links to parts lead to their files, and nothing asks what no file can answer."""
    spoken = prefix.at().removeprefix(work.root)

    def link(found: re.Match[str]) -> str:
        href = _link(work, html.unescape(found[1]), spoken)
        return "" if href is None else f' href="{html.escape(href)}"'

    page = _ALTERNATE.sub("", page)
    without = _FORM.sub(lambda found: _ASKS.sub("", found[0]) if "<table" in found[0] else "", page)
    note = ""
    if without != page:
        live = html.escape(work.live)
        where = f'<a href="{live}">{live}</a>' if live else "the live board"
        note = f'<p class="note" lang="en" dir="ltr">Filters and forms need {where}; this is a copy as files.</p>\n'
    return _MAIN.sub(lambda found: f"{found[0]}\n{note}", _HREF.sub(link, without), count=1)


def _link(work: _Work, href: str, spoken: str) -> str | None:
    """Where a link of a page leads in the files; None where nothing of it is there: then it is no link."""
    where = urlsplit(href)
    address = where.path.removeprefix(work.root)
    plain = address.removeprefix(spoken)
    if where.scheme or where.netloc or not where.path.startswith(f"{work.root}/") or address.startswith("/static/"):
        return href
    if plain.startswith(LIVE):
        return f"{work.live}{href.removeprefix(work.root)}" if work.live else None
    if plain.endswith(tuple(f".{suffix}" for suffix in twins.FORMATS)):
        return f"{work.root}{plain}"  # the data are the same in every language of the interface, so they are there once
    other = plain.split("/")[1]
    if (other in LOCALES and other not in work.locales) or (where.query and not _is_turn(where.query)):
        return None
    target = address.rstrip("/") + _folder(where.query)
    work.linked.setdefault(unquote(target) or "/", f"{address}{where.query and '?' + where.query}")
    return f"{work.root}{target}/{where.fragment and '#' + where.fragment}"


def _mend(work: _Work, lost: Collection[str]) -> None:
    """Leads the links to what is no file to the live board; without one they are links no more."""

    def link(found: re.Match[str]) -> str:
        where = urlsplit(html.unescape(found[1]))
        address = unquote(where.path.removeprefix(work.root)).rstrip("/") or "/"
        if where.netloc or address not in lost:
            return found[0]
        if not work.live:
            return ""
        live = f"{work.live}{work.linked[address]}{where.fragment and '#' + where.fragment}"
        return f' href="{html.escape(live)}"'

    for address in sorted(work.written):
        file = f"{address}/index.html"
        page = _path(work, file).read_bytes()
        mended = _HREF.sub(link, page.decode()).encode()
        if mended != page:
            _put(work, file, mended)
            work.bytes += len(mended) - len(page)


def _static(work: _Work) -> None:
    served = work.site.app.extensions["static files"]
    for name, (content, _kind) in served.items():
        _write(work, f"/static/{name}", content)


def _write(work: _Work, address: str, content: bytes) -> None:
    """Puts a new file into the folder, and counts it."""
    _put(work, address, content)
    work.files += 1
    work.bytes += len(content)


def _put(work: _Work, address: str, content: bytes) -> None:
    path = _path(work, address)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _path(work: _Work, address: str) -> Path:
    return work.output / address.lstrip("/")
