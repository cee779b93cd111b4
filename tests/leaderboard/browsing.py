"""The site in a real Chromium: a server, a browser, and what a page asked for, weighs and breaks."""

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flask import Flask
from werkzeug.serving import make_server

from leaderboard import snapshot, walking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

CHROMIUM = shutil.which("chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

Scheme = Literal["light", "dark"]

MOST_BYTES = 100 * 1024
"""Of everything that a page needs, as it is sent."""
MOST_NODES = 3000
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOUR_RULES = ("color-contrast", "link-in-text-block")
"""The rules of axe that a colour scheme may break."""


@contextlib.contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


def context(
    browser: Browser, width: int = 1280, scheme: Scheme = "light", *, scripts: bool = False, inspected: bool = False
) -> BrowserContext:
    """A visitor. `inspected` lets the test's own scripts run in spite of the site's policy."""
    return browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=scripts or inspected,
        bypass_csp=inspected,
    )


@dataclass
class Watched:
    """A page with everything that it asked for and complained of since the last `clear`."""

    page: Page
    address: str
    asked: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("requestfinished", self._finished)
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _finished(self, request: Request) -> None:
        self.asked.append(request)

    def go(self, path: str, status: int = 200) -> None:
        """Opens a page and sees that it came."""
        self.asked.clear()
        self.complaints.clear()
        answer = self.page.goto(self.address + path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        if status >= 400:  # which Chromium itself tells the console
            self.complaints[:] = [text for text in self.complaints if f"status of {status}" not in text]

    def weight(self) -> int:
        """Bytes of all answers as they were sent. Cached ones count nothing, so it is for fresh contexts."""
        return sum(request.sizes()["responseBodySize"] for request in self.asked)

    def strangers(self) -> list[str]:
        """What was asked of other servers."""
        return [one.url for one in self.asked if not one.url.startswith((self.address, "data:"))]

    def scripts(self) -> list[str]:
        """Scripts that were asked for."""
        return [one.url for one in self.asked if one.resource_type == "script"]

    def nodes(self) -> int:
        """Nodes of the document, texts between them not counted."""
        found: int = self.page.evaluate("document.querySelectorAll('*').length")
        return found

    def overflow(self) -> int:
        """By how many CSS pixels the page is wider than its window."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return found

    def violations(self, *rules: str) -> list[str]:
        """What axe finds wrong: by the tags of `RULES`, or by these rules alone."""
        chosen = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(RULES)}
        options: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": chosen}
        if not rules:
            options["rules"] = {"target-size": {"enabled": True}}
        found = _axe().run(self.page, options=options).response
        return [
            f"{one['id']}: {node['target']} {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            for node in one["nodes"][:4]
        ]


@functools.cache
def _axe() -> Any:
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def one_of_each(app: Flask, board: Path) -> list[str]:
    """A path for every page of the site: of a rule with variables the first and the last that the board has."""
    site = walking.site_of(app)
    by_rule: dict[str, list[str]] = {}
    for stop in walking.stops(site, snapshot.current(board)):
        by_rule.setdefault(stop.page.rule, []).append(stop.path)
    return [path for paths in by_rule.values() for path in dict.fromkeys((paths[0], paths[-1]))]
