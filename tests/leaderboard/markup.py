"""Reading pages as a browser would: well-formedness, tables as rows of text, and the elements with their attributes."""

from __future__ import annotations

from html.parser import HTMLParser

Element = tuple[str, dict[str, str | None]]

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Fails on an element that is not closed where it should be, on inline script or style, and on a repeated id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.titles = 0
        self.elements: list[Element] = []
        self.said: list[str] = []
        self.tables: list[list[list[str]]] = []
        assert text.startswith("<!doctype html>")
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"an attribute twice in <{tag}>"
        assert tag not in {"script", "style"}, "inline script or style"
        assert not [name for name in named if name == "style" or name.startswith("on")], f"inline code in <{tag}>"
        assert tag != "th" or named.get("scope"), "a header without a scope"
        assert tag != "thead" or self.elements[-1][0] == "caption", "a table without a caption"
        if "id" in named:
            assert named["id"] not in self.ids, f"id {named['id']} twice"
            self.ids.add(named["id"] or "")
        self.elements.append((tag, named))
        self.titles += tag == "title" and "svg" not in self.open  # a picture has titles of its own
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.said.append(data)
        if "tr" in self.open:
            self.tables[-1][-1].append(data)


def check(text: str) -> list[Element]:
    """Every element of a well-formed page with its attributes. Raises `AssertionError`."""
    page = Page(text)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == page.titles == 1
    return page.elements


def tables(text: str) -> list[list[str]]:
    """The rows of every table, each as its text with single spaces."""
    return [[" ".join(" ".join(row).split()) for row in table] for table in Page(text).tables]


def words(text: str) -> str:
    """What a page says, with single spaces."""
    return " ".join(" ".join(Page(text).said).split())
